//! What the command tells of a program's run, read as a program reads it:
//!
//! | trials | show |
//! |---|---|
//! | `events::…` | the trace: slices nest, every collection is there, the sums are those of `gc-stats`, names are right |
//! | `ends::…` | a trace is whole however the program ends, and a forked child leaves it alone |
//! | `told::…` | the lines of `--gc-log` and the figures of `--stats` |
//! | `view::…` | the page that `trace-view` makes, and what it refuses |

#![forbid(unsafe_code)]

mod ends;
mod events;
mod run;
mod told;
mod view;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Trial;
use run::Context;

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let context = Arc::new(Context::new()?);
    let mut trials = events::trials(&context);
    trials.extend(ends::trials(&context));
    trials.extend(told::trials(&context));
    trials.extend(view::trials(&context));
    Ok(trials)
}
