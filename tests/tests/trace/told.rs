//! What is told on standard error: `--gc-log` and `--stats`.

use std::path::Path;
use std::sync::Arc;

use bowline_tests::trials::trial;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::run::{Context, complaint, ensure};

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let new = |name: &str, run| trial(context, format!("told::{name}"), run);
    vec![
        new(
            "a line for each collection",
            lines as fn(&Context, &Path) -> _,
        ),
        new("figures as JSON", figures),
        new("figures as a table", table),
        new("nothing unless it is wanted", nothing),
    ]
}

const WORK: &str = "(define keep '())
(do ((i 0 (+ i 1))) ((= i 20)) (set! keep (build 10000)) (strlen \"hello\"))
(define b (make-bytevector 10))
(pin! b) (pin! b) (unpin! b)
(attach-finalizer! (make-foreign-memory 100) (lambda (p) #f) 100)
(collect)
(strlen \"hello\")
(write (list (figure 'collections) (figure 'minor) (figure 'major) (figure 'moved-objects)
  (figure 'moved-bytes) (figure 'total-pause-ns) (figure 'max-pause-ns)))";

fn printed(stdout: &str) -> Vec<u64> {
    let words = stdout.trim_matches(['(', ')']).split(' ');
    words.filter_map(|word| word.parse().ok()).collect()
}

/// The number between two pieces of a line.
fn between(line: &str, before: &str, after: &str) -> Result<f64, Failed> {
    let found = line
        .split_once(before)
        .and_then(|(_, rest)| rest.split_once(after));
    let number = found.and_then(|(number, _)| number.parse().ok());
    number.ok_or_else(|| format!("no number between {before:?} and {after:?} in {line}").into())
}

fn lines(context: &Context, folder: &Path) -> Result<(), Failed> {
    let outcome = context.run(folder, &["--gc-log", "--nursery=4m"], WORK)?;
    let figures = printed(&outcome.stdout);
    let all: Vec<_> = outcome.stderr.lines().collect();
    let Some((last, lines)) = all.split_last() else {
        return Err(complaint("expected lines", &outcome));
    };
    ensure(
        lines.len() as u64 == figures[0],
        &format!("{} lines, {figures:?}", lines.len()),
    )?;
    let (mut moved, mut paused, mut full) = (0.0, 0.0, 0);
    for (i, line) in lines.iter().enumerate() {
        ensure(line.starts_with(&format!("gc {} @", i + 1)), line)?;
        between(line, "@", " s: ")?;
        full += u64::from(line.contains(" s: full ("));
        let before = between(line, "heap ", " -> ")?;
        let after = between(&line[line.find("heap ").unwrap_or(0)..], " -> ", " MiB")?;
        ensure(before > 0.0 && after > 0.0, line)?;
        between(line, "C ", " -> ")?;
        moved += between(line, "moved ", " objects")?;
        between(line, "pinned ", ",")?;
        paused += between(line, "pause ", " ms")?;
        between(line, "stop ", " ms")?;
        ensure(line.ends_with(", threads 1"), line)?;
    }
    ensure(full == figures[2], "as many full ones")?;
    ensure(
        moved as u64 == figures[3],
        &format!("moved {moved}, {figures:?}"),
    )?;
    let told = figures[5] as f64 / 1e6;
    ensure(
        (paused - told).abs() < 0.001 * lines.len() as f64,
        &format!("{paused} is {told}"),
    )?;
    let [all, minor, full] = [figures[0], figures[1], figures[2]];
    let sums = format!("gc: {all} collections ({minor} minor, {full} full) in ");
    ensure(last.starts_with(&sums), last)?;
    ensure(all > 5 && minor > 3 && full > 0, "of both kinds")
}

fn figures(context: &Context, folder: &Path) -> Result<(), Failed> {
    let outcome = context.run(folder, &["--stats=json", "--nursery=4m"], WORK)?;
    let told: Value = serde_json::from_str(&outcome.stderr)?;
    let figures = printed(&outcome.stdout);
    let all = &told["pauses"]["all"];
    for (name, told, printed) in [
        ("collections", &told["collections"], figures[0]),
        ("minor", &told["minor"], figures[1]),
        ("major", &told["major"], figures[2]),
        ("moved objects", &told["moved_objects"], figures[3]),
        ("moved bytes", &told["moved_bytes"], figures[4]),
        ("pauses", &all["total_ns"], figures[5]),
        ("longest pause", &all["max_ns"], figures[6]),
        ("count of pauses", &all["count"], figures[0]),
        (
            "count of minor pauses",
            &told["pauses"]["minor"]["count"],
            figures[1],
        ),
        ("pins", &told["pins_made"], 2),
        ("pins at the end", &told["pins"], 1),
        ("finalizers", &told["finalizers"], 1),
        ("calls", &told["threads"][0]["calls"], 21),
        ("calls of strlen", &told["functions"][0]["calls"], 21),
    ] {
        ensure(*told == printed, &format!("{name}: {told} is {printed}"))?;
    }
    let holder = &told["held"][0];
    ensure(
        holder["what"]
            .as_str()
            .is_some_and(|what| what.contains(" at p.scm:")),
        &format!("{holder} has no place"),
    )?;
    let number = |v: &Value| v.as_u64().unwrap_or(0);
    ensure(number(&holder["count"]) > 0, "somebody holds")?;
    let (median, p99) = (number(&all["median_ns"]), number(&all["p99_ns"]));
    ensure(
        median > 0 && median <= p99 && p99 <= number(&all["max_ns"]),
        "quantiles in order",
    )?;
    let main = &told["threads"][0];
    let shares = ["scheme_ns", "c_ns", "waited_ns"].map(|share| number(&main[share]));
    let wall = number(&told["wall_ns"]);
    ensure(shares.iter().all(|ns| *ns > 0), "every share is some time")?;
    ensure(
        shares.iter().sum::<u64>() <= wall,
        &format!("{shares:?} of {wall}"),
    )?;
    ensure(
        shares[2] >= number(&all["total_ns"]) / 2,
        "the one thread waits for pauses",
    )?;
    let peaks = [
        ("peak_heap_bytes", "heap_bytes"),
        ("peak_client_bytes", "client_bytes"),
    ];
    for (peak, end) in peaks {
        ensure(
            number(&told[peak]) >= number(&told[end]) && number(&told[end]) > 0,
            peak,
        )?;
    }
    ensure(
        number(&told["allocated_bytes"]) > 20 * 10_000 * 100,
        "what was allocated",
    )
}

fn table(context: &Context, folder: &Path) -> Result<(), Failed> {
    for (body, status) in [
        (WORK, 0),
        ("(exit 4)", 4),
        ("(car 5)", 1),
        ("(no-such-name)", 1),
    ] {
        let outcome = context.run(folder, &["--stats", "--nursery=4m"], body)?;
        let table = outcome.stderr.find("time\n  wall ");
        if outcome.exit != Some(status) || table.is_none() {
            return Err(complaint(
                &format!("expected status {status} and a table"),
                &outcome,
            ));
        }
        // What went wrong is told first.
        ensure(status != 1 || table > Some(0), "the error comes before")?;
    }
    Ok(())
}

fn nothing(context: &Context, folder: &Path) -> Result<(), Failed> {
    let outcome = context.run(folder, &["--nursery=4m"], WORK)?;
    ensure(
        outcome.stderr.is_empty() && outcome.exit == Some(0),
        "no diagnostics",
    )
}
