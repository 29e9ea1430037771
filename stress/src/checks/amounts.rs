//! Checks of how much memory a malloc keeps: bounds that are generous, so that only a leak or a
//! refusal to give anything back exceeds them.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::By::{Glibc, Some as SomeMallocs};
use super::{Check, Outcome, Seen, broken, ensure, filled, get, malloc, row};
use crate::raw::{Block, Call, Family};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("bounded-churn", Glibc, "taking and freeing for long needs no more and more memory", bounded_churn),
    row("bounded-relay", Glibc, "blocks taken on one thread and freed on another are used again", bounded_relay),
    row("bounded-threads", Glibc, "ten thousand threads in turn need no more and more memory", bounded_threads),
    row("bounded-aligned", Glibc, "aligned blocks that come and go need no more and more memory", bounded_aligned),
    row("bounded-realloc", Glibc, "a block that grows and shrinks for long needs no more and more memory", bounded_realloc),
    row("bounded-calloc", Glibc, "zeros of all sizes that come and go need no more and more memory", bounded_calloc),
    row("bounded-large", Glibc, "large blocks of many sizes that come and go need no more and more memory", bounded_large),
    row("bounded-refused", Glibc, "requests that are refused need no more and more memory", bounded_refused),
    row("bounded-holes", Glibc, "holes between live blocks are used again", bounded_holes),
    row("untouched", Glibc, "a GiB that nobody writes to takes no memory", untouched),
    row("untouched-calloc", SomeMallocs, "a GiB of fresh zeros that nobody writes to takes no memory", untouched_calloc),
    row("bounded-sizes", SomeMallocs, "phases of different sizes use each other's memory", bounded_sizes),
    row("returned-small", SomeMallocs, "within 3 s most of 256 MiB of freed small blocks goes back to the system", returned_small),
    row("returned-large", SomeMallocs, "within 3 s most of 256 MiB of freed large blocks goes back to the system", returned_large),
    row("returned-threads", SomeMallocs, "within 3 s most of what 16 dead threads took and main freed goes back", returned_threads),
];

pub(super) const MIB: usize = 1 << 20;

/// The memory of this process that is resident.
pub(super) fn resident() -> Result<usize, Seen> {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages
        .map(|pages| pages * crate::raw::page())
        .ok_or(broken("/proc/self/statm says nothing"))
}

/// That a second half of the work needs at most `more` beyond what the first half needed.
pub(super) fn bounded(more: usize, mut half: impl FnMut() -> Outcome) -> Outcome {
    half()?;
    let first = resident()?;
    half()?;
    let second = resident()?;
    ensure(second <= first + more, || {
        let (first, second) = (first / MIB, second / MIB);
        format!("{first} MiB after half of the work, {second} MiB after all of it")
    })
}

fn bounded_churn(family: &Family) -> Outcome {
    let mut held: Vec<Block> = Vec::new();
    let mut i = 0_usize;
    bounded(16 * MIB, || {
        for _ in 0..1_000_000 {
            i += 1;
            let size = 1 + i.wrapping_mul(2_654_435_761) % 4000;
            held.push(get(family, malloc(size))?);
            if held.len() > 2000 {
                let at = i.wrapping_mul(40_503) % held.len();
                family.free(held.swap_remove(at));
            }
        }
        Ok(())
    })
}

fn bounded_relay(family: &Family) -> Outcome {
    bounded(32 * MIB, || {
        let (send, receive) = mpsc::sync_channel::<Vec<Block>>(10);
        thread::scope(|scope| {
            // Dropped when all is sent, so that the other side ends.
            let send = send;
            scope.spawn(move || {
                let batches = receive.into_iter().flatten();
                batches.for_each(|block| family.free(block));
            });
            for _ in 0..3000 {
                let batch: Result<Vec<_>, _> = (0..200)
                    .map(|i| filled(family, malloc(16 + i * 5), 1))
                    .collect();
                let _ = send.send(batch?);
            }
            Ok(())
        })
    })
}

fn bounded_threads(family: &Family) -> Outcome {
    bounded(16 * MIB, || {
        for _ in 0..5000 {
            let run = || -> Outcome {
                for i in 1..60 {
                    let block = filled(family, malloc(i * 50), i as u64)?;
                    family.free(block);
                }
                Ok(())
            };
            let ended = thread::scope(|scope| scope.spawn(run).join());
            ended.map_err(|_| broken("a thread panicked"))??;
        }
        Ok(())
    })
}

fn bounded_aligned(family: &Family) -> Outcome {
    bounded(32 * MIB, || {
        for i in 0..100_000_usize {
            let call = Call::PosixMemalign {
                align: 16 << (i % 9),
                size: 1 + i * 37 % 6000,
            };
            let mut block = get(family, call)?;
            block.fill_part(1, 16);
            family.free(block);
        }
        Ok(())
    })
}

fn bounded_realloc(family: &Family) -> Outcome {
    bounded(64 * MIB, || {
        let mut block = get(family, malloc(1))?;
        for i in 0..20_000_usize {
            let size = 1 + i.wrapping_mul(2_654_435_761) % 300_000;
            block = family
                .resize(block, size)
                .map_err(|_| broken(format!("realloc(p, {size}) gave NULL")))?;
            block.fill(1);
        }
        family.free(block);
        Ok(())
    })
}

fn bounded_calloc(family: &Family) -> Outcome {
    let mut i = 0_usize;
    bounded(32 * MIB, || {
        for _ in 0..60_000 {
            i += 1;
            let call = Call::Calloc {
                count: 1 + i % 13,
                size: 1 + i.wrapping_mul(2_654_435_761) % 4000,
            };
            let block = filled(family, call, i as u64)?;
            family.free(block);
        }
        Ok(())
    })
}

fn bounded_large(family: &Family) -> Outcome {
    let mut held: Vec<Block> = Vec::new();
    let mut i = 0_usize;
    bounded(96 * MIB, || {
        for _ in 0..3000 {
            i += 1;
            let size = 200_000 + i.wrapping_mul(2_654_435_761) % 2_000_000;
            held.push(filled(family, malloc(size), i as u64)?);
            if held.len() > 20 {
                let at = i.wrapping_mul(40_503) % held.len();
                family.free(held.swap_remove(at));
            }
        }
        Ok(())
    })
}

fn bounded_refused(family: &Family) -> Outcome {
    bounded(8 * MIB, || {
        let block = filled(family, malloc(1000), 1)?;
        for i in 0..200_000_usize {
            let size = (1 << 60) + i * 4096;
            for call in [malloc(size), Call::Calloc { count: 2, size }] {
                ensure(
                    family.ask(call).is_some_and(|answer| answer.address == 0),
                    || format!("{call} gave a block"),
                )?;
            }
            family.realloc_at(block.start(), size);
        }
        super::put_back(family, block, "after a realloc that was refused")
    })
}

fn bounded_holes(family: &Family) -> Outcome {
    for size in [40, 200, 1000, 5000] {
        let mut blocks = pile(family, 32 * MIB, size)?;
        let full = resident()?;
        for _ in 0..5 {
            let mut i = 0;
            blocks.retain(|block| {
                i += 1;
                if i % 2 == 0 {
                    family.free_at(block.start());
                }
                i % 2 != 0
            });
            while blocks.len() < 32 * MIB / size {
                blocks.push(filled(family, malloc(size), 3)?);
            }
        }
        let more = resident()?.saturating_sub(full);
        ensure(more <= 16 * MIB, || {
            let more = more / MIB;
            format!("{more} MiB more for the same blocks of {size} bytes")
        })?;
        blocks.into_iter().for_each(|block| family.free(block));
    }
    Ok(())
}

/// That a block takes next to no memory before it is written.
fn takes_nothing(family: &Family, call: Call) -> Outcome {
    let before = resident()?;
    let block = get(family, call)?;
    let more = resident()?.saturating_sub(before) / MIB;
    family.free(block);
    ensure(more <= 16, || format!("{call} took {more} MiB"))
}

fn untouched(family: &Family) -> Outcome {
    takes_nothing(family, malloc(1 << 30))?;
    takes_nothing(family, malloc(1 << 30))
}

fn untouched_calloc(family: &Family) -> Outcome {
    let (count, size) = (1 << 10, 1 << 20);
    takes_nothing(family, Call::Calloc { count, size })
}

/// Takes this much in blocks of a size, written.
pub(super) fn pile(family: &Family, bytes: usize, size: usize) -> Result<Vec<Block>, Seen> {
    (0..bytes / size)
        .map(|i| filled(family, malloc(size), i as u64))
        .collect()
}

fn bounded_sizes(family: &Family) -> Outcome {
    let before = resident()?;
    let mut most = 0;
    for size in [64, 200, 1000, 5000, 20_000, 100_000, 1_000_000] {
        let blocks = pile(family, 128 * MIB, size)?;
        let list = blocks.capacity() * size_of::<Block>();
        most = most.max(resident()?.saturating_sub(before + list));
        blocks.into_iter().for_each(|block| family.free(block));
    }
    // Half as much again for headers and rounding, and twice that for what the phase before left.
    ensure(most <= 384 * MIB, || {
        format!("{} MiB for 128 MiB of live blocks", most / MIB)
    })
}

/// That at most a quarter of this stays 3 s after it was freed, with some use meanwhile.
fn goes_back(family: &Family, piled: impl FnOnce() -> Result<Vec<Block>, Seen>) -> Outcome {
    // The list of the blocks is there before and after.
    let before = resident()?;
    let blocks = piled()?;
    let full = resident()?.saturating_sub(before);
    blocks.into_iter().for_each(|block| family.free(block));
    let begun = Instant::now();
    loop {
        let kept = resident()?.saturating_sub(before);
        if kept <= full / 4 {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(3) {
            return Err(broken(format!("{} of {} MiB stay", kept / MIB, full / MIB)));
        }
        for size in [100, 5000, 200_000] {
            let block = get(family, malloc(size))?;
            family.free(block);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn returned_small(family: &Family) -> Outcome {
    goes_back(family, || pile(family, 256 * MIB, 1000))
}

fn returned_large(family: &Family) -> Outcome {
    goes_back(family, || pile(family, 256 * MIB, 2 * MIB))
}

fn returned_threads(family: &Family) -> Outcome {
    goes_back(family, || {
        let mut all = Vec::new();
        for _ in 0..16 {
            let piled = thread::scope(|scope| scope.spawn(|| pile(family, 16 * MIB, 1000)).join());
            all.extend(piled.map_err(|_| broken("a thread panicked"))??);
        }
        Ok(all)
    })
}
