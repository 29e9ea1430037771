//! Little memory: the malloc takes what it can get, says NULL and ENOMEM, and goes on.
//!
//! Absent on purpose: setting `vm.overcommit_memory` to 2. It is one setting for the whole machine, which no namespace has
//! for itself; where it is set already a trial runs, elsewhere it is shown as skipped, and the limit on data
//! pages refuses the same requests.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bowline_tests::malloc::PREFIX;
use bowline_tests::process::Outcome;
use libtest_mimic::{Failed, Trial};

use crate::context::{Context, complaint, expect_served, run, run_under};
use bowline_tests::trials::trial;

const MIB: u64 = 1024;

/// Limits on the address space in MiB, how much of it blocks get at least, and whether the program
/// wants all of it.
const ADDRESS_SPACE: [(u64, u64, bool); 4] = [
    (512, 64, true),
    (1024, 160, true),
    (4096, 512, false),
    (16384, 1000, false),
];

/// Limits on the address space in MiB that no region fits into.
const TOO_SMALL: [u64; 2] = [12, 40];

/// Limits on data pages in MiB, and how much of it blocks get at least.
const DATA: [(u64, u64); 3] = [(16, 8), (64, 40), (512, 360)];

/// A limit on data pages in KiB under which not even a first block is to be had, nor elsewhere much.
const DATA_TOO_SMALL: u64 = 256;

/// A limit on data pages in KiB under which a small program lists a large folder. With glibc's malloc 1000 are enough.
const LISTED: u64 = 3000;

/// Limits that a process sets for itself.
const LATE: [&str; 2] = ["address-space", "data"];

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for which in LATE {
        let name = format!("limits::late_{}", which.replace('-', "_"));
        trials.push(trial(context, name, move |context, folder| {
            let malloc = context.malloc()?;
            let mut command = Command::new(context.program("late_limit.c")?);
            let outcome = run_under(malloc, command.arg(which), folder)?;
            if outcome.exit != Some(0) || !outcome.stdout.ends_with("done\n") {
                return Err(complaint("expected to live with the limit", &outcome));
            }
            expect_served(malloc, &outcome, 1)
        }));
    }
    for (limit, least, all) in ADDRESS_SPACE {
        let most = if all { limit } else { 0 };
        trials.push(trial(
            context,
            format!("limits::address_space_{limit}"),
            move |context, folder| {
                limited(
                    context,
                    folder,
                    &format!("ulimit -v {}", limit * MIB),
                    least,
                    most,
                )
            },
        ));
    }
    for limit in TOO_SMALL {
        trials.push(trial(
            context,
            format!("limits::too_small_{limit}"),
            move |context, folder| too_small(context, folder, limit),
        ));
    }
    trials.push(trial(
        context,
        "limits::data_too_small".to_owned(),
        data_too_small,
    ));
    trials.push(trial(context, "limits::listed".to_owned(), listed));
    trials.push(strict_promises(context));
    trials.push(trial(context, "limits::huge_pages".to_owned(), huge_pages));
    for (limit, least) in DATA {
        trials.push(trial(
            context,
            format!("limits::data_{limit}"),
            move |context, folder| {
                limited(
                    context,
                    folder,
                    &format!("ulimit -d {}", limit * MIB),
                    least,
                    limit,
                )
            },
        ));
    }
    trials
}

/// Where the system promises no more memory than it has, a terabyte that is reserved is no promise.
fn strict_promises(context: &Arc<Context>) -> Trial {
    let name = "limits::strict_promises".to_owned();
    let setting = std::fs::read_to_string("/proc/sys/vm/overcommit_memory");
    match setting.is_ok_and(|text| text.trim() == "2") {
        true => trial(context, name, |context, folder| {
            limited(context, folder, "true", 64, 0)
        }),
        false => Trial::test(name, || Ok(()))
            .with_kind("skipped: vm.overcommit_memory is not 2")
            .with_ignored_flag(true),
    }
}

/// Where all memory may have huge pages, small blocks have none, and the memory of a large one goes back.
fn huge_pages(context: &Context, folder: &Path) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let mut command = Command::new(context.program("huge_pages.c")?);
    let outcome = run_under(malloc, &mut command, folder)?;
    if outcome.exit != Some(0) || !outcome.stdout.ends_with("done\n") {
        return Err(complaint("expected few huge pages", &outcome));
    }
    expect_served(malloc, &outcome, 1)
}

/// Runs a program under the malloc in a shell that did `first`.
pub(crate) fn shell(
    context: &Context,
    folder: &Path,
    first: &str,
    line: &str,
) -> Result<Outcome, Failed> {
    let malloc = context.malloc()?;
    let mut command = Command::new("sh");
    let script = format!("{first} && exec env LD_PRELOAD=\"$UNDER_TEST\" {line}");
    command
        .args(["-c", &script])
        .env("UNDER_TEST", &malloc.path);
    if malloc.ours {
        command.env("BOWLINE_MALLOC_STATS", "1");
    }
    run(&mut command, folder)
}

/// Memory runs out somewhere between `least` and `most` MiB (0: it need not), and comes back.
fn limited(
    context: &Context,
    folder: &Path,
    first: &str,
    least: u64,
    most: u64,
) -> Result<(), Failed> {
    let program = context.program("limits.c")?;
    let line = format!("{} {least} {most}", program.display());
    let outcome = shell(context, folder, first, &line)?;
    if outcome.exit != Some(0) || !outcome.stdout.ends_with("done\n") {
        return Err(complaint(
            "expected to run out of memory and go on",
            &outcome,
        ));
    }
    expect_served(context.malloc()?, &outcome, 1)
}

/// Where there is no room for a region, one line says so; the process neither crashes nor hangs.
fn too_small(context: &Context, folder: &Path, limit: u64) -> Result<(), Failed> {
    let program = context.program("plain.c")?;
    let first = format!("ulimit -v {}", limit * MIB);
    let outcome = shell(context, folder, &first, &program.display().to_string())?;
    let told = outcome.stderr.lines().collect::<Vec<_>>();
    let expected =
        format!("{PREFIX} cannot reserve 64 MiB of address space under a limit of {limit} MiB");
    match (outcome.exit, told.as_slice()) {
        (Some(_), [line]) if line.starts_with(&expected) => Ok(()),
        _ => Err(complaint(
            &format!("expected the line\n{expected}"),
            &outcome,
        )),
    }
}

/// A program that needs little gets it under a limit that is not much more.
fn listed(context: &Context, folder: &Path) -> Result<(), Failed> {
    let first = format!("ulimit -d {LISTED}");
    let outcome = shell(context, folder, &first, "ls -l /usr/bin")?;
    if outcome.exit != Some(0) || !outcome.stdout.contains(" sh") {
        return Err(complaint("expected the folder's files", &outcome));
    }
    expect_served(context.malloc()?, &outcome, 1)
}

/// Where no data page is left for a first block, one line says so, whatever becomes of the process then.
fn data_too_small(context: &Context, folder: &Path) -> Result<(), Failed> {
    let program = context.program("plain.c")?;
    let first = format!("ulimit -d {DATA_TOO_SMALL}");
    let outcome = shell(context, folder, &first, &program.display().to_string())?;
    let expected = format!(
        "{PREFIX} no memory for a first block under a limit of {DATA_TOO_SMALL} KiB of data (ulimit -d): \
         there is no static region\n"
    );
    match outcome.exit {
        Some(_) if outcome.stderr.starts_with(&expected) => Ok(()),
        _ => Err(complaint(
            &format!("expected the line\n{expected}"),
            &outcome,
        )),
    }
}
