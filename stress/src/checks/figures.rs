//! Checks of what glibc lets a program ask and set: `mallinfo`, `malloc_info`, `malloc_stats`, `malloc_trim`,
//! `mallopt`, as its manual has them.

use std::thread;

use super::By::Glibc;
use super::amounts::{MIB, pile, resident};
use super::{Check, Outcome, Seen, broken, ensure, filled, get, intact, malloc, put_back, row};
use crate::raw::{Block, Call, Family, said};

#[rustfmt::skip] // a table
pub(super) const CHECKS: &[Check] = &[
    row("mallinfo2", Glibc, "mallinfo2 counts 16 MiB of small blocks when they are taken and when they are freed", mallinfo2),
    row("mallinfo2-large", Glibc, "mallinfo2 counts a block of 64 MiB, mapped or not", mallinfo2_large),
    row("mallinfo2-threads", Glibc, "mallinfo2 counts what another thread has taken", mallinfo2_threads),
    row("mallinfo2-sum", Glibc, "in mallinfo2 bytes in use and free ones are the arena's", mallinfo2_sum),
    row("mallinfo2-top", Glibc, "in mallinfo2 what could be given back is free", mallinfo2_top),
    row("mallinfo", Glibc, "mallinfo says what mallinfo2 does, as far as int goes", mallinfo),
    row("malloc_info", Glibc, "malloc_info writes XML: one element malloc of version 1, quoted, closed, nested", malloc_info),
    row("malloc_info-options", Glibc, "malloc_info with options that are not 0 fails and writes nothing", malloc_info_options),
    row("malloc_info-system", Glibc, "malloc_info tells at least the memory that is in use", malloc_info_system),
    row("malloc_stats", Glibc, "malloc_stats writes lines to standard error, and nothing else does", malloc_stats),
    row("malloc_trim", Glibc, "malloc_trim may be called at any time, and answers 0 or 1", malloc_trim),
    row("malloc_trim-keeps", Glibc, "malloc_trim keeps what live blocks hold", malloc_trim_keeps),
    row("malloc_trim-returns", Glibc, "malloc_trim gives most of 64 MiB of freed blocks back, and answers 1", malloc_trim_returns),
    row("malloc_trim-threads", Glibc, "malloc_trim may be called while other threads allocate", malloc_trim_threads),
    row("mallopt", Glibc, "mallopt answers something to a parameter that nobody knows, and goes on", mallopt),
    row("mallopt-known", Glibc, "mallopt takes each parameter that its manual has, and answers 1", mallopt_known),
    row("mallopt-range", Glibc, "mallopt refuses an M_MXFAST beyond 160, and answers 0", mallopt_range),
    row("mallopt-perturb", Glibc, "M_PERTURB fills what malloc gives with the complement of its value", mallopt_perturb),
    row("mallopt-perturb-calloc", Glibc, "M_PERTURB leaves the zeros of calloc and what realloc keeps alone", mallopt_perturb_calloc),
];

/// Bytes in use: in the arena, and mapped by themselves.
fn in_use(family: &Family) -> Result<usize, Seen> {
    let figures = family.mallinfo2().ok_or(Seen::Missing("mallinfo2"))?;
    Ok(figures.uordblks + figures.hblkhd)
}

/// That the figures go up by about this while what `take` gives is held, and down again after.
fn counted(
    family: &Family,
    bytes: usize,
    take: impl FnOnce() -> Result<Vec<Block>, Seen>,
) -> Outcome {
    let before = in_use(family)?;
    let blocks = take()?;
    let held = in_use(family)?.saturating_sub(before);
    ensure(held >= bytes && held <= bytes * 2, || {
        format!("{held} bytes more in use with blocks of {bytes}")
    })?;
    blocks.into_iter().for_each(|block| family.free(block));
    let after = in_use(family)?.saturating_sub(before);
    ensure(after <= bytes / 4, || {
        format!("{after} bytes more in use after blocks of {bytes} were freed")
    })
}

fn mallinfo2(family: &Family) -> Outcome {
    counted(family, 16 * MIB, || pile(family, 16 * MIB, 1024))
}

fn mallinfo2_large(family: &Family) -> Outcome {
    counted(family, 64 * MIB, || pile(family, 64 * MIB, 64 * MIB))
}

fn mallinfo2_threads(family: &Family) -> Outcome {
    counted(family, 16 * MIB, || {
        let taken = thread::scope(|scope| scope.spawn(|| pile(family, 16 * MIB, 2048)).join());
        taken.map_err(|_| broken("a thread panicked"))?
    })
}

fn mallinfo2_sum(family: &Family) -> Outcome {
    let mut blocks = Vec::new();
    for i in 0..2000_usize {
        blocks.push(get(family, malloc(1 + i * 13 % 5000))?);
        if i % 3 == 0 {
            family.free(blocks.swap_remove(i / 3));
        }
    }
    let figures = family.mallinfo2().ok_or(Seen::Missing("mallinfo2"))?;
    let (arena, used, free) = (figures.arena, figures.uordblks, figures.fordblks);
    blocks.into_iter().for_each(|block| family.free(block));
    ensure(arena != 0 && arena == used + free, || {
        format!("an arena of {arena}, {used} in use and {free} free")
    })
}

fn mallinfo2_top(family: &Family) -> Outcome {
    let blocks = pile(family, 4 * MIB, 1000)?;
    blocks.into_iter().for_each(|block| family.free(block));
    let figures = family.mallinfo2().ok_or(Seen::Missing("mallinfo2"))?;
    let (top, free) = (figures.keepcost, figures.fordblks);
    ensure(free != 0 && top <= free, || {
        format!("{top} could be given back of {free} that are free")
    })
}

fn mallinfo(family: &Family) -> Outcome {
    let block = filled(family, malloc(100_000), 1)?;
    // Nothing is taken between the two.
    let narrow = family.mallinfo().ok_or(Seen::Missing("mallinfo"))?;
    let wide = family.mallinfo2().ok_or(Seen::Missing("mallinfo2"))?;
    family.free(block);
    let pairs = [
        (narrow.arena, wide.arena),
        (narrow.hblks, wide.hblks),
        (narrow.hblkhd, wide.hblkhd),
        (narrow.uordblks, wide.uordblks),
        (narrow.fordblks, wide.fordblks),
        (narrow.keepcost, wide.keepcost),
    ];
    ensure(wide.uordblks >= 100_000, || {
        format!("{} bytes in use with a block of 100000", wide.uordblks)
    })?;
    pairs.into_iter().try_for_each(|(narrow, wide)| {
        ensure(usize::try_from(narrow) == Ok(wide), || {
            format!("{narrow} in the one, {wide} in the other")
        })
    })
}

/// What `malloc_info` writes.
fn document(family: &Family) -> Result<String, Seen> {
    let (code, text) = family.info(0).ok_or(Seen::Missing("malloc_info"))?;
    ensure(code == 0, || format!("it returned {code}"))?;
    Ok(text)
}

/// The name of a tag's element, when its attributes are names with quoted values.
fn element(tag: &str) -> Option<&str> {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    while !rest.is_empty() {
        let (attribute, value) = rest.split_once("=\"")?;
        let known = attribute.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (_, after) = value.split_once('"')?;
        if attribute.is_empty() || !known {
            return None;
        }
        rest = after.trim_start();
    }
    let known = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (known && !name.is_empty()).then_some(name)
}

/// What is wrong with a document of one element with this first tag.
fn malformed(text: &str, first: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim();
    if !rest.starts_with(first) {
        return Some(format!("it begins with {rest:.40}"));
    }
    while let Some((before, after)) = rest.split_once('<') {
        let Some((tag, after)) = after.split_once('>') else {
            return Some(format!("at <{after:.40}, which does not end"));
        };
        let closes = tag.strip_prefix('/');
        let empty = tag.strip_suffix('/');
        let named = element(empty.or(closes).unwrap_or(tag).trim_end());
        let nested = match (named, closes) {
            (None, _) => false,
            (Some(name), Some(_)) => open.pop() == Some(name),
            (Some(name), None) => {
                if empty.is_none() {
                    open.push(name);
                }
                true
            }
        };
        if !nested || !before.trim().is_empty() || (open.is_empty() && !after.trim().is_empty()) {
            return Some(format!("at <{tag}>, within {open:?}"));
        }
        rest = after;
    }
    (!open.is_empty() || !rest.trim().is_empty()).then(|| format!("at its end, within {open:?}"))
}

fn malloc_info(family: &Family) -> Outcome {
    let mut blocks = pile(family, 4 * MIB, 700)?;
    // Half of them go, so that there is something to tell.
    for block in blocks.drain(..3000) {
        family.free(block);
    }
    let text = document(family)?;
    blocks.into_iter().for_each(|block| family.free(block));
    match malformed(&text, "<malloc version=\"1\">") {
        None => Ok(()),
        Some(wrong) => Err(broken(wrong)),
    }
}

fn malloc_info_options(family: &Family) -> Outcome {
    for options in [1, -1, 7] {
        let (code, text) = family.info(options).ok_or(Seen::Missing("malloc_info"))?;
        ensure(code != 0 && text.is_empty(), || {
            format!(
                "of {options} it returned {code} and wrote {} bytes",
                text.len()
            )
        })?;
    }
    Ok(())
}

fn malloc_info_system(family: &Family) -> Outcome {
    let blocks = pile(family, 32 * MIB, 3000)?;
    let text = document(family)?;
    blocks.into_iter().for_each(|block| family.free(block));
    // The last of them is that of the whole; the heaps have their own before.
    let (_, after) = text
        .rsplit_once("<system type=\"current\" size=\"")
        .ok_or(broken("it tells no <system type=\"current\">"))?;
    let number = after.split('"').next().unwrap_or_default();
    let told = number.parse::<usize>().unwrap_or(0);
    ensure(told >= 31 * MIB, || {
        format!("it tells {told} bytes with 32 MiB in blocks")
    })
}

fn malloc_stats(family: &Family) -> Outcome {
    let mut there = true;
    let text = said(|| there = family.stats());
    let text = text.map_err(|error| broken(format!("memfd_create: {error}")))?;
    if !there {
        return Err(Seen::Missing("malloc_stats"));
    }
    ensure(text.lines().count() > 1 && text.ends_with('\n'), || {
        format!("it wrote {} bytes: {text:.60}", text.len())
    })?;
    let silent = said(|| family.free_at(0));
    let silent = silent.map_err(|error| broken(format!("memfd_create: {error}")))?;
    ensure(silent.is_empty(), || {
        format!("free(NULL) wrote {silent:.60}")
    })
}

fn trimmed(family: &Family, pad: usize) -> Result<i32, Seen> {
    let answer = family.trim(pad).ok_or(Seen::Missing("malloc_trim"))?;
    ensure(answer == 0 || answer == 1, || {
        format!("malloc_trim({pad}) answered {answer}")
    })?;
    Ok(answer)
}

fn malloc_trim(family: &Family) -> Outcome {
    for bits in 4..24 {
        let block = get(family, malloc(1 << bits))?;
        trimmed(family, 0)?;
        family.free(block);
        for pad in [0, 1 << bits, MIB, usize::MAX / 2] {
            trimmed(family, pad)?;
        }
    }
    Ok(())
}

fn malloc_trim_keeps(family: &Family) -> Outcome {
    let mut blocks = Vec::new();
    for i in 0..20_000_usize {
        blocks.push(filled(family, malloc(1 + i * 31 % 9000), i as u64)?);
        if i % 3 == 2 {
            let block = blocks.swap_remove(i * 7 % blocks.len());
            family.free(block);
        }
        if i % 2000 == 0 {
            trimmed(family, 0)?;
        }
    }
    trimmed(family, 0)?;
    let mut blocks = blocks.into_iter();
    blocks.try_for_each(|block| put_back(family, block, "after malloc_trim"))
}

fn malloc_trim_returns(family: &Family) -> Outcome {
    let before = resident()?;
    let blocks = pile(family, 64 * MIB, 1000)?;
    let full = resident()?.saturating_sub(before);
    blocks.into_iter().for_each(|block| family.free(block));
    let freed = resident()?.saturating_sub(before);
    let answer = trimmed(family, 0)?;
    let kept = resident()?.saturating_sub(before);
    ensure(kept <= full / 4, || {
        format!("{} of {} MiB stay", kept / MIB, full / MIB)
    })?;
    // Where free gave it back already there was nothing left to do.
    ensure(answer == 1 || freed <= full / 4, || {
        format!("it answered {answer}")
    })
}

fn malloc_trim_threads(family: &Family) -> Outcome {
    super::process::amid_threads(family, 200, || {
        let block = filled(family, malloc(50_000), 5)?;
        trimmed(family, 0)?;
        put_back(family, block, "while malloc_trim was called")
    })
}

fn set(family: &Family, parameter: i32, value: i32) -> Result<i32, Seen> {
    family
        .mallopt(parameter, value)
        .ok_or(Seen::Missing("mallopt"))
}

fn mallopt(family: &Family) -> Outcome {
    for parameter in [-12345, 12345, i32::MIN, i32::MAX] {
        let answer = set(family, parameter, 1)?;
        ensure(answer == 0 || answer == 1, || {
            format!("mallopt({parameter}, 1) answered {answer}")
        })?;
    }
    let block = filled(family, malloc(3 << 19), 1)?;
    put_back(family, block, "after unknown parameters")
}

fn mallopt_known(family: &Family) -> Outcome {
    let known = [
        (libc::M_MXFAST, 64),
        (libc::M_TRIM_THRESHOLD, 1 << 20),
        (libc::M_TOP_PAD, 1 << 20),
        (libc::M_MMAP_THRESHOLD, 1 << 20),
        (libc::M_MMAP_MAX, 100),
        (libc::M_CHECK_ACTION, 3),
        (libc::M_PERTURB, 0),
        (libc::M_ARENA_TEST, 4),
        (libc::M_ARENA_MAX, 4),
    ];
    for (parameter, value) in known {
        let answer = set(family, parameter, value)?;
        ensure(answer == 1, || {
            format!("mallopt({parameter}, {value}) answered {answer}")
        })?;
        for size in [10, 1000, 100_000, 3 << 20] {
            let block = filled(family, malloc(size), 1)?;
            put_back(family, block, "after mallopt")?;
        }
    }
    Ok(())
}

fn mallopt_range(family: &Family) -> Outcome {
    // The manual: 80 * sizeof(size_t) / 4 is the most.
    for (value, wanted) in [(160, 1), (161, 0), (100_000, 0), (0, 1)] {
        let answer = set(family, libc::M_MXFAST, value)?;
        ensure(answer == wanted, || {
            format!("mallopt(M_MXFAST, {value}) answered {answer}")
        })?;
    }
    Ok(())
}

const PERTURB: i32 = 0x5a;

fn mallopt_perturb(family: &Family) -> Outcome {
    set(family, libc::M_PERTURB, PERTURB)?;
    for size in [24, 100, 1000, 5000, 60_000] {
        for _ in 0..50 {
            let mut block = get(family, malloc(size))?;
            let wanted = !(PERTURB as u8);
            if let Some(wrong) = block.first_but(wanted) {
                let (at, found) = (wrong.offset, wrong.found);
                return Err(broken(format!(
                    "malloc({size}): byte {at} is {found:#04x}, not {wanted:#04x}"
                )));
            }
            block.fill(1);
            family.free(block);
        }
    }
    Ok(())
}

fn mallopt_perturb_calloc(family: &Family) -> Outcome {
    set(family, libc::M_PERTURB, PERTURB)?;
    for round in 0..20 {
        for size in [24, 100, 1000, 5000, 60_000, 3 << 20] {
            let mut block = get(family, Call::Calloc { count: 1, size })?;
            ensure(block.dirty().is_none(), || {
                format!("calloc(1, {size}): {:?}", block.dirty())
            })?;
            block.fill(round);
            let grown = family.resize(block, size * 2);
            let block = grown.map_err(|_| broken(format!("realloc from {size} gave NULL")))?;
            intact(&block, "after realloc")?;
            family.free(block);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::malformed;

    const FIRST: &str = "<malloc version=\"1\">";

    #[test]
    fn a_document_that_is_right_is_taken() {
        let text = "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n</sizes>\n\
                    <total type=\"fast\" count=\"0\" size=\"0\"/>\n</heap>\n</malloc>\n";
        assert_eq!(malformed(text, FIRST), None);
    }

    #[test]
    fn documents_that_are_wrong_are_told() {
        for text in [
            "",
            "<malloc>\n</malloc>",
            "<malloc version=\"1\">",
            "<malloc version=\"1\"><heap></malloc></heap>",
            "<malloc version=\"1\"></malloc><more/>",
            "<malloc version=\"1\">text</malloc>",
            "<malloc version=\"1\"><heap nr=0></heap></malloc>",
            "<malloc version=\"1\"><total size=\"0\" / ></malloc>",
            "<malloc version=\"1\"></malloc",
        ] {
            assert!(malformed(text, FIRST).is_some(), "{text}");
        }
    }
}
