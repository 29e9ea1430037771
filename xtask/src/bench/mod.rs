//! Measuring against peers, so that every figure in the docs comes from a run that anyone can repeat.
//!
//! Absolute times on a shared machine mean little; ratios inside one run mean more. So the entrants
//! take turns: each round runs every program on every entrant once, medians are taken over rounds,
//! and the spread is told. The time of a program is the CPU time, user and system, of its whole
//! process (collector threads included) less that of a program that does nothing, taken the same way.
//!
//! A peer that is not on the machine is named in the result; a program whose output differs between
//! entrants is a failure, not a figure.
//!
//! Reading order: `run` (one process), `race` (the turns), `report` (the page), `peers` (who takes part), `scheme`, `heap`
//! and `stores` (races), `start` (processes too short for the others' clock), `figures` (programs that tell
//! figures of their own) with `trigger`, `pauses`, `overhead`, `calls`, `data` and `malloc`, `printed` (programs that print tables), `soak` (no
//! figures, but torture for an hour), `machine` (where it ran).

mod calls;
mod data;
mod figures;
mod heap;
mod machine;
mod malloc;
mod overhead;
mod pauses;
mod peers;
mod printed;
mod race;
mod report;
mod run;
mod scheme;
mod soak;
mod start;
mod stores;
mod trigger;

use clap::ValueEnum;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum What {
    /// Scheme programs, against Chez Scheme.
    Scheme,
    /// Binary trees through the Rust API of the heap, against the Boehm collector, OCaml and Chez Scheme.
    Heap,
    /// A process that says hello, against the peers' and the collector alone.
    Start,
    /// Sizes of the nursery and growths of the heap.
    Trigger,
    /// Pauses under a steady load, by plan, against OCaml, the Boehm collector and Chez Scheme.
    Pauses,
    /// What collecting costs beyond the best estimate of a run without it, by the heap's size.
    Overhead,
    /// Crossing the boundary, handles and pins.
    Boundary,
    /// What programs pay to call C, against LuaJIT, Chez Scheme, Guile, OCaml and Python.
    Calls,
    /// What C pays to look at a program's data, against calls of its procedures.
    Data,
    /// Until all threads have stopped.
    Stops,
    /// A full collection of a long list.
    Lists,
    /// Random stores into old vectors, against the Boehm collector.
    Stores,
    /// Programs under other mallocs than the system's, against jemalloc, tcmalloc, mimalloc and snmalloc.
    Malloc,
    /// Nothing: the heap is tortured for an hour, by all plans.
    Soak,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Scheme => "scheme",
            What::Heap => "heap",
            What::Start => "start",
            What::Trigger => "trigger",
            What::Pauses => "pauses",
            What::Overhead => "overhead",
            What::Boundary => "boundary",
            What::Calls => "calls",
            What::Data => "data",
            What::Stops => "stops",
            What::Lists => "lists",
            What::Stores => "stores",
            What::Malloc => "malloc",
            What::Soak => "soak",
        }
    }

    /// How many rounds are wanted; of a soak, parts by each plan.
    fn rounds(self, quick: bool) -> usize {
        match (self, quick) {
            (What::Scheme | What::Heap | What::Stores, true) => 3,
            (What::Scheme | What::Heap | What::Stores, false) => 9,
            (What::Start, true) => 11,
            (What::Start, false) => 101,
            (What::Trigger | What::Overhead | What::Calls | What::Data | What::Malloc, false) => 5,
            (_, true) => 1,
            (_, false) => 3,
        }
    }
}

/// How to measure.
#[derive(Clone, Debug, Default)]
pub struct BenchOptions {
    /// Few rounds, and no file unless `out` names one.
    pub quick: bool,
    /// Rounds, when the default is not wanted.
    pub rounds: Option<usize>,
    /// How long a soak is, in minutes, when an hour is not wanted.
    pub minutes: Option<u64>,
    /// Only the programs whose name contains this; then, too, no file unless `out` names one.
    pub only: Option<String>,
    /// The malloc set's hardened mode takes part, too.
    pub hardened: bool,
    /// Where to write the page.
    pub out: Option<PathBuf>,
}

/// An implementation that runs programs, and how it runs each.
struct Entrant {
    /// Its name.
    name: &'static str,
    /// Its version, in its own words.
    version: String,
    /// How its programs are made and run, for the page.
    how: String,
    /// For each program of the race, in the same order, the command that runs it.
    commands: Vec<Vec<String>>,
}

/// Everything that a race needs.
struct Course {
    /// What its programs do, for the page.
    about: &'static str,
    /// The names of its programs. The first does nothing: it measures start-up.
    programs: Vec<String>,
    /// Who takes part; ratios are those of the first to each other.
    entrants: Vec<Entrant>,
    /// Who could not take part, and why.
    missing: Vec<String>,
    /// Two programs whose ratio is a figure of its own: upper, lower, what the ratio says.
    pairs: Vec<(&'static str, &'static str, &'static str)>,
    /// The part of a program's output that must be the same everywhere.
    compared: fn(&str) -> String,
}

/// What a measurement that makes its own page is given.
#[derive(Clone, Copy)]
struct Task<'a> {
    root: &'a Path,
    /// A folder for what it makes.
    scratch: &'a Path,
    rounds: usize,
    /// What the names of its programs must contain.
    only: &'a str,
    /// The command that asks for it.
    command: &'a str,
    machine: &'a machine::Machine,
}

/// The command: measures, prints the page, and writes it under `docs/bench`. Says whether every
/// program ran everywhere and printed the same.
pub fn command(root: &Path, what: What, options: &BenchOptions) -> Result<bool, String> {
    let scratch = target_directory(root)?.join("bench").join(what.name());
    std::fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    let only = options.only.as_deref().unwrap_or_default();
    let rounds = options.rounds.unwrap_or(what.rounds(options.quick)).max(1);
    let mut command = format!("cargo xtask bench {} --rounds {rounds}", what.name());
    let minutes = minutes(what, options)?;
    if what == What::Soak {
        command += &format!(" --minutes {minutes}");
    }
    if options.hardened && what != What::Malloc {
        return Err("--hardened is for `bench malloc` alone".to_string());
    }
    if options.hardened {
        command += " --hardened";
    }
    if !only.is_empty() {
        command += &format!(" --only {only}");
    }
    let machine = machine::Machine::here(root);
    let race = |course: Course| {
        let results = race::run(&course, rounds, &scratch)?;
        let page = report::page(what.name(), &command, &course, &results, &machine);
        Ok::<_, String>((page, results.sound()))
    };
    let task = Task {
        root,
        scratch: &scratch,
        rounds,
        only,
        command: &command,
        machine: &machine,
    };
    let print = |sheet| printed::measure(sheet, task);
    let (page, sound) = match what {
        What::Scheme => race(scheme::course(root, &scratch, only)?)?,
        What::Heap => race(heap::course(root, &scratch)?)?,
        What::Stores => race(stores::course(root, &scratch)?)?,
        What::Start => start::measure(task)?,
        What::Trigger => trigger::measure(task)?,
        What::Pauses => pauses::measure(task)?,
        What::Overhead => overhead::measure(task)?,
        What::Boundary => print(&printed::BOUNDARY)?,
        What::Calls => calls::measure(task)?,
        What::Data => data::measure(task)?,
        What::Stops => print(&printed::STOPS)?,
        What::Lists => print(&printed::LISTS)?,
        What::Malloc => malloc::measure(task, options.hardened)?,
        What::Soak => soak::measure(task, minutes)?,
    };
    let said = std::io::stdout().write_all(page.as_bytes());
    said.map_err(|e| e.to_string())?;
    let out = match (&options.out, options.quick) {
        (Some(out), _) => Some(out.clone()),
        (None, _) if options.quick || !only.is_empty() => None,
        (None, _) => {
            let name = format!("{}-{}.md", machine.date, what.name());
            Some(root.join("docs/bench").join(name))
        }
    };
    if let Some(out) = out {
        std::fs::write(&out, page).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    Ok(sound)
}

/// How long a soak is.
fn minutes(what: What, options: &BenchOptions) -> Result<u64, String> {
    match options.minutes {
        Some(_) if what != What::Soak => Err("--minutes is for `bench soak` alone".to_string()),
        Some(0) => Err("a soak takes a minute at least".to_string()),
        Some(minutes) => Ok(minutes),
        None => Ok(if options.quick { 1 } else { 60 }),
    }
}

/// What the page says of a peer that could not take part: the first line of the reason.
fn missed(name: &str, why: &str) -> String {
    format!("{name}: {}", why.lines().next().unwrap_or_default())
}

/// Where cargo puts what it builds.
fn target_directory(root: &Path) -> Result<PathBuf, String> {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version=1"];
    let json = output_of(Command::new(cargo()).args(arguments).current_dir(root))?;
    let json: serde_json::Value = serde_json::from_str(&json).map_err(|e| e.to_string())?;
    let path = json["target_directory"].as_str();
    path.map(PathBuf::from)
        .ok_or_else(|| "cargo metadata names no target directory".to_string())
}

/// Writes a file that is needed for a measurement, and gives its name.
fn with_contents(path: &Path, text: &str) -> Result<String, String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path.to_string_lossy().into_owned())
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds with cargo in release mode; what it says goes to the terminal.
fn build(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(cargo())
        .args(["build", "--release"])
        .args(arguments)
        .current_dir(root)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo build {}: {status}", arguments.join(" "))),
        Err(e) => Err(format!("cargo: {e}")),
    }
}

/// What a command prints, on both outputs, or why it failed.
fn output_of(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{name}: {e}"))?;
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name}: {}: {}", output.status, err.trim()));
    }
    // Some programs tell their version on the error output.
    Ok(if out.trim().is_empty() { err } else { out }
        .trim()
        .to_string())
}

/// Gives `f` a folder of its own.
#[cfg(test)]
fn with_scratch<T>(f: impl FnOnce(&Path) -> T) -> T {
    let thread = std::thread::current().id();
    let name = format!("xtask-bench-{}-{thread:?}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let result = f(&folder);
    std::fs::remove_dir_all(&folder).expect("the test's own folder");
    result
}
