//! C's memory in the command `bowline`, each trial in processes of its own:
//!
//! | trials | show |
//! |---|---|
//! | `exports::…` | whose malloc the process has |
//! | `lent::…` | a lent string stays while C's malloc collects |
//! | `leaf::…` | a leaf call that keeps C's collection waiting is named |
//! | `dropped::…` | C memory that nobody holds is given back, twenty gibibytes of it, and a million callbacks |
//! | `runtime::…` | what the runtime itself uses is counted apart and never refused |
//! | `degraded::…` | what is different in a process whose malloc is another |
//!
//! Absent on purpose: programs that know nothing of the runtime. Those are the preload's.

#![forbid(unsafe_code)]

mod context;
mod degraded;
mod dropped;
mod exports;
mod leaf;
mod lent;
mod runtime;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use context::Context;
use libtest_mimic::Trial;

fn main() -> ExitCode {
    if let Some(status) = degraded::command() {
        return status;
    }
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = Arc::new(Context::new(tests)?);
    let mut trials = exports::trials(&context);
    trials.extend(lent::trials(&context));
    trials.extend(leaf::trials(&context));
    trials.extend(dropped::trials(&context));
    trials.extend(runtime::trials(&context));
    trials.extend(degraded::trials(&context)?);
    Ok(trials)
}
