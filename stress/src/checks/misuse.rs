//! Checks of what a malloc does with calls that are wrong: those that detect them abort, and say
//! so, before anything else is spoiled.

use super::By::Some;
use super::{Check, Outcome, Seen, broken, get, malloc};
use crate::raw::Family;

const fn aborts(name: &'static str, promise: &'static str, run: fn(&Family) -> Outcome) -> Check {
    Check {
        name,
        by: Some,
        promise,
        aborts: true,
        run,
    }
}

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    aborts("double-free", "a small block freed twice in a row aborts", double_free),
    aborts("double-free-later", "a small block freed again after others were aborts", double_free_later),
    aborts("double-free-large", "a block of 4 MiB freed twice aborts", double_free_large),
    aborts("double-free-thread", "a block freed by two threads aborts", double_free_thread),
    aborts("free-stack", "freeing an address of the stack aborts", free_stack),
    aborts("free-inside", "freeing an address inside a block aborts", free_inside),
    aborts("free-odd", "freeing an odd address inside a block aborts", free_odd),
    aborts("realloc-freed", "realloc of a freed block aborts", realloc_freed),
];

fn survived() -> Seen {
    broken("the process went on")
}

fn double_free(family: &Family) -> Outcome {
    let start = get(family, malloc(100))?.start();
    family.free_at(start);
    family.free_at(start);
    Err(survived())
}

fn double_free_later(family: &Family) -> Outcome {
    let blocks: Result<Vec<_>, _> = (0..64).map(|_| get(family, malloc(48))).collect();
    let starts: Vec<usize> = blocks?.iter().map(|block| block.start()).collect();
    for start in &starts {
        family.free_at(*start);
    }
    family.free_at(starts[20]);
    Err(survived())
}

fn double_free_large(family: &Family) -> Outcome {
    let start = get(family, malloc(4 << 20))?.start();
    family.free_at(start);
    family.free_at(start);
    Err(survived())
}

fn double_free_thread(family: &Family) -> Outcome {
    let start = get(family, malloc(100))?.start();
    std::thread::scope(|scope| {
        scope.spawn(|| family.free_at(start));
    });
    family.free_at(start);
    Err(survived())
}

fn free_stack(family: &Family) -> Outcome {
    let place = [0_u64; 32];
    family.free_at(std::hint::black_box(&place).as_ptr().addr());
    Err(survived())
}

fn free_inside(family: &Family) -> Outcome {
    let mut block = get(family, malloc(4000))?;
    block.fill(0x77);
    family.free_at(block.start() + 512);
    Err(survived())
}

fn free_odd(family: &Family) -> Outcome {
    let mut block = get(family, malloc(100))?;
    block.fill(0x77);
    family.free_at(block.start() + 3);
    Err(survived())
}

fn realloc_freed(family: &Family) -> Outcome {
    let start = get(family, malloc(100))?.start();
    family.free_at(start);
    family.realloc_at(start, 5000);
    Err(survived())
}
