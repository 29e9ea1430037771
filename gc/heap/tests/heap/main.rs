//! The heap from outside, in a process whose `malloc` is the system's.

#[cfg(feature = "ambiguous")]
mod ambiguous;
mod boundary;
mod chains;
mod checks;
mod finalizers;
mod forked;
mod freeze;
mod kernel;
#[cfg(not(feature = "ambiguous"))]
mod latency;
#[cfg(not(feature = "ambiguous"))]
mod marking;
mod objects;
mod owners;
mod pins;
mod pressure;
mod remember;
mod safe;
mod safe_forks;
mod safe_lists;
mod safe_threads;
mod stopping;
mod support;
mod surplus;
mod threads;
mod weak;

use support::{Case, trials};

fn main() {
    let cases: Vec<Case> = [
        objects::CASES,
        boundary::CASES,
        pins::CASES,
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
        #[cfg(not(feature = "ambiguous"))]
        latency::CASES,
        #[cfg(not(feature = "ambiguous"))]
        marking::CASES,
        safe::CASES,
        safe_forks::CASES,
        safe_lists::CASES,
        safe_threads::CASES,
        #[cfg(feature = "ambiguous")]
        ambiguous::CASES,
        surplus::CASES,
    ]
    .concat();
    trials(&cases);
}
