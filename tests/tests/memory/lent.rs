//! A string that C has for a call stays where it is, and what it is, while C's malloc collects: in
//! malloc itself and in what calls it.

use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};

use crate::context::{Context, LIMIT, expect, output};
use bowline_tests::trials::trial;

/// How a program is run.
struct Mode {
    name: &'static str,
    flags: &'static [&'static str],
    /// C has taken all the memory before, so that malloc waits for collections and is refused.
    full: bool,
    /// Every collection moves what is not lent, whatever the collector would do by itself.
    moves: bool,
}

const MODES: [Mode; 3] = [
    Mode {
        name: "at_the_limit",
        flags: &["--heap=24m"],
        full: true,
        moves: false,
    },
    Mode {
        name: "at_the_limit_moving",
        flags: &["--heap=24m", "--plan=compact-test"],
        full: true,
        moves: true,
    },
    Mode {
        name: "zeal",
        flags: &["--zeal=malloc:1"],
        full: false,
        moves: true,
    },
];

/// A function of `lent.c` and how often it allocates: more often than there is memory for, and often
/// enough that malloc takes a page.
const FUNCTIONS: [(&str, u32, u32); 7] = [
    ("malloc", 10_000, 200),
    ("realloc", 1_000, 50),
    ("strdup", 1_000_000, 10_000),
    ("fopen", 1_000, 100),
    ("getline", 1, 1),
    ("qsort", 1, 1),
    ("thread", 10_000, 200),
];

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (function, full, enough) in FUNCTIONS {
        for mode in &MODES {
            let name = format!("lent::{function}_{}", mode.name);
            let most = if mode.full { full } else { enough };
            trials.push(trial(context, name, move |context, folder| {
                stays(context, folder, function, mode, most)
            }));
        }
    }
    trials
}

fn stays(
    context: &Context,
    folder: &Path,
    function: &str,
    mode: &Mode,
    most: u32,
) -> Result<(), Failed> {
    let mut command = context.program(mode.flags, "lent.scm");
    command.arg(if mode.full { "full" } else { "free" });
    command.arg(context.library("memory/lent.c")?);
    command.args([format!("hold_{function}"), most.to_string()]);
    let printed = output(&mut command, folder, LIMIT)?;
    let (moved, kept): (Vec<&str>, Vec<&str>) = printed
        .lines()
        .partition(|line| line.starts_with("neighbours moved"));
    if mode.moves && moved != ["neighbours moved (#t #t)"] {
        return Err(format!("nothing would have moved the string:\n{printed}").into());
    }
    let refused = if mode.full { "#t" } else { "#f" };
    let wanted = [
        "intact 1",
        "says \"/dev/../dev/../dev/../dev/zer!\"",
        "collected #t",
        &format!("refused {refused}"),
        "neighbour says \"/dev/../dev/../dev/../dev/zero\"",
        "pinned 0",
    ];
    expect(&kept.join("\n"), &wanted.join("\n"))
}
