//! No terminal: entries from a pipe or a file.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bowline_tests::process::{self, Outcome};
use libtest_mimic::Trial;

use crate::Context;
use crate::terminal::Result;

const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    type Body = fn(&Context, &Path) -> Result;
    let rows: &[(&str, Body)] = &[
        ("values are printed and nothing else", values),
        ("a failure is told and is the status", failures),
        ("what is not whole is told", unfinished),
        ("an entry reads the line after it", reading),
        ("a reader that leaves is no error", left),
        ("what cannot be written is told", full_device),
        ("the status of exit", exit),
    ];
    rows.iter()
        .map(|&(name, body)| bowline_tests::trials::trial(context, format!("piped::{name}"), body))
        .collect()
}

fn run(context: &Context, folder: &Path, input: &str) -> Result<Outcome> {
    let mut command = Command::new(&context.bowline);
    Ok(process::run(command.arg("repl"), folder, input, LIMIT)?)
}

/// That a run printed this and ended with this status.
fn expect(outcome: &Outcome, stdout: &str, status: i32) -> Result {
    if outcome.exit == Some(status) && outcome.stdout == stdout {
        return Ok(());
    }
    Err(format!("expected status {status} and {stdout:?}, got {outcome:#?}").into())
}

/// That a run told nothing.
fn silent(outcome: &Outcome) -> Result {
    match outcome.stderr.is_empty() {
        true => Ok(()),
        false => Err(format!("expected no diagnostics, got {}", outcome.stderr).into()),
    }
}

fn values(context: &Context, folder: &Path) -> Result {
    let input = "(define (f x)\n  (* x x))\n(f 4) (f 5)\n; nothing\n\n(values 1 2)\n\"s\"";
    let outcome = run(context, folder, input)?;
    expect(&outcome, "16\n25\n1\n2\n\"s\"\n", 0)?;
    silent(&outcome)
}

fn failures(context: &Context, folder: &Path) -> Result {
    let outcome = run(context, folder, "(+ 1 2)\n\n(car 1)\n(+ 3 4)\n")?;
    expect(&outcome, "3\n7\n", 1)?;
    match outcome.stderr.contains("error") && outcome.stderr.contains("car") {
        true => Ok(()),
        false => Err(outcome.stderr.into()),
    }
}

fn unfinished(context: &Context, folder: &Path) -> Result {
    let outcome = run(context, folder, "(+ 1 2)\n(car (list 1")?;
    expect(&outcome, "3\n", 1)?;
    match outcome.stderr.contains("error") {
        true => Ok(()),
        false => Err(outcome.stderr.into()),
    }
}

fn reading(context: &Context, folder: &Path) -> Result {
    let outcome = run(context, folder, "(read-line)\nsome text\n(+ 1 2)\n")?;
    expect(&outcome, "\"some text\"\n3\n", 0)
}

fn left(context: &Context, folder: &Path) -> Result {
    // What is printed is the value in one case, and the program's own output in the other.
    for (entry, printed) in [("(+ 1 2)", "3\n"), ("(begin (display 3) (newline))", "3\n")] {
        let script = format!("yes '{entry}' 2>/dev/null | \"$0\" repl | head -n 1");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(&context.bowline);
        let outcome = process::run(&mut command, folder, "", LIMIT)?;
        expect(&outcome, printed, 0)?;
        silent(&outcome)?;
    }
    Ok(())
}

fn full_device(context: &Context, folder: &Path) -> Result {
    for entry in ["(+ 1 2)", "(display 3)", "(make-string 100000 #\\x)"] {
        let script = format!("echo '{entry}' | \"$0\" repl > /dev/full");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(&context.bowline);
        let outcome = process::run(&mut command, folder, "", LIMIT)?;
        expect(&outcome, "", 1)?;
        if !outcome.stderr.contains("No space left on device") {
            return Err(format!("{entry} is lost without a word: {outcome:#?}").into());
        }
    }
    Ok(())
}

fn exit(context: &Context, folder: &Path) -> Result {
    expect(&run(context, folder, "(exit 7)\n(+ 1 2)\n")?, "", 7)
}
