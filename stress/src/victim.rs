//! The child's side: a process that has the malloc under test, does one job and leaves a verdict in
//! the flight recorder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checks::{self, witness};
use crate::fault::Verdict;
use crate::gc;
use crate::plan::Plan;
use crate::raw::{Family, end_with_parent, module_of};
use crate::recorder::Recorder;
use crate::torture;

/// What a victim is to do.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Say which file its `malloc` comes from.
    Probe,
    /// The check of this name.
    Check(String),
    /// This plan, for so long at most.
    Torture(Plan, Duration),
    /// The program of this file against the collected heap. The order of what its threads do goes into
    /// the other file.
    Gc {
        program: PathBuf,
        order: Option<PathBuf>,
    },
}

/// Does the job. The error is a text for whoever started it by hand.
pub(crate) fn run(record: &Path, job: Job) -> Result<(), String> {
    end_with_parent();
    let recorder = Recorder::open(record).map_err(|e| format!("{}: {e}", record.display()))?;
    if let Job::Gc { program, order } = &job {
        return gc::victim(program, order.as_deref(), recorder);
    }
    witness::listen(recorder);
    let Some(family) = Family::find() else {
        let text = "malloc, calloc, realloc and free do not come from one module";
        recorder.judge(Verdict::Broken, text);
        return Ok(());
    };
    match job {
        Job::Probe => {
            let module = module_of(c"malloc").unwrap_or_default();
            recorder.judge(Verdict::Held, &module.to_string_lossy());
        }
        Job::Check(name) => check(&family, &name)?,
        Job::Torture(plan, limit) => torture::run(plan, family, recorder, limit),
        // Returned above: the heap does not care whose malloc there is.
        Job::Gc { .. } => {}
    }
    Ok(())
}

fn check(family: &Family, name: &str) -> Result<(), String> {
    let check = checks::named(name).ok_or_else(|| format!("no check is called {name}"))?;
    match (check.run)(family) {
        Ok(()) => witness::tell_held(),
        Err(seen) => witness::tell(&seen),
    }
    Ok(())
}
