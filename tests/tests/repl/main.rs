//! The prompt as its user meets it: at a terminal, which is a model of one that holds what would be
//! on the screen, and in a pipe.
//!
//! | trials | show |
//! |---|---|
//! | `editing::…` | typing an entry: lines, indentation, colour, completion, pasting |
//! | `session::…` | what lasts longer than an entry: history, the end, what a program does to the terminal |
//! | `interrupts::…` | Ctrl-C while something is evaluated |
//! | `resting::…` | what goes on while the prompt waits |
//! | `piped::…` | no terminal |
//!
//! Trials wait for what they expect to be on the screen, never for time to pass.
//!
//! Absent on purpose: what entries mean. The engine's tests say it.

#![forbid(unsafe_code)]

mod editing;
mod interrupts;
mod piped;
mod resting;
mod session;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bowline_tests::process;

/// What the trials share.
struct Context {
    bowline: PathBuf,
}

fn main() -> ExitCode {
    bowline_tests::trials::run(|| {
        let context = Arc::new(Context {
            bowline: process::product("bowline")?,
        });
        let mut trials = editing::trials(&context);
        trials.extend(session::trials(&context));
        trials.extend(interrupts::trials(&context));
        trials.extend(resting::trials(&context));
        trials.extend(piped::trials(&context));
        Ok(trials)
    })
}
