//! Checks of what a block holds and how much of it may be used, over its whole life.

use std::thread;

use super::By::{C, Glibc};
use super::{Check, Outcome, Seen, broken, ensure, filled, get, intact, malloc, put_back};
use super::{row, sizes};
use crate::raw::{Block, Call, Family};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("calloc-product", C, "calloc gives all of its product, for counts and sizes that are no powers", calloc_product),
    row("calloc-zero-resized", C, "calloc is zero where blocks that were resized have been", calloc_zero_resized),
    row("calloc-zero-aligned", C, "calloc is zero where aligned blocks have been", calloc_zero_aligned),
    row("calloc-zero-thread", C, "calloc is zero where blocks have been that another thread wrote and freed", calloc_zero_thread),
    row("calloc-zero-mixed", C, "calloc is zero where blocks of other sizes have been", calloc_zero_mixed),
    row("calloc-zero-vast", C, "256 MiB of calloc are zero, fresh and used before", calloc_zero_vast),
    row("calloc-realloc", C, "what calloc gave stays zero when it grows", calloc_realloc),
    row("realloc-borders", C, "a byte more and a byte less keep what was there, from every size", realloc_borders),
    row("realloc-halves", C, "shrinking by halves and growing by doubles keeps what fits", realloc_halves),
    row("realloc-apart", C, "blocks that are resized among others share no byte with them", realloc_apart),
    row("realloc-shrunk", C, "blocks that shrink and grow again share no byte with what was taken between", realloc_shrunk),
    row("realloc-usable-enough", Glibc, "malloc_usable_size after realloc is at least the size asked for, and the block's own", realloc_usable_enough),
    row("realloc-one-byte", C, "blocks shrunk to one byte keep it", realloc_one_byte),
    row("usable-stable", Glibc, "malloc_usable_size of a block stays the same while others come and go", usable_stable),
    row("usable-calloc", Glibc, "malloc_usable_size of what calloc gave is at least the product", usable_calloc),
    row("usable-large", Glibc, "malloc_usable_size of blocks of 16 MiB to 1 GiB is at least the size asked for", usable_large),
    row("usable-thread", Glibc, "malloc_usable_size says the same on another thread", usable_thread),
];

fn measured(family: &Family) -> Outcome {
    match family.measures() {
        true => Ok(()),
        false => Err(Seen::Missing("malloc_usable_size")),
    }
}

/// A block of `calloc`, all zero, then written.
fn zero(family: &Family, count: usize, size: usize) -> Result<Block, Seen> {
    let call = Call::Calloc { count, size };
    let mut block = get(family, call)?;
    if let Some(wrong) = block.dirty() {
        let (at, found) = (wrong.offset, wrong.found);
        return Err(broken(format!("{call}: byte {at} is {found:#04x}")));
    }
    block.fill(77);
    Ok(block)
}

fn resized(family: &Family, block: Block, size: usize) -> Result<Block, Seen> {
    let before = block.asked();
    let moved = family
        .resize(block, size)
        .map_err(|_| broken(format!("realloc from {before} to {size} gave NULL")))?;
    intact(&moved, &format!("after realloc from {before} to {size}"))?;
    Ok(moved)
}

fn calloc_product(family: &Family) -> Outcome {
    let mut blocks = Vec::new();
    for count in [1, 3, 7, 13, 41, 101, 331] {
        for size in [1, 3, 5, 11, 23, 57, 119, 1001] {
            blocks.push(zero(family, count, size)?);
        }
    }
    let mut blocks = blocks.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "after all were written"))
}

/// Frees what `dirt` makes, then wants zeros of these sizes.
fn zero_after(
    family: &Family,
    wanted: &[usize],
    dirt: impl Fn() -> Result<Vec<Block>, Seen>,
) -> Outcome {
    for _ in 0..6 {
        let count = {
            let blocks = dirt()?;
            let count = blocks.len();
            blocks.into_iter().for_each(|block| family.free(block));
            count
        };
        let zeros: Result<Vec<Block>, Seen> = (0..count)
            .map(|i| zero(family, 1, wanted[i % wanted.len()]))
            .collect();
        zeros?.into_iter().for_each(|block| family.free(block));
    }
    Ok(())
}

const WANTED: [usize; 10] = [16, 48, 100, 500, 1200, 3333, 9000, 20_000, 60_000, 300_000];

fn calloc_zero_resized(family: &Family) -> Outcome {
    zero_after(family, &WANTED, || {
        let grown = |i: usize| {
            let block = filled(family, malloc(1 + i * 3), i as u64)?;
            let mut block = resized(family, block, WANTED[i % WANTED.len()])?;
            block.fill(i as u64 + 1);
            Ok(block)
        };
        (0..200).map(grown).collect()
    })
}

fn calloc_zero_aligned(family: &Family) -> Outcome {
    zero_after(family, &WANTED, || {
        let aligned = |i: usize| {
            let (align, size) = (8 << (i % 14), WANTED[i % WANTED.len()]);
            filled(family, Call::PosixMemalign { align, size }, i as u64)
        };
        (0..200).map(aligned).collect()
    })
}

fn calloc_zero_mixed(family: &Family) -> Outcome {
    zero_after(family, &WANTED, || {
        let mixed = |i: usize| filled(family, malloc(1 + i * i * 5), i as u64);
        (0..250).map(mixed).collect()
    })
}

fn calloc_zero_thread(family: &Family) -> Outcome {
    for round in 0..20 {
        let sizes: Vec<usize> = sizes(15).collect();
        let dirt = || -> Outcome {
            let blocks: Result<Vec<Block>, Seen> = sizes
                .iter()
                .map(|size| filled(family, malloc(*size), round))
                .collect();
            blocks?.into_iter().for_each(|block| family.free(block));
            Ok(())
        };
        let ended = thread::scope(|scope| scope.spawn(dirt).join());
        ended.map_err(|_| broken("a thread panicked"))??;
        for size in &sizes {
            let block = zero(family, 1, *size)?;
            family.free(block);
        }
    }
    Ok(())
}

fn calloc_zero_vast(family: &Family) -> Outcome {
    for _ in 0..3 {
        let block = zero(family, 1 << 8, 1 << 20)?;
        family.free(block);
    }
    Ok(())
}

fn calloc_realloc(family: &Family) -> Outcome {
    for size in sizes(18) {
        let call = Call::Calloc { count: 1, size };
        let block = get(family, call)?;
        let grown = family.resize(block, size * 2 + 1);
        let block = grown.map_err(|_| broken(format!("realloc from {size} gave NULL")))?;
        // Of the grown block only what calloc gave is promised.
        if let Some(wrong) = block.dirty()
            && wrong.offset < size
        {
            let (at, found) = (wrong.offset, wrong.found);
            return Err(broken(format!(
                "{call}, then grown: byte {at} is {found:#04x}"
            )));
        }
        family.free(block);
    }
    Ok(())
}

fn realloc_borders(family: &Family) -> Outcome {
    for size in (1..=4200).chain(sizes(19)) {
        let mut block = get(family, malloc(size))?;
        block.fill_part(size as u64, size);
        let mut block = resized(family, block, size + 1)?;
        block.fill_part(!(size as u64), size + 1);
        let block = resized(family, block, size)?;
        let block = resized(family, block, (size - 1).max(1))?;
        family.free(block);
    }
    Ok(())
}

fn realloc_halves(family: &Family) -> Outcome {
    for bits in [10, 16, 20, 25] {
        let mut block = filled(family, malloc(1 << bits), bits)?;
        for bits in (0..bits).rev() {
            block = resized(family, block, 1 << bits)?;
        }
        for bits in 1..=bits {
            block.fill_part(bits, 1 << (bits - 1));
            block = resized(family, block, 1 << bits)?;
        }
        family.free(block);
    }
    Ok(())
}

fn realloc_apart(family: &Family) -> Outcome {
    let made: Result<Vec<Block>, Seen> = (0..300)
        .map(|i| filled(family, malloc(1 + i * 11 % 3000), i as u64))
        .collect();
    let mut blocks = made?;
    for i in 0..6000_usize {
        let at = i * 37 % blocks.len();
        let size = 1 + i.wrapping_mul(2_654_435_761) % 6000;
        let mut block = resized(family, blocks.swap_remove(at), size)?;
        block.fill(i as u64);
        blocks.push(block);
    }
    let mut blocks = blocks.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "while others were resized"))
}

fn realloc_shrunk(family: &Family) -> Outcome {
    let mut kept = Vec::new();
    for i in 0..400_usize {
        let size = 200 + i * 331 % 100_000;
        let block = filled(family, malloc(size), i as u64)?;
        let mut block = resized(family, block, size / 3)?;
        block.fill(i as u64);
        kept.push(block);
        // Whoever gets what was given up writes all of it.
        kept.push(filled(family, malloc(size / 2), i as u64 + 1000)?);
    }
    for block in kept {
        let size = block.asked() * 2;
        let mut block = resized(family, block, size)?;
        block.fill(5);
        put_back(family, block, "after it grew again")?;
    }
    Ok(())
}

fn realloc_usable_enough(family: &Family) -> Outcome {
    measured(family)?;
    let mut blocks = Vec::new();
    for (key, size) in sizes(17).enumerate() {
        let block = get(family, malloc(size * 3 % 7000 + 1))?;
        let mut block = resized(family, block, size)?;
        let usable = block.measured();
        ensure(usable >= size, || {
            format!("after realloc to {size} it was {usable}")
        })?;
        block.fill(key as u64);
        blocks.push(block);
    }
    let mut blocks = blocks.into_iter();
    blocks.try_for_each(|block| {
        put_back(family, block, "after all were written to their usable ends")
    })
}

fn realloc_one_byte(family: &Family) -> Outcome {
    let shrunk = |(key, size): (usize, usize)| {
        let block = filled(family, malloc(size), key as u64)?;
        resized(family, block, 1)
    };
    let blocks: Result<Vec<Block>, Seen> = sizes(22).enumerate().map(shrunk).collect();
    let mut blocks = blocks?.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "after all were shrunk"))
}

/// That a block's usable size is what it was.
fn same(family: &Family, block: &Block, when: &str) -> Outcome {
    let (call, before) = (block.call(), block.measured());
    let now = family.usable_at(block.start()).unwrap_or(0);
    ensure(now == before, || {
        format!("of {call} it was {before}, and {now} {when}")
    })
}

fn usable_stable(family: &Family) -> Outcome {
    measured(family)?;
    let held: Result<Vec<Block>, Seen> = sizes(20).map(|size| get(family, malloc(size))).collect();
    let held = held?;
    for round in 0..5 {
        let others: Result<Vec<Block>, Seen> = sizes(20)
            .map(|size| filled(family, malloc(size), round))
            .collect();
        held.iter()
            .try_for_each(|block| same(family, block, "among others"))?;
        others?.into_iter().for_each(|block| family.free(block));
        held.iter()
            .try_for_each(|block| same(family, block, "after others were freed"))?;
    }
    held.into_iter().for_each(|block| family.free(block));
    Ok(())
}

fn usable_calloc(family: &Family) -> Outcome {
    measured(family)?;
    for count in [1, 3, 17, 100] {
        for size in [1, 7, 24, 333, 5000] {
            let call = Call::Calloc { count, size };
            let block = filled(family, call, 1)?;
            let usable = block.measured();
            ensure(usable >= count * size, || {
                format!("{call} has a usable size of {usable}")
            })?;
            put_back(family, block, "after it was written to its usable end")?;
        }
    }
    Ok(())
}

fn usable_large(family: &Family) -> Outcome {
    measured(family)?;
    for bits in 24..=30 {
        for size in [(1 << bits) - 1, 1 << bits, (1 << bits) + 1] {
            let block = filled(family, malloc(size), bits)?;
            let usable = block.measured();
            ensure(usable >= size, || {
                format!("malloc({size}) has a usable size of {usable}")
            })?;
            put_back(family, block, "after it was written to its usable end")?;
        }
    }
    Ok(())
}

fn usable_thread(family: &Family) -> Outcome {
    measured(family)?;
    let held: Result<Vec<Block>, Seen> = sizes(20).map(|size| get(family, malloc(size))).collect();
    let held = held?;
    let look = || -> Outcome {
        held.iter()
            .try_for_each(|block| same(family, block, "on another thread"))
    };
    let ended = thread::scope(|scope| scope.spawn(look).join());
    ended.map_err(|_| broken("a thread panicked"))??;
    held.into_iter().for_each(|block| family.free(block));
    Ok(())
}
