//! Checks of the calls that name an alignment, and of the functions that free with a size.

use super::By::{C, Cxx, Glibc, Posix};
use super::{Check, Outcome, Seen, answer, ensure, filled, get, malloc, put_back, refused, row};
use crate::raw::{Call, Family, Posixes, page};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("posix_memalign", Posix, "posix_memalign aligns to every power of two from 8 to 1 MiB", posix_memalign),
    row("posix_memalign-large", Posix, "posix_memalign aligns to 2 MiB up to 1 GiB", posix_memalign_large),
    row("posix_memalign-einval", Posix, "posix_memalign returns EINVAL for 0, 3, 4, 24", posix_memalign_einval),
    row("posix_memalign-enomem", Posix, "posix_memalign returns ENOMEM for sizes that cannot be", posix_memalign_enomem),
    row("posix_memalign-zero", Glibc, "posix_memalign of 0 bytes gives a pointer that free takes", posix_memalign_zero),
    row("aligned_alloc", C, "aligned_alloc aligns to every power of two from 1 to 1 MiB", aligned_alloc),
    row("aligned_alloc-einval", C, "aligned_alloc gives NULL for an alignment of 3 or 24", aligned_alloc_einval),
    row("aligned_alloc-any-size", C, "aligned_alloc takes sizes that are no multiple of the alignment", aligned_alloc_any_size),
    row("aligned_alloc-over", Posix, "aligned_alloc gives NULL and ENOMEM for sizes that cannot be", aligned_alloc_over),
    row("memalign", Glibc, "memalign aligns to every power of two from 1 to 1 MiB", memalign),
    row("memalign-over", Glibc, "memalign gives NULL and ENOMEM where size and alignment overflow", memalign_over),
    row("valloc", Glibc, "valloc aligns to a page", valloc),
    row("pvalloc", Glibc, "pvalloc aligns to a page and gives whole pages", pvalloc),
    row("pvalloc-over", Glibc, "pvalloc gives NULL and ENOMEM where rounding up overflows", pvalloc_over),
    row("posix_memalign-kept", Posix, "a posix_memalign that is refused leaves the pointer alone", posix_memalign_kept),
    row("aligned_alloc-einval-errno", Posix, "aligned_alloc sets errno to EINVAL for an alignment of 0, 3 or 24", aligned_alloc_einval_errno),
    row("memalign-raised", Glibc, "memalign raises an alignment that is no power of two to the next", memalign_raised),
    row("memalign-einval", Glibc, "memalign gives NULL and EINVAL for an alignment beyond 2^63", memalign_einval),
    row("valloc-apart", Glibc, "blocks of valloc hold what is written there side by side", valloc_apart),
    row("pvalloc-holds", Glibc, "pvalloc's blocks may be written to the end of their last page", pvalloc_holds),
    row("aligned-many", Posix, "500 blocks at multiples of 64 KiB live at once, apart", aligned_many),
    row("aligned-large", Posix, "blocks of 1 to 40 MiB are aligned to a page and to 2 MiB", aligned_large),
    row("aligned-again", Posix, "aligned blocks that were freed serve other alignments", aligned_again),
    row("aligned-realloc-null", C, "a block for any object is aligned for it, after realloc from NULL, too", aligned_realloc_null),
    row("aligned-apart", Posix, "aligned blocks and others hold what is written there side by side", aligned_apart),
    row("aligned-usable", Glibc, "malloc_usable_size of an aligned block is enough and its own", aligned_usable),
    row("free_sized", C, "free_sized takes a block with its size", free_sized),
    row("free_aligned_sized", C, "free_aligned_sized takes a block with its alignment and size", free_aligned_sized),
    row("operator-new", Cxx, "operator new aligns to 16 and its blocks go back by operator delete", operator_new),
];

/// That every power of two from 2^`low` to 2^`high` is honoured by this call, for several sizes.
fn honours(family: &Family, low: u32, high: u32, call: impl Fn(usize, usize) -> Call) -> Outcome {
    for bits in low..=high {
        let align = 1 << bits;
        let mut blocks = Vec::new();
        for (key, size) in [1, 7, 16, 100, 1000, 4096, 70_000].into_iter().enumerate() {
            let block = filled(family, call(align, size), key as u64)?;
            let (start, call) = (block.start(), block.call());
            ensure(start.is_multiple_of(align), || {
                format!("{call} gave {start:#x}, no multiple of {align}")
            })?;
            blocks.push(block);
        }
        for block in blocks {
            put_back(family, block, "after others were written")?;
        }
    }
    Ok(())
}

fn posix(align: usize, size: usize) -> Call {
    Call::PosixMemalign { align, size }
}

fn posix_memalign(family: &Family) -> Outcome {
    honours(family, 3, 20, posix)
}

fn posix_memalign_large(family: &Family) -> Outcome {
    for bits in 21..=30 {
        let align = 1 << bits;
        for size in [1, 5000, 3 << 20] {
            // Filled as far as was asked: what may be used can be as large as the alignment.
            let mut block = get(family, posix(align, size))?;
            block.fill_part(bits, size);
            let start = block.start();
            ensure(start.is_multiple_of(align), || {
                format!("posix_memalign({align}, {size}) gave {start:#x}")
            })?;
            put_back(family, block, "after it was written")?;
        }
    }
    Ok(())
}

fn posix_memalign_einval(family: &Family) -> Outcome {
    let mut all = [0, 1, 2, 3, 4, 24, 4095, usize::MAX].into_iter();
    all.try_for_each(|align| refused(family, posix(align, 100), libc::EINVAL))
}

fn posix_memalign_enomem(family: &Family) -> Outcome {
    for align in [8, 16, 4096, 1 << 20] {
        for size in [usize::MAX / 2 + 1, usize::MAX - align, usize::MAX] {
            refused(family, posix(align, size), libc::ENOMEM)?;
        }
    }
    refused(family, posix(1 << 62, 1 << 62), libc::ENOMEM)
}

fn posix_memalign_zero(family: &Family) -> Outcome {
    for align in [8, 16, 4096] {
        let answer = answer(family, posix(align, 0))?;
        ensure(answer.code == 0, || {
            format!("posix_memalign({align}, 0) returned {}", answer.code)
        })?;
        family.free_at(answer.address);
    }
    Ok(())
}

fn aligned_alloc(family: &Family) -> Outcome {
    honours(family, 0, 20, |align, size| Call::AlignedAlloc {
        align,
        size: size.next_multiple_of(align),
    })
}

fn aligned_alloc_einval(family: &Family) -> Outcome {
    for align in [3, 24, 4095] {
        let call = Call::AlignedAlloc {
            align,
            size: align * 10,
        };
        let answer = answer(family, call)?;
        ensure(answer.address == 0, || {
            format!("{call} gave {:#x}", answer.address)
        })?;
    }
    Ok(())
}

fn aligned_alloc_any_size(family: &Family) -> Outcome {
    honours(family, 4, 12, |align, size| Call::AlignedAlloc {
        align,
        size: size + 1,
    })
}

fn aligned_alloc_over(family: &Family) -> Outcome {
    for align in [16, 4096] {
        let size = usize::MAX - align + 1;
        refused(family, Call::AlignedAlloc { align, size }, libc::ENOMEM)?;
    }
    Ok(())
}

fn memalign(family: &Family) -> Outcome {
    honours(family, 0, 20, |align, size| Call::Memalign { align, size })
}

fn memalign_over(family: &Family) -> Outcome {
    for (align, size) in [
        (64, usize::MAX),
        (4096, usize::MAX - 4096),
        (1 << 62, 1 << 62),
    ] {
        refused(family, Call::Memalign { align, size }, libc::ENOMEM)?;
    }
    Ok(())
}

fn valloc(family: &Family) -> Outcome {
    for size in [0, 1, 4095, 4096, 4097, 1 << 20] {
        let block = get(family, Call::Valloc { size })?;
        let start = block.start();
        ensure(start.is_multiple_of(page()), || {
            format!("valloc({size}) gave {start:#x}")
        })?;
        family.free(block);
    }
    Ok(())
}

fn pvalloc(family: &Family) -> Outcome {
    for size in [1, 4095, 4096, 4097, 1 << 20] {
        let block = get(family, Call::Pvalloc { size })?;
        let (start, usable) = (block.start(), block.measured());
        ensure(start.is_multiple_of(page()), || {
            format!("pvalloc({size}) gave {start:#x}")
        })?;
        let whole = size.next_multiple_of(page());
        ensure(usable >= whole || !family.measures(), || {
            format!("pvalloc({size}) has a usable size of {usable}, not {whole}")
        })?;
        family.free(block);
    }
    Ok(())
}

fn pvalloc_over(family: &Family) -> Outcome {
    for size in [usize::MAX, usize::MAX - page() + 2] {
        refused(family, Call::Pvalloc { size }, libc::ENOMEM)?;
    }
    Ok(())
}

fn posix_memalign_kept(family: &Family) -> Outcome {
    for (align, size) in [
        (0, 100),
        (24, 100),
        (4, 100),
        (64, usize::MAX),
        (64, 1 << 60),
    ] {
        let answer = family.posix_into(Posixes::PosixMemalign, 0x77, align, size);
        let (code, place) = answer.ok_or(Seen::Missing("posix_memalign"))?;
        ensure(code != 0 && place == 0x77, || {
            format!("of {align}, {size} it returned {code}, and the pointer is {place:#x}")
        })?;
    }
    Ok(())
}

fn aligned_alloc_einval_errno(family: &Family) -> Outcome {
    let mut all = [0, 3, 24, usize::MAX].into_iter();
    all.try_for_each(|align| {
        refused(
            family,
            Call::AlignedAlloc { align, size: 240 },
            libc::EINVAL,
        )
    })
}

fn memalign_raised(family: &Family) -> Outcome {
    for align in [3_usize, 17, 24, 48, 100, 4097, 70_000] {
        let wanted = align.next_power_of_two();
        for size in [1, 100, 5000] {
            let call = Call::Memalign { align, size };
            let block = filled(family, call, size as u64)?;
            let start = block.start();
            ensure(start.is_multiple_of(wanted), || {
                format!("{call} gave {start:#x}, no multiple of {wanted}")
            })?;
            put_back(family, block, "after it was written")?;
        }
    }
    Ok(())
}

fn memalign_einval(family: &Family) -> Outcome {
    for align in [usize::MAX / 2 + 2, usize::MAX] {
        refused(family, Call::Memalign { align, size: 100 }, libc::EINVAL)?;
    }
    Ok(())
}

fn valloc_apart(family: &Family) -> Outcome {
    let blocks: Result<Vec<_>, _> = (0..300)
        .map(|i| filled(family, Call::Valloc { size: 1 + i * 97 }, i as u64))
        .collect();
    let mut blocks = blocks?.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "after all were written"))
}

fn pvalloc_holds(family: &Family) -> Outcome {
    let mut blocks = Vec::new();
    for size in (1..200).map(|i| i * 331) {
        let address = answer(family, Call::Pvalloc { size })?.address;
        ensure(address != 0, || format!("pvalloc({size}) gave NULL"))?;
        // As if whole pages had been asked for.
        let whole = size.next_multiple_of(page());
        let mut block = family.own(address, Call::Pvalloc { size: whole });
        block.fill(size as u64);
        blocks.push(block);
    }
    let mut blocks = blocks.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "after all were written"))
}

/// That blocks of these calls are aligned so, hold what is written there, and are freed.
fn side_by_side(family: &Family, align: usize, calls: impl Iterator<Item = Call>) -> Outcome {
    let mut blocks = Vec::new();
    for (key, call) in calls.enumerate() {
        let block = filled(family, call, key as u64)?;
        let start = block.start();
        ensure(start.is_multiple_of(align), || {
            format!("{call} gave {start:#x}")
        })?;
        blocks.push(block);
    }
    let mut blocks = blocks.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "after all were written"))
}

fn aligned_many(family: &Family) -> Outcome {
    let align = 1 << 16;
    side_by_side(family, align, (0..500).map(|i| posix(align, 1 + i * 53)))
}

fn aligned_large(family: &Family) -> Outcome {
    for align in [page(), 2 << 20] {
        let sizes = (0..8).map(|i| (1 << 20) + i * 5_555_555);
        side_by_side(family, align, sizes.map(|size| posix(align, size)))?;
    }
    Ok(())
}

fn aligned_again(family: &Family) -> Outcome {
    for _ in 0..5 {
        for bits in [4, 12, 6, 16, 8, 14, 5] {
            let align = 1 << bits;
            side_by_side(family, align, (0..100).map(|i| posix(align, 1 + i * 71)))?;
        }
    }
    Ok(())
}

fn aligned_realloc_null(family: &Family) -> Outcome {
    for size in super::sizes(18).filter(|size| *size >= 16) {
        let address = family.realloc_at(0, size).address;
        ensure(address != 0 && address.is_multiple_of(16), || {
            format!("realloc(NULL, {size}) gave {address:#x}")
        })?;
        family.free_at(address);
    }
    Ok(())
}

fn aligned_apart(family: &Family) -> Outcome {
    let mut blocks = Vec::new();
    for i in 0..4000_usize {
        let size = 1 + i * 13 % 500;
        let call = if i % 2 == 0 {
            malloc(size)
        } else {
            posix(8 << (i % 11), size)
        };
        blocks.push(filled(family, call, i as u64)?);
        if i % 5 == 4 {
            let block = blocks.swap_remove(i * 7 % blocks.len());
            put_back(family, block, "among aligned blocks")?;
        }
    }
    for block in blocks {
        put_back(family, block, "among aligned blocks")?;
    }
    Ok(())
}

fn aligned_usable(family: &Family) -> Outcome {
    if !family.measures() {
        return Err(Seen::Missing("malloc_usable_size"));
    }
    let mut blocks = Vec::new();
    for bits in 3..=16 {
        for size in [1, 33, 1000, 5000, 40_000] {
            let call = posix(1 << bits, size);
            let block = filled(family, call, bits)?;
            let usable = block.measured();
            ensure(usable >= size, || {
                format!("{call} has a usable size of {usable}")
            })?;
            blocks.push(block);
        }
    }
    for block in blocks {
        put_back(family, block, "after all were written to their usable ends")?;
    }
    Ok(())
}

fn free_sized(family: &Family) -> Outcome {
    for size in [1, 16, 100, 5000, 100_000, 5 << 20] {
        let block = get(family, malloc(size))?;
        if !family.free_sized(block) {
            return Err(Seen::Missing("free_sized"));
        }
    }
    Ok(())
}

fn free_aligned_sized(family: &Family) -> Outcome {
    for align in [16, 64, 4096, 1 << 17] {
        for size in [align, align * 3] {
            let block = get(family, Call::AlignedAlloc { align, size })?;
            if !family.free_aligned_sized(block) {
                return Err(Seen::Missing("free_aligned_sized"));
            }
        }
    }
    Ok(())
}

fn operator_new(family: &Family) -> Outcome {
    for round in 0..3 {
        for size in [0, 1, 16, 24, 100, 1000, 70_000, 3 << 20] {
            let block = filled(family, Call::New { size }, round)?;
            let start = block.start();
            ensure(size < 16 || start.is_multiple_of(16), || {
                format!("operator new({size}) gave {start:#x}")
            })?;
            put_back(family, block, "after it was written")?;
        }
    }
    Ok(())
}
