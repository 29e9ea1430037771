//! The heap from outside, in a process whose `malloc` is the system's.

mod ambiguous;
mod boundary;
mod chains;
mod checks;
mod finalizers;
mod forked;
mod freeze;
mod kernel;
mod latency;
mod marking;
mod objects;
mod owners;
mod pins;
mod pressure;
mod promoted;
mod remember;
mod safe;
mod safe_forks;
mod safe_lists;
mod safe_threads;
mod seccomp;
mod stopping;
mod support;
mod surplus;
mod threads;
mod weak;

use support::{Case, has_ambiguous, has_latency, trials};

fn main() {
    let latent = [latency::CASES, marking::CASES].concat();
    let latent: Vec<Case> = latent.iter().map(|c| c.wanting(has_latency)).collect();
    let ambiguous = ambiguous::CASES.iter();
    let ambiguous: Vec<Case> = ambiguous.map(|c| c.wanting(has_ambiguous)).collect();
    let cases: Vec<Case> = [
        objects::CASES,
        boundary::CASES,
        pins::CASES,
        promoted::CASES,
        weak::CASES,
        chains::CASES,
        finalizers::CASES,
        pressure::CASES,
        remember::CASES,
        owners::CASES,
        forked::CASES,
        threads::CASES,
        stopping::CASES,
        checks::CASES,
        freeze::CASES,
        &latent,
        safe::CASES,
        safe_forks::CASES,
        safe_lists::CASES,
        safe_threads::CASES,
        &ambiguous,
        surplus::CASES,
    ]
    .concat();
    trials(&cases);
}
