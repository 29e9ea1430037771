//! Checks of what a malloc does when the process may have no more memory.

use super::By::{Glibc, Posix};
use super::process::exercise;
use super::{Check, Outcome, Seen, broken, ensure, filled, malloc, put_back, row, witness};
use crate::raw::{Block, Family, Limited, limit};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("limit-refused", Posix, "at the limit of the address space malloc gives NULL and ENOMEM", limit_refused),
    row("limit-recovers", Posix, "after that what was held is intact, and freeing makes room", limit_recovers),
    row("limit-data", Posix, "at the limit of data malloc gives NULL and ENOMEM, and freeing makes room", limit_data),
    row("limit-realloc", Posix, "a realloc that finds the limit gives NULL and keeps the block", limit_realloc),
    row("limit-start", Glibc, "a process limited to 256 MiB of address space starts and allocates", limit_start),
];

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
fn under_limit(what: Limited, bytes: u64, work: impl FnOnce() -> Outcome) -> Outcome {
    if witness::begun_again() {
        return work();
    }
    limit(what, bytes).map_err(|error| broken(format!("setrlimit: {error}")))?;
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

/// Takes blocks until one is refused, which is to happen with `ENOMEM`.
fn refuses(family: &Family, size: usize, blocks: &mut Vec<Block>) -> Outcome {
    let errno = exhaust(family, size, blocks);
    let count = blocks.len();
    ensure(errno == libc::ENOMEM, || match errno {
        -1 => format!("{count} blocks of {size} bytes under a limit of 1 GiB"),
        errno => format!("after {count} blocks of {size} bytes errno is {errno}"),
    })
}

fn limit_refused(family: &Family) -> Outcome {
    under_limit(Limited::Space, LIMIT, || {
        let mut blocks = list(5000);
        for size in [4 << 20, 100_000, 5000] {
            refuses(family, size, &mut blocks)?;
            blocks.drain(..).for_each(|block| family.free(block));
        }
        Ok(())
    })
}

/// Gives the blocks back, which are all that there was room for, and looks whether about as many can be had again.
fn comes_back(family: &Family, size: usize, blocks: &mut Vec<Block>, when: &str) -> Outcome {
    let count = blocks.len();
    for block in blocks.drain(..) {
        put_back(family, block, when)?;
    }
    exhaust(family, size, blocks);
    let again = blocks.len();
    ensure(again >= count / 2, || {
        format!("{count} blocks of {size} bytes, then, all freed, {again}")
    })?;
    blocks.drain(..).for_each(|block| family.free(block));
    Ok(())
}

fn limit_recovers(family: &Family) -> Outcome {
    under_limit(Limited::Space, LIMIT, || {
        let mut blocks = list(4000);
        for size in [1 << 20, 4000, 60_000] {
            exhaust(family, size, &mut blocks);
            comes_back(family, size, &mut blocks, "when memory was short")?;
        }
        Ok(())
    })
}

fn limit_data(family: &Family) -> Outcome {
    under_limit(Limited::Data, LIMIT, || {
        let mut blocks = list(60_000);
        for size in [1 << 20, 60_000] {
            refuses(family, size, &mut blocks)?;
            comes_back(family, size, &mut blocks, "when data was short")?;
        }
        Ok(())
    })
}

fn limit_realloc(family: &Family) -> Outcome {
    under_limit(Limited::Space, LIMIT, || {
        let mut block = filled(family, malloc(1000), 1)?;
        loop {
            let size = block.asked() * 2;
            ensure(size as u64 <= LIMIT * 2, || {
                format!("{size} bytes under a limit of 1 GiB")
            })?;
            match family.resize(block, size) {
                Ok(moved) => block = moved,
                Err((kept, answer)) => {
                    let errno = answer.errno;
                    ensure(errno == libc::ENOMEM, || {
                        format!("realloc(p, {size}) set errno to {errno}")
                    })?;
                    return put_back(family, kept, "after a realloc that found the limit");
                }
            }
            block.fill(block.asked() as u64);
        }
    })
}

fn limit_start(family: &Family) -> Outcome {
    under_limit(Limited::Space, 256 << 20, || {
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
