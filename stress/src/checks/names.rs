//! Checks of the functions of the family that go by other names: C23's sized frees, those of the BSDs
//! and of macOS, and glibc's own names for its functions.

use super::By::{C, Glibc, Some as SomeMallocs};
use super::amounts::{MIB, bounded, resident};
use super::{Check, Outcome, Seen, broken, denied, ensure, filled, get, intact, malloc, put_back};
use super::{row, sizes};
use crate::raw::{
    Answer, Block, Call, Family, Gives, Posixes, Resizes, Takes, TakesTwo, errno, page, set_errno,
};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("free_sized-all", C, "free_sized takes what calloc and realloc gave, with the size asked for last", free_sized_all),
    row("free_sized-null", C, "free_sized(NULL, n) and free_aligned_sized(NULL, a, n) do nothing", free_sized_null),
    row("free_sized-errno", Glibc, "free_sized and free_aligned_sized leave errno alone", free_sized_errno),
    row("free_sized-again", C, "what free_sized takes is used again, and holds what is written there", free_sized_again),
    row("free_aligned_sized-any", C, "free_aligned_sized takes every alignment to 1 MiB with sizes that are no multiple", free_aligned_sized_any),
    row("reallocf", SomeMallocs, "reallocf resizes and keeps what was there; of NULL it is malloc", reallocf),
    row("reallocf-frees", SomeMallocs, "reallocf that is refused gives NULL and ENOMEM, and frees the block", reallocf_frees),
    row("malloc_size", SomeMallocs, "malloc_size is malloc_usable_size, and 0 of NULL", malloc_size),
    row("malloc_good_size", SomeMallocs, "malloc_good_size is what a block of that size would have", malloc_good_size),
    row("cfree", SomeMallocs, "cfree is free: errno stays, and the memory is used again", cfree),
    row("__libc_malloc", SomeMallocs, "__libc_malloc and __libc_free are of the same heap as malloc and free", libc_malloc),
    row("__libc_calloc", SomeMallocs, "__libc_calloc gives zeros, and refuses products that overflow", libc_calloc),
    row("__libc_realloc", SomeMallocs, "__libc_realloc resizes what malloc gave", libc_realloc),
    row("__libc_memalign", SomeMallocs, "__libc_memalign aligns as memalign does", libc_memalign),
    row("__libc_valloc", SomeMallocs, "__libc_valloc and __libc_pvalloc give pages that free takes", libc_valloc),
    row("__posix_memalign", SomeMallocs, "__posix_memalign is posix_memalign, refusals included", underscored),
];

/// What a function that is looked for answers.
fn there<T>(answer: Option<T>, name: &'static str) -> Result<T, Seen> {
    answer.ok_or(Seen::Missing(name))
}

/// A block out of an answer that must not be a refusal.
fn owned(family: &Family, answer: Answer, name: &str, size: usize) -> Result<Block, Seen> {
    ensure(answer.address != 0, || {
        format!("{name} for {size} bytes gave NULL (errno {})", answer.errno)
    })?;
    let mut block = family.own(answer.address, malloc(size));
    block.fill(size as u64);
    Ok(block)
}

fn free_sized_all(family: &Family) -> Outcome {
    for size in sizes(18) {
        let zeros = get(family, Call::Calloc { count: 1, size })?;
        let grown = get(family, malloc(size / 2))?;
        let grown = family.resize(grown, size);
        let mut grown = grown.map_err(|_| broken(format!("realloc to {size} gave NULL")))?;
        grown.fill(size as u64);
        intact(&grown, "after it was written")?;
        if !family.free_sized(zeros) || !family.free_sized(grown) {
            return Err(Seen::Missing("free_sized"));
        }
    }
    Ok(())
}

fn free_sized_null(family: &Family) -> Outcome {
    for size in [0, 1, 4096, usize::MAX] {
        let sized = family.free_sized_at(0, size);
        if !sized || !family.free_aligned_sized_at(0, 64, size) {
            return Err(Seen::Missing("free_sized"));
        }
    }
    let block = filled(family, malloc(100), 1)?;
    put_back(family, block, "after NULL was freed")
}

fn free_sized_errno(family: &Family) -> Outcome {
    for bits in 4..26 {
        let size = 1 << bits;
        let plain = get(family, malloc(size))?;
        let aligned = get(family, Call::AlignedAlloc { align: 64, size })?;
        set_errno(4321);
        if !family.free_sized(plain) || !family.free_aligned_sized(aligned) {
            return Err(Seen::Missing("free_sized"));
        }
        let found = errno();
        ensure(found == 4321, || {
            format!("freeing {size} bytes set errno to {found}")
        })?;
    }
    Ok(())
}

fn free_sized_again(family: &Family) -> Outcome {
    let mut held: Vec<Block> = Vec::new();
    for i in 0..40_000_usize {
        held.push(filled(family, malloc(1 + i * 31 % 2000), i as u64)?);
        if held.len() == 100 {
            let block = held.swap_remove(i * 7 % 100);
            intact(&block, "among blocks freed with their sizes")?;
            if !family.free_sized(block) {
                return Err(Seen::Missing("free_sized"));
            }
        }
    }
    let mut held = held.into_iter();
    held.try_for_each(|block| put_back(family, block, "at the end"))
}

fn free_aligned_sized_any(family: &Family) -> Outcome {
    for bits in 4..=20 {
        let align = 1 << bits;
        for size in [0, 1, align - 1, align + 1, align * 2 + 7] {
            let block = filled(family, Call::AlignedAlloc { align, size }, bits)?;
            intact(&block, "after it was written")?;
            if !family.free_aligned_sized_at(block.start(), align, size) {
                return Err(Seen::Missing("free_aligned_sized"));
            }
        }
    }
    Ok(())
}

/// That a block is resized to every size and keeps what was there.
fn resizes(family: &Family, by: Resizes, name: &'static str, mut block: Block) -> Outcome {
    for size in sizes(18) {
        let answer = there(family.resize_by(by, block.start(), size), name)?;
        ensure(answer.address != 0, || {
            format!("{name} to {size} gave NULL")
        })?;
        let usable = family.usable_at(answer.address).unwrap_or(size);
        block = block.moved(answer.address, size, usable);
        intact(&block, name)?;
        block.fill(size as u64);
    }
    family.free(block);
    Ok(())
}

fn reallocf(family: &Family) -> Outcome {
    let first = there(family.resize_by(Resizes::Reallocf, 0, 5), "reallocf")?;
    let block = owned(family, first, "reallocf(NULL, n)", 5)?;
    resizes(family, Resizes::Reallocf, "reallocf", block)
}

fn reallocf_frees(family: &Family) -> Outcome {
    let before = resident()?;
    for _ in 0..64 {
        let block = filled(family, malloc(16 << 20), 1)?;
        let vast = usize::MAX / 2 - 1;
        let answer = family.resize_by(Resizes::Reallocf, block.start(), vast);
        denied(
            there(answer, "reallocf")?,
            format_args!("reallocf to {vast}"),
        )?;
    }
    let more = resident()?.saturating_sub(before) / MIB;
    ensure(more < 512, || {
        format!("{more} MiB more after 64 blocks of 16 MiB")
    })
}

fn malloc_size(family: &Family) -> Outcome {
    let size_at = |address| there(family.size_at(address), "malloc_size");
    let none = size_at(0)?;
    ensure(none == 0, || format!("of NULL it was {none}"))?;
    for size in sizes(22) {
        let block = get(family, malloc(size))?;
        let (told, usable) = (size_at(block.start())?, block.measured());
        ensure(told == usable && told >= size, || {
            format!("of malloc({size}) it was {told}, and malloc_usable_size {usable}")
        })?;
        family.free(block);
    }
    Ok(())
}

fn malloc_good_size(family: &Family) -> Outcome {
    for size in sizes(22) {
        let good = there(family.good_size(size), "malloc_good_size")?;
        let block = get(family, malloc(size))?;
        let usable = block.measured();
        ensure(good >= size && good == usable, || {
            format!("of {size} it was {good}, and the block's usable size {usable}")
        })?;
        family.free(block);
    }
    Ok(())
}

fn cfree(family: &Family) -> Outcome {
    bounded(32 * MIB, || {
        for i in 0..60_000_usize {
            let block = filled(family, malloc(1 + i % 3000), i as u64)?;
            set_errno(4321);
            if !family.give_by(Gives::Cfree, block.start()) {
                return Err(Seen::Missing("cfree"));
            }
            let found = errno();
            ensure(found == 4321, || format!("cfree set errno to {found}"))?;
        }
        family.give_by(Gives::Cfree, 0);
        Ok(())
    })
}

fn libc_malloc(family: &Family) -> Outcome {
    for size in sizes(20) {
        let answer = there(family.take_by(Takes::Malloc, size), "__libc_malloc")?;
        let one = owned(family, answer, "__libc_malloc", size)?;
        let two = filled(family, malloc(size), 2)?;
        put_back(family, one, "after another was written")?;
        if !family.give_by(Gives::LibcFree, two.start()) {
            return Err(Seen::Missing("__libc_free"));
        }
    }
    let over = family.take_by(Takes::Malloc, usize::MAX);
    denied(there(over, "__libc_malloc")?, "__libc_malloc of SIZE_MAX")
}

fn libc_calloc(family: &Family) -> Outcome {
    let take = |count, size| {
        there(
            family.take_two_by(TakesTwo::Calloc, count, size),
            "__libc_calloc",
        )
    };
    for size in sizes(16) {
        let dirt = filled(family, malloc(size * 3), 9)?;
        family.free(dirt);
        let answer = take(3, size)?;
        ensure(answer.address != 0, || format!("of 3, {size} it gave NULL"))?;
        let block = family.own(answer.address, malloc(size * 3));
        ensure(block.dirty().is_none(), || {
            format!("of 3, {size} it gave {:?}", block.dirty())
        })?;
        family.free(block);
    }
    denied(
        take(usize::MAX, 2)?,
        "__libc_calloc of a product that overflows",
    )
}

fn libc_realloc(family: &Family) -> Outcome {
    let block = filled(family, malloc(1), 0)?;
    resizes(family, Resizes::LibcRealloc, "__libc_realloc", block)
}

fn libc_memalign(family: &Family) -> Outcome {
    for bits in 4..=20 {
        for size in [1, 100, 5000, 70_000] {
            let answer = family.take_two_by(TakesTwo::Memalign, 1 << bits, size);
            let answer = there(answer, "__libc_memalign")?;
            let block = owned(family, answer, "__libc_memalign", size)?;
            let start = block.start();
            ensure(start.is_multiple_of(1 << bits), || {
                format!("of {}, {size} it gave {start:#x}", 1 << bits)
            })?;
            put_back(family, block, "after it was written")?;
        }
    }
    Ok(())
}

fn libc_valloc(family: &Family) -> Outcome {
    for name in [Takes::Valloc, Takes::Pvalloc] {
        for size in [1, 4095, 4096, 4097, 1 << 20] {
            let answer = there(family.take_by(name, size), "__libc_valloc")?;
            let whole = match name {
                Takes::Pvalloc => size.next_multiple_of(page()),
                _ => size,
            };
            let block = owned(family, answer, "it", whole)?;
            let start = block.start();
            ensure(start.is_multiple_of(page()), || {
                format!("{name:?} of {size} gave {start:#x}")
            })?;
            put_back(family, block, "after it was written")?;
        }
    }
    Ok(())
}

fn underscored(family: &Family) -> Outcome {
    let call = |align, size| {
        let answer = family.posix_into(Posixes::Underscored, 0x77, align, size);
        there(answer, "__posix_memalign")
    };
    for bits in 3..=16 {
        let (code, address) = call(1 << bits, 1000)?;
        ensure(code == 0 && address.is_multiple_of(1 << bits), || {
            format!(
                "of {}, 1000 it returned {code} and gave {address:#x}",
                1 << bits
            )
        })?;
        family.free_at(address);
    }
    for (align, size, wanted) in [
        (0, 100, libc::EINVAL),
        (24, 100, libc::EINVAL),
        (64, usize::MAX, libc::ENOMEM),
    ] {
        let (code, address) = call(align, size)?;
        ensure(code == wanted && address == 0x77, || {
            format!("of {align}, {size} it returned {code}, and the pointer is {address:#x}")
        })?;
    }
    Ok(())
}
