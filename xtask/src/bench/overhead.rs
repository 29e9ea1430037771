//! What collecting costs, as a lower bound: after Cai, Blackburn, Bond, Maas, "Distilling the real cost of
//! production garbage collectors" (ISPASS 2022).
//!
//! Nobody can run a program without a collector, but the part that is certainly the collector's can be taken off:
//! the time of its threads. The least that remains over all settings is the best estimate of the program alone,
//! too high by barriers, allocation and what collecting does to the caches. Total time over that estimate is a lower
//! bound of what a setting costs.
//!
//! The settings are plans and limits of the heap, as multiples of the least limit in which the program runs under
//! `throughput`, which is looked for by halving.

use super::figures::{self, Case, Told, told};
use super::report;
use super::{Task, peers};

const EXAMPLE: &str = "loads";
const PROGRAMS: [&[&str]; 3] = [
    &["trees", "--size=18"],
    &["cache", "--size=1000", "--live=50"],
    &["lists", "--size=20"],
];
const PLANS: [&str; 3] = ["throughput", "immix", "latency"];
/// Multiples of the least limit, in per cent.
const MULTIPLES: [usize; 4] = [150, 200, 300, 600];
/// No program needs more, in MiB.
const MOST: usize = 512;
/// What the heap takes at least, in MiB.
const LEAST: usize = 8;
const ABOUT: &str = "What collecting costs: a lower bound. The processor time of the whole process, over the least \
     of all settings of that time without the collector threads' (Cai et al., ISPASS 2022), by program, plan and limit of the \
     heap. A limit is a multiple of the least one in which the program runs under `throughput`.";
const LEGEND: &str = "Medians over the rounds. A dash: the program runs out of memory there, or it takes longer than five \
     minutes. The nursery is 16 MiB or a quarter of the limit, and the heap may grow to the limit before it is collected as a \
     whole.";

/// Measures, and returns the page and whether all went well. A setting that has too little memory is an answer, not
/// a failure.
pub(super) fn measure(task: Task<'_>) -> Result<(String, bool), String> {
    let Task {
        root,
        scratch,
        rounds,
        only,
        ..
    } = task;
    let binary = peers::example(root, "bowline-gc", EXAMPLE)?;
    let programs: Vec<&[&str]> = PROGRAMS
        .into_iter()
        .filter(|p| p[0].contains(only))
        .collect();
    let mut minima = Vec::new();
    let mut cases = Vec::new();
    for program in &programs {
        let runs = |mib: usize| {
            let case = case(&binary, program, PLANS[0], mib);
            figures::once(&case.command, scratch).is_ok()
        };
        let least = least(LEAST, MOST, runs)
            .ok_or_else(|| format!("{} does not run in {MOST} MiB", program[0]))?;
        minima.push(least);
        for plan in PLANS {
            for multiple in MULTIPLES {
                cases.push(case(&binary, program, plan, least * multiple / 100));
            }
        }
    }
    let all = figures::measure(&cases, rounds, scratch);
    let words = [ABOUT, LEGEND];
    let mut page = report::head_of_example("overhead", EXAMPLE, words, task);
    let settings = PLANS.len() * MULTIPLES.len();
    for ((program, least), all) in programs.iter().zip(&minima).zip(all.chunks(settings)) {
        page += &format!("\n## {}, least limit {least} MiB\n", program.join(" "));
        page += &of_program(all);
    }
    Ok((page, all.iter().any(|told| told.failure().is_none())))
}

/// The program under a plan and a limit, whose heap is collected as a whole when it is full.
fn case(binary: &str, program: &[&str], plan: &str, mib: usize) -> Case {
    let settings = [
        format!("--plan={plan}"),
        format!("--heap={mib}"),
        format!("--min-heap={mib}"),
    ];
    let words: Vec<&str> = std::iter::once(binary)
        .chain(program.iter().copied())
        .chain(settings.iter().map(String::as_str))
        .collect();
    Case::new(format!("{}, {plan}, {mib} MiB", program[0]), &words)
}

/// The least number from `from` to `to` of which `runs` is true, if it is of `to`, and of all above one of which it is.
fn least(from: usize, to: usize, runs: impl Fn(usize) -> bool) -> Option<usize> {
    if !runs(to) {
        return None;
    }
    let (mut low, mut high) = (from, to);
    while low < high {
        let middle = (low + high) / 2;
        match runs(middle) {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    Some(high)
}

/// The tables of one program.
fn of_program(all: &[Told]) -> String {
    let alone = |t: &Told| Some(t.median("cpu")? - t.median("gc")?);
    let best = all.iter().filter_map(alone).fold(f64::INFINITY, f64::min);
    let mut columns = vec!["plan".to_string()];
    columns.extend(MULTIPLES.map(|m| format!("× {}", m as f64 / 100.0)));
    let rows = |cell: &dyn Fn(&Told) -> String| {
        let rows = PLANS.iter().zip(all.chunks(MULTIPLES.len()));
        let rows = rows.map(|(plan, told)| {
            let cells = told.iter().map(cell);
            std::iter::once(plan.to_string()).chain(cells).collect()
        });
        figures::table(&columns, &rows.collect::<Vec<_>>())
    };
    let bound = |t: &Told| told(t.median("cpu").map(|cpu| cpu / best), 2);
    let wall = |t: &Told| told(t.median("wall"), 0);
    format!(
        "\nThe program alone takes at most {best:.0} ms.\n{}\nWall time in milliseconds:\n{}",
        rows(&bound),
        rows(&wall)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_least_is_found() {
        for truth in 8..=512 {
            assert_eq!(least(8, 512, |n| n >= truth), Some(truth));
        }
        assert_eq!(least(8, 512, |_| false), None);
    }

    #[test]
    fn the_bound_is_relative_to_the_best_estimate() {
        let cases: Vec<Case> = (0..12).map(|i| Case::new(i.to_string(), &[])).collect();
        let all = figures::measure_by(&cases, 1, |_| {
            let figures = [("cpu", 300.0), ("gc", 100.0), ("wall", 250.0)];
            Ok(BTreeMap::from(
                figures.map(|(name, n)| (name.to_string(), n)),
            ))
        });
        let text = of_program(&all);
        assert!(text.contains("at most 200 ms"), "{text}");
        assert!(
            text.contains("| latency | 1.50 | 1.50 | 1.50 | 1.50 |"),
            "{text}"
        );
    }
}
