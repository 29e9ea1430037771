//! The numbered situations of `docs/safety.md`, in the command `bowline`: each is a trial or more, whose name begins with its
//! number, a short program that states what is promised.
//!
//! | file | situations |
//! |---|---|
//! | `lending.rs` | E1 to E11: what is lent and pinned |
//! | `handles.rs` | E12 to E19: handles |
//! | `malloc.rs` | E22 to E31: malloc |
//! | `values.rs` | E21, E32 to E34, E36, E37: words, text, errno |
//! | `callbacks.rs` | E38 to E41, E49: callbacks that are left, jumped over, dead, entered again |
//! | `threads.rs` | E42 to E46: threads, processes, libraries |
//! | `life.rs` | E47, E48, E50, E51: finalizers, memory that is refused, interrupts, limits |
//! | `checking.rs` | E20, E35, E40: what the checking mode tells |
//! | `table.rs` | that the table in `docs/safety.md` and the trials name each other |
//!
//! `cargo test -p bowline-stress --test boundary e41` runs those of a number.
//!
//! Absent on purpose: what takes long. The deep trials of a situation stand with the part that keeps its promise, and
//! `docs/safety.md` names them.

#![forbid(unsafe_code)]

mod callbacks;
mod case;
mod checking;
mod handles;
mod lending;
mod life;
mod malloc;
mod table;
mod threads;
mod values;

use std::process::ExitCode;
use std::sync::Arc;

use bowline_tests::trials::trial;
use case::{Case, Context};
use libtest_mimic::Trial;

fn main() -> ExitCode {
    bowline_tests::trials::run(trials)
}

/// The cases of all files.
fn cases() -> impl Iterator<Item = &'static Case> {
    [
        lending::CASES,
        handles::CASES,
        malloc::CASES,
        values::CASES,
        callbacks::CASES,
        threads::CASES,
        life::CASES,
        checking::CASES,
    ]
    .into_iter()
    .flatten()
}

fn trials() -> Result<Vec<Trial>, String> {
    let context = Arc::new(Context::new()?);
    let mut trials: Vec<Trial> = cases()
        .map(|case| {
            trial(&context, case.name.to_owned(), move |context, folder| {
                case::run(context, folder, case)
            })
        })
        .collect();
    trials.push(Trial::test("table", || Ok(table::check()?)));
    Ok(trials)
}
