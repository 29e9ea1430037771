//! Checking mode (`--check-boundary`): C that does what it may not is told in one line and ended, and C that does what it
//! may notices nothing.

#![forbid(unsafe_code)]

use std::ffi::OsString;
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
        "C still has the address of argument 1 (string) of save after the call, in static memory of crimes.so at 0x…, \
         lent at crimes.scm:39\nbowline: C has used argument 1 (string) of save after the call, lent at crimes.scm:39",
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
        "C still has the address of argument 1 (string) of leave after the call, in static memory of crimes.so at 0x…, \
         lent at crimes.scm:48\nbowline: C has used argument 1 (string) of leave after the call, lent at crimes.scm:48",
    ),
];

/// What C does that `keeps.scm` lets it do, how that ends (by a signal, or well), what the program prints before that,
/// and what is told; `…` there is any number.
const KEEPS: [(&str, Option<i32>, &str, &str); 18] = [
    (
        "text",
        None,
        DONE,
        "C still has the address of argument 1 (string) of keep after the call, in `variable` of keeps.so, lent at \
         keeps.scm:32",
    ),
    (
        "table",
        None,
        DONE,
        "C still has the address of argument 1 (bytevector) of keep-in-table after the call, in `table` of keeps.so, 24 \
         bytes into it, lent at keeps.scm:34",
    ),
    (
        "hidden",
        None,
        DONE,
        "C still has the address of argument 1 (bytevector) of keep-hidden after the call, in static memory of keeps.so \
         at 0x…, lent at keeps.scm:36",
    ),
    (
        "block",
        None,
        DONE,
        "C still has the address of argument 1 (bytevector) of keep-in-block after the call, in a block of 32 bytes at \
         0x…, 24 bytes into it, lent at keeps.scm:38",
    ),
    (
        "middle",
        None,
        DONE,
        "C still has the address of argument 1 (string) of keep-at after the call, in `variable` of keeps.so, lent at \
         keeps.scm:40",
    ),
    (
        "moved",
        None,
        DONE,
        "C still has the address of argument 1 (pointer) of keep-pointer though the object has moved, in `variable` of \
         keeps.so, lent at keeps.scm:42",
    ),
    (
        "unpinned",
        None,
        DONE,
        "C still has the address of argument 1 (bytevector) of keep-bytes though the object has moved, in `variable` of \
         keeps.so, lent at keeps.scm:47",
    ),
    (
        "died",
        None,
        DONE,
        "C still has the address of argument 1 (pointer) of keep-pointer though the object has died, in `variable` of \
         keeps.so, lent at keeps.scm:51",
    ),
    (
        "word",
        None,
        DONE,
        "C still has the address of what bl_raw gave to keep-word though the object has moved, in `variable` of keeps.so, \
         lent at keeps.scm:57",
    ),
    (
        "once",
        None,
        DONE,
        "C still has the address of argument 1 (string) of keep after the call, in `variable` of keeps.so, lent at \
         keeps.scm:61",
    ),
    (
        "past-struct",
        Some(SEGV),
        "",
        "C has written 1 byte past the end of parameter 1, (out (struct point)), of set-point, lent at keeps.scm:63",
    ),
    (
        "before-struct",
        Some(ABRT),
        "",
        "C has written 16 bytes before the beginning of parameter 1, (out (struct point)), of set-point, lent at \
         keeps.scm:65",
    ),
    (
        "past-inout",
        Some(SEGV),
        "",
        "C has written 1 byte past the end of parameter 1, (inout (struct point)), of change-point, lent at keeps.scm:67",
    ),
    (
        "past-array",
        Some(SEGV),
        "",
        "C has written 1 byte past the end of parameter 1, (out (array int32 4)), of set-elements, lent at keeps.scm:69",
    ),
    (
        "dead-struct",
        Some(SEGV),
        "",
        "C has used parameter 1, (out (struct point)), of keep-point when the pointer to it had died, lent at \
         keeps.scm:71",
    ),
    (
        "late",
        None,
        DONE,
        "callback from (keep-callback) called after the call that lent it returned, lent at keeps.scm:77",
    ),
    (
        "jumped",
        None,
        "C jumped (longjmp) back into `place`, past a callback of it (argument 1 of place, lent at keeps.scm:82): what the \
         callback was doing is lost, and its `after` thunks did not run\ndone\n",
        "",
    ),
    ("honest", None, "(7 3)79\ndone\n", ""),
];

/// What `keeps.scm` prints at its end.
const DONE: &str = "\ndone\n";

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
    /// Where `bowline.h` is.
    include: PathBuf,
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
        include: tests.join("../ffi_boundary/capi/include"),
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
    for (case, signal, stdout, line) in KEEPS {
        let body = move |context: &Context, folder: &Path| {
            let outcome = run(context, folder, WAYS[0], "keeps.scm", &[case], false)?;
            let status = signal.is_none().then_some(0);
            let stderr = match line {
                "" => String::new(),
                line => format!("bowline: {line}\n"),
            };
            expect(&outcome, (status, signal), stdout, &stderr)
        };
        trials.push(trial(&context, format!("keeps-{case}"), body));
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
    let name = match program {
        "keeps.scm" => "keeps",
        _ => "crimes",
    };
    let (output, source) = (format!("{name}.so"), format!("checking/{name}.c"));
    let mut include = OsString::from("-I");
    include.push(&context.include);
    let compiler = &context.compiler;
    let library = compiler.make(&output, Kind::CLibrary, &source, &[include])?;
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
    if told && without_folders(&outcome.stdout) == stdout && matches(&outcome.stderr, stderr) {
        return Ok(());
    }
    let (ending, stdout, stderr) = (outcome.ending(), &outcome.stdout, &outcome.stderr);
    Err(format!("{ending}, the output\n{stdout}\nand the diagnostics\n{stderr}").into())
}

/// Whether a text, in which programs and libraries are named as they were given, is what is expected, where `…` is a number.
fn matches(text: &str, expected: &str) -> bool {
    let text = without_folders(text);
    let Some((head, tail)) = expected.split_once('…') else {
        return text == expected;
    };
    let Some(rest) = text.strip_prefix(head) else {
        return false;
    };
    rest.trim_start_matches(|digit: char| digit.is_ascii_hexdigit()) == tail
}

/// Without what stands before the last `/` of each word.
fn without_folders(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.rsplit_once('/') {
        Some((_, name)) => name,
        None => word,
    });
    words.collect::<Vec<_>>().join(" ")
}
