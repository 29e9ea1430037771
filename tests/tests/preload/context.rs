//! What the trials share: the malloc, the compiled programs, and how a process is judged.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use bowline_tests::compiler::{Compiler, Kind};
use bowline_tests::malloc::{self, Malloc};
use bowline_tests::process::{self, Outcome};
use libtest_mimic::Failed;

/// How long one process may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(100);

/// Variables that would change what the programs print.
const VARIABLES: [(&str, &str); 5] = [
    ("LC_ALL", "C.UTF-8"),
    ("PYTHONMALLOC", "malloc"),
    ("PYTHONHASHSEED", "0"),
    ("PERL_HASH_SEED", "0"),
    ("NO_COLOR", "1"),
];

/// One for the whole run.
pub(crate) struct Context {
    malloc: OnceLock<Result<Malloc, String>>,
    compiler: Compiler,
    pub(crate) sources: PathBuf,
}

impl Context {
    pub(crate) fn new(sources: &Path) -> std::io::Result<Context> {
        Ok(Context {
            malloc: OnceLock::new(),
            compiler: Compiler::new(sources)?,
            sources: sources.to_owned(),
        })
    }

    /// The malloc under test; the first trial that asks waits for cargo to build it.
    pub(crate) fn malloc(&self) -> Result<&Malloc, Failed> {
        let found = self.malloc.get_or_init(Malloc::locate);
        found.as_ref().map_err(Failed::from)
    }

    /// A program of one source, in the language that its ending says.
    pub(crate) fn program(&self, source: &str) -> Result<PathBuf, Failed> {
        let (name, kind) = match source.rsplit_once('.') {
            Some((name, "cc")) => (name, Kind::Cxx),
            Some((name, _)) => (name, Kind::C),
            None => (source, Kind::C),
        };
        Ok(self.compiler.make(name, kind, source, &[])?)
    }

    /// A program in C that is linked with more.
    pub(crate) fn program_with(
        &self,
        output: &str,
        source: &str,
        more: &[OsString],
    ) -> Result<PathBuf, Failed> {
        Ok(self.compiler.make(output, Kind::C, source, more)?)
    }

    /// The same program in C, compiled as C++.
    pub(crate) fn program_as_cxx(&self, source: &str) -> Result<PathBuf, Failed> {
        let output = format!("{source}++");
        Ok(self.compiler.make(&output, Kind::Cxx, source, &[])?)
    }

    /// A shared library.
    pub(crate) fn library(
        &self,
        output: &str,
        source: &str,
        more: &[OsString],
    ) -> Result<PathBuf, Failed> {
        let kind = match source.ends_with(".cc") {
            true => Kind::CxxLibrary,
            false => Kind::CLibrary,
        };
        Ok(self.compiler.make(output, kind, source, more)?)
    }

    /// What stands in a source.
    pub(crate) fn text(&self, source: &str) -> Result<String, String> {
        let path = self.sources.join(source);
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Runs a command in `folder`, without any preload but the one that it asks for.
pub(crate) fn run(command: &mut Command, folder: &Path) -> Result<Outcome, Failed> {
    command.envs(VARIABLES);
    command.env_remove("BOWLINE_TEST_PRELOAD");
    Ok(process::run(command, folder, "", LIMIT)?)
}

/// Runs a command under the malloc.
pub(crate) fn run_under(
    malloc: &Malloc,
    command: &mut Command,
    folder: &Path,
) -> Result<Outcome, Failed> {
    malloc.preload(command, &[]);
    run(command, folder)
}

/// What a trial's program must do: end with this status, say this.
pub(crate) fn expect(outcome: &Outcome, exit: i32, stdout: &str) -> Result<(), Failed> {
    if outcome.exit == Some(exit) && outcome.stdout == stdout {
        return Ok(());
    }
    Err(complaint(
        &format!("expected status {exit} and the output\n{stdout}"),
        outcome,
    ))
}

/// That the malloc under test, if it is Bowline's, really served at least so many processes.
pub(crate) fn expect_served(
    malloc: &Malloc,
    outcome: &Outcome,
    least: usize,
) -> Result<(), Failed> {
    let (lines, _) = malloc::split_stderr(&outcome.stderr);
    if malloc.ours && malloc::processes_served(&lines)? < least {
        let wanted = format!("expected figures of {least} processes");
        return Err(complaint(&wanted, outcome));
    }
    Ok(())
}

/// Everything that is known of a process that did something else than it should.
pub(crate) fn complaint(wanted: &str, outcome: &Outcome) -> Failed {
    format!(
        "{wanted}\ngot {} and the output\n{}\nwith the diagnostics\n{}",
        outcome.ending(),
        outcome.stdout,
        outcome.stderr
    )
    .into()
}
