//! Checks of sizes at both ends: those that no address space holds, and none at all.
//!
//! A size between 2^47 and `PTRDIFF_MAX` is one that C allows and no process on x86-64 can have.

use super::By::{C, Glibc, Posix};
use super::{Check, Outcome, Seen, answer, denied, ensure, filled, get, intact, malloc, put_back};
use super::{refused, row};
use crate::raw::{Answer, Block, Call, Family, page};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("vast-malloc", Posix, "malloc of 2^47 bytes to PTRDIFF_MAX gives NULL and ENOMEM, and goes on", vast_malloc),
    row("vast-calloc", Posix, "calloc of as much in one element and in many gives NULL and ENOMEM", vast_calloc),
    row("vast-realloc", Posix, "realloc to as much gives NULL and ENOMEM and keeps the block", vast_realloc),
    row("vast-realloc-null", Posix, "realloc(NULL, n) of what cannot be gives NULL and ENOMEM", vast_realloc_null),
    row("vast-reallocarray", Glibc, "reallocarray to as much without overflow gives NULL and ENOMEM and keeps the block", vast_reallocarray),
    row("vast-posix_memalign", Posix, "posix_memalign of as much returns ENOMEM", vast_posix_memalign),
    row("vast-aligned_alloc", Posix, "aligned_alloc of as much gives NULL and ENOMEM", vast_aligned_alloc),
    row("vast-memalign", Glibc, "memalign of as much gives NULL and ENOMEM", vast_memalign),
    row("vast-valloc", Glibc, "valloc of what cannot be gives NULL and ENOMEM", vast_valloc),
    row("vast-pvalloc", Glibc, "pvalloc of as much gives NULL and ENOMEM", vast_pvalloc),
    row("vast-align", Posix, "posix_memalign with an alignment of 2^47 to 2^62 gives a block there or ENOMEM", vast_align),
    row("vast-among-blocks", C, "requests that cannot be had leave live blocks alone", vast_among_blocks),
    row("zero-many-distinct", Glibc, "a thousand live blocks of no bytes have a thousand addresses", zero_many_distinct),
    row("zero-calloc-distinct", Glibc, "blocks of calloc(0, n) and calloc(n, 0) have addresses of their own", zero_calloc_distinct),
    row("zero-aligned", Glibc, "aligned_alloc and memalign of 0 bytes give aligned pointers that free takes", zero_aligned),
    row("zero-valloc", Glibc, "valloc(0) and pvalloc(0) give pointers to pages that free takes", zero_valloc),
    row("zero-realloc-null", Glibc, "realloc(NULL, 0) gives a block, as malloc(0) does", zero_realloc_null),
    row("zero-realloc-grows", C, "a block of no bytes grows by realloc", zero_realloc_grows),
    row("zero-usable", Glibc, "what malloc_usable_size says of a block of no bytes may be written", zero_usable),
];

const MOST: usize = usize::MAX / 2;

/// No address space holds these.
const VAST: [usize; 7] = [
    1 << 47,
    1 << 48,
    (1 << 56) + 1,
    1 << 62,
    MOST - 65_536,
    MOST - 1,
    MOST,
];

/// That a call is refused for each vast size, with `ENOMEM`, and that ordinary requests are served then.
fn vast(family: &Family, call: impl Fn(usize) -> Call) -> Outcome {
    for size in VAST {
        refused(family, call(size), libc::ENOMEM)?;
        let block = filled(family, malloc(100), size as u64)?;
        put_back(family, block, "after a request that was refused")?;
    }
    Ok(())
}

fn vast_malloc(family: &Family) -> Outcome {
    vast(family, malloc)
}

fn vast_calloc(family: &Family) -> Outcome {
    vast(family, |size| Call::Calloc { count: 1, size })?;
    vast(family, |size| Call::Calloc {
        count: size / 16,
        size: 16,
    })
}

/// That this refuses each vast size with NULL and `ENOMEM`, and leaves the block as it was.
fn keeps(
    family: &Family,
    name: &str,
    resize: impl Fn(usize, usize) -> Result<Answer, Seen>,
) -> Outcome {
    for size in [24, 5000, 100_000, 3 << 20] {
        let block = filled(family, malloc(size), size as u64)?;
        for vast in VAST {
            let answer = resize(block.start(), vast)?;
            denied(answer, format_args!("{name} of {vast}"))?;
            intact(&block, "after a request that was refused")?;
        }
        family.free(block);
    }
    Ok(())
}

fn vast_realloc(family: &Family) -> Outcome {
    keeps(family, "realloc", |place, size| {
        Ok(family.realloc_at(place, size))
    })
}

fn vast_realloc_null(family: &Family) -> Outcome {
    for size in VAST.into_iter().chain([MOST + 1, usize::MAX]) {
        let answer = family.realloc_at(0, size);
        denied(answer, format_args!("realloc(NULL, {size})"))?;
    }
    Ok(())
}

fn vast_reallocarray(family: &Family) -> Outcome {
    keeps(family, "reallocarray", |place, size| {
        let answer = family.reallocarray_at(place, size / 32, 32);
        answer.ok_or(Seen::Missing("reallocarray"))
    })
}

fn vast_posix_memalign(family: &Family) -> Outcome {
    [16, 4096, 1 << 21]
        .into_iter()
        .try_for_each(|align| vast(family, |size| Call::PosixMemalign { align, size }))
}

fn vast_aligned_alloc(family: &Family) -> Outcome {
    [16, 64, 4096].into_iter().try_for_each(|align| {
        vast(family, |size| Call::AlignedAlloc {
            align,
            size: size & !(align - 1),
        })
    })
}

fn vast_memalign(family: &Family) -> Outcome {
    [16, 64, 4096, 1 << 21]
        .into_iter()
        .try_for_each(|align| vast(family, |size| Call::Memalign { align, size }))
}

fn vast_valloc(family: &Family) -> Outcome {
    vast(family, |size| Call::Valloc { size })?;
    [MOST + 1, usize::MAX - page(), usize::MAX]
        .into_iter()
        .try_for_each(|size| refused(family, Call::Valloc { size }, libc::ENOMEM))
}

fn vast_pvalloc(family: &Family) -> Outcome {
    vast(family, |size| Call::Pvalloc { size })
}

fn vast_align(family: &Family) -> Outcome {
    for bits in 47..=62 {
        let align = 1 << bits;
        let call = Call::PosixMemalign { align, size: 64 };
        let answer = answer(family, call)?;
        if answer.code == 0 {
            ensure(
                answer.address != 0 && answer.address.is_multiple_of(align),
                || format!("{call} gave {:#x}", answer.address),
            )?;
            family.free_at(answer.address);
            continue;
        }
        ensure(answer.code == libc::ENOMEM, || {
            format!("{call} returned {}", answer.code)
        })?;
    }
    Ok(())
}

fn vast_among_blocks(family: &Family) -> Outcome {
    let mut blocks = Vec::new();
    for i in 0..3000_usize {
        blocks.push(filled(family, malloc(1 + i * 7 % 2000), i as u64)?);
        let size = VAST[i % VAST.len()];
        for call in [malloc(size), Call::Calloc { count: 1, size }] {
            let address = answer(family, call)?.address;
            ensure(address == 0, || format!("{call} gave {address:#x}"))?;
        }
        family.realloc_at(blocks[i / 2].start(), size);
    }
    let mut blocks = blocks.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "among requests that were refused"))
}

/// That these calls, all live at once, have as many addresses; then they are freed.
fn distinct(family: &Family, calls: impl Iterator<Item = Call>) -> Outcome {
    let blocks: Result<Vec<Block>, Seen> = calls.map(|call| get(family, call)).collect();
    let blocks = blocks?;
    let mut starts: Vec<usize> = blocks.iter().map(Block::start).collect();
    starts.sort_unstable();
    starts.dedup();
    ensure(starts.len() == blocks.len(), || {
        format!("{} blocks at {} addresses", blocks.len(), starts.len())
    })?;
    blocks.into_iter().for_each(|block| family.free(block));
    Ok(())
}

fn zero_many_distinct(family: &Family) -> Outcome {
    (0..5).try_for_each(|_| distinct(family, (0..1000).map(|_| malloc(0))))
}

fn zero_calloc_distinct(family: &Family) -> Outcome {
    let call = |i: usize| match i % 2 {
        0 => Call::Calloc { count: 0, size: i },
        _ => Call::Calloc { count: i, size: 0 },
    };
    distinct(family, (0..1000).map(call))
}

/// That these calls of no bytes give addresses of their own at multiples of `align`.
fn none_at(family: &Family, align: usize, call: Call) -> Outcome {
    for _ in 0..20 {
        let block = get(family, call)?;
        let start = block.start();
        ensure(start.is_multiple_of(align), || {
            format!("{call} gave {start:#x}")
        })?;
        family.free(block);
    }
    distinct(family, std::iter::repeat_n(call, 20))
}

fn zero_aligned(family: &Family) -> Outcome {
    for bits in 4..=16 {
        let align = 1 << bits;
        none_at(family, align, Call::AlignedAlloc { align, size: 0 })?;
        none_at(family, align, Call::Memalign { align, size: 0 })?;
    }
    Ok(())
}

fn zero_valloc(family: &Family) -> Outcome {
    none_at(family, page(), Call::Valloc { size: 0 })?;
    none_at(family, page(), Call::Pvalloc { size: 0 })
}

fn zero_realloc_null(family: &Family) -> Outcome {
    for _ in 0..1000 {
        let address = family.realloc_at(0, 0).address;
        ensure(address != 0, || "it gave NULL".to_string())?;
        family.free_at(address);
    }
    Ok(())
}

fn zero_realloc_grows(family: &Family) -> Outcome {
    for size in super::sizes(18) {
        let block = get(family, malloc(0))?;
        let grown = family.resize(block, size);
        let mut block = grown.map_err(|_| super::broken(format!("to {size} gave NULL")))?;
        block.fill(size as u64);
        put_back(family, block, "after it was written")?;
    }
    Ok(())
}

fn zero_usable(family: &Family) -> Outcome {
    if !family.measures() {
        return Err(Seen::Missing("malloc_usable_size"));
    }
    let blocks: Result<Vec<_>, _> = (0..500).map(|key| filled(family, malloc(0), key)).collect();
    let mut blocks = blocks?.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "after all were written"))
}
