//! The page of the malloc set.

use super::super::figures::{self, Told, told};
use super::super::{Entrant, Task, report};
use super::{Peer, Row, Set};
use std::fmt::Write;

const ABOUT: &str = "Mallocs under LD_PRELOAD: programs that each stand for a use of memory, and programs that people use. The \
     sources are in `xtask/programs/malloc`.";
const LEGEND: &str = "Every round runs each program once on each malloc, in turns, and begins with another malloc each \
     time. CPU is user and system time of the process, its threads and children, in milliseconds; RSS the most memory that one process had, in MiB. The first column tells \
     the median of this tree's with the least and the greatest, the others the median of the ratios to glibc's in the same round: \
     below 1 is less. The last column is this tree's ratio to the peer with the best of these, and below stand geometric means.";

/// A table's figure: its title, its key, by what it is divided to be told, and with how many digits.
const FIGURES: [(&str, &str, f64, usize); 2] = [("CPU", "cpu", 1.0, 0), ("RSS", "rss", 1024.0, 1)];

/// Which of the peers ratios refer to.
const BASE: usize = 1;

pub(super) fn page(peers: &[Peer], missing: &[String], rows: &[Row<'_>], task: Task<'_>) -> String {
    let entrants: Vec<Entrant> = peers
        .iter()
        .map(|peer| Entrant {
            name: peer.name,
            version: peer.how.clone(),
            how: "preloaded".to_string(),
            commands: Vec::new(),
        })
        .collect();
    let facts = report::Facts {
        about: ABOUT,
        command: task.command,
        entrants: &entrants,
        missing,
    };
    let mut page = report::head("malloc", &facts, task.machine);
    let _ = writeln!(page, "\n{LEGEND}");
    for (set, title) in [(Set::Small, "Uses of memory"), (Set::Real, "Real programs")] {
        let rows: Vec<&Row<'_>> = rows.iter().filter(|row| row.program.set == set).collect();
        for figure in FIGURES.iter().filter(|_| !rows.is_empty()) {
            let _ = write!(
                page,
                "\n## {title}: {}\n{}",
                figure.0,
                table(peers, &rows, figure)
            );
        }
    }
    page += &left(peers, rows);
    page += &failures(peers, rows);
    page
}

fn table(
    peers: &[Peer],
    rows: &[&Row<'_>],
    &(_, key, unit, digits): &(&str, &str, f64, usize),
) -> String {
    let names = peers.iter().map(|peer| peer.name.to_string());
    let columns: Vec<String> = ["program".to_string(), "this tree".to_string()]
        .into_iter()
        .chain(names)
        .chain(["× best".to_string()])
        .collect();
    let mut all: Vec<Vec<f64>> = vec![Vec::new(); peers.len() + 1];
    let mut cells = Vec::new();
    for row in rows {
        let ratios = ratios(peers, &row.told, key);
        let own = row.told.first().and_then(|told| told.spread(key));
        let own = own.map_or("–".to_string(), |s| {
            let [median, least, most] = [s.median, s.least, s.most].map(|n| n / unit);
            format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
        });
        let mut line = vec![row.program.name.to_string(), own];
        for (ratio, all) in ratios.iter().zip(&mut all) {
            all.extend(ratio);
            line.push(told(*ratio, 2));
        }
        cells.push(line);
    }
    let means = all.iter().map(|ratios| told(mean(ratios), 3));
    let mut last = vec!["**geometric mean**".to_string(), String::new()];
    last.extend(means);
    cells.push(last);
    figures::table(&columns, &cells)
}

/// The ratios of all peers to the base, then that of the first to the best of the others that are no mode of it.
fn ratios(peers: &[Peer], all: &[Told], key: &str) -> Vec<Option<f64>> {
    let over = |one: usize, other: usize| all.get(one)?.over(all.get(other)?, key);
    let ratios: Vec<_> = (0..all.len()).map(|one| over(one, BASE)).collect();
    let others = (1..all.len()).filter(|other| peers[*other].mode.is_none());
    let known = others.filter_map(|other| Some((other, ratios[other]?)));
    let best = known.min_by(|one, other| one.1.total_cmp(&other.1));
    let first = best.and_then(|(best, _)| over(0, best));
    ratios.into_iter().chain([first]).collect()
}

/// The geometric mean.
fn mean(ratios: &[f64]) -> Option<f64> {
    let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (!ratios.is_empty()).then(|| (logarithms / ratios.len() as f64).exp())
}

/// What a process still has when it has become idle.
fn left(peers: &[Peer], rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .told
            .iter()
            .zip(peers)
            .filter_map(|(told, peer)| {
                Some(format!(
                    "{} {:.1}",
                    peer.name,
                    told.median("left")? / 1024.0
                ))
            })
            .collect();
        if !cells.is_empty() {
            let _ = writeln!(
                text,
                "\nLeft after a second with little to do, in MiB, of `{}`: {}.",
                row.program.name,
                cells.join(", ")
            );
        }
    }
    text
}

fn failures(peers: &[Peer], rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for row in rows {
        for (told, peer) in row.told.iter().zip(peers) {
            if let Some(why) = told.failure() {
                let _ = writeln!(
                    text,
                    "\n**Failed**: {} on {}: {why}",
                    row.program.name, peer.name
                );
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::figures::Case;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn ratios_refer_to_glibc_and_to_the_best() {
        let cases: Vec<Case> = ["2", "4", "1", "0.5"].map(|n| Case::new(n, &[n])).into();
        let peer = |mode| Peer {
            name: "x",
            library: String::new(),
            mode,
            how: String::new(),
        };
        let peers = [None, None, None, Some("hardened")].map(peer);
        let slow = std::cell::Cell::new(0);
        // The machine is slower in the second round, and one run more so, which is the median of none.
        let all = figures::measure_by(&cases, 3, |command| {
            let number = command[0].parse::<f64>().map_err(|e| e.to_string())?;
            slow.set(slow.get() + 1);
            let times = match slow.get() {
                5 => 9.0,
                6..=8 => 3.0,
                _ => 1.0,
            };
            Ok(BTreeMap::from([("cpu".to_string(), number * times)]))
        });
        assert_eq!(
            ratios(&peers, &all, "cpu"),
            [Some(0.5), Some(1.0), Some(0.25), Some(0.125), Some(2.0)]
        );
        assert_eq!(ratios(&peers, &all, "rss"), [None; 5]);
    }

    #[test]
    fn the_mean_is_geometric() {
        assert_eq!(mean(&[]), None);
        let mean = mean(&[0.5, 2.0, 1.0]).expect("a mean");
        assert!((mean - 1.0).abs() < 1e-9);
    }
}
