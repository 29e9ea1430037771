//! Checks around the life of a process: forks, signals and its exit.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::By::{Glibc, Posix, Some as SomeMallocs};
use super::{Check, Outcome, Seen, broken, ensure, filled, intact, malloc, put_back, row, witness};
use crate::raw::{
    Block, Call, End, Family, at_exit, at_fork, errno, fork, on_signal, set_errno, signal_thread,
    thread_id,
};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("fork-one", Posix, "a child of a process with one thread uses what it inherited", fork_one),
    row("fork-threads", Glibc, "a child forked while other threads allocate can allocate", fork_threads),
    row("fork-others-blocks", Glibc, "a forked child may free blocks that other threads took", fork_others_blocks),
    row("fork-child-threads", Glibc, "a forked child may start threads that allocate", fork_child_threads),
    row("fork-nested", Glibc, "children of children of children can allocate", fork_nested),
    row("fork-parent", Posix, "the parent goes on after many forks", fork_parent),
    row("fork-apart", Posix, "what a child writes and frees the parent does not see", fork_apart),
    row("fork-resize", Posix, "a forked child may resize blocks that it inherited", fork_resize),
    row("fork-large", Posix, "a forked child may use and free large blocks that it inherited", fork_large),
    row("fork-handlers", Glibc, "malloc and free work in handlers of pthread_atfork", fork_handlers),
    row("exit-handlers", Posix, "malloc and free work in functions of atexit", exit_handlers),
    row("exit-threads", Posix, "a process may exit while its threads allocate", exit_threads),
    row("signal-handler", SomeMallocs, "malloc and free work in a handler that interrupted them", signal_handler),
    row("signal-threads", SomeMallocs, "malloc and free work in handlers of four threads at once", signal_threads),
];

const PATIENCE: Duration = Duration::from_secs(8);

/// Exercises the malloc a little.
pub(super) fn exercise(family: &Family) -> Outcome {
    let mut blocks = Vec::with_capacity(200);
    for i in 0..200_usize {
        let size = if i % 40 == 39 {
            300_000
        } else {
            1 + i * 41 % 3000
        };
        blocks.push(filled(family, malloc(size), i as u64)?);
    }
    for block in blocks {
        put_back(family, block, "in a forked child")?;
    }
    Ok(())
}

/// Forks, and tells how the child fared with this.
fn in_child(work: impl FnOnce() -> Outcome) -> Outcome {
    let child = fork(|| match work() {
        Ok(()) => 0,
        Err(seen) => {
            witness::tell(&seen);
            1
        }
    });
    let child = child.map_err(|error| broken(format!("fork: {error}")))?;
    match child.wait(PATIENCE) {
        End::Exited(0) => Ok(()),
        // The child has told.
        End::Exited(_) => Err(Seen::Later),
        End::Signalled(signal) => Err(broken(format!("the child died of signal {signal}"))),
        End::Late => Err(broken("the child hung")),
    }
}

fn fork_one(family: &Family) -> Outcome {
    for round in 0..20 {
        let blocks: Result<Vec<_>, _> = (0..500)
            .map(|i| filled(family, malloc(1 + i * 7), round + i as u64))
            .collect();
        let blocks = blocks?;
        in_child(|| {
            for block in &blocks {
                intact(block, "inherited by a child")?;
            }
            exercise(family)
        })?;
        in_child(|| exercise(family))?;
        blocks
            .into_iter()
            .try_for_each(|block| put_back(family, block, "after a fork"))?;
    }
    Ok(())
}

/// Does this many times while other threads allocate.
pub(super) fn amid_threads(family: &Family, times: usize, work: impl Fn() -> Outcome) -> Outcome {
    let stop = AtomicBool::new(false);
    let stop = &stop;
    thread::scope(|scope| {
        for number in 0..3_usize {
            scope.spawn(move || {
                let mut i = number;
                while !stop.load(Ordering::Relaxed) {
                    i += 7;
                    // Small and large, so that every lock is held now and then.
                    let size = if i % 50 == 0 {
                        1 << 21
                    } else {
                        1 + i * 31 % 9000
                    };
                    if let Ok(block) = super::get(family, malloc(size)) {
                        family.free(block);
                    }
                }
            });
        }
        let done = (0..times).try_for_each(|_| work());
        stop.store(true, Ordering::Relaxed);
        done
    })
}

fn fork_threads(family: &Family) -> Outcome {
    amid_threads(family, 150, || in_child(|| exercise(family)))
}

fn fork_others_blocks(family: &Family) -> Outcome {
    amid_threads(family, 30, || {
        let made = thread::scope(|scope| {
            let make = || -> Result<Vec<Block>, Seen> {
                (0..400)
                    .map(|i| filled(family, malloc(1 + i * 11), i as u64))
                    .collect()
            };
            scope.spawn(make).join()
        });
        let blocks = made.map_err(|_| broken("a thread panicked"))??;
        in_child(move || {
            let mut blocks = blocks.into_iter();
            blocks.try_for_each(|block| put_back(family, block, "of another thread in a child"))?;
            exercise(family)
        })
    })
}

fn fork_child_threads(family: &Family) -> Outcome {
    amid_threads(family, 30, || {
        in_child(|| {
            thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| exercise(family))).collect();
                threads.into_iter().try_for_each(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|_| Err(broken("a thread panicked")))
                })
            })
        })
    })
}

fn fork_nested(family: &Family) -> Outcome {
    fn deeper(family: &Family, depth: u32) -> Outcome {
        exercise(family)?;
        if depth == 0 {
            return Ok(());
        }
        in_child(|| deeper(family, depth - 1))?;
        exercise(family)
    }
    amid_threads(family, 5, || deeper(family, 5))
}

fn fork_parent(family: &Family) -> Outcome {
    let held: Result<Vec<_>, _> = (0..300)
        .map(|i| filled(family, malloc(1 + i * 13), i as u64))
        .collect();
    amid_threads(family, 100, || {
        in_child(|| Ok(()))?;
        exercise(family)
    })?;
    held?
        .into_iter()
        .try_for_each(|block| put_back(family, block, "after 100 forks"))
}

fn fork_apart(family: &Family) -> Outcome {
    for round in 0..10 {
        let blocks: Result<Vec<Block>, Seen> = (0..300)
            .map(|i| filled(family, malloc(1 + i * i), round + i as u64))
            .collect();
        let blocks = blocks?;
        in_child(|| {
            for (i, block) in blocks.iter().enumerate() {
                // The child's copy is written over and freed; so is what it takes in its place.
                family.free_at(block.start());
                let mut block = super::get(family, malloc(1 + i * i))?;
                block.fill(!round);
                if i % 2 == 0 {
                    family.free(block);
                }
            }
            exercise(family)
        })?;
        let mut blocks = blocks.into_iter();
        blocks.try_for_each(|block| {
            put_back(family, block, "after a child wrote and freed its copy")
        })?;
    }
    Ok(())
}

fn fork_resize(family: &Family) -> Outcome {
    amid_threads(family, 30, || {
        let blocks: Result<Vec<Block>, Seen> = (0..200)
            .map(|i| filled(family, malloc(1 + i * 37), i as u64))
            .collect();
        let blocks = blocks?;
        let starts: Vec<usize> = blocks.iter().map(Block::start).collect();
        in_child(|| {
            for block in blocks {
                let size = block.asked() * 3;
                let block = family
                    .resize(block, size)
                    .map_err(|_| broken(format!("realloc(p, {size}) gave NULL")))?;
                put_back(family, block, "after a realloc in a child")?;
            }
            Ok(())
        })?;
        starts.into_iter().for_each(|start| family.free_at(start));
        Ok(())
    })
}

fn fork_large(family: &Family) -> Outcome {
    amid_threads(family, 10, || {
        let blocks: Result<Vec<Block>, Seen> = (18..25)
            .map(|bits| filled(family, malloc(1 << bits), bits))
            .collect();
        let blocks = blocks?;
        let starts: Vec<usize> = blocks.iter().map(Block::start).collect();
        in_child(|| {
            let mut blocks = blocks.into_iter();
            blocks
                .try_for_each(|block| put_back(family, block, "large and inherited by a child"))?;
            exercise(family)
        })?;
        starts.into_iter().for_each(|start| family.free_at(start));
        Ok(())
    })
}

extern "C" fn around_fork() {
    for size in [24, 500, 40_000, 2 << 20] {
        let block = FAMILY
            .get()
            .and_then(|family| family.take(malloc(size))?.ok());
        if let (Some(mut block), Some(family)) = (block, FAMILY.get()) {
            block.fill(3);
            if block.check().is_ok() {
                HANDLED.fetch_add(1, Ordering::Relaxed);
            }
            family.free(block);
        }
    }
}

fn fork_handlers(family: &Family) -> Outcome {
    let _ = FAMILY.set(Family::find().ok_or(broken("no malloc"))?);
    ensure(at_fork([around_fork; 3]), || {
        "pthread_atfork refused".to_string()
    })?;
    amid_threads(family, 50, || {
        let before = HANDLED.load(Ordering::Relaxed);
        in_child(|| {
            let count = HANDLED.load(Ordering::Relaxed) - before;
            ensure(count == 8, || {
                format!("before the fork and in the child handlers got {count} blocks of 8")
            })
        })?;
        let count = HANDLED.load(Ordering::Relaxed) - before;
        ensure(count == 8, || {
            format!("before the fork and in the parent handlers got {count} blocks of 8")
        })
    })
}

fn exit_handlers(family: &Family) -> Outcome {
    static LEFT: OnceLock<usize> = OnceLock::new();
    fn last() {
        let done = Family::find()
            .ok_or(broken("no malloc"))
            .and_then(|family| {
                family.free_at(LEFT.get().copied().unwrap_or(0));
                exercise(&family)
            });
        match done {
            Ok(()) => witness::tell_held(),
            Err(seen) => witness::tell(&seen),
        }
    }
    let start = super::get(family, malloc(100))?.start();
    let _ = LEFT.set(start);
    at_exit(last);
    Err(Seen::Later)
}

fn exit_threads(family: &Family) -> Outcome {
    for _ in 0..20 {
        in_child(|| {
            amid_threads(family, 1, || {
                thread::sleep(Duration::from_millis(3));
                // Handlers and destructors run while the threads go on.
                std::process::exit(0)
            })
        })?;
    }
    Ok(())
}

static HANDLED: AtomicU32 = AtomicU32::new(0);
static FAMILY: OnceLock<Family> = OnceLock::new();

extern "C" fn allocate(_: c_int) {
    let before = errno();
    if let Some(family) = FAMILY.get() {
        for size in [24, 100, 3000, 100_000] {
            let call = Call::Malloc { size };
            if let Some(Ok(mut block)) = family.take(call) {
                block.fill(7);
                if block.check().is_ok() {
                    HANDLED.fetch_add(1, Ordering::Relaxed);
                }
                family.free(block);
            }
        }
    }
    set_errno(before);
}

/// Allocates on so many threads for a while, each interrupted by handlers that do too.
fn interrupted(family: &Family, threads: usize) -> Outcome {
    let _ = FAMILY.set(Family::find().ok_or(broken("no malloc"))?);
    on_signal(libc::SIGUSR1, allocate).map_err(|error| broken(format!("sigaction: {error}")))?;
    let stop = AtomicBool::new(false);
    let stop = &stop;
    let done: Outcome = thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::channel();
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let send = send.clone();
                scope.spawn(move || {
                    let _ = send.send(thread_id());
                    while !stop.load(Ordering::Relaxed) {
                        exercise(family)?;
                    }
                    Ok(())
                })
            })
            .collect();
        let numbers: Vec<i32> = receive.iter().take(threads).collect();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            for &number in &numbers {
                signal_thread(number, libc::SIGUSR1);
            }
            thread::sleep(Duration::from_micros(50));
        }
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(broken("a thread panicked")))
        })
    });
    done?;
    let handled = HANDLED.load(Ordering::Relaxed);
    ensure(handled > 1000, || {
        format!("handlers got {handled} sound blocks only")
    })
}

fn signal_handler(family: &Family) -> Outcome {
    interrupted(family, 1)
}

fn signal_threads(family: &Family) -> Outcome {
    interrupted(family, 4)
}
