//! The runtime in a process whose malloc is another: nobody counts C's bytes but those that are declared.
//!
//! This test executable is such a process. It links the engine and not the exported malloc, and called
//! with [`FLAG`] it runs a program as the command does. So the cases of the language run here once more,
//! but for those that speak of Bowline's malloc.
//!
//! Absent on purpose: how a copy finds out that it lost. The preload's trials load copies in every way.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use bowline_engine::{Options, Session};
use bowline_gc::{HeapConfig, Zeal};
use bowline_tests::case::Case;
use bowline_tests::process;
use libtest_mimic::{Failed, Trial};

use crate::context::{Context, LIMIT, complaint, expect, output};
use bowline_tests::trials::trial;

/// Makes this executable a command: `--degraded [--heap=SIZEm] [--zeal=ZEAL] FILE`.
const FLAG: &str = "--degraded";

/// The stack of the thread that runs everything.
const STACK: usize = 1 << 28;

/// How the cases begin that hold only where malloc is Bowline's.
const OURS: &str = "ffi-malloc-";

/// If this executable was called as a command: what the program's status is.
pub(crate) fn command() -> Option<ExitCode> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first()? != FLAG {
        return None;
    }
    arguments.remove(0);
    let work = || {
        run(arguments).unwrap_or_else(|message| {
            eprintln!("{message}");
            2
        })
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
    let status = thread.ok().and_then(|thread| thread.join().ok());
    // A status is what the system keeps of it: the low eight bits.
    Some(ExitCode::from(status.unwrap_or(101) as u8))
}

fn mebibytes(size: &str) -> Result<usize, String> {
    let number = size.strip_suffix('m').and_then(|n| n.parse::<usize>().ok());
    Ok(number.ok_or_else(|| format!("{size} is no size"))? << 20)
}

fn run(arguments: Vec<String>) -> Result<i32, String> {
    let mut heap = HeapConfig::default();
    let mut rest = Vec::new();
    for argument in arguments {
        if let Some(size) = argument.strip_prefix("--heap=") {
            heap.limit = Some(mebibytes(size)?);
        } else if let Some(size) = argument.strip_prefix("--nursery=") {
            heap.nursery = mebibytes(size)?;
        } else if let Some(zeal) = argument.strip_prefix("--zeal=") {
            heap.zeal = zeal.parse::<Zeal>().map_err(|error| error.to_string())?;
        } else {
            rest.push(argument);
        }
    }
    let file = PathBuf::from(rest.first().ok_or("no program")?);
    let options = Options {
        heap,
        arguments: rest,
        ..Options::default()
    };
    let mut session = Session::new(options).map_err(|error| error.to_string())?;
    Ok(session.run_file(&file))
}

pub(crate) fn trials(context: &Arc<Context>) -> Result<Vec<Trial>, String> {
    let name = "degraded::accounts".to_owned();
    let mut trials = vec![trial(context, name, accounts)];
    let name = "degraded::zeal_is_refused".to_owned();
    trials.push(trial(context, name, zeal_is_refused));
    for name in cases(&context.tests.join("lang"))? {
        let title = format!("degraded::{name}");
        trials.push(trial(context, title, move |context, folder| {
            case(context, folder, &name)
        }));
    }
    Ok(trials)
}

fn command_with(arguments: &[&str]) -> Result<Command, Failed> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(FLAG).args(arguments);
    Ok(command)
}

/// What is declared counts and makes collections happen; C's own bytes are nobody's.
fn accounts(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut command = command_with(&["--heap=64m"])?;
    command.arg(context.tests.join("memory/degraded.scm"));
    let printed = output(&mut command, folder, LIMIT)?;
    expect(
        &printed,
        "degraded #t
counted (0 0)
declared (5242880 5000000)
dropped 1024 #t
freed #t
declared at last (1048576 0)
refused \"out of memory: the heap is full\"
C's own 100
",
    )
}

/// Zeal that acts in Bowline's malloc could never act.
fn zeal_is_refused(_: &Context, folder: &Path) -> Result<(), Failed> {
    let mut command = command_with(&["--zeal=malloc:1", "none.scm"])?;
    let outcome = process::run(&mut command, folder, "", LIMIT)?;
    let message = "zeal \"malloc:N\" needs Bowline's malloc, and this process has another\n";
    match outcome.exit == Some(2) && outcome.stderr.ends_with(message) {
        true => Ok(()),
        false => Err(complaint(
            &format!("expected status 2 and\n{message}"),
            &outcome,
        )),
    }
}

/// The cases about C and the collector that hold here too.
fn cases(folder: &Path) -> Result<Vec<String>, String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".txt").map(str::to_owned))
        .filter(|name| name.starts_with("ffi-") || name.starts_with("gc-"))
        .filter(|name| !name.starts_with(OURS))
        .collect();
    names.sort();
    Ok(names)
}

fn case(context: &Context, folder: &Path, name: &str) -> Result<(), Failed> {
    let file = context.tests.join("lang").join(format!("{name}.txt"));
    let case = Case::parse(&std::fs::read_to_string(file)?)?;
    case.lay_out(folder)?;
    let mut command = command_with(&[])?;
    command.args(&case.flags).arg("main.scm").args(&case.args);
    let outcome = process::run(&mut command, folder, &case.stdin, LIMIT)?;
    match case.complaints(&outcome).as_slice() {
        [] => Ok(()),
        complaints => Err(complaints.join("\n").into()),
    }
}
