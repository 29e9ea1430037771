//! `bowline-stress malloc`, from the options to the exit code: the checks, then rounds of torture,
//! then what it comes to.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::checks::{self, By, Check};
use crate::fault::Verdict;
use crate::plan::{KINDS, Kind, PHASE, Plan};
use crate::random::{Rng, derive};
use crate::replay::Replay;
use crate::session::{Outcome, Session};
use crate::shrink::shrink;
use crate::size;
use crate::victim::Job;

/// How many phases a round of torture has.
const PHASES: u64 = 16;

/// How often a failure is tried again before it is called one that depends on the schedule.
const AGAIN: u32 = 3;

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// How long to torture.
    pub(crate) seconds: u64,
    pub(crate) threads: u32,
    pub(crate) max_memory: u64,
    /// The checks to do; empty for all and the torture.
    pub(crate) only: Vec<String>,
    pub(crate) kinds: Vec<Kind>,
    /// Whether what only some mallocs promise counts.
    pub(crate) strict: bool,
    /// How long a victim may stand still.
    pub(crate) patience: Duration,
    /// How long to look for a smaller plan.
    pub(crate) shrink: Duration,
    /// Where replay files go.
    pub(crate) folder: PathBuf,
}

/// The name that `--only` knows the torture by.
pub(crate) const TORTURE: &str = "torture";

/// One run of the suite against one malloc.
pub(crate) struct Suite<'a, W> {
    pub(crate) session: Session<'a>,
    pub(crate) options: Options,
    pub(crate) out: W,
}

/// How often a plan that failed like this is run again: a hang takes long to be sure of.
const fn tries(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Hung => 1,
        _ => AGAIN,
    }
}

/// The checks that did not hold, with how they fared.
type Failures = Vec<(&'static Check, Verdict)>;

impl<W: Write> Suite<'_, W> {
    /// Does everything that was asked for: the worst verdict.
    pub(crate) fn run(&mut self) -> io::Result<Verdict> {
        let only = self.options.only.clone();
        let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
        let checks: Vec<&'static Check> = checks::all().filter(|c| wanted(c.name)).collect();
        let mut worst = Verdict::Held;
        if !checks.is_empty() {
            worst = worst.max(self.checks(&checks)?);
        }
        if wanted(TORTURE) && self.options.seconds > 0 {
            worst = worst.max(self.torture()?);
        }
        Ok(worst)
    }

    fn victim(&self, job: &Job, aborts: bool) -> io::Result<Outcome> {
        self.session.run(job, self.options.patience, aborts)
    }

    fn checks(&mut self, checks: &[&'static Check]) -> io::Result<Verdict> {
        let mut failures = Failures::new();
        let (mut held, mut missing) = (0, 0);
        for check in checks {
            let outcome = self.victim(&Job::Check(check.name.into()), check.aborts)?;
            self.line(check, &outcome)?;
            match outcome.verdict {
                Verdict::Held => held += 1,
                Verdict::Missing => missing += 1,
                verdict => failures.push((check, verdict)),
            }
        }
        let count = checks.len();
        let failed = failures.len();
        writeln!(
            self.out,
            "{count} checks: {held} ok, {failed} failed, {missing} not there"
        )?;
        self.summary(&failures)
    }

    /// The lines of one check.
    fn line(&mut self, check: &Check, outcome: &Outcome) -> io::Result<()> {
        let (word, name) = (outcome.verdict.word(), check.name);
        writeln!(self.out, "{word:<9} {name:<24} {}", check.promise)?;
        if outcome.verdict != Verdict::Held {
            self.details(outcome)?;
        }
        self.out.flush()
    }

    fn details(&mut self, outcome: &Outcome) -> io::Result<()> {
        writeln!(self.out, "          seen: {}", outcome.text)?;
        for act in &outcome.acts {
            writeln!(self.out, "          in: {act}")?;
        }
        for word in &outcome.words {
            writeln!(self.out, "          stderr: {word}")?;
        }
        Ok(())
    }

    /// What this malloc breaks, by who promises it: the worst of what counts.
    fn summary(&mut self, failures: &Failures) -> io::Result<Verdict> {
        let mut worst = Verdict::Held;
        for by in [By::C, By::Posix, By::Cxx, By::Glibc, By::Some] {
            let of = failures.iter().filter(|(check, _)| check.by == by);
            let names: Vec<String> = of
                .map(|(check, verdict)| format!("{} ({})", check.name, verdict.word()))
                .collect();
            if names.is_empty() {
                continue;
            }
            let counts = by != By::Some || self.options.strict;
            let what = match by {
                By::Some if !counts => "not kept, and promised by some mallocs only",
                By::Some => "not kept, promised by some mallocs",
                By::C => "broken, promised by C",
                By::Posix => "broken, promised by POSIX",
                By::Cxx => "broken, promised by C++",
                By::Glibc => "broken, promised by glibc",
            };
            writeln!(self.out, "{what}: {}", names.join(", "))?;
            if counts {
                let of = failures.iter().filter(|(check, _)| check.by == by);
                worst = of.map(|(_, verdict)| *verdict).fold(worst, Verdict::max);
            }
        }
        Ok(worst)
    }

    /// The plan of a round.
    fn plan(&self, round: u64) -> Plan {
        let seed = derive(self.options.seed, round);
        let most = self.options.threads;
        // Every other round has fewer threads, for a malloc treats one thread unlike many.
        let threads = if round.is_multiple_of(2) {
            most
        } else {
            Rng::new(seed).within(1, most as usize) as u32
        };
        Plan {
            seed,
            threads: (0..threads).collect(),
            steps: PHASES * PHASE,
            kinds: self.options.kinds.clone(),
            max_memory: self.options.max_memory,
        }
    }

    fn torture(&mut self) -> io::Result<Verdict> {
        let kinds: Vec<String> = self.options.kinds.iter().map(Kind::to_string).collect();
        writeln!(
            self.out,
            "torture: seed {}, {} threads, {} s, {}; {}",
            self.options.seed,
            self.options.threads,
            self.options.seconds,
            size::show(self.options.max_memory),
            kinds.join(" ")
        )?;
        self.out.flush()?;
        let end = Instant::now() + Duration::from_secs(self.options.seconds);
        let (mut rounds, mut steps) = (0, 0);
        while Instant::now() < end {
            let plan = self.plan(rounds);
            let limit = end.saturating_duration_since(Instant::now());
            let outcome = self.victim(&Job::Torture(plan.clone(), limit), false)?;
            rounds += 1;
            steps += outcome.steps;
            if outcome.verdict != Verdict::Held {
                let text = format!("torture: round {rounds}, after {steps} steps");
                writeln!(self.out, "{:<9} {text}", outcome.verdict.word())?;
                self.details(&outcome)?;
                self.report(plan, &outcome)?;
                return Ok(outcome.verdict);
            }
        }
        writeln!(
            self.out,
            "ok        torture: {rounds} rounds, {steps} steps, {} kinds of steps of {}",
            kinds.len(),
            KINDS.len()
        )?;
        Ok(Verdict::Held)
    }

    /// Runs a failing plan again, makes it smaller, and writes the replay file.
    fn report(&mut self, plan: Plan, first: &Outcome) -> io::Result<()> {
        self.out.flush()?;
        let whole = plan.clone();
        let mut last = first.clone();
        let deadline = Instant::now() + self.options.shrink;
        let mut small = shrink(plan, first.furthest, deadline, |candidate| {
            let outcome = self.again(candidate).ok()?;
            let same = outcome.verdict == first.verdict;
            same.then(|| last = outcome.clone());
            same.then_some(outcome.furthest)
        });
        let mut failed = self.failures(&small, first.verdict)?;
        if failed == 0 && small != whole {
            small = whole.clone();
            failed = self.failures(&small, first.verdict)?;
        }
        let reproduced = format!("{failed} of {}", tries(first.verdict));
        let name = format!("bowline-stress-malloc-{:016x}.json", small.seed);
        let path = self.options.folder.join(name);
        let against = self.session.subject.option();
        let word = first.verdict.word();
        Replay::new(against, small.clone(), word, &last.text, reproduced.clone()).write(&path)?;
        writeln!(
            self.out,
            "          smaller: {} of {} threads, {} of {} steps, {} of {} kinds; failed {reproduced} times",
            small.threads.len(),
            whole.threads.len(),
            small.steps,
            whole.steps,
            small.kinds.len(),
            whole.kinds.len(),
        )?;
        if failed == 0 {
            let text = "depends on how the threads happened to interleave: try the replay often";
            writeln!(self.out, "          {text}")?;
        }
        let path = path.display();
        writeln!(self.out, "again:    bowline-stress malloc --replay={path}")
    }

    /// How many of some runs of a plan end like this.
    fn failures(&self, plan: &Plan, verdict: Verdict) -> io::Result<u32> {
        let mut failed = 0;
        for _ in 0..tries(verdict) {
            failed += u32::from(self.again(plan)?.verdict == verdict);
        }
        Ok(failed)
    }

    /// Runs a plan to its end.
    fn again(&self, plan: &Plan) -> io::Result<Outcome> {
        let limit = Duration::from_secs(600);
        self.victim(&Job::Torture(plan.clone(), limit), false)
    }

    /// Runs the plan of a replay file.
    pub(crate) fn replay(&mut self, replay: &Replay) -> io::Result<Verdict> {
        let plan = &replay.plan;
        let kinds: Vec<String> = plan.kinds.iter().map(Kind::to_string).collect();
        writeln!(
            self.out,
            "replay: seed {}, threads {:?}, {} steps, {}; {}",
            plan.seed,
            plan.threads,
            plan.steps,
            size::show(plan.max_memory),
            kinds.join(" ")
        )?;
        let mut outcome = self.again(plan)?;
        for _ in 1..AGAIN {
            if outcome.verdict != Verdict::Held {
                break;
            }
            outcome = self.again(plan)?;
        }
        writeln!(self.out, "{:<9} replay", outcome.verdict.word())?;
        if outcome.verdict == Verdict::Held {
            let seen = &replay.seen;
            writeln!(
                self.out,
                "          {AGAIN} runs held; recorded was: {seen}"
            )?;
        } else {
            self.details(&outcome)?;
        }
        Ok(outcome.verdict)
    }
}
