//! Checks of what a malloc does with calls that are wrong: those that detect them abort, and say
//! so, before anything else is spoiled.

use std::sync::atomic::AtomicU64;

use super::By::Some;
use super::{Check, Outcome, Seen, broken, get, malloc};
use crate::raw::{Call, Family, map_words};

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
    aborts("double-free-aligned", "an aligned block freed twice aborts", double_free_aligned),
    aborts("double-free-moved", "freeing where a block was before realloc moved it aborts", double_free_moved),
    aborts("double-free-medium", "a block of 20,000 bytes freed twice aborts, also when it was the only one", double_free_medium),
    aborts("double-free-calloc", "a block of calloc freed twice aborts", double_free_calloc),
    aborts("free-static", "freeing an address of a static variable aborts", free_static),
    aborts("free-mapped", "freeing what mmap gave aborts", free_mapped),
    aborts("free-large-inside", "freeing an address inside a block of 4 MiB aborts", free_large_inside),
    aborts("realloc-stack", "realloc of an address of the stack aborts", realloc_stack),
    aborts("realloc-inside", "realloc of an address inside a block aborts", realloc_inside),
    aborts("realloc-freed", "realloc of a freed block aborts", realloc_freed),
];

fn survived() -> Seen {
    broken("the process went on")
}

/// Frees a block twice in a row.
fn twice(family: &Family, call: Call) -> Outcome {
    let start = get(family, call)?.start();
    family.free_at(start);
    family.free_at(start);
    Err(survived())
}

fn double_free(family: &Family) -> Outcome {
    twice(family, malloc(100))
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
    twice(family, malloc(4 << 20))
}

fn double_free_thread(family: &Family) -> Outcome {
    let start = get(family, malloc(100))?.start();
    std::thread::scope(|scope| {
        scope.spawn(|| family.free_at(start));
    });
    family.free_at(start);
    Err(survived())
}

fn double_free_aligned(family: &Family) -> Outcome {
    let call = Call::PosixMemalign {
        align: 256,
        size: 1000,
    };
    twice(family, call)
}

fn double_free_moved(family: &Family) -> Outcome {
    let block = get(family, malloc(100))?;
    let start = block.start();
    // Until it has moved; large enough, nothing can stay.
    let moved = family.resize(block, 8 << 20);
    let moved = moved.map_err(|_| broken("realloc gave NULL"))?;
    if moved.start() == start {
        return Err(broken("the block did not move"));
    }
    family.free_at(start);
    Err(survived())
}

fn double_free_medium(family: &Family) -> Outcome {
    twice(family, malloc(20_000))
}

fn double_free_calloc(family: &Family) -> Outcome {
    twice(family, Call::Calloc { count: 3, size: 50 })
}

fn free_static(family: &Family) -> Outcome {
    static PLACE: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
    family.free_at(PLACE[2..].as_ptr().addr());
    Err(survived())
}

fn free_mapped(family: &Family) -> Outcome {
    let words = map_words(8192).ok_or(broken("mmap failed"))?;
    family.free_at(words.as_ptr().addr());
    Err(survived())
}

fn free_large_inside(family: &Family) -> Outcome {
    let block = get(family, malloc(4 << 20))?;
    family.free_at(block.start() + (1 << 20));
    Err(survived())
}

fn realloc_stack(family: &Family) -> Outcome {
    let place = [0_u64; 32];
    family.realloc_at(std::hint::black_box(&place).as_ptr().addr(), 5000);
    Err(survived())
}

fn realloc_inside(family: &Family) -> Outcome {
    let mut block = get(family, malloc(4000))?;
    block.fill(0x77);
    family.realloc_at(block.start() + 512, 9000);
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
