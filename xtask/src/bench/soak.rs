//! A soak: `bowline-stress gc` for an hour, in parts, each with a plan and a seed of its own.
//!
//! Seeds are made of the day, so each soak tries what none has tried, and its page has all that a part needs to be
//! done again. A part that fails ends there; the others come all the same.
//!
//! Absent on purpose: rates. How much is done in a second is the machine's affair, and what a seed draws differs.

use super::figures::{self, told};
use super::report::{self, Facts};
use super::scheme::argument;
use super::{Task, build, peers, target_directory};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

/// The plans of the heap.
const PLANS: [&str; 4] = ["throughput", "latency", "immix", "compact-test"];

/// The numbers of the line that a part ends with, in its order.
const FIGURES: [&str; 13] = [
    "rounds",
    "operations",
    "objects made",
    "minor collections",
    "full collections",
    "collections during a call into C",
    "objects moved",
    "checks of everything",
    "objects compared by them",
    "deliveries by guardians and finalizers",
    "weak references seen broken",
    "forks",
    "requests for memory refused",
];

/// Those that stand beside each part.
const SHOWN: [usize; 6] = [0, 1, 3, 4, 8, 11];

/// Seconds that the program may take for a failure's script, and to end, beyond those of the torture.
const GRACE: u64 = 3600;

const ABOUT: &str = "Torture of the heap (`docs/stress.md`) in parts. Limits, nurseries, collector threads, zeal, profiles \
     and one to four mutators are drawn from the seed.";

/// A part of the soak, done.
struct Part {
    plan: &'static str,
    seed: u64,
    took: f64,
    figures: Option<[u64; FIGURES.len()]>,
    /// What was seen, and where the script and the whole output are.
    failure: Option<String>,
}

/// Tortures for so many minutes in all, `task.rounds` parts by each plan, and returns the page and whether all held.
pub(super) fn measure(task: Task<'_>, minutes: u64) -> Result<(String, bool), String> {
    build(task.root, &["-p", "bowline-stress", "-p", "bowline-malloc"])?;
    let binary = target_directory(task.root)?.join("release/bowline-stress");
    let plans = PLANS.into_iter().filter(|plan| plan.contains(task.only));
    let plans: Vec<_> = (0..task.rounds).flat_map(|_| plans.clone()).collect();
    if plans.is_empty() {
        return Err(format!("no plan is called {:?}", task.only));
    }
    let seconds = (minutes * 60 / plans.len() as u64).max(1);
    let first = seed_of(&task.machine.date);
    let mut parts = Vec::new();
    for (plan, seed) in plans.into_iter().zip(first..) {
        // Nobody needs to read the progress for the page to be right.
        let _ = writeln!(std::io::stderr(), "soak: {plan}, seed {seed}");
        parts.push(part(&binary, task.scratch, plan, [seed, seconds])?);
    }
    let facts = Facts {
        about: ABOUT,
        command: task.command,
        entrants: &[peers::ours(
            "`bowline-stress` and `libbowline_malloc.so`, release".to_string(),
            Vec::new(),
        )],
        missing: &[],
    };
    let mut page = report::head("soak", &facts, task.machine);
    page += &format!(
        "\nEach part: `bowline-stress gc --seconds={seconds} --patience=240 --plan=PLAN --seed=SEED`.\n"
    );
    page += &tables(&parts);
    Ok((page, parts.iter().all(|part| part.failure.is_none())))
}

/// The seed of the first part on this day.
fn seed_of(date: &str) -> u64 {
    let digits: String = date.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u64>().unwrap_or(1) * 100 + 1
}

fn part(
    binary: &Path,
    scratch: &Path,
    plan: &'static str,
    [seed, seconds]: [u64; 2],
) -> Result<Part, String> {
    let begun = Instant::now();
    let output = Command::new("timeout")
        .arg((seconds + GRACE).to_string())
        .arg(binary)
        .args(["gc", "--patience=240"])
        .args([format!("--plan={plan}"), format!("--seed={seed}")])
        .arg(format!("--seconds={seconds}"))
        .arg(format!("--out={}", argument(scratch)))
        .output()
        .map_err(|e| format!("timeout: {e}"))?;
    let took = begun.elapsed().as_secs_f64();
    let journal = scratch.join(format!("{plan}-{seed}.log"));
    let whole = [output.stdout.as_slice(), &output.stderr].concat();
    std::fs::write(&journal, whole).map_err(|e| format!("{}: {e}", journal.display()))?;
    Ok(judged(plan, seed, took, &output, &journal))
}

/// What a part has come to. Its output is in `journal`.
fn judged(plan: &'static str, seed: u64, took: f64, output: &Output, journal: &Path) -> Part {
    let said = String::from_utf8_lossy(&output.stdout);
    let figures = numbers(&said);
    let failure = failure(output, &said, figures.is_some());
    Part {
        plan,
        seed,
        took,
        figures,
        failure: failure.map(|why| format!("{why}; {}", journal.display())),
    }
}

/// What failed, if something has; `counted` says whether the program told what it has done.
fn failure(output: &Output, said: &str, counted: bool) -> Option<String> {
    if output.status.success() {
        return (!counted).then(|| "it does not say what it has done".to_string());
    }
    let after = |word: &str| said.lines().find_map(|line| Some(line.split_once(word)?.1));
    let err = String::from_utf8_lossy(&output.stderr);
    let seen = after("seen: ").or(err.lines().next()).unwrap_or_default();
    let mut why = format!("{}: {seen}", output.status);
    if let Some(heap) = after("heap: ") {
        why += &format!(" ({heap})");
    }
    if let Some(replay) = after("again:") {
        why += &format!("; again: `{}`", replay.trim());
    }
    Some(why)
}

/// The numbers of the line that sums up.
fn numbers(said: &str) -> Option<[u64; FIGURES.len()]> {
    let line = said.lines().find(|line| line.contains(" rounds, "))?;
    let digits = line.split(|c: char| !c.is_ascii_digit());
    let numbers = digits.filter(|digits| !digits.is_empty());
    let numbers: Result<Vec<u64>, _> = numbers.map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

/// A row for each part, the sums, and what failed.
fn tables(parts: &[Part]) -> String {
    let shown = SHOWN.map(|i| FIGURES[i]);
    let columns = [&["plan", "seed", "seconds"][..], &shown, &[""]].concat();
    let columns: Vec<String> = columns.into_iter().map(str::to_string).collect();
    let row = |part: &Part| {
        let mut row = vec![
            part.plan.to_string(),
            part.seed.to_string(),
            told(Some(part.took), 0),
        ];
        let of = |i: usize| part.figures.map_or("–".to_string(), |all| grouped(all[i]));
        row.extend(SHOWN.map(of));
        row.push(part.failure.as_ref().map_or("held", |_| "failed").into());
        row
    };
    let mut text = figures::table(&columns, &parts.iter().map(row).collect::<Vec<_>>());
    let sum = |(i, name): (usize, &&str)| {
        let told = parts.iter().filter_map(|part| part.figures);
        vec![
            name.to_string(),
            grouped(told.map(|figures| figures[i]).sum()),
        ]
    };
    let sums: Vec<_> = FIGURES.iter().enumerate().map(sum).collect();
    text += &figures::table(&["in sum", "how many"].map(str::to_string), &sums);
    text += "\n## Failures\n\n";
    let failures = parts.iter().filter_map(|part| {
        let why = part.failure.as_ref()?;
        Some(format!(
            "* **Failed**: {}, seed {}: {why}\n",
            part.plan, part.seed
        ))
    });
    let failures: String = failures.collect();
    text + if failures.is_empty() {
        "None.\n"
    } else {
        &failures
    }
}

/// A number in groups of three digits.
fn grouped(n: u64) -> String {
    match n {
        0..1000 => n.to_string(),
        _ => format!("{},{:03}", grouped(n / 1000), n % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: &str = "gc torture: seed 7, 30 s; malloc: libbowline_malloc.so\n\
        ok        gc torture: 35 rounds, 708524 operations, 18 objects made; 8957 minor and 14752 full collections, \
        5 in calls, 6 objects moved; 7 checks compared 15416386 objects; 8 deliveries, 9 weak references broken, \
        2320 forks, 11 requests refused\n";

    /// A part whose program says this and ends so.
    fn done(said: &str, status: &str) -> Part {
        let script = ["-c", "printf %s \"$1\"; exit $2", "sh", said, status];
        let output = Command::new("sh").args(script).output().unwrap();
        judged("immix", 7, 30.4, &output, Path::new("/x/immix-7.log"))
    }

    #[test]
    fn what_a_part_has_done_is_read_and_summed_up() {
        let parts = [done(HELD, "0"), done(HELD, "0")];
        assert!(parts.iter().all(|part| part.failure.is_none()));
        let text = tables(&parts);
        let row =
            "| immix | 7 | 30 | 35 | 708,524 | 8,957 | 14,752 | 15,416,386 | 2,320 | held |\n";
        assert_eq!(text.matches(row).count(), 2, "{text}");
        assert!(text.contains("| operations | 1,417,048 |\n"), "{text}");
        assert!(text.ends_with("## Failures\n\nNone.\n"), "{text}");
    }

    #[test]
    fn a_failure_is_told_with_its_script_and_its_journal() {
        let said = "BROKEN    gc torture: round 3\n          heap: plan immix, limit 24 MiB\n          \
             seen: wrong figure: 14, not 13\nagain:    bowline-stress gc --replay=x.json\n";
        let part = done(said, "1");
        let why = part.failure.clone().unwrap();
        let wanted = "exit status: 1: wrong figure: 14, not 13 (plan immix, limit 24 MiB); \
             again: `bowline-stress gc --replay=x.json`; ";
        assert!(
            why.starts_with(wanted) && why.ends_with("immix-7.log"),
            "{why}"
        );
        let text = tables(&[part]);
        assert!(text.contains("| – | failed |\n"), "{text}");
        assert!(text.contains("* **Failed**: immix, seed 7: exit"), "{text}");
    }

    #[test]
    fn a_part_that_tells_nothing_has_failed() {
        let why = done("", "0").failure.unwrap();
        assert!(
            why.starts_with("it does not say what it has done; "),
            "{why}"
        );
    }

    #[test]
    fn seeds_are_made_of_the_day() {
        assert_eq!(seed_of("2026-11-22"), 2_026_112_201);
        assert_eq!(seed_of("unknown"), 101);
    }

    #[test]
    fn every_plan_is_tried() {
        let config = crate::root().join("gc/heap/src/config.rs");
        let names = format!("NAMES: [&'static str; 4] = {PLANS:?};");
        assert!(std::fs::read_to_string(config).unwrap().contains(&names));
    }
}
