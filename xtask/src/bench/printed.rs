//! Pages of programs that print tables of their own: what crossing the boundary and holding an object cost, how long
//! threads take to stop, how long a list takes to trace.
//!
//! Each round runs all programs once; the page has what they printed, round by round, so that the spread is seen.

use super::figures;
use super::report::{self, Facts};
use super::{Entrant, Task, peers, run};
use std::path::Path;

/// A page: its name, what it is about, and its programs.
pub(super) struct Sheet {
    name: &'static str,
    about: &'static str,
    programs: &'static [Program],
    /// Its threads wait for each other: ahead of all others and of the same rank, they would wait for ever.
    together: bool,
    /// OCaml programs that do the like: their sources, the program's own last.
    ocaml: &'static [&'static [&'static str]],
}

struct Program {
    /// Where it is an example.
    package: &'static str,
    name: &'static str,
    runs: &'static [&'static [&'static str]],
}

pub(super) const BOUNDARY: Sheet = Sheet {
    name: "boundary",
    about: "What it costs to cross into C and to hold an object for it. Goals: a handle made and dropped in 10 ns, \
            read in 1.5; a pin made and dropped in 10; `errno` captured in 3.",
    programs: &[
        Program {
            package: "bowline-ffi",
            name: "handles",
            runs: &[&["1"], &["2"]],
        },
        Program {
            package: "bowline-ffi",
            name: "crossing",
            runs: &[&[], &["fences"]],
        },
    ],
    together: false,
    ocaml: &[&[
        "xtask/programs/boundary/roots_stubs.c",
        "xtask/programs/boundary/roots.ml",
    ]],
};

pub(super) const STOPS: Sheet = Sheet {
    name: "stops",
    about: "How long the collector waits until all threads have stopped. Goal: 8 threads in 100 µs, the 99th percentile \
            on an idle machine with a processor for each.",
    programs: &[Program {
        package: "bowline-gc",
        name: "time_to_stop",
        runs: &[&[]],
    }],
    together: true,
    ocaml: &[],
};

pub(super) const LISTS: Sheet = Sheet {
    name: "lists",
    about: "How long a full collection takes for each pair of an old list, with one collector thread and with two. \
            Goal: 40 ns.",
    programs: &[Program {
        package: "bowline-gc",
        name: "trace_list",
        runs: &[
            &["--workers=1"],
            &["--workers=2"],
            &["--workers=1", "--pairs=10000000"],
        ],
    }],
    together: false,
    ocaml: &[],
};

impl Sheet {
    /// The command, ahead of all other processes where its threads do not wait for each other.
    fn ranked(&self, command: &[String]) -> Vec<String> {
        match self.together {
            true => command.to_vec(),
            false => figures::first(command),
        }
    }
}

/// Runs the programs of a page, and returns it and whether all went well.
pub(super) fn measure(sheet: &Sheet, task: Task<'_>) -> Result<(String, bool), String> {
    let Task {
        root,
        scratch,
        rounds,
        command,
        machine,
        ..
    } = task;
    let mut entrants = Vec::new();
    let mut commands = Vec::new();
    for program in sheet.programs {
        let (entrant, binary) = made(program, root)?;
        if !entrants.iter().any(|e: &Entrant| e.name == entrant.name) {
            entrants.push(entrant);
        }
        for arguments in program.runs {
            let words = std::iter::once(binary.as_str()).chain(arguments.iter().copied());
            let words: Vec<String> = words.map(str::to_string).collect();
            let title = format!("{} {}", program.name, arguments.join(" "));
            let title = title.trim().to_string();
            commands.push((title, sheet.ranked(&words)));
        }
    }
    let mut missing = Vec::new();
    let compiled = |sources: &&[&str]| {
        let command = |binary: &str| vec![vec![binary.to_string()]];
        ("ocaml", peers::ocaml(root, scratch, sources, &[], command))
    };
    for peer in peers::present(sheet.ocaml.iter().map(compiled), &mut missing) {
        let command = peer.commands.concat();
        commands.push((
            format!("{} {}", peer.name, peer.how),
            sheet.ranked(&command),
        ));
        entrants.push(peer);
    }
    let facts = Facts {
        about: sheet.about,
        command,
        entrants: &entrants,
        missing: &missing,
    };
    let mut page = report::head(sheet.name, &facts, machine);
    let mut printed = vec![String::new(); commands.len()];
    let mut sound = true;
    for _ in 0..rounds {
        for ((_, command), text) in commands.iter().zip(&mut printed) {
            match run::run(command, scratch) {
                Ok((_, output)) => *text += &output,
                Err(why) => {
                    *text += &format!("failed: {why}\n");
                    sound = false;
                }
            }
        }
    }
    for ((title, _), text) in commands.iter().zip(&printed) {
        page += &format!("\n## {title}\n\n```text\n{}```\n", ended(text));
    }
    Ok((page, sound))
}

/// The text, with the end of its last line.
fn ended(text: &str) -> String {
    match text.ends_with('\n') {
        true => text.to_string(),
        false => format!("{text}\n"),
    }
}

/// Builds a program: who takes part, and the binary.
fn made(program: &Program, root: &Path) -> Result<(Entrant, String), String> {
    let binary = peers::example(root, program.package, program.name)?;
    let how = format!("examples of `{}`, release", program.package);
    Ok((peers::ours(how, Vec::new()), binary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_there() {
        let root = crate::root();
        for sheet in [&BOUNDARY, &STOPS, &LISTS] {
            assert!(!sheet.about.is_empty());
            for program in sheet.programs {
                let folder = match program.package {
                    "bowline-ffi" => "ffi_boundary/core/examples",
                    _ => "gc/heap/examples",
                };
                let path = root.join(folder).join(format!("{}.rs", program.name));
                assert!(path.is_file(), "{}", path.display());
            }
            for source in sheet.ocaml.iter().copied().flatten() {
                assert!(root.join(source).is_file(), "{source}");
            }
        }
    }

    #[test]
    fn what_is_printed_ends_with_a_line() {
        assert_eq!(ended("a"), "a\n");
        assert_eq!(ended("a\n"), "a\n");
    }
}
