//! The command line. Exit codes: 0 all held, 1 a promise was broken, 2 the command line or the
//! surroundings are wrong, 3 the malloc under test crashed, 4 it hung. Where there is more than
//! one, 3 goes before 4, and 4 before 1.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand};

use crate::checks;
use crate::fault::Verdict;
use crate::gc;
use crate::locate::{Subject, subject};
use crate::plan::{KINDS, Kind, Plan};
use crate::recorder::MOST_THREADS;
use crate::replay::Replay;
use crate::session::Session;
use crate::size;
use crate::suite::{Options, Suite, TORTURE};
use crate::victim::{self, Job};

/// The exit code for a wrong command line and surroundings in which nothing can be tested.
const USAGE: u8 = 2;

/// Torture for mallocs: seeded, checked, replayable.
#[derive(Parser, Debug)]
#[command(name = "bowline-stress", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 all held, 1 a promise was broken, 2 wrong command line or \
                        surroundings, 3 it crashed, 4 it hung."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Check every promise of a malloc, then torture it.
    Malloc(MallocOptions),
    /// Torture the collected heap against books kept outside it.
    Gc(GcOptions),
    /// What this program does in its child processes.
    #[command(hide = true)]
    Victim(VictimOptions),
}

#[derive(Args, Debug)]
struct MallocOptions {
    /// The malloc: a shared library, or `glibc`. Default: libbowline_malloc.so beside this program
    #[arg(long, value_name = "FILE|glibc")]
    against: Option<String>,
    /// Where the plans are drawn from. Default: the time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long to torture; 0 for the checks alone
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,
    /// How many threads torture at once
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=MOST_THREADS as i64))]
    threads: u32,
    /// The memory that all threads together hold at most
    #[arg(long, value_name = "SIZE", default_value = "256m", value_parser = memory)]
    max_memory: u64,
    /// Do only this check, or `torture`; may be given again
    #[arg(long, value_name = "CHECK", value_parser = check_name)]
    only: Vec<String>,
    /// Leave this kind of step out of the torture; may be given again
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    without: Vec<Kind>,
    /// Put this kind of step in that is left out by default (signals); may be given again
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    with: Vec<Kind>,
    /// Count what only some mallocs promise as well. Default for libbowline_malloc.so
    #[arg(long)]
    strict: bool,
    /// Run the plan of this file again, up to three times, instead of everything else
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// How many seconds without a step are a hang
    #[arg(long, value_name = "SECONDS", default_value_t = 20,
          value_parser = clap::value_parser!(u64).range(1..))]
    patience: u64,
    /// How many seconds to spend on a smaller plan of a failure
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    shrink: u64,
    /// Where replay files are written
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// Show every check and every kind of step, and do nothing
    #[arg(long)]
    list: bool,
}

#[derive(Args, Debug)]
struct GcOptions {
    /// Where the scripts are drawn from. Default: the time
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long to torture
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// How many threads a round has at most
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=MOST_THREADS as i64))]
    threads: u32,
    /// The plan of the heap. Default: all in turn
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// The limit of the heap. Default: 24m to 128m in turn
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    heap: Option<u64>,
    /// Needless collections: off, alloc:N, crossing:N, malloc:N. Default: off in most rounds
    #[arg(long, value_name = "ZEAL")]
    zeal: Option<String>,
    /// Collector threads. Default: 1 or 2
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// The operations of a round, of all threads together. Default: 20,000, and 1,500 with zeal
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    steps: Option<u64>,
    /// What to do most of. Default: all profiles in turn
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Let the heap walk itself at every collection of every round
    #[arg(long)]
    verify: bool,
    /// The malloc below: a shared library, or `glibc`. Default: libbowline_malloc.so beside this program,
    /// if it is there
    #[arg(long, value_name = "FILE|glibc")]
    against: Option<String>,
    /// Run the script of this file again, up to three times, instead of everything else
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// How many seconds without an operation are a hang
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..))]
    patience: u64,
    /// How many shorter scripts of a failure to try
    #[arg(long, value_name = "N", default_value_t = 1000)]
    shrink: u64,
    /// Where replay files are written
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// Deal with the heap wrongly in this way, to see that it is found
    #[arg(long, value_name = "FAULT", hide = true)]
    plant: Option<String>,
}

#[derive(Args, Debug)]
struct VictimOptions {
    #[arg(long)]
    record: PathBuf,
    #[arg(long)]
    check: Option<String>,
    #[arg(long)]
    plan: Option<String>,
    #[arg(long)]
    program: Option<PathBuf>,
    #[arg(long)]
    order: Option<PathBuf>,
    #[arg(long, default_value_t = 1000)]
    limit_ms: u64,
}

fn memory(text: &str) -> Result<u64, String> {
    let bytes = size::parse(text)?;
    if bytes < 1 << 20 {
        return Err("less than 1m leaves nothing to torture with".into());
    }
    Ok(bytes)
}

fn check_name(text: &str) -> Result<String, String> {
    if text == TORTURE || checks::named(text).is_some() {
        return Ok(text.into());
    }
    let part = text.split('-').next().unwrap_or(text);
    let like: Vec<&str> = checks::all()
        .map(|check| check.name)
        .filter(|name| name.starts_with(part))
        .collect();
    if like.is_empty() {
        return Err("no check has this name; --list shows all".into());
    }
    Err(format!(
        "no check has this name; there are {}",
        like.join(", ")
    ))
}

/// Runs the command: what `main` does.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help is no error and goes to standard output; clap knows.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let done = match cli.command {
        Command::Malloc(options) if options.list => list(),
        Command::Malloc(options) => malloc(options),
        Command::Gc(options) => torture_gc(options),
        Command::Victim(options) => serve(options),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            let _ = writeln!(io::stderr(), "bowline-stress: {message}");
            ExitCode::from(USAGE)
        }
    }
}

fn list() -> Result<u8, String> {
    let mut text = String::from("checks, who promises it, and what:\n");
    for check in checks::all() {
        let by = check.by.to_string();
        let _ = writeln!(text, "  {:<24} {by:<6} {}", check.name, check.promise);
    }
    let kinds: Vec<&str> = KINDS.iter().map(|(_, name)| *name).collect();
    let _ = writeln!(text, "kinds of steps of the torture: {}", kinds.join(" "));
    let written = io::stdout().write_all(text.as_bytes());
    written.map(|()| 0).map_err(|error| error.to_string())
}

/// The kinds of steps that take part: signals only for a malloc that promises to bear them.
fn kinds(options: &MallocOptions, subject: &Subject) -> Vec<Kind> {
    let own = matches!(subject, Subject::Own(_));
    let all = KINDS.iter().map(|(kind, _)| *kind);
    let by_default = |kind: &Kind| *kind != Kind::Signals || own || options.with.contains(kind);
    let left = |kind: &Kind| !options.without.contains(kind);
    all.filter(by_default).filter(left).collect()
}

/// A seed nobody chose.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // Short enough to type.
    now.map_or(1, |now| now.as_micros() as u64 % 1_000_000_000)
}

fn malloc(options: MallocOptions) -> Result<u8, String> {
    let program = std::env::current_exe().map_err(|e| format!("where am I? {e}"))?;
    let replay = match &options.replay {
        Some(path) => {
            let read = Replay::read(path);
            Some(read.map_err(|error| format!("{}: {error}", path.display()))?)
        }
        None => None,
    };
    let named = replay.as_ref().and_then(|replay| replay.against.clone());
    let against = options.against.clone().or(named);
    let subject = subject(against.as_deref(), &program).map_err(|error| error.to_string())?;
    if !options.out.is_dir() {
        return Err(format!("{} is no folder", options.out.display()));
    }
    let own = matches!(subject, Subject::Own(_));
    let kinds = kinds(&options, &subject);
    let mut suite = Suite {
        session: Session {
            subject: &subject,
            program,
        },
        options: Options {
            seed: options.seed.unwrap_or_else(fresh_seed),
            seconds: options.seconds,
            threads: options.threads,
            max_memory: options.max_memory,
            only: options.only,
            kinds,
            strict: options.strict || own,
            patience: Duration::from_secs(options.patience),
            shrink: Duration::from_secs(options.shrink),
            folder: options.out,
        },
        out: io::stdout().lock(),
    };
    let failed = |error: io::Error| format!("cannot go on: {error}");
    let probed = suite.session.probe(suite.options.patience);
    probed.map_err(failed)??;
    writeln!(suite.out, "malloc under test: {subject}").map_err(failed)?;
    let worst = match &replay {
        Some(replay) => suite.replay(replay),
        None => suite.run(),
    };
    worst.map(Verdict::exit_code).map_err(failed)
}

fn torture_gc(options: GcOptions) -> Result<u8, String> {
    let program = std::env::current_exe().map_err(|e| format!("where am I? {e}"))?;
    let subject = match subject(options.against.as_deref(), &program) {
        Ok(subject) => subject,
        Err(_) if options.against.is_none() => Subject::Glibc,
        Err(error) => return Err(error.to_string()),
    };
    if !options.out.is_dir() {
        return Err(format!("{} is no folder", options.out.display()));
    }
    let session = Session {
        subject: &subject,
        program,
    };
    let options = gc::Options {
        seed: options.seed.unwrap_or_else(fresh_seed),
        seconds: options.seconds,
        threads: options.threads,
        plan: options.plan,
        heap: options.heap,
        zeal: options.zeal,
        workers: options.workers,
        profile: options.profile,
        verify: options.verify,
        steps: options.steps,
        plant: options.plant,
        patience: Duration::from_secs(options.patience),
        shrink: options.shrink,
        folder: options.out,
        replay: options.replay,
    };
    let failed = |error: io::Error| format!("cannot go on: {error}");
    session.probe(options.patience).map_err(failed)??;
    let done = gc::run(&session, &options, io::stdout().lock());
    let verdict = done.map_err(failed)??;
    Ok(verdict.exit_code())
}

fn serve(options: VictimOptions) -> Result<u8, String> {
    let limit = Duration::from_millis(options.limit_ms);
    if let Some(program) = options.program {
        let order = options.order;
        return victim::run(&options.record, Job::Gc { program, order }).map(|()| 0);
    }
    let job = match (options.check, options.plan) {
        (Some(name), _) => Job::Check(name),
        (None, Some(plan)) => {
            let plan: Plan = serde_json::from_str(&plan).map_err(|error| error.to_string())?;
            Job::Torture(plan, limit)
        }
        (None, None) => Job::Probe,
    };
    victim::run(&options.record, job).map(|()| 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_of_checks_are_looked_up() {
        assert_eq!(check_name("torture"), Ok("torture".into()));
        assert_eq!(check_name("free-null"), Ok("free-null".into()));
        let told = check_name("free-nul").unwrap_err();
        assert!(told.starts_with("no check has this name; there are free-null, free-errno"));
        let told = check_name("xyz").unwrap_err();
        assert_eq!(told, "no check has this name; --list shows all");
    }

    #[test]
    fn too_little_memory_is_told() {
        assert_eq!(memory("2m"), Ok(2 << 20));
        assert!(memory("1000").is_err());
    }
}
