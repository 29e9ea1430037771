//! Pauses under a steady load, ours by plan and those of peers: as the collector counts them, and as the thread that
//! allocates sees them.

use super::figures::{self, Case, Told};
use super::report::{self, Facts};
use super::scheme::{compiled_by_chez, read};
use super::{Entrant, Task, peers, run};
use std::collections::BTreeMap;
use std::path::Path;

const EXAMPLE: &str = "pauses";
const SOURCE_ML: &str = "xtask/programs/heap/pauses.ml";
const SOURCE_C: &str = "xtask/programs/heap/pauses.c";
const SOURCE_SCHEME: &str = "xtask/programs/heap/pauses.ss";
/// What lives, in MiB.
const LIVE: [&str; 2] = ["100", "1000"];
/// MiB allocated a second, for how many seconds, and of each step's 68 trees how many live on.
const RATE: &str = "100";
const SECONDS: &str = "20";
const KEEP: &str = "4";
const PLANS: [&str; 3] = ["throughput", "latency", "immix"];
const ABOUT: &str = "Pauses of a thread that allocates 100 MiB a second beside a table of 100 MiB or 1000 MiB of live \
     records: trees of 15 pairs, of which 6 in 100 replace random older ones. Goals: `latency` with a 99th percentile of \
     1 ms; minor pauses of `throughput` with one of 5 ms.";
const LEGEND: &str = "Microseconds: medians over the rounds. A line is a kind of pause, as the collector's log tells it; \
     *steps* are how long the thread took to allocate 16 KiB, pauses included, and their greatest is the longest gap that it \
     saw; *late* is how long after they were due steps ended, so a step that waited behind a pause counts, too. The heap may \
     grow to twice what lives; the peers run with their defaults, and tell of steps alone. `bdwgc incremental` is the Boehm \
     collector with `GC_ENABLE_INCREMENTAL`.";
/// What makes the Boehm collector an incremental one.
const INCREMENTAL: &str = "GC_ENABLE_INCREMENTAL=1";
const COLUMNS: [&str; 6] = ["", "count", "p50", "p99", "p99.9", "max"];

/// Measures, and returns the page and whether all went well.
pub(super) fn measure(task: Task<'_>) -> Result<(String, bool), String> {
    let Task {
        root,
        scratch,
        rounds,
        only,
        command,
        machine,
        ..
    } = task;
    let binary = peers::example(root, "bowline-gc", EXAMPLE)?;
    let how = format!("`gc/heap/examples/{EXAMPLE}.rs`, release, growth 200 %");
    let mut entrants = vec![peers::ours(how, Vec::new())];
    let mut missing = Vec::new();
    let found = [
        ("ocaml", ocaml(root, scratch)),
        ("bdwgc", bdwgc(root, scratch)),
        ("chez", chez(root, scratch)),
    ];
    let peers = peers::present(found, &mut missing);
    let mut cases = Vec::new();
    for live in LIVE {
        for plan in PLANS {
            let words = [
                binary.clone(),
                format!("--live={live}"),
                format!("--rate={RATE}"),
                format!("--seconds={SECONDS}"),
                format!("--keep={KEEP}"),
                format!("--plan={plan}"),
            ];
            cases.push(Case {
                name: format!("{plan}, {live} MiB"),
                command: words.to_vec(),
            });
        }
        for peer in &peers {
            cases.extend(cases_of(peer, live));
        }
    }
    entrants.extend(peers);
    cases.retain(|case| case.name.contains(only));
    let all = figures::measure_by(&cases, rounds, |command| {
        let (_, output) = run::run(&figures::first(command), scratch)?;
        Ok(lines(&output))
    });
    let facts = Facts {
        about: ABOUT,
        command,
        entrants: &entrants,
        missing: &missing,
    };
    let mut page = report::head("pauses", &facts, machine);
    page += &format!("\n{LEGEND}\n");
    for (case, told) in cases.iter().zip(&all) {
        page += &format!("\n## {}\n{}", case.name, table(told));
    }
    page += &figures::failures(&cases, &all);
    Ok((page, all.iter().all(|told| told.failure().is_none())))
}

/// A peer's cases at this much that lives: one for each of its commands.
fn cases_of(peer: &Entrant, live: &str) -> Vec<Case> {
    let case = |command: &Vec<String>| {
        let incremental = command.iter().any(|word| word == INCREMENTAL);
        let kind = if incremental { " incremental" } else { "" };
        let load = [live, RATE, SECONDS, KEEP].map(str::to_string);
        Case {
            name: format!("{}{kind}, {live} MiB", peer.name),
            command: command.iter().cloned().chain(load).collect(),
        }
    };
    peer.commands.iter().map(case).collect()
}

fn ocaml(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let flags = ["-O3", "unix.cmxa"];
    let command = |binary: &str| vec![vec![binary.to_string()]];
    peers::ocaml(root, scratch, &[SOURCE_ML], &flags, command)
}

fn bdwgc(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let commands = |binary: &str| {
        let incremental = ["env", INCREMENTAL, binary].map(str::to_string);
        vec![vec![binary.to_string()], incremental.to_vec()]
    };
    peers::bdwgc(root, scratch, SOURCE_C, commands)
}

fn chez(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let text = read(&root.join(SOURCE_SCHEME))?;
    let how = format!("`{SOURCE_SCHEME}`, `compile-program` at optimize-level 2");
    compiled_by_chez(scratch, &how, &[("pauses".to_string(), text)])
}

/// The lines that end in five numbers: their first words, and the numbers by column.
fn lines(output: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for line in output.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(split) = words.len().checked_sub(COLUMNS.len() - 1) else {
            continue;
        };
        let (name, numbers) = words.split_at(split);
        let numbers: Option<Vec<f64>> = numbers.iter().map(|word| word.parse().ok()).collect();
        for (column, number) in COLUMNS[1..].iter().zip(numbers.into_iter().flatten()) {
            found.insert(format!("{}/{column}", name.join(" ")), number);
        }
    }
    found
}

fn table(told: &Told) -> String {
    let names = told.names();
    let mut kinds: Vec<&str> = names
        .filter_map(|name| name.strip_suffix("/count"))
        .collect();
    // Pauses first.
    kinds.sort_by_key(|kind| matches!(*kind, "steps" | "late"));
    let rows = kinds.iter().map(|kind| {
        let cell = |column: &&str| told.cell(&format!("{kind}/{column}"), 0);
        let cells = COLUMNS[1..].iter().map(cell);
        std::iter::once(kind.to_string()).chain(cells).collect()
    });
    figures::table(&COLUMNS.map(str::to_string), &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "microseconds count p50 p99 p99.9 max\nfull pauses 2 5.5 7 7 7\nrate 100 MB/s\nsteps 9 1 2 3 4\n";

    #[test]
    fn lines_of_figures_are_read() {
        let found = lines(SAID);
        assert_eq!(found.len(), 10);
        assert_eq!(found["full pauses/p50"], 5.5);
        assert_eq!(found["steps/max"], 4.0);
    }

    #[test]
    fn a_peer_has_a_case_for_each_of_its_commands() {
        let peer = Entrant {
            name: "peer",
            version: String::new(),
            how: String::new(),
            commands: vec![vec!["p".into()], vec![INCREMENTAL.into(), "p".into()]],
        };
        let cases = cases_of(&peer, "7");
        assert_eq!(cases[0].name, "peer, 7 MiB");
        assert_eq!(cases[0].command, ["p", "7", RATE, SECONDS, KEEP]);
        assert_eq!(cases[1].name, "peer incremental, 7 MiB");
    }

    #[test]
    fn a_table_has_pauses_first() {
        let cases = [Case::new("one", &["x"])];
        let all = figures::measure_by(&cases, 1, |_| Ok(lines(SAID)));
        let text = table(&all[0]);
        let rows: Vec<&str> = text.lines().skip(3).collect();
        assert_eq!(
            rows,
            [
                "| full pauses | 2 | 6 | 7 | 7 | 7 |",
                "| steps | 9 | 1 | 2 | 3 | 4 |"
            ]
        );
    }
}
