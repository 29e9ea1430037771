//! Checks around the life of a process: forks, signals, its limits and its exit.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::By::{Glibc, Posix, Some as SomeMallocs};
use super::{Check, Outcome, Seen, broken, ensure, filled, intact, malloc, put_back, row, witness};
use crate::raw::{
    Block, Call, End, Family, at_exit, errno, fork, limit_address_space, on_signal, set_errno,
    signal_thread, thread_id,
};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("fork-one", Posix, "a child of a process with one thread uses what it inherited", fork_one),
    row("fork-threads", Glibc, "a child forked while other threads allocate can allocate", fork_threads),
    row("fork-others-blocks", Glibc, "a forked child may free blocks that other threads took", fork_others_blocks),
    row("fork-child-threads", Glibc, "a forked child may start threads that allocate", fork_child_threads),
    row("fork-nested", Glibc, "children of children of children can allocate", fork_nested),
    row("fork-parent", Posix, "the parent goes on after many forks", fork_parent),
    row("exit-handlers", Posix, "malloc and free work in functions of atexit", exit_handlers),
    row("exit-threads", Posix, "a process may exit while its threads allocate", exit_threads),
    row("limit-refused", Posix, "at the limit of the address space malloc gives NULL and ENOMEM", limit_refused),
    row("limit-recovers", Posix, "after that what was held is intact, and freeing makes room", limit_recovers),
    row("limit-start", Glibc, "a process limited to 256 MiB of address space starts and allocates", limit_start),
    row("signal-handler", SomeMallocs, "malloc and free work in a handler that interrupted them", signal_handler),
    row("signal-threads", SomeMallocs, "malloc and free work in handlers of four threads at once", signal_threads),
];

const PATIENCE: Duration = Duration::from_secs(8);

/// Exercises the malloc a little.
fn exercise(family: &Family) -> Outcome {
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
fn amid_threads(family: &Family, times: usize, work: impl Fn() -> Outcome) -> Outcome {
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

/// The address space that this process uses now.
fn used() -> Result<u64, Seen> {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    number
        .map(|kib| kib << 10)
        .ok_or(broken("/proc/self/status says nothing"))
}

/// Begins this check again in a process that has this limit from its first instruction.
fn under_limit(bytes: u64, work: impl FnOnce() -> Outcome) -> Outcome {
    if witness::begun_again() {
        return work();
    }
    limit_address_space(bytes).map_err(|error| broken(format!("setrlimit: {error}")))?;
    Err(broken(witness::begin_again()))
}

const LIMIT: u64 = 1 << 30;

/// A list for all the blocks of this size that the limit can hold. It comes before anything else:
/// what a malloc took up to the limit it need not give back to the system for others to use.
fn list(smallest: usize) -> Vec<Block> {
    Vec::with_capacity(LIMIT as usize / smallest + 1)
}

/// Takes blocks until one is refused: the errno of the refusal; -1 if nothing was refused that is
/// more than the limit.
fn exhaust(family: &Family, size: usize, blocks: &mut Vec<Block>) -> i32 {
    let most = (LIMIT as usize / size + 1).min(blocks.capacity());
    while blocks.len() < most {
        match family.take(malloc(size)) {
            Some(Ok(mut block)) => {
                block.fill_part(blocks.len() as u64, 64);
                blocks.push(block);
            }
            Some(Err(answer)) => return answer.errno,
            None => break,
        }
    }
    -1
}

fn limit_refused(family: &Family) -> Outcome {
    under_limit(LIMIT, || {
        let mut blocks = list(5000);
        for size in [4 << 20, 100_000, 5000] {
            let errno = exhaust(family, size, &mut blocks);
            let count = blocks.len();
            ensure(errno == libc::ENOMEM, || match errno {
                -1 => format!("{count} blocks of {size} bytes under a limit of 1 GiB"),
                errno => format!("after {count} blocks of {size} bytes errno is {errno}"),
            })?;
            blocks.drain(..).for_each(|block| family.free(block));
        }
        Ok(())
    })
}

fn limit_recovers(family: &Family) -> Outcome {
    under_limit(LIMIT, || {
        let mut blocks = list(4000);
        for size in [1 << 20, 4000, 60_000] {
            exhaust(family, size, &mut blocks);
            let count = blocks.len();
            for block in blocks.drain(..) {
                put_back(family, block, "when memory was short")?;
            }
            exhaust(family, size, &mut blocks);
            let again = blocks.len();
            ensure(again >= count / 2, || {
                format!("{count} blocks of {size} bytes, then, all freed, {again}")
            })?;
            blocks.drain(..).for_each(|block| family.free(block));
        }
        Ok(())
    })
}

fn limit_start(family: &Family) -> Outcome {
    under_limit(256 << 20, || {
        let used = used()?;
        let block = filled(family, malloc(8 << 20), 1).map_err(|_| {
            broken(format!(
                "{} MiB of 256 in use, malloc of 8 MiB fails",
                used >> 20
            ))
        })?;
        put_back(family, block, "under a limit")?;
        exercise(family)
    })
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
