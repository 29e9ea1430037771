//! A case: a program of Scheme, the C that it calls, and what comes of it.
//!
//! A text that is expected may have `…` in it, which stands for what differs from run to run within a line: an
//! address, the number of a handle. All else is exact.
//!
//! Absent on purpose: retries, and figures of time. A case that hangs is ended after minutes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bowline_tests::compiler::{Compiler, Kind};
use bowline_tests::process;
use libtest_mimic::Failed;

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);

/// The signal of `abort`.
const SIGABRT: i32 = 6;

/// The signal of an access to what is not there.
const SIGSEGV: i32 = 11;

/// How often the heap is asked to collect: as it thinks fit, or at every crossing into C and out of it.
pub(crate) const CROSSINGS: &[&[&str]] = &[&[], &["--zeal=crossing:1"]];

/// What stands before every program.
const PREFACE: &str = include_str!("preface.scm");

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Status(i32),
    Signal(i32),
}

/// One numbered situation of `docs/safety.md`, as a program meets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What is run, behind the preface.
    program: &'static str,
    /// What it prints.
    stdout: &'static str,
    /// What it says on standard error.
    stderr: &'static str,
    end: End,
    /// The C library that the program calls `helper`.
    library: &'static str,
    /// The flags of each run.
    modes: &'static [&'static [&'static str]],
    /// What the environment has besides.
    environment: &'static [(&'static str, &'static str)],
    /// What a shell does before it becomes the command.
    shell: &'static str,
    /// Whether the library is in the process before the command is.
    preloaded: bool,
    /// Whether the program is entered at the prompt, line by line.
    entered: bool,
}

/// A program, and what it prints before it ends well.
pub(crate) const fn case(name: &'static str, program: &'static str, stdout: &'static str) -> Case {
    Case {
        name,
        program,
        stdout,
        stderr: "",
        end: End::Status(0),
        library: "",
        modes: &[&[]],
        environment: &[],
        shell: "",
        preloaded: false,
        entered: false,
    }
}

impl Case {
    /// With this source of C as its library.
    pub(crate) const fn calls(mut self, library: &'static str) -> Case {
        self.library = library;
        self
    }

    /// With a library that is preloaded, too.
    pub(crate) const fn preloads(mut self, library: &'static str) -> Case {
        self.preloaded = true;
        self.calls(library)
    }

    /// Run once for each of these lists of flags.
    pub(crate) const fn under(mut self, modes: &'static [&'static [&'static str]]) -> Case {
        self.modes = modes;
        self
    }

    /// With a variable of the environment.
    pub(crate) const fn with(
        mut self,
        environment: &'static [(&'static str, &'static str)],
    ) -> Case {
        self.environment = environment;
        self
    }

    /// In a shell that has done this.
    pub(crate) const fn after(mut self, shell: &'static str) -> Case {
        self.shell = shell;
        self
    }

    /// At the prompt.
    pub(crate) const fn at_the_prompt(mut self) -> Case {
        self.entered = true;
        self
    }

    /// It says this, and ends well.
    pub(crate) const fn says(mut self, stderr: &'static str) -> Case {
        self.stderr = stderr;
        self
    }

    /// It says this, and ends with a status.
    pub(crate) const fn fails(mut self, status: i32, stderr: &'static str) -> Case {
        self.end = End::Status(status);
        self.says(stderr)
    }

    /// It says this, and ends at the access that is one too many.
    pub(crate) const fn faults(mut self, stderr: &'static str) -> Case {
        self.end = End::Signal(SIGSEGV);
        self.says(stderr)
    }

    /// It says this, and ends by `abort`.
    pub(crate) const fn aborts(mut self, stderr: &'static str) -> Case {
        self.end = End::Signal(SIGABRT);
        self.says(stderr)
    }
}

/// What the trials share.
pub(crate) struct Context {
    bowline: PathBuf,
    compiler: Compiler,
    /// Where `bowline.h` is.
    include: PathBuf,
}

impl Context {
    pub(crate) fn new() -> Result<Context, String> {
        let stress = Path::new(env!("CARGO_MANIFEST_DIR"));
        let compiler = Compiler::new(&stress.join("boundary/c"));
        Ok(Context {
            bowline: process::product("bowline")?,
            compiler: compiler.map_err(|error| error.to_string())?,
            include: stress.join("../ffi_boundary/capi/include"),
        })
    }

    fn library(&self, source: &str) -> Result<PathBuf, String> {
        let mut include = OsString::from("-I");
        include.push(&self.include);
        let output = source.replace(".c", ".so");
        self.compiler
            .make(&output, Kind::CLibrary, source, &[include])
    }

    /// The command, in a shell or a terminal where the case says so.
    fn command(&self, case: &Case) -> Command {
        if case.entered {
            // Where Ctrl-C means something: a terminal that shows what comes from the standard input.
            let mut command = Command::new("script");
            command.args(["-q", "-e", "-c", "exec \"$BOWLINE\" repl", "/dev/null"]);
            command.env("BOWLINE", &self.bowline);
            command.envs([("TERM", "dumb"), ("BOWLINE_HISTORY", "")]);
            return command;
        }
        if case.shell.is_empty() {
            return Command::new(&self.bowline);
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{} && exec \"$0\" \"$@\"", case.shell)]);
        command.arg(&self.bowline);
        command
    }
}

/// Runs a case in each of its modes.
pub(crate) fn run(context: &Context, folder: &Path, case: &Case) -> Result<(), Failed> {
    for flags in case.modes {
        once(context, folder, case, flags)?;
    }
    Ok(())
}

fn once(context: &Context, folder: &Path, case: &Case, flags: &[&str]) -> Result<(), Failed> {
    let text = format!("{PREFACE}{}", case.program);
    let mut command = context.command(case);
    let mut input = "";
    if case.entered {
        input = case.program;
    } else {
        std::fs::write(folder.join("main.scm"), text)?;
        command.arg("run").args(flags).arg("main.scm");
    }
    if !case.library.is_empty() {
        let library = context.library(case.library)?;
        if case.preloaded {
            command.env("LD_PRELOAD", &library);
        }
        command.env("HELPER", library);
    }
    command.envs(case.environment.iter().copied());
    let outcome = process::run(&mut command, folder, input, LIMIT)?;
    let end = match (outcome.exit, outcome.signal) {
        (Some(status), _) if !outcome.timed_out => Some(End::Status(status)),
        (_, Some(signal)) if !outcome.timed_out => Some(End::Signal(signal)),
        _ => None,
    };
    let right = end == Some(case.end)
        && (case.entered && shows(&outcome.stdout, case.stdout)
            || matches(&outcome.stdout, case.stdout))
        && matches(&outcome.stderr, case.stderr);
    if right {
        return Ok(());
    }
    Err(format!(
        "bowline {flags:?}: {}, expected {:?}, the output\n{}\nand the diagnostics\n{}",
        outcome.ending(),
        case.end,
        outcome.stdout,
        outcome.stderr
    )
    .into())
}

/// Whether a text is what is expected, where `…` stands for anything within a line.
fn matches(text: &str, expected: &str) -> bool {
    let (lines, wanted) = (text.split('\n'), expected.split('\n'));
    lines.clone().count() == wanted.clone().count()
        && lines
            .zip(wanted)
            .all(|(line, wanted)| line_matches(line, wanted))
}

/// Whether a terminal shows these lines in this order, behind prompts and among others.
fn shows(screen: &str, expected: &str) -> bool {
    let mut lines = screen.lines().map(|line| line.trim_end_matches('\r'));
    expected.lines().all(|wanted| {
        lines.any(|line| {
            let mut starts = line.char_indices();
            starts.any(|(at, _)| line_matches(&line[at..], wanted))
        })
    })
}

fn line_matches(line: &str, wanted: &str) -> bool {
    let Some((head, rest)) = wanted.split_once('…') else {
        return line == wanted;
    };
    let Some(mut line) = line.strip_prefix(head) else {
        return false;
    };
    let (middle, tail) = rest.rsplit_once('…').unwrap_or(("", rest));
    for part in middle.split('…') {
        let Some(at) = line.find(part) else {
            return false;
        };
        line = &line[at + part.len()..];
    }
    line.ends_with(tail)
}
