//! Pauses under a steady load, ours by plan and a peer's: as the collector counts them, and as the thread that
//! allocates sees them.

use super::figures::{self, Case, Told};
use super::machine::Machine;
use super::report::{self, Facts};
use super::scheme::argument;
use super::{Entrant, build, missed, output_of, run, target_directory};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const EXAMPLE: &str = "pauses";
const SOURCE_ML: &str = "xtask/programs/heap/pauses.ml";
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
     grow to twice what lives; OCaml runs with its defaults, and tells of steps alone.";
const COLUMNS: [&str; 6] = ["", "count", "p50", "p99", "p99.9", "max"];

/// Measures, and returns the page and whether all went well.
pub(super) fn measure(
    root: &Path,
    scratch: &Path,
    rounds: usize,
    only: &str,
    command: &str,
    machine: &Machine,
) -> Result<(String, bool), String> {
    build(root, &["-p", "bowline-gc", "--example", EXAMPLE])?;
    let binary = target_directory(root)?
        .join("release/examples")
        .join(EXAMPLE);
    let binary = argument(&binary);
    let mut entrants = vec![Entrant {
        name: "bowline",
        version: "this tree".to_string(),
        how: format!("`gc/heap/examples/{EXAMPLE}.rs`, release, growth 200 %"),
        commands: Vec::new(),
    }];
    let mut missing = Vec::new();
    let peer = match ocaml(root, scratch) {
        Ok((entrant, peer)) => {
            entrants.push(entrant);
            Some(peer)
        }
        Err(why) => {
            missing.push(missed("ocaml", &why));
            None
        }
    };
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
        if let Some(peer) = &peer {
            let words = [peer.as_str(), live, RATE, SECONDS, KEEP];
            cases.push(Case::new(format!("ocaml, {live} MiB"), &words));
        }
    }
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

fn ocaml(root: &Path, scratch: &Path) -> Result<(Entrant, String), String> {
    let binary = scratch.join("pauses_ocaml");
    // The compiler leaves its files beside the source.
    let source = scratch.join("pauses.ml");
    std::fs::copy(root.join(SOURCE_ML), &source).map_err(|e| format!("{SOURCE_ML}: {e}"))?;
    let mut compiler = Command::new("ocamlopt");
    compiler.args(["-O3", "unix.cmxa", "-o"]).arg(&binary);
    output_of(compiler.arg(&source))?;
    let entrant = Entrant {
        name: "ocaml",
        version: output_of(Command::new("ocamlopt").arg("-version"))?,
        how: format!("`{SOURCE_ML}`, ocamlopt"),
        commands: Vec::new(),
    };
    Ok((entrant, argument(&binary)))
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
