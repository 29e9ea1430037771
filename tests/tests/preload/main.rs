//! Programs under `libbowline_malloc.so`, each trial in processes of its own:
//!
//! | trials | show |
//! |---|---|
//! | `contract::…` | one promise of a malloc each, by `malloc/contract.c` and `alignment.c` |
//! | `misuse::…` | one mistake each, and the line that tells of it, by `malloc/misuse.c` |
//! | `storm::…` | forks, threads, signals and phases at once |
//! | `program::…` | a real program does and says the same with and without the preload |
//! | `limits::…` | little address space, few data pages, memory groups, huge pages, a system that promises no more than it has |
//! | `region::…` | one region per process, whoever else brings a malloc |
//! | `symbols::…` | what the library exports and what it needs |
//!
//! `BOWLINE_TEST_PRELOAD=/path/to/lib.so` runs them on another malloc. Where a program is missing its
//! trial is shown as skipped; with `CI=true` that is a failure unless the program is optional.
//!
//! Absent on purpose: speed. What is measured here is memory, and whether it works at all.

#![forbid(unsafe_code)]

mod cases;
mod context;
mod groups;
mod limits;
mod programs;
mod region;
mod storms;
mod symbols;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use context::Context;
use libtest_mimic::Trial;

fn main() -> ExitCode {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("malloc");
    bowline_tests::trials::run(|| trials(&sources))
}

fn trials(sources: &Path) -> Result<Vec<Trial>, String> {
    let context = Arc::new(Context::new(sources).map_err(|error| error.to_string())?);
    let mut trials = programs::trials(&context);
    trials.extend(storms::trials(&context));
    trials.extend(cases::trials(&context)?);
    trials.extend(limits::trials(&context));
    trials.extend(groups::trials(&context));
    trials.extend(region::trials(&context));
    trials.extend(symbols::trials(&context));
    Ok(trials)
}
