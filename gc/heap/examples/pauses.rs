//! Pauses under a steady load, as the collector counts them and as the thread that is paused sees them.
//!
//! `pauses [--live=MB] [--rate=MB/s] [--keep=TREES] [--seconds=S] [--plan=P] [--growth=PERCENT] [--nursery=MB]
//! [--heap=MB] [--min-heap=MB] [--workers=N]`
//!
//! A table holds `live` MB of records, trees of 15 pairs. A *step* allocates 16 KiB of them and puts `keep` of
//! its 68 in the places of random older ones, so that old objects refer to young ones and die at random. Steps are
//! due at `rate`; between them the thread sleeps, outside the heap. With `--rate=0` there is no sleep.
//!
//! Told are the collector's pauses by kind, from the moment when the table is full; how long steps took, in
//! which every pause of the thread falls; and how late they ended, which counts what had to wait as well.
//!
//! The program runs itself once more, with the heap, and reads its log.

mod support;

use bowline_gc::{Mutator, OutOfMemory, start};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Flags, MIB, RECORD_BYTES, Random, Table, count, quantile, record};

/// Records that a step makes: 16 KiB of pairs.
const STEP: usize = 68;
const STEP_BYTES: f64 = (STEP * 240) as f64;
/// Sleeping for less is late more often than not.
const SHORT: Duration = Duration::from_micros(60);
const FLAGS: [&str; 5] = ["load", "live", "rate", "keep", "seconds"];

/// What the load is.
struct Load {
    live: usize,
    rate: f64,
    keep: usize,
    seconds: f64,
}

impl Load {
    fn read(flags: &Flags) -> Result<Load, Box<dyn Error>> {
        let load = Load {
            live: flags.get("live", 100)? * MIB / RECORD_BYTES,
            rate: flags.get("rate", 100.0)? * MIB as f64,
            keep: flags.get("keep", 4)?,
            seconds: flags.get("seconds", 10.0)?,
        };
        match load.live {
            0 => Err("--live: at least 1 MB".into()),
            _ if load.keep > STEP => Err(format!("--keep: at most {STEP} records a step").into()),
            _ => Ok(load),
        }
    }
}

/// How long each step took, and how long after it was due it ended, in nanoseconds.
#[derive(Default)]
struct Seen {
    took: Vec<u64>,
    late: Vec<u64>,
}

fn step(
    m: &mut Mutator,
    table: &Table,
    random: &mut Random,
    keep: usize,
) -> Result<(), OutOfMemory> {
    for i in 0..STEP {
        let fresh = record(m)?;
        if i < keep {
            table.put(m, random.below(table.len()), fresh);
        }
    }
    let old = table.at(m, random.below(table.len()));
    assert_eq!(count(old), 15, "a record is damaged");
    Ok(())
}

fn run(m: &mut Mutator, table: &Table, load: &Load) -> Result<Seen, OutOfMemory> {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut seen = Seen::default();
    let begun = Instant::now();
    let end = Duration::from_secs_f64(load.seconds);
    let period = match load.rate {
        rate if rate > 0.0 => Duration::from_secs_f64(STEP_BYTES / rate),
        _ => Duration::ZERO,
    };
    let mut due = Duration::ZERO;
    while due < end {
        let mut began = begun.elapsed();
        let mut ready = due;
        if period.is_zero() {
            (due, ready) = (began, began);
        } else if began + SHORT < due {
            m.enter_native();
            std::thread::sleep(due - began);
            began = begun.elapsed();
            // A sleep that was too long is not the collector's doing; a wait here is.
            ready = began;
            m.leave_native();
        }
        step(m, table, &mut random, load.keep)?;
        let ended = begun.elapsed();
        seen.took.push((ended - began).as_nanos() as u64);
        seen.late.push((ended - ready.min(ended)).as_nanos() as u64);
        due += period;
    }
    Ok(seen)
}

/// The process with the heap.
fn load(flags: &Flags) -> Result<(), Box<dyn Error>> {
    let load = Load::read(flags)?;
    let mut config = flags.config()?;
    config.recording.gc_log = true;
    let begun = Instant::now();
    let mut m = start(config)?.attach();
    let table = Table::new(&mut m, load.live)?;
    let mut out = std::io::stdout();
    writeln!(out, "full {}", begun.elapsed().as_secs_f64())?;
    let allocated = m.allocated();
    let since = Instant::now();
    let seen = run(&mut m, &table, &load)?;
    let rate = (m.allocated() - allocated) as f64 / since.elapsed().as_secs_f64();
    writeln!(
        out,
        "rate {:.1} MB/s in {} steps",
        rate / MIB as f64,
        seen.took.len()
    )?;
    for (name, mut times) in [("steps", seen.took), ("late", seen.late)] {
        times.sort_unstable();
        writeln!(out, "{}", line(name, &times))?;
    }
    Ok(())
}

/// Microseconds: the middle, what few pass, and the longest.
fn line(name: &str, sorted: &[u64]) -> String {
    let us = |share| quantile(sorted, share) as f64 / 1e3;
    format!(
        "{name:<14} {:>7} {:>10.1} {:>10.1} {:>10.1} {:>10.1}",
        sorted.len(),
        us(0.5),
        us(0.99),
        us(0.999),
        us(1.0)
    )
}

/// When a collection began, in seconds, of what kind it was, and its pause in nanoseconds.
fn pause(line: &str) -> Option<(f64, String, u64)> {
    let (_, rest) = line.split_once(" @")?;
    let (at, rest) = rest.split_once(" s: ")?;
    let (kind, rest) = rest.split_once(" (")?;
    let (_, rest) = rest.split_once("pause ")?;
    let (ms, _) = rest.split_once(" ms")?;
    let ns = ms.parse::<f64>().ok()? * 1e6;
    Some((at.parse().ok()?, kind.to_string(), ns as u64))
}

/// Runs the process with the heap, and tells what it did.
fn watch() -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args().skip(1))
        .arg("--load")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let log = child.stderr.take().ok_or("no log")?;
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(log).lines().map_while(Result::ok);
        let (pauses, others): (Vec<String>, Vec<String>) =
            lines.partition(|line| pause(line).is_some());
        let pauses: Vec<_> = pauses.iter().filter_map(|line| pause(line)).collect();
        (pauses, others)
    });
    let output = child.wait_with_output()?;
    let (pauses, others) = reader.join().map_err(|_| "the log's reader panicked")?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, others.join("\n")).into());
    }
    let said = String::from_utf8(output.stdout)?;
    let full = said.lines().find_map(|line| line.strip_prefix("full "));
    let full: f64 = full.ok_or("the table was never full")?.parse()?;
    let mut kinds: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (_, kind, ns) in pauses.into_iter().filter(|(at, ..)| *at >= full) {
        kinds.entry("all pauses".to_string()).or_default().push(ns);
        kinds.entry(kind).or_default().push(ns);
    }
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:<14} {:>7} {:>10} {:>10} {:>10} {:>10}",
        "microseconds", "count", "p50", "p99", "p99.9", "max"
    )?;
    for (kind, pauses) in &mut kinds {
        pauses.sort_unstable();
        writeln!(out, "{}", line(kind, pauses))?;
    }
    for line in said.lines().filter(|line| !line.starts_with("full ")) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::read(&FLAGS)?;
    if flags.has("load") {
        return load(&flags);
    }
    // Found here, a mistake in the flags is told once.
    Load::read(&flags)?;
    flags.config()?;
    watch()
}
