//! The heap in a process whose `malloc` is Bowline's: C's bytes count.

mod foreign;
mod fork;
#[path = "../heap/forked.rs"]
mod forked;
mod granted;
mod limit;
mod marking;
#[path = "../heap/owners.rs"]
mod owners;
#[path = "../heap/support.rs"]
#[expect(dead_code, reason = "the trials of the other binary use the rest")]
mod support;
mod threads;

use support::{Case, trials};

bowline_interpose::executable!();

fn main() {
    let cases: Vec<Case> = [
        foreign::CASES,
        limit::CASES,
        granted::CASES,
        threads::CASES,
        marking::CASES,
        fork::CASES,
    ]
    .concat();
    // The other binary runs these under every plan.
    let shared = [owners::CASES, forked::CASES].concat();
    let shared = shared.into_iter().map(|case| case.under(&[]));
    trials(&cases.into_iter().chain(shared).collect::<Vec<_>>());
}
