//! The engine from outside. A process has one heap, so each trial runs in a process of its own: the
//! test binary starts itself again with the trial's name in `BOWLINE_TRIAL`, and its zeal in
//! `BOWLINE_ZEAL`.

mod calls;
mod continuations;
mod errors;
mod finalizers;
mod foreign;
mod interrupts;
mod mini;
mod polls;
mod support;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::Command;
use support::Case;

const VARIABLE: &str = "BOWLINE_TRIAL";

fn cases() -> Vec<Case> {
    [
        calls::CASES,
        continuations::CASES,
        errors::CASES,
        finalizers::CASES,
        foreign::CASES,
        interrupts::CASES,
        polls::CASES,
    ]
    .concat()
}

fn run(case: Case, zeal: u64) -> Result<(), Failed> {
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new(me)
        .env(VARIABLE, case.name)
        .env("BOWLINE_ZEAL", zeal.to_string())
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
        return (case.expect("no such trial").body)();
    }
    let mut trials = Vec::new();
    for case in cases() {
        for &zeal in case.zeal {
            let name = match zeal {
                0 => case.name.to_string(),
                n => format!("{}, zeal {n}", case.name),
            };
            trials.push(Trial::test(name, move || run(case, zeal)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
