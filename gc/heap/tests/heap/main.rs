//! The heap from outside. A process has one heap, so each trial runs in a process of its own: the test
//! binary starts itself again with the trial's name in `BOWLINE_TRIAL`.

mod boundary;
mod checks;
mod freeze;
mod objects;
mod owners;
mod pressure;
mod support;
mod threads;
mod weak;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::Command;
use support::Case;

const VARIABLE: &str = "BOWLINE_TRIAL";

fn cases() -> Vec<Case> {
    [
        objects::CASES,
        boundary::CASES,
        weak::CASES,
        pressure::CASES,
        owners::CASES,
        threads::CASES,
        checks::CASES,
        freeze::CASES,
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
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let as_wanted = match case.dies_with {
        None => output.status.success(),
        Some(message) => !output.status.success() && said.contains(message),
    };
    if as_wanted {
        Ok(())
    } else {
        Err(format!("{}\n{said}", output.status).into())
    }
}

fn main() {
    if let Ok(name) = std::env::var(VARIABLE) {
        let case = cases().into_iter().find(|c| c.name == name);
        return (case.expect("no such trial").body)();
    }
    let trials = cases()
        .into_iter()
        .map(|case| {
            Trial::test(case.name, move || run(case))
                .with_ignored_flag(case.slow && cfg!(debug_assertions))
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
