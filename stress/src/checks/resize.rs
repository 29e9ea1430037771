//! Checks of `realloc` and `reallocarray`.

use super::By::{C, Glibc, Posix};
use super::{
    Check, Outcome, Seen, broken, denied, ensure, filled, get, intact, malloc, row, sizes,
};
use crate::raw::{Answer, Block, Call, Family};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("realloc-null", C, "realloc(NULL, n) is malloc(n)", realloc_null),
    row("realloc-grows", C, "growing keeps what was there", realloc_grows),
    row("realloc-shrinks", C, "shrinking keeps what is left", realloc_shrinks),
    row("realloc-jumps", C, "leaping between small and large keeps what fits both", realloc_jumps),
    row("realloc-align", C, "what realloc gives is aligned for any object", realloc_align),
    row("realloc-same", C, "realloc to the same size keeps everything", realloc_same),
    row("realloc-crowd", C, "many blocks that grow in turn keep what was there", realloc_crowd),
    row("realloc-large", C, "growing to 256 MiB by steps keeps what was there", realloc_large),
    row("realloc-zero", Glibc, "realloc(p, 0) frees and gives NULL", realloc_zero),
    row("realloc-fails-kept", C, "a realloc that is refused leaves the block as it was", realloc_fails_kept),
    row("realloc-fails-errno", Posix, "a realloc that is refused sets errno to ENOMEM", realloc_fails_errno),
    row("realloc-aligned", C, "realloc of an aligned block keeps what was there", realloc_aligned),
    row("realloc-usable", Glibc, "a realloc up to the usable size keeps what was there", realloc_usable),
    row("reallocarray", Glibc, "reallocarray resizes and keeps what was there", reallocarray),
    row("reallocarray-overflow", Glibc, "reallocarray whose product overflows gives NULL and ENOMEM, and keeps the block", reallocarray_overflow),
];

fn resized(family: &Family, block: Block, size: usize) -> Result<Block, Seen> {
    let before = block.asked();
    let moved = family.resize(block, size).map_err(|(_, answer)| {
        let errno = answer.errno;
        broken(format!(
            "realloc from {before} to {size} gave NULL (errno {errno})"
        ))
    })?;
    moved.check().map_err(|wrong| {
        broken(format!(
            "realloc from {before} to {size}: byte {} is {:#04x}, {:#04x} was written",
            wrong.offset, wrong.found, wrong.wanted
        ))
    })?;
    Ok(moved)
}

/// Takes a block through these sizes, written fully at each.
fn through(family: &Family, sizes: impl Iterator<Item = usize>) -> Outcome {
    let mut block = filled(family, malloc(1), 0)?;
    for (key, size) in sizes.enumerate() {
        block = resized(family, block, size)?;
        block.fill_part(key as u64, size);
    }
    family.free(block);
    Ok(())
}

fn realloc_null(family: &Family) -> Outcome {
    for size in sizes(20) {
        let answer = family.realloc_at(0, size);
        ensure(answer.address != 0, || {
            format!("realloc(NULL, {size}) gave NULL")
        })?;
        let mut block = family.own(answer.address, malloc(size));
        block.fill(1);
        intact(&block, "after it was written")?;
        family.free(block);
    }
    Ok(())
}

fn realloc_grows(family: &Family) -> Outcome {
    through(family, sizes(22))
}

fn realloc_shrinks(family: &Family) -> Outcome {
    let mut sizes: Vec<usize> = sizes(22).collect();
    sizes.reverse();
    through(family, sizes.into_iter())
}

fn realloc_jumps(family: &Family) -> Outcome {
    let pairs = (0..200_usize).flat_map(|i| [16 + i * 5, (1 << 18) + i * 4093, 300 + i * 99]);
    through(family, pairs)
}

fn realloc_align(family: &Family) -> Outcome {
    let mut block = get(family, malloc(1))?;
    for size in sizes(20) {
        block = resized(family, block, size)?;
        let (start, align) = (block.start(), block.call().align());
        ensure(start.is_multiple_of(align), || {
            format!("realloc to {size} gave {start:#x}, no multiple of {align}")
        })?;
    }
    family.free(block);
    Ok(())
}

fn realloc_same(family: &Family) -> Outcome {
    for size in sizes(20) {
        let block = filled(family, malloc(size), 5)?;
        let block = resized(family, block, size)?;
        family.free(block);
    }
    Ok(())
}

fn realloc_crowd(family: &Family) -> Outcome {
    let blocks: Result<Vec<_>, _> = (0..200).map(|key| filled(family, malloc(8), key)).collect();
    let mut blocks = blocks?;
    for round in 1..60_usize {
        let mut next = Vec::new();
        for (key, block) in blocks.into_iter().enumerate() {
            let mut block = resized(family, block, round * (key % 50 + 8))?;
            block.fill((round * 1000 + key) as u64);
            next.push(block);
        }
        blocks = next;
    }
    blocks.into_iter().for_each(|block| family.free(block));
    Ok(())
}

fn realloc_large(family: &Family) -> Outcome {
    through(family, (1..=16).map(|step| step << 24))
}

fn realloc_zero(family: &Family) -> Outcome {
    for size in [1, 100, 5000, 1 << 20] {
        let block = get(family, malloc(size))?;
        let answer = family.realloc_at(block.start(), 0);
        ensure(answer.address == 0, || {
            format!("realloc(p, 0) gave {:#x}", answer.address)
        })?;
    }
    Ok(())
}

const OVER: [usize; 3] = [usize::MAX / 2 + 1, usize::MAX - 4096, usize::MAX];

/// Calls `realloc` with sizes that cannot be, and looks at each answer and at the block.
fn fails(family: &Family, look: impl Fn(usize, Answer) -> Outcome) -> Outcome {
    for size in [1, 100, 5000, 300_000, 5 << 20] {
        let block = filled(family, malloc(size), size as u64)?;
        for over in OVER {
            let answer = family.realloc_at(block.start(), over);
            ensure(answer.address == 0, || {
                format!("realloc(p, {over}) gave {:#x}", answer.address)
            })?;
            look(over, answer)?;
            intact(&block, "after a realloc that was refused")?;
        }
        family.free(block);
    }
    Ok(())
}

fn realloc_fails_kept(family: &Family) -> Outcome {
    fails(family, |_, _| Ok(()))
}

fn realloc_fails_errno(family: &Family) -> Outcome {
    fails(family, |over, answer| {
        ensure(answer.errno == libc::ENOMEM, || {
            format!("realloc(p, {over}) set errno to {}", answer.errno)
        })
    })
}

fn realloc_aligned(family: &Family) -> Outcome {
    for bits in 4..=16 {
        let align = 1 << bits;
        for size in [1, 100, 4096, 100_000] {
            let block = filled(family, Call::PosixMemalign { align, size }, bits)?;
            let block = resized(family, block, size * 3)?;
            let block = resized(family, block, size / 2 + 1)?;
            family.free(block);
        }
    }
    Ok(())
}

fn realloc_usable(family: &Family) -> Outcome {
    for size in sizes(18) {
        let mut block = get(family, malloc(size))?;
        block.fill_part(3, size);
        let usable = block.usable();
        let mut block = resized(family, block, usable)?;
        block.fill(4);
        intact(&block, "after a realloc to the usable size")?;
        family.free(block);
    }
    Ok(())
}

fn array(family: &Family, address: usize, count: usize, size: usize) -> Result<Answer, Seen> {
    let answer = family.reallocarray_at(address, count, size);
    answer.ok_or(Seen::Missing("reallocarray"))
}

fn reallocarray(family: &Family) -> Outcome {
    let first = array(family, 0, 3, 7)?;
    ensure(first.address != 0, || {
        "reallocarray(NULL, 3, 7) gave NULL".to_string()
    })?;
    let mut block = family.own(first.address, malloc(21));
    block.fill(1);
    for count in 1..2000 {
        let resized = family.resize_array(block, count, 24);
        block = resized.map_err(|_| broken(format!("reallocarray(p, {count}, 24) gave NULL")))?;
        block.check().map_err(|wrong| {
            broken(format!(
                "reallocarray(p, {count}, 24) lost byte {}",
                wrong.offset
            ))
        })?;
        block.fill(count as u64);
    }
    family.free(block);
    Ok(())
}

fn reallocarray_overflow(family: &Family) -> Outcome {
    let block = filled(family, malloc(1000), 1)?;
    for (count, size) in [(1 << 32, 1 << 32), (usize::MAX, 2), ((1 << 60) + 1, 16)] {
        let answer = array(family, block.start(), count, size)?;
        denied(answer, format_args!("reallocarray(p, {count}, {size})"))?;
        intact(&block, "after a reallocarray that was refused")?;
    }
    family.free(block);
    Ok(())
}
