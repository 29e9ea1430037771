//! What the nursery's size and the heap's growth cost: time, memory and pauses, over all pairs of them.

use super::figures::{self, Case, Told, told};
use super::report;
use super::{Task, peers};

/// Nurseries, in MiB.
const NURSERIES: [usize; 6] = [2, 4, 8, 16, 32, 64];
/// Sizes of the heap after a full collection, in per cent of what lives.
const GROWTHS: [usize; 4] = [125, 150, 200, 300];
const PROGRAMS: [&str; 3] = ["trees", "cache", "lists"];
/// Their sizes: each runs for a second or two.
const SIZES: [&str; 3] = ["--size=18", "--size=1000", "--size=20"];
const EXAMPLE: &str = "loads";
const ABOUT: &str = "What the nursery's size and the heap's growth cost, over three programs: `trees`, where nearly \
     everything dies young; `cache`, a table with 100 MiB of live records that are replaced at random; `lists`, where \
     most objects live for a while.";
const LEGEND: &str = "Settings take turns: each round runs each program under each of them once. A cell has the median \
     over rounds. *Time* is CPU time of the whole process in milliseconds, all threads, with the least and the greatest; *RSS* the most memory that was \
     resident, in MiB; *pauses* are the median and the 99th percentile of minor collections and the longest full one, in \
     milliseconds. The figure of merit is the product of time and RSS, relative to the least, as a geometric mean \
     over the programs.";

/// A pair of settings.
#[derive(Clone, Copy)]
struct Setting {
    nursery: usize,
    growth: usize,
}

fn settings() -> impl Iterator<Item = Setting> {
    GROWTHS.into_iter().flat_map(|growth| {
        let pair = move |nursery| Setting { nursery, growth };
        NURSERIES.into_iter().map(pair)
    })
}

/// Measures, and returns the page and whether all went well.
pub(super) fn measure(task: Task<'_>) -> Result<(String, bool), String> {
    let Task {
        root,
        scratch,
        rounds,
        only,
        ..
    } = task;
    let binary = peers::example(root, "bowline-gc", EXAMPLE)?;
    let programs = PROGRAMS.iter().zip(SIZES);
    let programs: Vec<_> = programs.filter(|(name, _)| name.contains(only)).collect();
    let mut cases = Vec::new();
    for (program, size) in &programs {
        for s in settings() {
            let name = format!(
                "{program}, nursery {} MiB, growth {} %",
                s.nursery, s.growth
            );
            let nursery = format!("--nursery={}", s.nursery);
            let growth = format!("--growth={}", s.growth);
            let words = [&binary, **program, *size, &nursery, &growth];
            cases.push(Case::new(name, &words));
        }
    }
    let all = figures::measure(&cases, rounds, scratch);
    let words = [ABOUT, LEGEND];
    let mut page = report::head_of_example("trigger", EXAMPLE, words, task);
    let per_program: Vec<&[Told]> = all.chunks(settings().count()).collect();
    for ((program, size), told) in programs.iter().zip(&per_program) {
        page += &format!("\n## {program} ({size})\n{}", of_program(told));
    }
    page += &format!("\n## Time × RSS\n{}", merit(&per_program));
    page += &figures::failures(&cases, &all);
    Ok((page, all.iter().all(|told| told.failure().is_none())))
}

/// The table of one program.
fn of_program(all: &[Told]) -> String {
    let columns = [
        "nursery, growth",
        "time",
        "RSS",
        "minor",
        "full",
        "minor p50",
        "minor p99",
        "full max",
    ];
    let ms = |t: &Told, name: &str| told(t.median(name).map(|us| us / 1e3), 1);
    let row = |(s, t): (Setting, &Told)| {
        vec![
            format!("{} MiB, {} %", s.nursery, s.growth),
            t.wide_cell("cpu", 0),
            t.cell("rss", 0),
            t.cell("minor", 0),
            t.cell("full", 0),
            ms(t, "minor_p50"),
            ms(t, "minor_p99"),
            ms(t, "full_max"),
        ]
    };
    let rows: Vec<_> = settings().zip(all).map(row).collect();
    figures::table(&columns.map(str::to_string), &rows)
}

/// The geometric mean over the programs of time × RSS, relative to the best setting.
fn merit(programs: &[&[Told]]) -> String {
    let cost = |t: &Told| Some(t.median("cpu")? * t.median("rss")?);
    let mean = |at: usize| {
        let logs = programs.iter().map(|all| cost(&all[at]).map(f64::ln));
        let logs: Option<Vec<f64>> = logs.collect();
        logs.map(|l| (l.iter().sum::<f64>() / l.len() as f64).exp())
    };
    let means: Vec<Option<f64>> = (0..settings().count()).map(mean).collect();
    let best = means
        .iter()
        .flatten()
        .copied()
        .fold(f64::INFINITY, f64::min);
    let mut columns = vec!["growth".to_string()];
    columns.extend(NURSERIES.map(|n| format!("{n} MiB")));
    let rows = GROWTHS.iter().zip(means.chunks(NURSERIES.len()));
    let rows: Vec<_> = rows
        .map(|(growth, means)| {
            let cells = means.iter().map(|m| told(m.map(|m| m / best), 2));
            std::iter::once(format!("{growth} %"))
                .chain(cells)
                .collect()
        })
        .collect();
    figures::table(&columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_settings_has_a_cell() {
        let none = vec![Told::default(); settings().count()];
        assert_eq!(of_program(&none).lines().count(), 3 + 24);
        let merits = merit(&[&none]);
        assert_eq!(merits.lines().count(), 3 + GROWTHS.len());
        assert!(merits.contains("| 125 % | – |"));
    }
}
