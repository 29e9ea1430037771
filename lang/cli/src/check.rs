//! `bowline check`: what is wrong with programs, told without running them.
//!
//! The findings are what the command is for, so they go to standard output. Status 0 means that
//! nothing is wrong, though there may be warnings; 1 that something is.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use bowline_engine::{Format, Warning, check_file};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::color::Color;

/// Options of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckOptions {
    /// Tell what is found as JSON, an object on each line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Let warnings fail, too.
    #[arg(long)]
    deny_warnings: bool,
    /// Leave out the warnings of this name; may be given more than once, or several with commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = warning())]
    allow: Vec<Warning>,
    /// Programs, or files of libraries; - is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A warning by its name.
fn warning() -> impl TypedValueParser<Value = Warning> {
    let known = |warning: &Warning| PossibleValue::new(warning.as_str()).help(warning.about());
    PossibleValuesParser::new(Warning::ALL.iter().map(known)).try_map(|name| {
        let found = Warning::ALL.iter().find(|known| known.as_str() == name);
        found.copied().ok_or("there is no such warning")
    })
}

/// "1 error", "2 errors".
fn count(number: usize, what: &str) -> Option<String> {
    match number {
        0 => None,
        1 => Some(format!("1 {what}")),
        _ => Some(format!("{number} {what}s")),
    }
}

/// Checks the files; the result is the status to exit with.
pub(crate) fn check(options: &CheckOptions, color: Color) -> Result<i32, String> {
    let mut out = std::io::stdout().lock();
    let format = match options.json {
        true => Format::Json,
        false if color.on(out.is_terminal()) => Format::Color,
        false => Format::Plain,
    };
    let (mut errors, mut warnings) = (0, 0);
    let lost = |error| format!("cannot write to standard output: {error}");
    for file in &options.files {
        let checked = check_file(file, &options.allow, format);
        out.write_all(checked.text.as_bytes()).map_err(lost)?;
        errors += checked.errors;
        warnings += checked.warnings;
    }
    let counts = [count(errors, "error"), count(warnings, "warning")];
    let summary: Vec<String> = counts.into_iter().flatten().collect();
    if !summary.is_empty() && format != Format::Json {
        writeln!(out, "{}", summary.join(", ")).map_err(lost)?;
    }
    let failed = errors > 0 || options.deny_warnings && warnings > 0;
    Ok(i32::from(failed))
}

/// Tells, on standard error, what the lints say of a program that is about to run. Its errors are
/// left to the run.
pub(crate) fn warn(file: &Path, format: Format) {
    let checked = check_file(file, &[], format);
    if checked.errors == 0 {
        let _ = std::io::stderr().write_all(checked.text.as_bytes());
    }
}
