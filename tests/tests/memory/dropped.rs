//! Twenty gibibytes of C memory that nobody holds any more, or a million callbacks, pass through a process that has little.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::context::{Context, output};
use bowline_tests::trials::trial;

/// The most memory that the process may ever have, in KiB.
const MOST: u64 = 200 << 10;

/// How long it may take where nothing is optimised and much else runs.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn trials(context: &Arc<Context>) -> Vec<Trial> {
    let trials = ["owners", "finalizers", "callbacks"].map(|kind| {
        trial(
            context,
            format!("dropped::{kind}"),
            move |context, folder| comes_back(context, folder, kind),
        )
    });
    trials.into()
}

fn comes_back(context: &Context, folder: &Path, kind: &str) -> Result<(), Failed> {
    let program = format!("dropped_{kind}.scm");
    let mut command = context.program(&["--heap=128m"], program);
    let printed = output(&mut command, folder, PATIENCE)?;
    let words: Vec<&str> = printed.split_whitespace().collect();
    match words.as_slice() {
        [peak, "kB", "0"] if peak.parse::<u64>()? < MOST => Ok(()),
        _ => Err(format!("expected less than {MOST} kB and no refusal, got {printed}").into()),
    }
}
