//! Checks with several threads.

use std::sync::mpsc;
use std::sync::{Barrier, Mutex};
use std::thread;

use super::By::{C, Glibc};
use super::{Check, Outcome, Seen, broken, ensure, filled, get, malloc, put_back, row};
use crate::raw::{Block, Call, Family, at_thread_end};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("thread-apart", C, "blocks that eight threads take at once share no byte", thread_apart),
    row("thread-free", C, "a block may be freed on another thread", thread_free),
    row("thread-realloc", C, "a block may be resized on another thread", thread_realloc),
    row("thread-calloc", C, "calloc is zero while other threads free dirty blocks", thread_calloc),
    row("thread-aligned", C, "aligned blocks may be freed on another thread", thread_aligned),
    row("thread-outlived", C, "a block outlives the thread that took it", thread_outlived),
    row("thread-destructor", Glibc, "malloc, realloc and free work in every round of a thread's last destructors", thread_destructor),
    row("thread-many", C, "128 threads at once take and free", thread_many),
    row("thread-small-stack", Glibc, "a thread with the smallest stack takes and frees", thread_small_stack),
];

fn joined(thread: thread::ScopedJoinHandle<'_, Outcome>) -> Outcome {
    thread
        .join()
        .unwrap_or_else(|_| Err(broken("a thread panicked")))
}

/// Runs this on so many threads at once.
fn at_once(threads: usize, work: impl Fn(usize) -> Outcome + Sync) -> Outcome {
    let start = Barrier::new(threads);
    let (work, start) = (&work, &start);
    thread::scope(|scope| {
        let run = |number| {
            scope.spawn(move || {
                start.wait();
                work(number)
            })
        };
        let threads: Vec<_> = (0..threads).map(run).collect();
        threads.into_iter().try_for_each(joined)
    })
}

fn thread_apart(family: &Family) -> Outcome {
    at_once(8, |number| {
        let mut held: Vec<Block> = Vec::new();
        for i in 0..20_000_usize {
            let key = (number * 1_000_000 + i) as u64;
            held.push(filled(family, malloc(1 + i * 17 % 900), key)?);
            if held.len() > 200 {
                let block = held.swap_remove(i * 31 % 200);
                put_back(family, block, "among eight threads")?;
            }
        }
        let mut rest = held.into_iter();
        rest.try_for_each(|block| put_back(family, block, "among eight threads"))
    })
}

/// One thread makes blocks, another does away with them.
fn relay(
    family: &Family,
    call: impl Fn(usize) -> Call + Sync,
    end: impl Fn(Block) -> Outcome + Sync,
) -> Outcome {
    let (send, receive) = mpsc::sync_channel(500);
    let call = &call;
    thread::scope(|scope| {
        let maker = scope.spawn(move || {
            for i in 0..50_000 {
                let block = filled(family, call(i), i as u64)?;
                // Nobody listens any more: the other side has something to say.
                if send.send(block).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let ended = receive.into_iter().try_for_each(&end);
        joined(maker)?;
        ended
    })
}

fn thread_free(family: &Family) -> Outcome {
    relay(
        family,
        |i| malloc(1 + i * 13 % 3000),
        |block| put_back(family, block, "on another thread"),
    )
}

fn thread_realloc(family: &Family) -> Outcome {
    relay(
        family,
        |i| malloc(1 + i * 13 % 3000),
        |block| {
            let size = block.asked() * 2 + 1;
            let block = family
                .resize(block, size)
                .map_err(|_| broken(format!("realloc(p, {size}) gave NULL")))?;
            put_back(family, block, "after a realloc on another thread")
        },
    )
}

fn thread_calloc(family: &Family) -> Outcome {
    at_once(4, |number| {
        for i in 0..20_000_usize {
            let size = 1 + i * 37 % 2000;
            let mut block = get(
                family,
                Call::Calloc {
                    count: size,
                    size: 1,
                },
            )?;
            if let Some(wrong) = block.dirty() {
                let (at, found) = (wrong.offset, wrong.found);
                return Err(broken(format!(
                    "calloc({size}, 1): byte {at} is {found:#04x}"
                )));
            }
            block.fill((number + i) as u64);
            family.free(block);
        }
        Ok(())
    })
}

fn thread_aligned(family: &Family) -> Outcome {
    relay(
        family,
        |i| Call::PosixMemalign {
            align: 8 << (i % 10),
            size: 1 + i % 3000,
        },
        |block| put_back(family, block, "on another thread"),
    )
}

fn thread_outlived(family: &Family) -> Outcome {
    for round in 0..100_u64 {
        let taken = thread::scope(|scope| {
            let take = move || -> Result<Vec<Block>, Seen> {
                (0..300)
                    .map(|i| filled(family, malloc(1 + i * 29 % 5000), round * 300 + i as u64))
                    .collect()
            };
            scope.spawn(take).join()
        });
        let blocks = taken.map_err(|_| broken("a thread panicked"))??;
        for block in blocks {
            put_back(family, block, "after its thread was gone")?;
        }
    }
    Ok(())
}

fn thread_destructor(_: &Family) -> Outcome {
    static SEEN: Mutex<Outcome> = Mutex::new(Ok(()));
    static ROUNDS: Mutex<u32> = Mutex::new(0);
    fn round(left: u32, mut blocks: Vec<Block>) {
        at_thread_end(move || {
            let mut last = || {
                let family = Family::find().ok_or(broken("no malloc"))?;
                for block in blocks.drain(..) {
                    let size = block.asked() * 3;
                    let block = family
                        .resize(block, size)
                        .map_err(|_| broken(format!("realloc(p, {size}) gave NULL")))?;
                    put_back(&family, block, "in a thread's last destructor")?;
                }
                (1..100)
                    .map(|i| filled(&family, malloc(i * 40), i as u64))
                    .collect::<Result<Vec<_>, _>>()
            };
            let seen = last();
            if let Ok(mut rounds) = ROUNDS.lock() {
                *rounds += 1;
            }
            match seen {
                // The system makes four rounds.
                Ok(next) if left > 1 => round(left - 1, next),
                Ok(_) => {}
                Err(seen) => {
                    let _ = SEEN.lock().map(|mut place| *place = Err(seen));
                }
            }
        });
    }
    for _ in 0..200 {
        let thread = thread::spawn(|| {
            let family = Family::find().ok_or(broken("no malloc"))?;
            let blocks: Result<Vec<_>, _> = (1..100)
                .map(|i| filled(&family, malloc(i), i as u64))
                .collect();
            round(4, blocks?);
            Ok(())
        });
        thread
            .join()
            .unwrap_or_else(|_| Err(broken("a thread panicked")))?;
    }
    let rounds = ROUNDS.lock().map_or(0, |rounds| *rounds);
    ensure(rounds >= 200, || {
        format!("only {rounds} rounds of destructors ran")
    })?;
    SEEN.lock()
        .map_or(Ok(()), |mut place| std::mem::replace(&mut *place, Ok(())))
}

fn thread_many(family: &Family) -> Outcome {
    at_once(128, |number| {
        for i in 0..300_usize {
            let block = filled(
                family,
                malloc(1 + i * 97 % 20_000),
                (number * 1000 + i) as u64,
            )?;
            put_back(family, block, "among 128 threads")?;
        }
        Ok(())
    })
}

fn thread_small_stack(family: &Family) -> Outcome {
    thread::scope(|scope| {
        // std raises this to the smallest stack that the system allows.
        let small = thread::Builder::new().stack_size(1);
        let thread = small.spawn_scoped(scope, || {
            for size in [1, 100, 5000, 100_000, 3 << 20] {
                let block = get(family, malloc(size))?;
                family.free(block);
            }
            Ok(())
        });
        thread
            .map_err(|error| broken(format!("no such thread: {error}")))
            .and_then(joined)
    })
}
