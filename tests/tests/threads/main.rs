//! Callbacks on threads that C has made, C that jumps past callbacks, and C that closes a library in use, in the command `bowline`, each trial in a process of its own.
//!
//! Absent on purpose: what the boundary does without a language. Its own trials show that.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use bowline_tests::compiler::{Compiler, Kind};
use bowline_tests::process;
use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(200);

/// How a heap is started, for what must hold under each.
const MODES: [&[&str]; 6] = [
    &[],
    &["--plan=compact-test"],
    &["--plan=latency"],
    &["--plan=immix"],
    &["--zeal=crossing:1"],
    &["--zeal=malloc:20"],
];

/// What the trials share.
struct Context {
    bowline: PathBuf,
    programs: PathBuf,
    compiler: Compiler,
}

/// What a program must do.
struct Case {
    name: &'static str,
    exit: i32,
    stdout: &'static str,
    stderr: &'static str,
    modes: &'static [&'static [&'static str]],
}

const CASES: [Case; 10] = [
    Case {
        name: "work",
        exit: 0,
        stdout: "program\n42\n1050\n100\n20\n102\n102\n",
        stderr: "",
        modes: &MODES,
    },
    Case {
        name: "raise",
        exit: 0,
        stdout: "-1\n",
        stderr: "\
raise.scm:6:26: error: in a callback on a thread of C's: car: argument 1 must be a pair, not 5
  |
6 |   (on-thread (lambda (n) (car n)) 5)))
  |                          ^^^^^^^
  |
  = note: C gets the callback's default, and the program goes on
",
        modes: &[&[]],
    },
    Case {
        name: "wrong",
        exit: 0,
        stdout: "-1\n",
        stderr: "\
error: in a callback on a thread of C's: the result of the callback that is argument 1 of `on-thread` \
has type int64: expected an exact integer, got \"text\"
 = note: C gets the callback's default, and the program goes on
",
        modes: &[&[]],
    },
    Case {
        name: "continuation",
        exit: 0,
        stdout: "\
1
a continuation was entered on another thread than the one it belongs to:
a continuation was entered after the callback or finalizer that it belongs to had returned:
a continuation was entered on another thread than the one it belongs to:
",
        stderr: "",
        modes: &[&[], &["--zeal=crossing:1"]],
    },
    Case {
        name: "exit",
        exit: 7,
        stdout: "inside\nafter\n",
        stderr: "",
        modes: &[&[]],
    },
    Case {
        name: "fork",
        exit: 0,
        stdout: "(200 5)\n",
        stderr: "",
        modes: &[&[], &["--plan=latency"], &["--zeal=crossing:1"]],
    },
    Case {
        name: "jump",
        exit: 0,
        stdout: "\
C jumped (longjmp) back into `place`, past a callback of it: what the callback was doing is lost, and its `after` thunks did not run
(program 0)
40
(program 0)
(program 0 0)
100000
a continuation was entered after the callback or finalizer that it belongs to had returned:
",
        stderr: "",
        modes: &MODES,
    },
    Case {
        name: "close",
        exit: 0,
        stdout: "(84 42 4)\n",
        stderr: "",
        modes: &[&[], &["--zeal=crossing:1"]],
    },
    Case {
        name: "kept",
        exit: 0,
        stdout: "(0 50)\n",
        stderr: "",
        modes: &[&[], &["--zeal=crossing:1"]],
    },
    Case {
        name: "finalizer",
        exit: 0,
        stdout: "(0 1)\n",
        stderr: "",
        modes: &[&[]],
    },
];

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = Arc::new(Context {
        bowline: process::product("bowline")?,
        programs: tests.join("threads"),
        compiler: Compiler::new(tests).map_err(|error| error.to_string())?,
    });
    let mut trials = Vec::new();
    for case in &CASES {
        for &flags in case.modes {
            let name = format!("{}{}", case.name, flags.concat().replace("--", ":"));
            trials.push(trial(&context, name, move |context, folder| {
                run(context, folder, case, flags)
            }));
        }
    }
    Ok(trials)
}

fn run(context: &Context, folder: &Path, case: &Case, flags: &[&str]) -> Result<(), Failed> {
    let source = "threads/threads.c";
    let library = context
        .compiler
        .make("threads.so", Kind::CLibrary, source, &[])?;
    let mut command = Command::new(&context.bowline);
    let program = context.programs.join(case.name).with_extension("scm");
    command.args(["run", "--heap=256m"]).args(flags);
    command.arg(&program).arg(library);
    let outcome = process::run(&mut command, folder, "", LIMIT)?;
    let folder = format!("{}/", context.programs.display());
    let stderr = outcome.stderr.replace(&folder, "");
    if (outcome.exit, &*outcome.stdout, &*stderr) == (Some(case.exit), case.stdout, case.stderr) {
        return Ok(());
    }
    let (ending, stdout) = (outcome.ending(), &outcome.stdout);
    Err(format!("{ending}, the output\n{stdout}\nand the diagnostics\n{stderr}").into())
}
