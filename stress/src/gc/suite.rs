//! `bowline-stress gc`, from the options to the verdict: rounds of torture in child processes, and
//! what is made of a failure.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bowline_gc::Plan;
use serde::{Deserialize, Serialize};

use super::draw::PROFILES;
use super::journal::{room, transcript};
use super::script::{Line, Program, Setup, Source};
use super::shrink::shrink;
use super::world::Tally;
use crate::fault::Verdict;
use crate::random::{Rng, derive};
use crate::session::{Outcome, Session};
use crate::size;
use crate::victim::Job;

/// The version of the replay files that this program writes and reads.
const VERSION: u32 = 1;

/// The operations of a round, of all threads together.
const STEPS: u64 = 20_000;

/// The same where each collection is one of many.
const ZEALOUS_STEPS: u64 = 1_500;

/// How often a failure is tried again.
const AGAIN: u32 = 3;

/// The lines of a script that are shown.
const SHOWN: usize = 60;

/// How long a script may take that is run again to see whether it fails.
const LONGEST: Duration = Duration::from_secs(20);

/// How long a script that hung may stand still while it is made smaller.
const STANDSTILL: Duration = Duration::from_secs(3);

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    /// The most threads of a round.
    pub(crate) threads: u32,
    /// These instead of all in turn.
    pub(crate) plan: Option<String>,
    pub(crate) heap: Option<u64>,
    pub(crate) zeal: Option<String>,
    pub(crate) workers: Option<usize>,
    pub(crate) profile: Option<String>,
    /// Let the heap walk itself in every round, not in some.
    pub(crate) verify: bool,
    /// The operations of a round, of all threads together.
    pub(crate) steps: Option<u64>,
    /// A fault to be found.
    pub(crate) plant: Option<String>,
    pub(crate) patience: Duration,
    /// How many shorter scripts to try.
    pub(crate) shrink: u64,
    /// Where replay files go.
    pub(crate) folder: PathBuf,
    pub(crate) replay: Option<PathBuf>,
}

/// A failure that can be tried again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replay {
    version: u32,
    suite: String,
    program: Program,
    verdict: String,
    seen: String,
    reproduced: String,
}

/// Reads a replay file. The error names the file.
fn read(path: &Path) -> Result<Replay, String> {
    let told = |error: String| format!("{}: {error}", path.display());
    let text = crate::replay::text_of(path).map_err(told)?;
    let suite = serde_json::from_str::<serde_json::Value>(&text).ok();
    let suite = suite.and_then(|value| Some(value.get("suite")?.as_str()?.to_owned()));
    if let Some(other) = suite.filter(|suite| suite != "gc") {
        return Err(told(format!("a replay for `{other}`, not for `gc`")));
    }
    let replay: Replay =
        serde_json::from_str(&text).map_err(|e| told(format!("no replay file: {e}")))?;
    if replay.version != VERSION {
        let version = replay.version;
        return Err(told(format!(
            "a replay of version {version}; this program reads {VERSION}"
        )));
    }
    replay.program.check().map_err(told)?;
    Ok(replay)
}

/// Files of one run, gone when it is over.
struct Files {
    program: PathBuf,
    order: Option<PathBuf>,
}

impl Files {
    /// The program, and room for a journal of this many words.
    fn new(program: &Program, noted: u64) -> io::Result<Self> {
        let base = std::env::temp_dir().join(format!("bowline-stress-gc-{}", std::process::id()));
        let files = Self {
            program: base.with_extension("program"),
            order: (noted > 0).then(|| base.with_extension("order")),
        };
        let text = serde_json::to_string(program).map_err(io::Error::other)?;
        std::fs::write(&files.program, text)?;
        if let Some(order) = &files.order {
            File::create(order)?.set_len((noted + 1) * 8)?;
        }
        Ok(files)
    }

    /// The words of the journal.
    fn journal(&self) -> io::Result<Vec<u64>> {
        let Some(order) = &self.order else {
            return Ok(Vec::new());
        };
        let bytes = std::fs::read(order)?;
        let mut words = bytes.chunks_exact(8).map(|word| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            u64::from_ne_bytes(bytes)
        });
        let count = words.next().unwrap_or(0) as usize;
        Ok(words.take(count).collect())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.program);
        if let Some(order) = &self.order {
            let _ = std::fs::remove_file(order);
        }
    }
}

/// What kind of fault a run showed: the first words of what it said.
fn kind(outcome: &Outcome) -> &str {
    match outcome.verdict {
        Verdict::Hung => "",
        _ => outcome.text.split(':').next().unwrap_or_default(),
    }
}

/// Whether two runs failed in the same way.
fn alike(one: &Outcome, other: &Outcome) -> bool {
    one.verdict == other.verdict && kind(one) == kind(other)
}

/// How often in a row a script must fail: what fails by luck alone would lead astray. A hang takes long to see.
fn times(first: &Outcome) -> u32 {
    if first.verdict == Verdict::Hung { 1 } else { 2 }
}

struct Suite<'a, W> {
    session: &'a Session<'a>,
    options: &'a Options,
    out: W,
}

/// Does what was asked for. The inner error is one of the command line.
pub(crate) fn run(
    session: &Session<'_>,
    options: &Options,
    out: impl Write,
) -> io::Result<Result<Verdict, String>> {
    let mut suite = Suite {
        session,
        options,
        out,
    };
    if let Some(path) = &options.replay {
        return match read(path) {
            Ok(replay) => suite.replay(&replay).map(Ok),
            Err(error) => Ok(Err(error)),
        };
    }
    if let Err(error) = suite.round(0, Duration::ZERO).check() {
        return Ok(Err(error));
    }
    suite.rounds().map(Ok)
}

impl<W: Write> Suite<'_, W> {
    /// The program of a round: every plan in its turn, everything else drawn.
    fn round(&self, round: u64, limit: Duration) -> Program {
        let seed = derive(self.options.seed, round);
        let mut rng = Rng::new(seed);
        let options = self.options;
        let plan = Plan::NAMES[round as usize % Plan::NAMES.len()];
        let zeal = match rng.below(20) {
            0..3 => format!("alloc:{}", rng.within(5, 300)),
            3 => format!("crossing:{}", rng.within(1, 4)),
            _ => "off".into(),
        };
        let zeal = options.zeal.clone().unwrap_or(zeal);
        let alone = options.threads == 1 || rng.once_in(2);
        let threads = if alone {
            1
        } else {
            rng.within(2, options.threads as usize) as u32
        };
        let usual = if zeal == "off" { STEPS } else { ZEALOUS_STEPS };
        let steps = options.steps.unwrap_or(usual);
        let profile = PROFILES[rng.below(PROFILES.len())].name;
        let heap = [24, 32, 64, 128][rng.below(4)] << 20;
        Program {
            setup: Setup {
                plan: options.plan.clone().unwrap_or_else(|| plan.into()),
                heap: options.heap.unwrap_or(heap),
                nursery: 1 << rng.within(20, 22),
                workers: options.workers.unwrap_or(rng.within(1, 2)),
                zeal,
                verify: options.verify || rng.once_in(3),
                profile: options.profile.clone().unwrap_or_else(|| profile.into()),
            },
            threads,
            source: Source::Drawn {
                seed,
                steps: steps.div_ceil(u64::from(threads)),
            },
            plant: options.plant.clone(),
            limit_ms: limit.as_millis() as u64,
        }
    }

    /// Runs a program. The journal of one that is drawn comes back.
    fn execute(&self, program: &Program, patience: Duration) -> io::Result<(Outcome, Vec<u64>)> {
        let noted = match program.source {
            Source::Drawn { steps, .. } => room(steps * u64::from(program.threads)),
            Source::Script(_) => 0,
        };
        let files = Files::new(program, noted)?;
        let job = Job::Gc {
            program: files.program.clone(),
            order: files.order.clone(),
        };
        let outcome = self.session.run(&job, patience, false)?;
        Ok((outcome, files.journal()?))
    }

    fn rounds(&mut self) -> io::Result<Verdict> {
        let (seed, seconds) = (self.options.seed, self.options.seconds);
        let malloc = self.session.subject;
        writeln!(
            self.out,
            "gc torture: seed {seed}, {seconds} s; malloc: {malloc}"
        )?;
        self.out.flush()?;
        let end = Instant::now() + Duration::from_secs(seconds);
        let (mut rounds, mut tally) = (0, Tally::default());
        while Instant::now() < end || rounds == 0 {
            let left = end.saturating_duration_since(Instant::now());
            let program = self.round(rounds, left);
            let (outcome, journal) = self.execute(&program, self.options.patience)?;
            rounds += 1;
            if outcome.verdict != Verdict::Held {
                self.failure(rounds, &program, &outcome, &journal)?;
                self.total(rounds, &tally)?;
                return Ok(outcome.verdict);
            }
            tally.add(&serde_json::from_str(&outcome.text).unwrap_or_default());
        }
        write!(self.out, "ok        ")?;
        self.total(rounds, &tally)?;
        Ok(Verdict::Held)
    }

    fn total(&mut self, rounds: u64, t: &Tally) -> io::Result<()> {
        writeln!(
            self.out,
            "gc torture: {rounds} rounds, {} operations, {} objects made; {} minor and {} full \
             collections, {} in calls, {} objects moved; {} checks compared {} objects; {} \
             deliveries, {} weak references broken, {} forks, {} requests refused",
            t.operations,
            t.objects,
            t.minor,
            t.major,
            t.in_calls,
            t.moved,
            t.checks,
            t.checked,
            t.delivered,
            t.broken,
            t.forks,
            t.refusals
        )?;
        self.out.flush()
    }

    fn describe(&mut self, program: &Program) -> io::Result<()> {
        let setup = &program.setup;
        writeln!(
            self.out,
            "          heap: plan {}, limit {}, nursery {}, {} workers, zeal {}, {}; {} threads, profile {}",
            setup.plan,
            size::show(setup.heap),
            size::show(setup.nursery),
            setup.workers,
            setup.zeal,
            if setup.verify {
                "verified"
            } else {
                "not verified"
            },
            program.threads,
            setup.profile
        )
    }

    fn details(&mut self, outcome: &Outcome) -> io::Result<()> {
        writeln!(self.out, "          seen: {}", outcome.text)?;
        for word in &outcome.words {
            writeln!(self.out, "          stderr: {word}")?;
        }
        Ok(())
    }

    /// The operations of a failed run, up to where it failed, with the collections that happened.
    fn lines(program: &Program, journal: &[u64]) -> Vec<Line> {
        let (Ok(profile), Source::Drawn { seed, .. }) = (program.setup.profile(), &program.source)
        else {
            return program.lines().ok().flatten().unwrap_or_default();
        };
        let zealous = program.setup.zeal != "off";
        transcript(journal, zealous, |thread, i| {
            profile.operation(*seed, thread, i)
        })
    }

    /// Tells a failure, makes its script short and writes the replay file.
    fn failure(
        &mut self,
        round: u64,
        program: &Program,
        outcome: &Outcome,
        journal: &[u64],
    ) -> io::Result<()> {
        let word = outcome.verdict.word();
        writeln!(self.out, "{word:<9} gc torture: round {round}")?;
        self.describe(program)?;
        self.details(outcome)?;
        self.out.flush()?;
        let whole = Self::lines(program, journal);
        let mut program = program.with(&whole);
        program.limit_ms = LONGEST.as_millis() as u64;
        let patience = match outcome.verdict {
            Verdict::Hung => STANDSTILL.min(self.options.patience),
            _ => self.options.patience,
        };
        let mut last = outcome.clone();
        let mut again = self.repeats(&program, &whole, patience);
        if again.is_none() && !program.setup.verify {
            // What is dead and kept shows by itself only when its memory is used again.
            let mut verified = program.clone();
            verified.setup.verify = true;
            again = self.repeats(&verified, &whole, patience);
            if again.is_some() {
                program = verified;
            }
        }
        let run = |lines: &[Line]| self.execute(&program.with(lines), patience).ok();
        let short = match again {
            Some(first) => {
                last = first.clone();
                let fails = |lines: &[Line]| {
                    (0..times(&first)).all(|_| {
                        let failed = run(lines).filter(|(o, _)| alike(o, &first));
                        failed.map(|(o, _)| last = o).is_some()
                    })
                };
                shrink(whole.clone(), self.options.shrink, fails)
            }
            None => whole.clone(),
        };
        let same = (0..AGAIN)
            .filter_map(|_| run(&short))
            .filter(|(o, _)| alike(o, &last));
        let failed = same.count();
        let reproduced = format!("{failed} of {AGAIN}");
        self.write(&program.with(&short), &last, reproduced)?;
        self.show(&whole, &short, failed)
    }

    /// How a script fails, if it does so again and again. That may be at another place than in the run, since the
    /// script looks at more; then that counts.
    fn repeats(&self, program: &Program, lines: &[Line], patience: Duration) -> Option<Outcome> {
        let program = program.with(lines);
        let run = || Some(self.execute(&program, patience).ok()?.0);
        let mut failed = (0..AGAIN).filter_map(|_| run());
        let first = failed.find(|o| o.verdict != Verdict::Held)?;
        let same = |_| run().is_some_and(|o| alike(&o, &first));
        (1..times(&first)).all(same).then_some(first)
    }

    fn write(&mut self, program: &Program, last: &Outcome, reproduced: String) -> io::Result<()> {
        let name = format!("bowline-stress-gc-{}.json", self.options.seed);
        let path = self.options.folder.join(name);
        let replay = Replay {
            version: VERSION,
            suite: "gc".into(),
            program: program.clone(),
            verdict: last.verdict.word().to_lowercase(),
            seen: last.text.clone(),
            reproduced,
        };
        let text = serde_json::to_string_pretty(&replay).map_err(io::Error::other)?;
        std::fs::write(&path, text + "\n")?;
        self.details(last)?;
        writeln!(
            self.out,
            "again:    bowline-stress gc --replay={}",
            path.display()
        )
    }

    fn show(&mut self, whole: &[Line], short: &[Line], failed: usize) -> io::Result<()> {
        writeln!(
            self.out,
            "          {} of {} operations; failed {failed} of {AGAIN} times",
            short.len(),
            whole.len()
        )?;
        if failed == 0 {
            let text =
                "not repeated by its operations in their order: it depends on how they overlap";
            writeln!(self.out, "          {text}")?;
        }
        for (thread, op) in short.iter().rev().take(SHOWN).rev() {
            writeln!(self.out, "            {thread}: {op}")?;
        }
        Ok(())
    }

    fn replay(&mut self, replay: &Replay) -> io::Result<Verdict> {
        let mut program = replay.program.clone();
        program.limit_ms = 600_000;
        let count = program
            .lines()
            .ok()
            .flatten()
            .map_or(0, |lines| lines.len());
        writeln!(self.out, "replay: {count} operations")?;
        self.describe(&program)?;
        let (mut outcome, _) = self.execute(&program, self.options.patience)?;
        for _ in 1..AGAIN {
            if outcome.verdict != Verdict::Held {
                break;
            }
            outcome = self.execute(&program, self.options.patience)?.0;
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
