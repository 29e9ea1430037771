//! Checks with several threads.

use std::sync::mpsc;
use std::sync::{Barrier, Mutex};
use std::thread;

use super::By::{C, Glibc, Posix};
use super::{Check, Outcome, Seen, broken, ensure, filled, get, intact, malloc, put_back};
use super::{row, sizes};
use crate::raw::{Block, Call, Family, at_thread_end, errno, set_errno};

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
    row("thread-large", C, "large blocks may be freed on another thread", thread_large),
    row("thread-errno", Posix, "free of another thread's block leaves errno alone", thread_errno),
    row("thread-ring", C, "blocks that go round eight threads and are resized on each arrive whole", thread_ring),
    row("thread-crossed", C, "threads that free each other's blocks while all allocate share no byte", thread_crossed),
    row("thread-starts", C, "threads whose first calls all fall together get blocks of their own", thread_starts),
    row("thread-sized", C, "blocks of every magnitude may be freed where they were not taken, after their thread is gone", thread_sized),
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

/// One thread makes many blocks, another does away with them.
fn relay(
    family: &Family,
    call: impl Fn(usize) -> Call + Sync,
    end: impl Fn(Block) -> Outcome + Sync,
) -> Outcome {
    hand_over(family, 50_000, 500, call, end)
}

/// One thread makes so many blocks, and is ahead by so many of another that does away with them.
fn hand_over(
    family: &Family,
    count: usize,
    ahead: usize,
    call: impl Fn(usize) -> Call + Sync,
    end: impl Fn(Block) -> Outcome + Sync,
) -> Outcome {
    let (send, receive) = mpsc::sync_channel(ahead);
    let call = &call;
    thread::scope(|scope| {
        let maker = scope.spawn(move || {
            for i in 0..count {
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

fn thread_large(family: &Family) -> Outcome {
    hand_over(
        family,
        600,
        8,
        |i| malloc((1 << 18) + i * 7919 % 3_000_000),
        |block| put_back(family, block, "on another thread"),
    )
}

fn thread_errno(family: &Family) -> Outcome {
    relay(
        family,
        |i| malloc(1 + i * 41 % 40_000),
        |block| {
            let size = block.asked();
            set_errno(4321);
            family.free(block);
            let found = errno();
            ensure(found == 4321, || {
                format!("freeing {size} bytes of another thread set errno to {found}")
            })
        },
    )
}

fn thread_ring(family: &Family) -> Outcome {
    const THREADS: usize = 8;
    const BLOCKS: usize = 200;
    let (sends, receives): (Vec<_>, Vec<_>) =
        (0..THREADS).map(|_| mpsc::channel::<Block>()).unzip();
    thread::scope(|scope| {
        let threads: Vec<_> = receives
            .into_iter()
            .enumerate()
            .map(|(number, receive)| {
                let next = sends[(number + 1) % THREADS].clone();
                scope.spawn(move || {
                    for i in 0..BLOCKS {
                        let key = (number * BLOCKS + i) as u64;
                        let _ = next.send(filled(family, malloc(1 + i * 13), key)?);
                    }
                    // Each block goes round once; what it asks of its threads is the same number for all.
                    for step in 0..THREADS * BLOCKS {
                        // Another thread has given up, and tells why.
                        let Ok(block) = receive.recv() else {
                            break;
                        };
                        intact(&block, "on arrival at the next thread")?;
                        let size = 1 + block.asked() * 5 % 7000;
                        let block = family.resize(block, size);
                        let mut block =
                            block.map_err(|_| broken(format!("realloc(p, {size}) gave NULL")))?;
                        intact(&block, "after realloc on another thread")?;
                        block.fill((number * 1_000_000 + step) as u64);
                        if step < (THREADS - 1) * BLOCKS {
                            let _ = next.send(block);
                        } else {
                            family.free(block);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        // Only the threads' own ends are left, so that one which fails stops the rest.
        drop(sends);
        threads.into_iter().try_for_each(joined)
    })
}

fn thread_crossed(family: &Family) -> Outcome {
    let places: Vec<Mutex<Option<Block>>> = (0..512).map(|_| Mutex::new(None)).collect();
    at_once(6, |number| {
        for i in 0..30_000_usize {
            let key = (number * 1_000_000 + i) as u64;
            let fresh = filled(family, malloc(1 + i * 29 % 1500), key)?;
            let place = &places[(i * 31 + number * 97) % places.len()];
            let old = place
                .lock()
                .map_err(|_| broken("a thread panicked"))?
                .replace(fresh);
            if let Some(block) = old {
                put_back(family, block, "left by another thread")?;
            }
        }
        Ok(())
    })?;
    let left = places
        .into_iter()
        .filter_map(|place| place.into_inner().ok()?);
    let mut left = left.collect::<Vec<_>>().into_iter();
    left.try_for_each(|block| put_back(family, block, "after all threads were gone"))
}

fn thread_starts(family: &Family) -> Outcome {
    for round in 0..60 {
        let seen: Mutex<Vec<Block>> = Mutex::new(Vec::new());
        at_once(24, |number| {
            let key = (round * 100 + number) as u64;
            let mine = [16, 100, 3000, 50_000].map(|size| filled(family, malloc(size), key));
            let mut all = seen.lock().map_err(|_| broken("a thread panicked"))?;
            for block in mine {
                all.push(block?);
            }
            Ok(())
        })?;
        let all = seen.into_inner().unwrap_or_default();
        let mut all = all.into_iter();
        all.try_for_each(|block| put_back(family, block, "of a thread's first calls"))?;
    }
    Ok(())
}

fn thread_sized(family: &Family) -> Outcome {
    for round in 0..3 {
        let taken = thread::scope(|scope| {
            let take = move || -> Result<Vec<Block>, Seen> {
                sizes(22)
                    .map(|size| filled(family, malloc(size), round))
                    .collect()
            };
            scope.spawn(take).join()
        });
        let mut blocks = taken.map_err(|_| broken("a thread panicked"))??;
        blocks.reverse();
        let mut blocks = blocks.into_iter();
        blocks.try_for_each(|block| put_back(family, block, "after its thread was gone"))?;
    }
    Ok(())
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
