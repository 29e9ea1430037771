//! What every target of trials does: reads its arguments, makes its trials, runs them; and the trial that
//! has a folder of its own.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::compiler::Kind;
use crate::scratch::Scratch;

/// How the heap is asked to behave while C works on it: a name, and flags of the command.
pub const HEAP_MODES: [(&str, &[&str]); 4] = [
    ("plain", &[]),
    ("zeal", &["--zeal=crossing:1"]),
    ("compact", &["--plan=compact-test", "--verify"]),
    ("latency", &["--plan=latency", "--verify"]),
];

/// The languages that a library may be compiled as.
pub const LIBRARY_LANGUAGES: [(&str, Kind); 2] = [("c", Kind::CLibrary), ("cxx", Kind::CxxLibrary)];

/// Runs the trials that `make` makes, as the command line says. Without them the target fails.
pub fn run(make: impl FnOnce() -> Result<Vec<Trial>, String>) -> ExitCode {
    let arguments = Arguments::from_args();
    match make() {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// A trial that has what the target's trials share, and a folder of its own.
pub fn trial<C: Send + Sync + 'static>(
    context: &Arc<C>,
    name: String,
    run: impl FnOnce(&C, &Path) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let context = Arc::clone(context);
    Trial::test(name.clone(), move || {
        let folder = Scratch::new(&name.replace("::", "-"))?;
        run(&context, folder.path())
    })
}
