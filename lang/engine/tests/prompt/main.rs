//! The prompt from outside, without a terminal. A process has one heap, so each trial runs in a
//! process of its own: the test binary starts itself again with the trial's name in `BOWLINE_TRIAL`.

mod commands;
mod evaluation;
mod interrupts;
mod names;
mod support;

use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};
use support::Case;

const VARIABLE: &str = "BOWLINE_TRIAL";

/// As in the command: programs are expanded on it.
const STACK: usize = 256 << 20;

fn cases() -> Vec<Case> {
    [
        commands::CASES,
        evaluation::CASES,
        interrupts::CASES,
        names::CASES,
    ]
    .concat()
}

fn run(case: Case) -> Result<(), Failed> {
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new(me)
        .env(VARIABLE, case.name)
        .env("RUST_BACKTRACE", "0")
        .output()
        .map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{}\n{said}", output.status).into())
}

fn main() {
    if let Ok(name) = std::env::var(VARIABLE) {
        let case = cases().into_iter().find(|c| c.name == name);
        let body = case.expect("no such trial").body;
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(body);
        let ended = thread.expect("a thread").join();
        std::process::exit(i32::from(ended.is_err()));
    }
    let trial = |case: Case| Trial::test(case.name, move || run(case));
    let trials = cases().into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
