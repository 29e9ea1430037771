//! Real programs, each run without and with the preload: the same output, the same diagnostics, the
//! same status; and with it the malloc really was in use.
//!
//! Absent on purpose: versions. A program is compared with itself alone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bowline_tests::malloc::split_stderr;
use bowline_tests::process::{Outcome, find};
use libtest_mimic::{Failed, Trial};

use crate::context::{Context, complaint, expect_served, run, run_under};
use bowline_tests::trials::trial;

/// A program and what it is to do.
struct Program {
    name: &'static str,
    /// What must be on the search path; without it the trial is skipped.
    needs: &'static [&'static str],
    /// Whether it may be missing where `CI=true`.
    optional: bool,
    /// What it is run with; `SOURCES` stands for the folder of the inputs.
    line: &'static str,
    /// Files that it writes and that are to be the same too.
    writes: &'static [&'static str],
    /// How many processes tell figures at least.
    processes: usize,
}

const PROGRAMS: [Program; 11] = [
    Program {
        name: "python",
        needs: &["python3"],
        optional: false,
        // The command on the path may be a script that looks for the right one.
        line: "$(env -u LD_PRELOAD python3 -c 'import sys; print(sys.executable)') SOURCES/work.py",
        writes: &[],
        processes: 1,
    },
    Program {
        name: "perl",
        needs: &["perl"],
        optional: false,
        line: "perl SOURCES/work.pl",
        writes: &[],
        processes: 2,
    },
    Program {
        name: "git",
        needs: &["git", "seq"],
        optional: false,
        line: "sh SOURCES/work.git.sh",
        writes: &[],
        processes: 50,
    },
    Program {
        name: "gcc",
        needs: &["cc", "ar"],
        optional: false,
        line: "cc -O2 -S -o out.s SOURCES/../contract.c -D_GNU_SOURCE -fno-builtin && \
               cc -o out out.s && ar rc out.a out && ./out usable_size_of_null_is_zero",
        writes: &["out.s", "out"],
        processes: 5,
    },
    Program {
        name: "g++",
        needs: &["c++"],
        optional: false,
        line: "c++ -std=c++17 -O1 -o out SOURCES/templates.cc && ./out",
        writes: &["out"],
        processes: 3,
    },
    Program {
        name: "sqlite3",
        needs: &["sqlite3"],
        optional: false,
        line: "sqlite3 :memory: < SOURCES/work.sql",
        writes: &[],
        processes: 1,
    },
    Program {
        name: "sort",
        needs: &["sort", "awk", "cksum"],
        optional: false,
        line: "awk 'BEGIN { for (i = 0; i < 400000; i++) printf \"%d line %d\\n\", i * 7919 % 400009, i }' > in && \
               sort -n --parallel=4 -S 8M in > out && sort -u -k3 -S 200M --parallel=4 in | cksum",
        writes: &["out"],
        processes: 3,
    },
    Program {
        name: "xz",
        needs: &["xz", "seq"],
        optional: true,
        line: "seq 1 400000 > in && xz -T4 -3 --block-size=500000 -k in && xz -T4 -dc in.xz | cksum",
        writes: &["in.xz"],
        processes: 3,
    },
    Program {
        name: "node",
        needs: &["node"],
        optional: false,
        line: "node SOURCES/work.js",
        writes: &[],
        processes: 1,
    },
    Program {
        name: "java",
        needs: &["java", "javac"],
        optional: false,
        line: "java -Xmx256m SOURCES/Work.java",
        writes: &[],
        processes: 1,
    },
    Program {
        name: "redis",
        needs: &["redis-server", "redis-benchmark", "redis-cli"],
        optional: false,
        line: "sh SOURCES/work.redis.sh",
        writes: &[],
        processes: 1,
    },
];

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    let trials = PROGRAMS.iter().map(|program| {
        let name = format!("program::{}", program.name);
        let missing = program.needs.iter().find(|name| find(name).is_none());
        match missing {
            None => trial(context, name, |context, folder| {
                same(context, folder, program)
            }),
            Some(missing) if in_ci && !program.optional => {
                let message = format!("no {missing}: install it");
                Trial::test(name, || Err(message.into()))
            }
            Some(missing) => Trial::test(name, || Ok(()))
                .with_kind(format!("skipped: no {missing}"))
                .with_ignored_flag(true),
        }
    });
    trials.collect()
}

fn same(context: &Context, folder: &Path, program: &Program) -> Result<(), Failed> {
    let malloc = context.malloc()?;
    let inputs = context.sources.join("programs");
    let line = program
        .line
        .replace("SOURCES", &inputs.display().to_string());
    let command = || {
        let mut command = Command::new("sh");
        command.args(["-c", &line]);
        command
    };
    let without = run(&mut command(), folder)?;
    if without.exit != Some(0) || without.stdout.is_empty() {
        return Err(complaint("without the preload already:", &without));
    }
    let files = take(folder, program)?;
    let with = run_under(malloc, &mut command(), folder)?;
    compare(&without, &with)?;
    for ((name, before), (_, after)) in files.iter().zip(take(folder, program)?) {
        if *before != after {
            return Err(format!("the file {} differs", name.display()).into());
        }
    }
    expect_served(malloc, &with, program.processes)
}

fn compare(without: &Outcome, with: &Outcome) -> Result<(), Failed> {
    let (_, stderr) = split_stderr(&with.stderr);
    if with.exit == without.exit && with.stdout == without.stdout && stderr == without.stderr {
        return Ok(());
    }
    let wanted = format!(
        "expected, as without the preload, {}, the output\n{}\nand the diagnostics\n{}",
        without.ending(),
        without.stdout,
        without.stderr
    );
    Err(complaint(&wanted, with))
}

/// The files that the program wrote; they are removed, so that it must write them again.
fn take(folder: &Path, program: &Program) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for name in program.writes {
        let path = folder.join(name);
        files.push((PathBuf::from(name), std::fs::read(&path)?));
        std::fs::remove_file(path)?;
    }
    Ok(files)
}
