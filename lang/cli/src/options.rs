//! The command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bowline_engine::Stage;
use bowline_gc::{HeapConfig, Plan, Refusal, Zeal};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand};

use crate::check::CheckOptions;
use crate::color::Color;
use crate::recording::RecordingOptions;
use crate::repl::ReplOptions;
use crate::trace_view::ViewOptions;

/// Scheme that calls C while its collector moves objects.
#[derive(Parser, Debug)]
#[command(name = "bowline", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Whether what is told on a terminal is coloured.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What the process was given; ends it where that is no good.
    pub(crate) fn of_process() -> Cli {
        Cli::try_parse().unwrap_or_else(|error| name_run(error).exit())
    }
}

/// Says how a program is run to who gave one in place of a command.
fn name_run(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let program = given.ends_with(".scm") || Path::new(given).is_file();
    if error.kind() == ErrorKind::InvalidSubcommand && program {
        let tip = format!("to run a program: bowline run {given}");
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
        error.remove(ContextKind::SuggestedSubcommand);
    }
    error
}

/// What to do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a program.
    Run(RunOptions),
    /// Show what a program or library becomes.
    Dump(DumpOptions),
    /// Write a C header of what a program or library exports to C.
    Header(HeaderOptions),
    /// Tell what is wrong with programs, and what looks wrong, without running them.
    Check(CheckOptions),
    /// Evaluate what is typed.
    Repl(ReplOptions),
    /// Make a page of HTML of a trace.
    TraceView(ViewOptions),
}

impl Command {
    /// Whether diagnostics are told as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Command::Run(options) => options.json,
            Command::Dump(options) => options.json,
            Command::Header(options) => options.json,
            Command::Check(options) => options.json,
            Command::Repl(_) | Command::TraceView(_) => false,
        }
    }
}

/// Options of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) heap: HeapOptions,
    /// Tell what goes wrong as JSON on standard error, an object on each line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Tell first what `bowline check` would warn of.
    #[arg(long)]
    pub(crate) warn: bool,
    /// The program, then what it sees as its command line.
    // One argument, so that whatever follows the file is the program's, options of ours too.
    #[arg(required = true, trailing_var_arg = true, value_names = ["FILE", "ARGS"])]
    program: Vec<String>,
}

impl RunOptions {
    /// The program's file and its arguments.
    pub(crate) fn program(&self) -> (PathBuf, &[String]) {
        let (file, arguments) = self
            .program
            .split_first()
            .map_or(("", &[][..]), |(f, a)| (f, a));
        (PathBuf::from(file), arguments)
    }
}

/// Options of `dump`.
#[derive(Args, Debug)]
pub(crate) struct DumpOptions {
    /// The stage: core, ir, bytecode, ffi.
    #[arg(long)]
    pub(crate) stage: Stage,
    /// Tell what goes wrong as JSON on standard error, an object on each line.
    #[arg(long)]
    pub(crate) json: bool,
    /// The program.
    pub(crate) file: PathBuf,
}

/// Options of `header`.
#[derive(Args, Debug)]
pub(crate) struct HeaderOptions {
    /// Tell what goes wrong as JSON on standard error, an object on each line.
    #[arg(long)]
    pub(crate) json: bool,
    /// The program.
    pub(crate) file: PathBuf,
}

/// What the heap is asked to be.
#[derive(Args, Debug, Default)]
pub(crate) struct HeapOptions {
    /// The most memory that live objects and C's blocks may take together, as 64m or 2g
    /// [default: three quarters of the memory that the process may have].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    heap: Option<usize>,
    /// The bytes allocated between two minor collections [default: 16m, or a quarter of a smaller
    /// heap].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    nursery: Option<usize>,
    /// The collector: throughput, latency (short pauses), immix, compact-test.
    #[arg(long)]
    plan: Option<Plan>,
    /// Collector threads.
    #[arg(long, value_name = "N", value_parser = number::<usize>("threads"))]
    workers: Option<usize>,
    /// Collect needlessly, to find bugs: off, alloc:N, crossing:N, malloc:N (each Nth time that C's
    /// malloc needs a page).
    #[arg(long)]
    zeal: Option<Zeal>,
    /// Check what C does with what it is lent: everything moves at each crossing (unless --zeal says otherwise), C gets
    /// copies between pages that it cannot touch, and the last N of them stay so [N: 256]. Environment:
    /// BOWLINE_CHECK_BOUNDARY=1.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "256",
          value_parser = resting)]
    check_boundary: Option<usize>,
    /// Refuse memory that there is, to find bugs: the program's Nth allocation (N), it and all later ones
    /// (N+), or counted from the runtime's own first (start:N, start:N+).
    #[arg(long, value_name = "N")]
    refuse: Option<Refusal>,
    /// Check the whole heap after every collection.
    #[arg(long)]
    verify: bool,
    /// Name the threads that a collection has waited for so many milliseconds; 0: never [default: 10000].
    #[arg(long, value_name = "MS", value_parser = number::<u64>("milliseconds"))]
    watchdog: Option<u64>,
    /// Keep alive and in place whatever C's stacks seem to have an address of, in a build that can.
    #[arg(long)]
    ambiguous: bool,
    #[command(flatten)]
    recording: RecordingOptions,
}

impl HeapOptions {
    pub(crate) fn config(&self) -> HeapConfig {
        let mut config = HeapConfig {
            limit: self.heap,
            workers: self.workers,
            refusal: self.refuse,
            verify: self.verify,
            ambiguous: self.ambiguous,
            recording: self.recording.config(),
            ..HeapConfig::default()
        };
        if let Some(nursery) = self.nursery {
            config.nursery = nursery;
        }
        if let Some(ms) = self.watchdog {
            config.watchdog = (ms > 0).then(|| Duration::from_millis(ms));
        }
        if let Some(plan) = self.plan {
            config.plan = plan;
        }
        config.checking = self.check_boundary.or_else(checking_by_environment);
        if config.checking.is_some() {
            config.zeal = Zeal::Crossing(1);
        }
        if let Some(zeal) = self.zeal {
            config.zeal = zeal;
        }
        config
    }
}

/// How many copies that C was lent stay out of use, unless the command line says otherwise.
const RESTING: usize = 256;
/// The most: each takes a mapping of the process's.
const MOST_RESTING: usize = 16_384;

/// Whether the environment asks for what `--check-boundary` does.
fn checking_by_environment() -> Option<usize> {
    let said = std::env::var_os("BOWLINE_CHECK_BOUNDARY")?;
    (!said.is_empty() && said != "0").then_some(RESTING)
}

/// A number of copies.
fn resting(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| *n <= MOST_RESTING);
    number.ok_or_else(|| format!("\"{text}\" is no number from 0 to {MOST_RESTING}"))
}

/// A number of bytes: digits, then k, m or g for 2¹⁰, 2²⁰, 2³⁰.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let lower = text.to_ascii_lowercase();
    let (digits, shift) = match lower.strip_suffix(['k', 'm', 'g']) {
        Some(digits) => (
            digits,
            match lower.as_bytes()[lower.len() - 1] {
                b'k' => 10,
                b'm' => 20,
                _ => 30,
            },
        ),
        None => (lower.as_str(), 0),
    };
    digits
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| format!("\"{text}\" is no size: give bytes, or a number with k, m or g"))
}

/// What reads a number of `things`.
fn number<N: FromStr>(
    things: &'static str,
) -> impl Fn(&str) -> Result<N, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse();
        number.map_err(|_| format!("\"{text}\" is no number of {things}: give digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn numbers_say_what_they_count() {
        for (flag, told) in [
            (
                "--watchdog=x",
                "\"x\" is no number of milliseconds: give digits",
            ),
            (
                "--watchdog=1s",
                "\"1s\" is no number of milliseconds: give digits",
            ),
            (
                "--workers=-1",
                "\"-1\" is no number of threads: give digits",
            ),
            (
                "--trace-limit=x",
                "\"x\" is no size: give bytes, or a number with k, m or g",
            ),
        ] {
            let wrong = Cli::try_parse_from(["bowline", "run", flag, "a.scm"]);
            let text = wrong.expect_err("no number").to_string();
            assert!(text.contains(told), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_program_in_place_of_a_command_is_told_how_it_is_run() {
        let told = |name: &str| {
            let wrong = Cli::try_parse_from(["bowline", name, "1"]).expect_err("no command");
            name_run(wrong).to_string()
        };
        let existing = std::env::current_exe().expect("the test's own file");
        let existing = existing.to_str().expect("a readable name");
        for file in ["run.scm", "missing.scm", existing] {
            let tip = format!("tip: to run a program: bowline run {file}\n");
            assert!(told(file).contains(&tip), "{}", told(file));
        }
        assert!(
            !told("runn").contains("to run a program"),
            "{}",
            told("runn")
        );
        assert!(told("runn").contains("'run'"), "{}", told("runn"));
    }

    #[test]
    fn sizes_take_a_unit() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("64m"), Ok(64 << 20));
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("3k"), Ok(3 << 10));
        for bad in ["", "m", "-1", "1t", "1.5m", "99999999999999999999g"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_watchdog_takes_milliseconds_and_nought() {
        let patience = |flag: &str| {
            let cli = Cli::try_parse_from(["bowline", "run", flag, "a.scm"]).expect("good");
            let Command::Run(run) = cli.command else {
                panic!("it says run");
            };
            run.heap.config().watchdog
        };
        assert_eq!(patience("--watchdog=50"), Some(Duration::from_millis(50)));
        assert_eq!(patience("--watchdog=0"), None);
        assert_eq!(patience("--heap=64m"), HeapConfig::default().watchdog);
    }

    #[test]
    fn checking_the_boundary_moves_everything_unless_told_otherwise() {
        let config = |flags: &[&str]| {
            let line = [&["bowline", "run"], flags, &["a.scm"]].concat();
            let cli = Cli::try_parse_from(line).expect("good");
            let Command::Run(run) = cli.command else {
                panic!("it says run");
            };
            let config = run.heap.config();
            (config.checking, config.zeal)
        };
        assert_eq!(config(&[]), (None, Zeal::Off));
        let asked = config(&["--check-boundary"]);
        assert_eq!(asked, (Some(RESTING), Zeal::Crossing(1)));
        let few = config(&["--zeal=crossing:9", "--check-boundary=2"]);
        assert_eq!(few, (Some(2), Zeal::Crossing(9)));
        assert_eq!(resting("0"), Ok(0));
        for bad in ["x", "-1", "16385"] {
            let message = format!("\"{bad}\" is no number from 0 to 16384");
            assert_eq!(resting(bad), Err(message));
        }
    }

    #[test]
    fn what_follows_the_file_is_the_programs() {
        let cli = Cli::try_parse_from(["bowline", "run", "--heap=64m", "a.scm", "--heap=1", "-x"])
            .expect("this is a good command line");
        let Command::Run(run) = cli.command else {
            panic!("it says run");
        };
        assert_eq!(run.heap.heap, Some(64 << 20));
        let (file, arguments) = run.program();
        assert_eq!(file, PathBuf::from("a.scm"));
        assert_eq!(arguments, ["--heap=1", "-x"]);
        let cli = Cli::try_parse_from(["bowline", "run", "a.scm", "--color=never"]).expect("good");
        assert_eq!(cli.color, Color::Auto);
        let cli = Cli::try_parse_from(["bowline", "run", "--color=never", "a.scm"]).expect("good");
        assert_eq!(cli.color, Color::Never);
        for bad in [
            &["bowline", "run"][..],
            &["bowline", "run", "--bogus", "a.scm"],
        ] {
            assert!(Cli::try_parse_from(bad).is_err(), "{bad:?}");
        }
    }
}
