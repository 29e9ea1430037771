//! Programs that are refused memory, at every place in turn: `tests/refusals`, whose steps each print what they
//! make or `refused`.
//!
//! The Nth allocation is refused, once or with all that follow. Then the program does what it does with all the
//! memory it wants, or a step is refused and the rest goes on, or the program ends with the line that says why,
//! behind what it had printed. It never crashes, never hangs, and prints nothing else. Where one of
//! the program's own allocations is refused, some step is told and catches it.
//!
//! `BOWLINE_TEST_REFUSALS=all` tries every N; otherwise all small ones and some of the others.
//!
//! Absent on purpose: a heap that is really full; `heap` and `lang` have those.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use bowline_tests::process::{self, Outcome};
use bowline_tests::scratch::Scratch;
use libtest_mimic::{Failed, Trial};

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(100);
/// Up to here every N is tried.
const EACH: u64 = 25;
/// From then on each is so much of the one before.
const GROWTH: (u64, u64) = (5, 4);
/// More than any of the programs allocates, the runtime's start included.
const MOST: u64 = 60_000;
/// The step that was refused.
const REFUSED: &str = "refused";

/// How an end without success may be explained.
const ENDS: [&str; 6] = [
    "out of memory: the heap is full",
    "no room for the constants of the program",
    "the heap is too small for the runtime",
    "the system refused memory for a root stack",
    "no memory for more handles",
    "the system gives no executable memory",
];

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let bowline = process::product("bowline")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("refusals");
    let mut trials = Vec::new();
    for program in ["data", "foreign"] {
        for (kind, before, after) in [
            ("once", "", ""),
            ("lasting", "", "+"),
            ("start", "start:", ""),
            ("start-lasting", "start:", "+"),
        ] {
            let name = format!("{program}::{kind}");
            let run = Run {
                bowline: bowline.clone(),
                program: folder.join(program).with_extension("scm"),
                scratch: Scratch::new(&name.replace("::", "-")).map_err(|e| e.to_string())?,
                catches: kind == "once",
            };
            let refused = move || run.all(|n| format!("{before}{n}{after}"));
            trials.push(Trial::test(name, refused));
        }
    }
    Ok(trials)
}

struct Run {
    bowline: PathBuf,
    program: PathBuf,
    scratch: Scratch,
    /// Some step must be told, and catch it: neither the runtime's start is refused, which nobody catches, nor
    /// all that follows, when there is no memory to catch anything in.
    catches: bool,
}

impl Run {
    fn run(&self, flags: &[&str]) -> Result<Outcome, Failed> {
        let mut command = Command::new(&self.bowline);
        command.arg("run").args(flags).arg(&self.program);
        Ok(process::run(&mut command, self.scratch.path(), "", LIMIT)?)
    }

    fn all(&self, refusal: impl Fn(u64) -> String) -> Result<(), Failed> {
        let whole = self.run(&[])?;
        if whole.exit != Some(0) || whole.stdout.is_empty() || whole.stdout.contains(REFUSED) {
            return Err(format!("without refusals: {whole:?}").into());
        }
        let every = std::env::var("BOWLINE_TEST_REFUSALS").is_ok_and(|v| v == "all");
        let (mut n, mut ends, mut steps) = (1, 0, 0);
        while n < MOST {
            let flag = format!("--refuse={}", refusal(n));
            let outcome = self.run(&[&flag])?;
            judge(&whole.stdout, &outcome).map_err(|why| format!("{flag}: {why}\n{outcome:?}"))?;
            ends += u64::from(outcome.exit != Some(0));
            steps += u64::from(outcome.stdout.contains(REFUSED));
            n = match every || n < EACH {
                true => n + 1,
                false => n * GROWTH.0 / GROWTH.1,
            };
        }
        match (ends, steps) {
            (0, 0) => Err("nothing was ever refused".into()),
            (_, 0) if self.catches => Err("no step was told that it is refused memory".into()),
            _ => Ok(()),
        }
    }
}

/// Why this is not how a program may do that is refused memory.
fn judge(whole: &str, outcome: &Outcome) -> Result<(), String> {
    let mut wanted = whole.lines();
    for line in outcome.stdout.lines() {
        let right = wanted.next();
        // A step that is refused in the midst of its output leaves the beginning.
        let begun = |right: &str| {
            let beginning = line.strip_suffix(REFUSED);
            beginning.is_some_and(|b| right.starts_with(b))
        };
        if !right.is_some_and(|right| right == line || begun(right)) {
            return Err(format!("it prints {line:?} instead of {right:?}"));
        }
    }
    match outcome.exit {
        Some(0) if wanted.next().is_some() => Err("it succeeds, with output missing".into()),
        Some(0) if outcome.stderr.is_empty() => Ok(()),
        Some(0) => ends_well(&outcome.stderr),
        Some(1 | 2) => ends_well(&outcome.stderr),
        _ => Err(format!("it ends by {}", outcome.ending())),
    }
}

fn ends_well(told: &str) -> Result<(), String> {
    match ENDS.iter().any(|end| told.contains(end)) {
        true => Ok(()),
        false => Err("it does not say why".into()),
    }
}
