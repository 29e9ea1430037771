//! What the trials share: the command, the libraries in C that programs call, and how a run is judged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bowline_tests::compiler::{Compiler, Kind};
use bowline_tests::process::{self, Outcome};
use libtest_mimic::Failed;

/// How long one process may take, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(100);

/// One for the whole run.
pub(crate) struct Context {
    /// The command under test.
    pub(crate) bowline: PathBuf,
    /// The folder of all the tests.
    pub(crate) tests: PathBuf,
    compiler: Compiler,
}

impl Context {
    pub(crate) fn new(tests: &Path) -> Result<Context, String> {
        Ok(Context {
            bowline: process::product("bowline")?,
            tests: tests.to_owned(),
            compiler: Compiler::new(tests).map_err(|error| error.to_string())?,
        })
    }

    /// The shared library of a source in C.
    pub(crate) fn library(&self, source: &str) -> Result<PathBuf, Failed> {
        let output = format!("{}.so", source.replace('/', "-"));
        Ok(self.compiler.make(&output, Kind::CLibrary, source, &[])?)
    }

    /// `bowline run FLAGS PROGRAM`, arguments to follow. A program is one of the tests', or has a path.
    pub(crate) fn program(&self, flags: &[&str], program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(&self.bowline);
        command.arg("run").args(flags);
        command.arg(self.tests.join("memory").join(program));
        command
    }
}

/// What a command that ends with success and no diagnostics prints.
pub(crate) fn output(
    command: &mut Command,
    folder: &Path,
    limit: Duration,
) -> Result<String, Failed> {
    let outcome = process::run(command, folder, "", limit)?;
    match outcome.exit == Some(0) && outcome.stderr.is_empty() {
        true => Ok(outcome.stdout),
        false => Err(complaint("expected success and no diagnostics", &outcome)),
    }
}

/// That something was printed.
pub(crate) fn expect(printed: &str, wanted: &str) -> Result<(), Failed> {
    match printed == wanted {
        true => Ok(()),
        false => Err(format!("expected\n{wanted}\ngot\n{printed}").into()),
    }
}

/// Everything that is known of a process that did something else than it should.
pub(crate) fn complaint(wanted: &str, outcome: &Outcome) -> Failed {
    let (ending, stdout, stderr) = (outcome.ending(), &outcome.stdout, &outcome.stderr);
    format!("{wanted}\ngot {ending} and the output\n{stdout}\nwith the diagnostics\n{stderr}")
        .into()
}
