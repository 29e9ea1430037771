//! The promises of a malloc, one named check each. A check runs in a process of its own, so that a
//! crash, a hang and a wrong answer are told apart, and says what it saw.
//!
//! Absent on purpose: promises that nobody makes, such as that `errno` stays when `malloc`
//! succeeds, or that bytes beyond the size asked for survive a `realloc`.

mod aligned;
mod amounts;
mod basic;
mod beyond;
mod contents;
mod figures;
mod library;
mod limits;
mod misuse;
mod names;
mod operators;
mod process;
mod resize;
mod threads;
pub(crate) mod witness;

use std::fmt;

use crate::raw::{Answer, Block, Call, Family};

/// Who promises it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// The C standard.
    C,
    /// POSIX.
    Posix,
    /// The C++ standard.
    Cxx,
    /// glibc's manual or long practice, which programs rely on.
    Glibc,
    /// Only some mallocs: hardening, signal handlers, memory given back.
    Some,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::C => "C",
            Self::Posix => "POSIX",
            Self::Cxx => "C++",
            Self::Glibc => "glibc",
            Self::Some => "some",
        })
    }
}

/// What a check saw instead of the promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// This.
    Broken(String),
    /// The function is not there.
    Missing(&'static str),
    /// Nothing yet: the verdict comes at the process's exit.
    Later,
}

/// What a check returns.
pub(crate) type Outcome = Result<(), Seen>;

/// One promise.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) by: By,
    /// What is promised.
    pub(crate) promise: &'static str,
    /// Whether the promise is that the process aborts.
    pub(crate) aborts: bool,
    pub(crate) run: fn(&Family) -> Outcome,
}

/// A row of a table of checks.
const fn row(
    name: &'static str,
    by: By,
    promise: &'static str,
    run: fn(&Family) -> Outcome,
) -> Check {
    Check {
        name,
        by,
        promise,
        aborts: false,
        run,
    }
}

const TABLES: [&[Check]; 14] = [
    basic::CHECKS,
    resize::CHECKS,
    contents::CHECKS,
    beyond::CHECKS,
    aligned::CHECKS,
    names::CHECKS,
    operators::CHECKS,
    threads::CHECKS,
    process::CHECKS,
    limits::CHECKS,
    library::CHECKS,
    figures::CHECKS,
    amounts::CHECKS,
    misuse::CHECKS,
];

/// Every check, in the order of the report.
pub(crate) fn all() -> impl Iterator<Item = &'static Check> {
    TABLES.into_iter().flatten()
}

/// The check of this name.
pub(crate) fn named(name: &str) -> Option<&'static Check> {
    all().find(|check| check.name == name)
}

fn broken(text: impl Into<String>) -> Seen {
    Seen::Broken(text.into())
}

/// That something holds; otherwise what was seen.
fn ensure(holds: bool, seen: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(broken(seen())) }
}

fn malloc(size: usize) -> Call {
    Call::Malloc { size }
}

fn answer(family: &Family, call: Call) -> Result<Answer, Seen> {
    family.ask(call).ok_or(Seen::Missing(call.parts().0))
}

/// A block, or that it was refused.
fn get(family: &Family, call: Call) -> Result<Block, Seen> {
    witness::step();
    match family.take(call) {
        None => Err(Seen::Missing(call.parts().0)),
        Some(Ok(block)) => Ok(block),
        Some(Err(answer)) => Err(broken(format!(
            "{call} gave NULL (errno {})",
            answer.errno.max(answer.code)
        ))),
    }
}

/// A block with the pattern of a key.
fn filled(family: &Family, call: Call, key: u64) -> Result<Block, Seen> {
    let mut block = get(family, call)?;
    block.fill(key);
    Ok(block)
}

/// That a block's contents are as they were left.
fn intact(block: &Block, when: &str) -> Outcome {
    block.check().map_err(|wrong| {
        let (call, size) = (block.call(), block.usable());
        broken(format!(
            "{when}: byte {} of {size} from {call} is {:#04x}, {:#04x} was written",
            wrong.offset, wrong.found, wrong.wanted
        ))
    })
}

/// Looks at a block and frees it.
fn put_back(family: &Family, block: Block, when: &str) -> Outcome {
    intact(&block, when)?;
    family.free(block);
    Ok(())
}

/// That a call is refused with this errno.
fn refused(family: &Family, call: Call, wanted: i32) -> Outcome {
    let answer = answer(family, call)?;
    ensure(answer.address == 0, || {
        format!("{call} gave {:#x} instead of NULL", answer.address)
    })?;
    let (told, word) = match call {
        Call::PosixMemalign { .. } => (answer.code, "returned"),
        _ => (answer.errno, "set errno to"),
    };
    ensure(told == wanted, || {
        format!("{call} {word} {told}, not {wanted}")
    })
}

/// That an answer is NULL with `ENOMEM`.
fn denied(answer: Answer, call: impl fmt::Display) -> Outcome {
    let Answer { address, errno, .. } = answer;
    ensure(address == 0, || format!("{call} gave {address:#x}"))?;
    ensure(errno == libc::ENOMEM, || {
        format!("{call} set errno to {errno}")
    })
}

/// Sizes of every magnitude with their neighbours, up to 2^`most`.
fn sizes(most: u32) -> impl Iterator<Item = usize> {
    let small = 1..=256_usize;
    let steps = (8..=most).flat_map(|bits| {
        let power = 1_usize << bits;
        [0, power / 4, power / 2]
            .into_iter()
            .flat_map(move |part| [power + part - 1, power + part, power + part + 1])
    });
    small.chain(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_once_and_can_be_typed() {
        let mut names: Vec<&str> = all().map(|check| check.name).collect();
        let count = names.len();
        let told = format!("checks {count} promises of a malloc");
        let page = include_str!("../../../docs/stress.md");
        assert!(page.contains(&told), "docs/stress.md does not say: {told}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let typed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        assert!(names.iter().all(|name| name.chars().all(typed)));
    }

    #[test]
    fn what_aborts_is_no_promise_of_all() {
        assert!(all().filter(|c| c.aborts).all(|c| c.by == By::Some));
    }

    #[test]
    fn sizes_reach_both_ends() {
        let sizes: Vec<usize> = sizes(20).collect();
        assert_eq!(sizes.iter().min(), Some(&1));
        assert_eq!(sizes.iter().max(), Some(&(3 << 19 | 1)));
    }
}
