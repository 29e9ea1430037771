//! What the trials share: the command, the compiled libraries, and how a run is judged.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bowline_tests::compiler::{Compiler, Kind};
use bowline_tests::process::{self, Outcome};
use libtest_mimic::Failed;

/// How long one process may take, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// One for the whole run.
pub(crate) struct Context {
    /// The command under test.
    pub(crate) bowline: PathBuf,
    folder: PathBuf,
    compiler: Compiler,
}

impl Context {
    pub(crate) fn new() -> Result<Context, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("capi");
        Ok(Context {
            bowline: process::product("bowline")?,
            compiler: Compiler::new(&folder).map_err(|error| error.to_string())?,
            folder,
        })
    }

    fn library(&self, kind: Kind, source: &str) -> Result<PathBuf, Failed> {
        let output = format!("{kind:?}-{source}.so");
        let mut include = OsString::from("-I");
        include.push(self.folder.join("../../ffi_boundary/capi/include"));
        Ok(self.compiler.make(&output, kind, source, &[include])?)
    }

    /// `bowline run FLAGS` with the trial of this name, which a library made of this source has.
    pub(crate) fn program(
        &self,
        flags: &[&str],
        kind: Kind,
        source: &str,
        name: &str,
    ) -> Result<Command, Failed> {
        let library = self.library(kind, source)?;
        let mut command = Command::new(&self.bowline);
        command.arg("run").args(flags);
        command.arg(self.folder.join("trials.scm"));
        command.arg(library).arg(name);
        Ok(command)
    }

    /// `bowline run FLAG` with the program in which C makes one of each.
    pub(crate) fn makes(&self, flag: &str) -> Result<Command, Failed> {
        let library = self.library(Kind::CLibrary, "memory.c")?;
        let mut command = Command::new(&self.bowline);
        command.args(["run", flag]);
        command.arg(self.folder.join("makes.scm")).arg(library);
        Ok(command)
    }
}

/// That a run succeeds, prints this, and tells nothing else.
pub(crate) fn judge(outcome: &Outcome, expected: &str) -> Result<(), Failed> {
    let quiet = outcome.exit == Some(0) && outcome.stderr.is_empty();
    match quiet && outcome.stdout == expected {
        true => Ok(()),
        false => Err(complaint(&format!("expected {expected:?}"), outcome)),
    }
}

/// What went wrong, with all that the process said.
pub(crate) fn complaint(what: &str, outcome: &Outcome) -> Failed {
    format!(
        "{what}; {}\n{}{}",
        outcome.ending(),
        outcome.stdout,
        outcome.stderr
    )
    .into()
}
