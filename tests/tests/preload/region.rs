//! One region per process: whoever's malloc the process uses has it, and every other copy reserves
//! nothing and hands on what it is asked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bowline_tests::malloc::PREFIX;
use libtest_mimic::{Failed, Trial};

use crate::context::{Context, complaint, expect, expect_served, run, trial};

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
    let name = "region::linked_before_the_c_library".to_owned();
    trials.push(trial(context, name, linked));
    trials
}

/// The plugin, with the malloc among the libraries that it needs. The copy is another file than the
/// one that is preloaded, as in a program that brings its own.
fn plugin(context: &Context, folder: &Path) -> Result<PathBuf, Failed> {
    let copy = folder.join("libcopy_of_malloc.so");
    std::fs::copy(&context.malloc()?.path, &copy)?;
    let more: [OsString; 2] = ["-Wl,--no-as-needed".into(), copy.into()];
    let output = format!(
        "plugin-{}.so",
        folder.file_name().unwrap_or_default().display()
    );
    context.library(&output, "plugin.c", &more)
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
    command.arg(mode).arg(plugin(context, folder)?);
    // The copy may have been bound by its bare name.
    command.env("LD_LIBRARY_PATH", folder);
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
/// with the same file preloaded there is one copy, with another copy preloaded that one has the region.
fn linked(context: &Context, folder: &Path) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let plugin = plugin(context, folder)?;
    for preload in [false, true] {
        let mut command = Command::new(context.program("before_main.c")?);
        // A preloaded library that needs the copy puts the copy before the C library.
        command
            .env("LD_PRELOAD", &plugin)
            .env("BOWLINE_MALLOC_STATS", "1");
        if preload {
            malloc.preload(&mut command, &[&plugin]);
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
