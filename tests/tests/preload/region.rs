//! One region per process: whoever's malloc the process uses has it, and every other copy reserves
//! nothing and hands on what it is asked for.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bowline_tests::malloc::PREFIX;
use bowline_tests::process;
use libtest_mimic::{Failed, Trial};

use crate::context::{Context, complaint, expect, expect_served, run};
use bowline_tests::trials::trial;

/// How `copies.c` loads a plugin that is linked with the malloc, and how many regions there are then
/// without a preload and with it.
const COPIES: [(&str, u32, u32); 3] = [("open", 0, 1), ("deepbind", 0, 1), ("namespace", 1, 2)];

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (mode, without, with) in COPIES {
        for (preload, regions) in [(false, without), (true, with)] {
            let place = if preload { "under_preload" } else { "alone" };
            let name = format!("region::{mode}_{place}");
            trials.push(trial(context, name, move |context, folder| {
                copies(context, folder, mode, preload, regions)
            }));
        }
    }
    let name = "region::program_with_its_own_malloc".to_owned();
    trials.push(trial(context, name, program_with_its_own_malloc));
    trials.push(trial(context, "region::bowline".to_owned(), bowline));
    let name = "region::linked_before_the_c_library".to_owned();
    trials.push(trial(context, name, linked));
    trials
}

/// Another file with the malloc in it than the one that is preloaded, as a program may bring it; and
/// what the linker must be told to make something need it.
fn copy(context: &Context, folder: &Path) -> Result<[OsString; 2], Failed> {
    let copy = folder.join("libcopy_of_malloc.so");
    std::fs::copy(&context.malloc()?.path, &copy)?;
    Ok(["-Wl,--no-as-needed".into(), copy.into()])
}

/// What is compiled with a copy is made for one trial, since the copy is gone when it ends.
fn output(folder: &Path, name: &str) -> String {
    let trial = folder.file_name().unwrap_or_default();
    format!("{name}-of-{}", trial.display())
}

fn copies(
    context: &Context,
    folder: &Path,
    mode: &str,
    preload: bool,
    regions: u32,
) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let mut command = Command::new(context.program("copies.c")?);
    let plugin = output(folder, "plugin");
    let plugin = context.library(&plugin, "plugin.c", &copy(context, folder)?)?;
    command.arg(mode).arg(plugin);
    if preload {
        malloc.preload(&mut command, &[]);
    }
    let outcome = run(&mut command, folder)?;
    expect(&outcome, 0, &format!("regions {regions}\ndone\n"))?;
    expect_served(malloc, &outcome, usize::from(preload))
}

/// The program's malloc comes first; the preload keeps out of its way and says nothing.
fn program_with_its_own_malloc(context: &Context, folder: &Path) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let mut command = Command::new(context.program("own_program.c")?);
    command.env("LD_PRELOAD", &malloc.path);
    let outcome = run(&mut command, folder)?;
    expect(&outcome, 0, "done\n")?;
    match outcome.stderr.is_empty() {
        true => Ok(()),
        false => Err(complaint("expected no diagnostics", &outcome)),
    }
}

/// Linked as a library, and so before the C library, it is the process's malloc without a preload;
/// with another copy preloaded that one has the region, and this one says nothing.
fn linked(context: &Context, folder: &Path) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let name = output(folder, "before_main");
    let program = context.program_with(&name, "before_main.c", &copy(context, folder)?)?;
    for preload in [false, true] {
        let mut command = Command::new(&program);
        command.env("BOWLINE_MALLOC_STATS", "1");
        if preload {
            malloc.preload(&mut command, &[]);
        }
        let outcome = run(&mut command, folder)?;
        expect(&outcome, 0, "done\n")?;
        expect_served(malloc, &outcome, 1)?;
        let told = outcome
            .stderr
            .lines()
            .filter(|line| line.starts_with(PREFIX));
        if malloc.ours && told.filter(|line| line.ends_with(" exits")).count() != 1 {
            return Err(complaint("expected the figures of one copy", &outcome));
        }
    }
    Ok(())
}

/// The command is its own malloc: a preload adds no region, no figures, and no block lies elsewhere.
fn bowline(context: &Context, folder: &Path) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let helper = context.library("regions.so", "regions.c", &[])?;
    let command = || -> Result<Command, Failed> {
        let mut command = Command::new(process::product("bowline")?);
        command
            .arg("run")
            .arg(context.sources.join("programs/regions.scm"));
        command.arg(&helper);
        Ok(command)
    };
    let alone = run(&mut command()?, folder)?;
    if alone.exit != Some(0) || !alone.stdout.ends_with(" #f 1000)\n") {
        return Err(complaint("expected every block in the region", &alone));
    }
    let mut under = command()?;
    under.env("LD_PRELOAD", &malloc.path);
    let under = run(&mut under, folder)?;
    if under.stderr != alone.stderr {
        return Err(complaint("expected no other diagnostics", &under));
    }
    expect(&under, 0, &alone.stdout)
}
