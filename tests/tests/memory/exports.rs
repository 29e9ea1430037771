//! The command is the process's malloc: it exports every name of the family, and whoever looks one up
//! finds the command's.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::context::{Context, LIMIT, expect, output};
use bowline_tests::trials::trial;

/// Where the names stand from which the command is linked.
const NAMES: &str = "../alloc_shim/preload/exports.txt";

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    vec![
        trial(context, "exports::listed".to_owned(), listed),
        trial(context, "exports::found".to_owned(), found),
        trial(context, "exports::c_library".to_owned(), c_library),
    ]
}

fn names(context: &Context) -> Result<BTreeSet<String>, Failed> {
    let text = std::fs::read_to_string(context.tests.join(NAMES))?;
    let names: BTreeSet<String> = text.split_whitespace().map(str::to_owned).collect();
    // A list that was moved or cut short would make these trials say yes to anything.
    match names.len() >= 50 && names.contains("malloc") && names.contains("bowline_region_v1") {
        true => Ok(names),
        false => Err(format!("{NAMES} is no list of what is exported").into()),
    }
}

/// The dynamic symbols that the linker made.
fn listed(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut nm = Command::new("nm");
    nm.args(["-D", "--defined-only"]).arg(&context.bowline);
    let listing = output(&mut nm, folder, LIMIT)?;
    let found: BTreeSet<&str> = listing
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let names = names(context)?;
    let missing: Vec<_> = names
        .iter()
        .filter(|n| !found.contains(n.as_str()))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("not exported: {missing:?}").into()),
    }
}

/// What a library that is loaded into the process finds by each name.
fn found(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut command = context.program(&[], "names.scm");
    command.arg(context.library("malloc/regions.c")?);
    // The last one is no name of ours: the library tells the difference.
    command.args(names(context)?).arg("strdup");
    expect(&output(&mut command, folder, LIMIT)?, "strdup\n")
}

/// What the C library allocates lies in the region.
fn c_library(context: &Context, folder: &Path) -> Result<(), Failed> {
    let mut command = context.program(&[], "../malloc/programs/regions.scm");
    command.arg(context.library("malloc/regions.c")?);
    let printed = output(&mut command, folder, LIMIT)?;
    match printed.ends_with(" #f 1000)\n") {
        true => Ok(()),
        false => Err(format!("a block lies elsewhere: {printed}").into()),
    }
}
