//! Checks of `malloc`, `calloc`, `free` and `malloc_usable_size` on one thread.

use super::By::{C, Glibc, Posix};
use super::{Check, Outcome, broken, ensure, filled, get, intact, malloc, put_back};
use super::{refused, row, sizes};
use crate::raw::{Call, Family, errno, set_errno};

const OVER: usize = usize::MAX / 2 + 1;

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("malloc-zero", Glibc, "malloc(0) gives a pointer that free takes", malloc_zero),
    row("malloc-zero-distinct", Glibc, "two blocks of malloc(0) have two addresses", malloc_zero_distinct),
    row("malloc-align", C, "every block is aligned for any object that fits into it", malloc_align),
    row("malloc-align-16", Glibc, "every block is 16-aligned, those below 16 bytes too", malloc_align_16),
    row("malloc-holds", C, "every byte of every size holds what is written there", malloc_holds),
    row("malloc-apart", C, "live blocks share no byte", malloc_apart),
    row("malloc-large", C, "blocks of 1 MiB to 1 GiB hold what is written there", malloc_large),
    row("malloc-over", C, "sizes above PTRDIFF_MAX get NULL", malloc_over),
    row("malloc-over-errno", Posix, "sizes above PTRDIFF_MAX set errno to ENOMEM", malloc_over_errno),
    row("free-null", C, "free(NULL) does nothing", free_null),
    row("free-errno", Posix, "free leaves errno alone", free_errno),
    row("calloc-zero", C, "fresh memory of calloc is zero", calloc_zero),
    row("calloc-zero-again", C, "memory of calloc that was used before is zero", calloc_zero_again),
    row("calloc-zero-large", C, "large memory of calloc that was used before is zero", calloc_zero_large),
    row("calloc-none", Glibc, "calloc(0, n) and calloc(n, 0) give pointers that free takes", calloc_none),
    row("calloc-overflow", C, "calloc whose product overflows gives NULL", calloc_overflow),
    row("calloc-overflow-errno", Posix, "calloc whose product overflows sets errno to ENOMEM", calloc_overflow_errno),
    row("usable-enough", Glibc, "malloc_usable_size is at least the size asked for", usable_enough),
    row("usable-null", Glibc, "malloc_usable_size(NULL) is 0", usable_null),
    row("usable-holds", Glibc, "every byte of malloc_usable_size is the block's own", usable_holds),
];

fn malloc_zero(family: &Family) -> Outcome {
    for _ in 0..1000 {
        let block = get(family, malloc(0))?;
        family.free(block);
    }
    Ok(())
}

fn malloc_zero_distinct(family: &Family) -> Outcome {
    let one = get(family, malloc(0))?;
    let two = get(family, malloc(0))?;
    ensure(one.start() != two.start(), || {
        format!("both were at {:#x}", one.start())
    })
}

fn aligned_to(family: &Family, align: impl Fn(Call) -> usize) -> Outcome {
    let mut blocks = Vec::new();
    for size in sizes(20) {
        for call in [malloc(size), Call::Calloc { count: 1, size }] {
            let block = get(family, call)?;
            let (start, align) = (block.start(), align(call));
            ensure(start.is_multiple_of(align), || {
                format!("{call} gave {start:#x}, no multiple of {align}")
            })?;
            blocks.push(block);
        }
    }
    blocks.into_iter().for_each(|block| family.free(block));
    Ok(())
}

fn malloc_align(family: &Family) -> Outcome {
    aligned_to(family, Call::align)
}

fn malloc_align_16(family: &Family) -> Outcome {
    aligned_to(family, |_| 16)
}

fn malloc_holds(family: &Family) -> Outcome {
    let mut blocks = Vec::new();
    for (key, size) in sizes(18).enumerate() {
        let mut block = get(family, malloc(size))?;
        block.fill_part(key as u64, size);
        blocks.push(block);
    }
    for block in blocks {
        put_back(family, block, "after all were written")?;
    }
    Ok(())
}

fn malloc_apart(family: &Family) -> Outcome {
    let mut spans = Vec::new();
    for i in 0..60_000_usize {
        let block = get(family, malloc(1 + i * 31 % 777))?;
        spans.push((block.start(), block.asked()));
        // Every third goes at once, so that reused memory is among the rest.
        if i % 3 == 0 {
            spans.pop();
            family.free(block);
        }
    }
    spans.sort_unstable();
    for pair in spans.windows(2) {
        let ((one, size), (two, _)) = (pair[0], pair[1]);
        ensure(one + size <= two, || {
            format!("{size} bytes at {one:#x} reach into {two:#x}")
        })?;
    }
    Ok(())
}

fn malloc_large(family: &Family) -> Outcome {
    for bits in 20..=30 {
        let one = filled(family, malloc((1 << bits) + 1), bits)?;
        let two = filled(family, malloc((1 << bits) - 1), bits + 100)?;
        put_back(family, one, "while another was written")?;
        put_back(family, two, "after another was freed")?;
    }
    Ok(())
}

fn gives_null(family: &Family, call: Call) -> Outcome {
    match family.take(call) {
        Some(Ok(block)) => Err(broken(format!(
            "{call} gave {:#x} instead of NULL",
            block.start()
        ))),
        _ => Ok(()),
    }
}

const IMPOSSIBLE: [usize; 5] = [
    OVER,
    OVER + 1,
    usize::MAX - 4096,
    usize::MAX - 1,
    usize::MAX,
];

fn malloc_over(family: &Family) -> Outcome {
    IMPOSSIBLE.into_iter().try_for_each(|size| {
        gives_null(family, malloc(size))?;
        gives_null(family, Call::Calloc { count: 1, size })
    })
}

fn malloc_over_errno(family: &Family) -> Outcome {
    let mut all = IMPOSSIBLE.into_iter();
    all.try_for_each(|size| refused(family, malloc(size), libc::ENOMEM))
}

fn free_null(family: &Family) -> Outcome {
    (0..1000).for_each(|_| family.free_at(0));
    Ok(())
}

fn free_errno(family: &Family) -> Outcome {
    for bits in 4..28 {
        let blocks: Result<Vec<_>, _> = (0..4).map(|_| get(family, malloc(1 << bits))).collect();
        for block in blocks? {
            set_errno(4321);
            family.free(block);
            let found = errno();
            ensure(found == 4321, || {
                format!("freeing {} bytes set errno to {found}", 1 << bits)
            })?;
        }
    }
    Ok(())
}

fn zero(family: &Family, count: usize, size: usize) -> Outcome {
    let call = Call::Calloc { count, size };
    let mut block = get(family, call)?;
    if let Some(wrong) = block.dirty() {
        let (at, found) = (wrong.offset, wrong.found);
        return Err(broken(format!("{call}: byte {at} is {found:#04x}")));
    }
    block.fill(99);
    family.free(block);
    Ok(())
}

fn calloc_zero(family: &Family) -> Outcome {
    sizes(22).try_for_each(|size| zero(family, 1, size))?;
    (1..200).try_for_each(|count| zero(family, count, 24))
}

/// Writes blocks of these sizes, frees them, and asks for zeros of the same sizes.
fn zero_after_use(family: &Family, sizes: &[usize]) -> Outcome {
    for _ in 0..4 {
        for &size in sizes {
            let blocks: Result<Vec<_>, _> = (0..8)
                .map(|key| filled(family, malloc(size), key))
                .collect();
            blocks?.into_iter().for_each(|block| family.free(block));
            for _ in 0..8 {
                zero(family, 1, size)?;
            }
        }
    }
    Ok(())
}

fn calloc_zero_again(family: &Family) -> Outcome {
    let sizes: Vec<usize> = sizes(16).collect();
    zero_after_use(family, &sizes)
}

fn calloc_zero_large(family: &Family) -> Outcome {
    let sizes = [17, 18, 19, 20, 21, 22, 23, 24].map(|bits| (1_usize << bits) - 24);
    zero_after_use(family, &sizes)
}

fn calloc_none(family: &Family) -> Outcome {
    for (count, size) in [(0, 0), (0, 8), (8, 0), (0, usize::MAX), (usize::MAX, 0)] {
        let block = get(family, Call::Calloc { count, size })?;
        family.free(block);
    }
    Ok(())
}

const OVERFLOWS: [(usize, usize); 6] = [
    (1 << 32, 1 << 32),
    (usize::MAX, 2),
    (2, usize::MAX),
    (usize::MAX / 2, 3),
    // These two products are 16 and 4096 when cut off to 64 bits.
    ((1 << 60) + 1, 16),
    ((1 << 52) + 1, 4096),
];

fn calloc_overflow(family: &Family) -> Outcome {
    let mut all = OVERFLOWS.into_iter();
    all.try_for_each(|(count, size)| gives_null(family, Call::Calloc { count, size }))
}

fn calloc_overflow_errno(family: &Family) -> Outcome {
    let mut all = OVERFLOWS.into_iter();
    all.try_for_each(|(count, size)| refused(family, Call::Calloc { count, size }, libc::ENOMEM))
}

fn measured(family: &Family) -> Outcome {
    if family.measures() {
        Ok(())
    } else {
        Err(super::Seen::Missing("malloc_usable_size"))
    }
}

fn usable_enough(family: &Family) -> Outcome {
    measured(family)?;
    for size in std::iter::once(0).chain(sizes(24)) {
        let block = get(family, malloc(size))?;
        let usable = block.measured();
        ensure(usable >= size, || {
            format!("malloc({size}) has a usable size of {usable}")
        })?;
        family.free(block);
    }
    Ok(())
}

fn usable_null(family: &Family) -> Outcome {
    measured(family)?;
    let usable = family.usable_at(0).unwrap_or(0);
    ensure(usable == 0, || format!("it was {usable}"))
}

fn usable_holds(family: &Family) -> Outcome {
    measured(family)?;
    let mut blocks = Vec::new();
    for (key, size) in sizes(16).flat_map(|size| [size; 3]).enumerate() {
        blocks.push(filled(family, malloc(size), key as u64)?);
    }
    for block in &blocks {
        intact(block, "after all were written to their usable ends")?;
    }
    for block in blocks {
        put_back(family, block, "while others were freed")?;
    }
    Ok(())
}
