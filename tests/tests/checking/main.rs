//! Checking mode (`--check-boundary`): C that does what it may not is told in one line and ended, and C that does what it
//! may notices nothing.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use bowline_tests::compiler::{Compiler, Kind};
use bowline_tests::process::{self, Outcome};
use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(200);

const SEGV: i32 = 11;
const ABRT: i32 = 6;

/// A crime, the signal that ends it, and what is told.
const CRIMES: [(&str, i32, &str); 13] = [
    (
        "past",
        SEGV,
        "C has written 1 byte past the end of argument 1 (bytevector) of fill, lent at crimes.scm:23",
    ),
    (
        "gap",
        ABRT,
        "C has written 2 bytes past the end of argument 1 (bytevector) of fill, lent at crimes.scm:25",
    ),
    (
        "before",
        ABRT,
        "C has written 2 bytes before the beginning of argument 1 (bytevector) of put, lent at crimes.scm:27",
    ),
    (
        "long-before",
        SEGV,
        "C has written 5000 bytes before the beginning of argument 1 (bytevector) of put, lent at crimes.scm:29",
    ),
    (
        "at",
        SEGV,
        "C has written 1 byte past the end of argument 1 ((bytevector-at)) of put-at, lent at crimes.scm:31",
    ),
    (
        "read",
        SEGV,
        "C has read 3 bytes past the end of argument 1 (bytevector) of get, lent at crimes.scm:33",
    ),
    (
        "read-text",
        SEGV,
        "C has read 1 byte past the end of argument 1 (string) of get-text, lent at crimes.scm:35",
    ),
    (
        "empty",
        SEGV,
        "C has written 1 byte past the end of argument 1 (bytevector) of put, lent at crimes.scm:37",
    ),
    (
        "after",
        SEGV,
        "C has used argument 1 (string) of save after the call, lent at crimes.scm:39",
    ),
    (
        "changed",
        ABRT,
        "C has written to argument 1 (string) of upcase, which it may only read, lent at crimes.scm:42",
    ),
    (
        "out",
        SEGV,
        "C has written 1 byte past the end of parameter 1, (out int), of count, lent at crimes.scm:44",
    ),
    (
        "program",
        SEGV,
        "the program has used argument 1 (string) of strchr after the call, lent at crimes.scm:46",
    ),
    (
        "jumped",
        SEGV,
        "C has used argument 1 (string) of leave after the call, lent at crimes.scm:48",
    ),
];

/// How checking is asked for.
const WAYS: [&[&str]; 3] = [
    &["--check-boundary"],
    &["--check-boundary=1", "--zeal=off"],
    &["--check-boundary", "--plan=latency"],
];

const HONEST: &str = "\
(2 #u8(2 3 4 4))
35
#u8(5 30 4 4)
60
#u8(77 30 4 4)
(2 42 42)
done
";

/// What the trials share.
struct Context {
    bowline: PathBuf,
    programs: PathBuf,
    compiler: Compiler,
}

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = Arc::new(Context {
        bowline: process::product("bowline")?,
        programs: tests.join("checking"),
        compiler: Compiler::new(tests).map_err(|error| error.to_string())?,
    });
    let mut trials = Vec::new();
    for (crime, signal, line) in CRIMES {
        let body = move |context: &Context, folder: &Path| {
            let outcome = run(context, folder, WAYS[0], "crimes.scm", &[crime], false)?;
            expect(
                &outcome,
                (None, Some(signal)),
                "",
                &format!("bowline: {line}\n"),
            )
        };
        trials.push(trial(&context, crime.into(), body));
    }
    for flags in WAYS {
        let name = format!("honest{}", flags.concat().replace("--", ":"));
        let body = move |context: &Context, folder: &Path| {
            let outcome = run(context, folder, flags, "honest.scm", &[], false)?;
            expect(&outcome, (Some(0), None), HONEST, "")
        };
        trials.push(trial(&context, name, body));
    }
    trials.push(trial(&context, "without".into(), |context, folder| {
        let outcome = run(context, folder, &[], "honest.scm", &[], false)?;
        expect(&outcome, (Some(0), None), HONEST, "")
    }));
    trials.push(trial(
        &context,
        "by-environment".into(),
        |context, folder| {
            let outcome = run(context, folder, &[], "crimes.scm", &["past"], true)?;
            let (_, signal, line) = CRIMES[0];
            expect(
                &outcome,
                (None, Some(signal)),
                "",
                &format!("bowline: {line}\n"),
            )
        },
    ));
    Ok(trials)
}

fn run(
    context: &Context,
    folder: &Path,
    flags: &[&str],
    program: &str,
    arguments: &[&str],
    by_environment: bool,
) -> Result<Outcome, Failed> {
    let source = "checking/crimes.c";
    let library = context
        .compiler
        .make("crimes.so", Kind::CLibrary, source, &[])?;
    let mut command = Command::new(&context.bowline);
    command.args(["run", "--heap=256m"]).args(flags);
    command.arg(context.programs.join(program)).arg(library);
    command.args(arguments);
    if by_environment {
        command.env("BOWLINE_CHECK_BOUNDARY", "1");
    }
    Ok(process::run(&mut command, folder, "", LIMIT)?)
}

fn expect(
    outcome: &Outcome,
    ending: (Option<i32>, Option<i32>),
    stdout: &str,
    stderr: &str,
) -> Result<(), Failed> {
    let told = (outcome.exit, outcome.signal) == ending;
    if told && outcome.stdout == stdout && without_folders(&outcome.stderr) == stderr {
        return Ok(());
    }
    let (ending, stdout, stderr) = (outcome.ending(), &outcome.stdout, &outcome.stderr);
    Err(format!("{ending}, the output\n{stdout}\nand the diagnostics\n{stderr}").into())
}

/// A program is named as it was given.
fn without_folders(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.rsplit_once('/') {
        Some((_, name)) => name,
        None => word,
    });
    words.collect::<Vec<_>>().join(" ")
}
