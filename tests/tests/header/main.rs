//! What `bowline header` writes, compiled as C11 and as C++17 with every warning an error, against the program that it
//! was written for: `tests/header/data.scm` opens a library made of `data.c` and of the header.
//!
//! Absent on purpose: what the forms refuse, which cases in `tests/lang` show.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use bowline_tests::compiler::{Compiler, Kind};
use bowline_tests::process::{self, Outcome};
use bowline_tests::scratch::Scratch;
use bowline_tests::trials::{HEAP_MODES, LIBRARY_LANGUAGES, trial};
use libtest_mimic::{Failed, Trial};

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(300);

/// What the program prints.
const PRINTED: &str = "#<yes #<yes \"of Scheme\">>
(-2.5 -8 (#<at home>) #f 12345678901234567890 0.5 1)
#f
(114 103 98 -1 -1)
(500500 500500)
(200 200 1)
0
2
0
";

/// One for the whole run.
struct Context {
    bowline: PathBuf,
    sources: PathBuf,
    compiler: Compiler,
    /// Where the header lies.
    header: Scratch,
}

impl Context {
    fn new() -> Result<Context, String> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("header");
        let failed = |error: std::io::Error| error.to_string();
        Ok(Context {
            bowline: process::product("bowline")?,
            compiler: Compiler::new(&sources).map_err(failed)?,
            header: Scratch::new("header").map_err(failed)?,
            sources,
        })
    }

    /// What the command says of the program, with these arguments before and behind it.
    fn run(&self, folder: &Path, arguments: &[&str], more: &[&Path]) -> Result<Outcome, Failed> {
        let mut command = Command::new(&self.bowline);
        command.args(arguments).arg(self.sources.join("data.scm"));
        Ok(process::run(command.args(more), folder, "", LIMIT)?)
    }

    /// The library of this language, made with the header.
    fn library(&self, kind: Kind) -> Result<PathBuf, Failed> {
        let include = |path: &Path| {
            let mut flag = OsString::from("-I");
            flag.push(path);
            flag
        };
        let capi = self.sources.join("../../ffi_boundary/capi/include");
        let flags = [include(self.header.path()), include(&capi)];
        let output = format!("{kind:?}.so");
        Ok(self.compiler.make(&output, kind, "data.c", &flags)?)
    }
}

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let context = Arc::new(Context::new()?);
    let header = context.run(context.header.path(), &["header"], &[]);
    let header = header.map_err(|failed| failed.message().unwrap_or_default().to_owned())?;
    if header.exit != Some(0) || !header.stderr.is_empty() {
        return Err(format!("no header: {}", header.stderr));
    }
    let path = context.header.path().join("data.h");
    std::fs::write(path, &header.stdout).map_err(|error| error.to_string())?;
    let mut trials = Vec::new();
    for (language, kind) in LIBRARY_LANGUAGES {
        for (mode, flags) in HEAP_MODES {
            let run = move |context: &Context, folder: &Path| data(context, folder, kind, flags);
            trials.push(trial(&context, format!("data::{language}::{mode}"), run));
        }
    }
    trials.push(trial(
        &context,
        "data::same_twice".into(),
        |context, folder| {
            let header = || Ok::<_, Failed>(context.run(folder, &["header"], &[])?.stdout);
            match header()? == header()? {
                true => Ok(()),
                false => Err("two headers of one program differ".into()),
            }
        },
    ));
    trials.push(trial(&context, "refused::types".into(), refused));
    Ok(trials)
}

/// A field's type that is none is told at its place, and no header is written.
fn refused(context: &Context, folder: &Path) -> Result<(), Failed> {
    let program = "(import (scheme base) (bowline datatype))\n\
                   (define-datatype t (c (f strnig)) (d (f string)))\n\
                   (foreign-export-du-test \"C\" (t c 1) \"t_c\")\n\
                   (foreign-export-du-test \"C\" (t d 1) \"t_d\")\n";
    std::fs::write(folder.join("wrong.scm"), program)?;
    let mut command = Command::new(&context.bowline);
    command.args(["header", "wrong.scm"]);
    let outcome = process::run(&mut command, folder, "", LIMIT)?;
    let told = [
        "wrong.scm:2:26: error: unknown type `strnig`",
        "wrong.scm:2:41: error: `string` cannot be the type of a constructor's field; \
         use a field without a type, or `pointer`",
    ];
    let all = told.iter().all(|text| outcome.stderr.contains(text));
    match all && outcome.exit == Some(1) && outcome.stdout.is_empty() {
        true => Ok(()),
        false => Err(format!("{}\n{}", outcome.ending(), outcome.stderr).into()),
    }
}

fn data(context: &Context, folder: &Path, kind: Kind, flags: &[&str]) -> Result<(), Failed> {
    let library = context.library(kind)?;
    let run = [&["run"][..], flags].concat();
    let outcome = context.run(folder, &run, &[&library])?;
    let quiet = outcome.exit == Some(0) && outcome.stderr.is_empty();
    match quiet && outcome.stdout == PRINTED {
        true => Ok(()),
        false => {
            let Outcome { stdout, stderr, .. } = &outcome;
            Err(format!("{}\n{stdout}{stderr}", outcome.ending()).into())
        }
    }
}
