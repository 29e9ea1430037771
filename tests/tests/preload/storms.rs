//! Forks, threads, signals, phases: everything at once, for a few seconds each.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::context::{Context, expect, expect_served, run, run_under};
use bowline_tests::trials::trial;

/// Programs without arguments.
const STORMS: [&str; 10] = [
    "fork_threads.c",
    "fork_handlers.c",
    "spawn.c",
    "thread_churn.c",
    "thread_local.cc",
    "before_main.c",
    "signals.c",
    "handover.c",
    "fork_in_handler.c",
    "threads_in_turn.c",
];

/// Those that are run once more as C++.
const AS_CXX: [&str; 3] = ["fork_handlers.c", "spawn.c", "before_main.c"];

/// Phases of `memory_back.c`, after each of which memory goes back to the system.
const PHASES: [&str; 10] = [
    "threads", "small", "large", "mixed", "sparse", "trim", "steady", "asleep", "unasked", "crowd",
];

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for source in STORMS {
        let name = source.split('.').next().unwrap_or(source);
        trials.push(trial(
            context,
            format!("storm::{name}"),
            |context, folder| survives(context, folder, Command::new(context.program(source)?)),
        ));
    }
    for source in AS_CXX {
        let name = source.split('.').next().unwrap_or(source);
        trials.push(trial(
            context,
            format!("storm::{name}_cxx"),
            |context, folder| {
                survives(
                    context,
                    folder,
                    Command::new(context.program_as_cxx(source)?),
                )
            },
        ));
    }
    for phase in PHASES {
        trials.push(trial(
            context,
            format!("storm::memory_back_{phase}"),
            move |context, folder| {
                let mut command = Command::new(context.program("memory_back.c")?);
                command.arg(phase);
                survives(context, folder, command)
            },
        ));
    }
    trials.push(trial(
        context,
        "storm::reopen".to_owned(),
        |context, folder| {
            let mut command = Command::new(context.program("reopen.c")?);
            command.arg(context.library("plugin.so", "plugin.c", &[])?);
            survives(context, folder, command)
        },
    ));
    trials.push(trial(context, "storm::after_exit".to_owned(), after_exit));
    for first in [true, false] {
        let place = if first { "before" } else { "behind" };
        let name = format!("storm::early_library_{place}");
        trials.push(trial(context, name, move |context, folder| {
            early_library(context, folder, first)
        }));
    }
    trials
}

fn survives(context: &Context, folder: &Path, mut command: Command) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let outcome = run_under(malloc, &mut command, folder)?;
    expect(&outcome, 0, "done\n")?;
    expect_served(malloc, &outcome, 1)
}

/// Memory is used after the malloc's own figures are out.
fn after_exit(context: &Context, folder: &Path) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let mut command = Command::new(context.program("after_exit.cc")?);
    let outcome = run_under(malloc, &mut command, folder)?;
    let stdout = "done\non_exit\natexit\nstatic destructor\nlast destructor\n";
    expect(&outcome, 5, stdout)?;
    expect_served(malloc, &outcome, 1)
}

/// A preloaded library of C++ uses memory before the malloc was initialised and after it exited.
fn early_library(context: &Context, folder: &Path, first: bool) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let early = context.library("early.so", "early.cc", &[])?;
    let mut command = Command::new(context.program("before_main.c")?);
    malloc.preload(&mut command, &[&early]);
    if first {
        let mut list = early.into_os_string();
        list.push(":");
        list.push(&malloc.path);
        command.env("LD_PRELOAD", list);
    }
    let outcome = run(&mut command, folder)?;
    expect(
        &outcome,
        0,
        "early library holds 1000\ndone\nearly is over\n",
    )?;
    expect_served(malloc, &outcome, 1)
}
