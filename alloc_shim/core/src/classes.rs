//! Size classes: which blocks there are, and how many of them a page holds.
//!
//! Up to 256 bytes a class every 16 bytes, above that eight classes to each doubling, so that a block is at most an eighth
//! larger than what was asked for. The largest is 128 KiB; beyond it a request gets a span of its own ([`crate::large`]), where
//! whole slices waste less than half as much.
//!
//! ```text
//! bin   0      1   2   …   16   18   20  …   32   36   40  …    64    65    66  …    72    73  …     120
//! size  none  16  32  …  256  288  320  …  512  576  640  …  1024  1152  1280  …  2048  2304  …  131072
//! ```
//!
//! Up to 1 KiB a size is its bin times 16, so that a bin for a size is found by one shift. The bins between, and bin 0, have no pages of
//! their own: what they ask for comes from the next bin that does ([`SizeClass::first`]).
//! A class costs each thread that uses it half a page and more, so more classes than eight to a doubling waste more than they save.
//!
//! `inv:class.align` Every size is a multiple of 16, and a page begins where a slice begins; so a block is aligned to
//! the largest power of two that divides its size, though to no more than a slice, and every power of two from 16 to 128 KiB is
//! a size.
//!
//! `inv:class.rounded` What is a multiple of a power of two gets a block whose size is one, too. Between two powers of two the classes are
//! equally far apart, and that distance is a power of two: an alignment that divides it divides all of their sizes, and of one that it
//! divides every multiple there is a size.
//!
//! `inv:class.exact` `offset * factor` wraps to `number * step` where the block with this number begins at the offset, and to
//! 2⁴⁷ or more at any other offset in a page. All steps of a page together stay below 2²⁰, so one comparison tells whether one of
//! its first blocks begins there. The factor is about 2⁶⁴ / size (after Lemire, Kaser, Kurz: Faster remainder by direct
//! computation, 2019), but never exactly, so that the step is never zero.
//!
//! A page is as few slices as waste little at its end. Absent: a class for zero bytes; `malloc(0)` gets the smallest.

use crate::region::SLICE;

/// The alignment of every block, and the step of the small classes.
pub const GRAIN: usize = 16;
/// The largest size for which a shift finds a bin.
pub const SMALL: usize = 1024;
/// The largest size that has a class.
pub const LARGEST: usize = 128 << 10;
/// Number of bins, those without pages counted.
pub const BINS: usize = SMALL_BINS + 8 * (LARGEST / SMALL).ilog2() as usize;

/// The size up to which there is a class every 16 bytes; up to twice as much there is one every 32.
const FINE: usize = 256;
const SMALL_BINS: usize = SMALL / GRAIN + 1;
/// The most slices that a page has.
pub const MOST_SLICES: usize = 8;
/// Which part of a page's blocks may be free while the page counts as full.
const WAKING_SHARE: usize = 16;

/// What is fixed for the pages of one class.
#[derive(Clone, Copy, Debug)]
pub struct SizeClass {
    /// Bytes of a block.
    pub size: u32,
    /// Slices of a page.
    pub slices: u32,
    /// Bytes of a page that blocks take up: a whole number of blocks.
    pub extent: u32,
    /// How many blocks these are.
    pub blocks: u32,
    /// How many of them must be free for a full page to be used again, at least one.
    pub waking: u32,
    /// The first of the bins for which its pages serve.
    pub first: u32,
    /// The least number above 2⁶⁴ / size.
    pub factor: u64,
    /// By how much `size * factor` is more than 2⁶⁴.
    pub step: u64,
}

/// Table of the classes by bin.
pub static CLASSES: [SizeClass; BINS] = table();

const fn table() -> [SizeClass; BINS] {
    let mut table = [SizeClass {
        size: 0,
        slices: 0,
        extent: 0,
        blocks: 0,
        waking: 0,
        first: 0,
        factor: 0,
        step: 0,
    }; BINS];
    let mut bin = 1;
    while bin < BINS {
        let size = size_of(bin);
        let slices = slices_for(size);
        let blocks = slices * SLICE / size;
        table[bin] = SizeClass {
            size: size as u32,
            slices: slices as u32,
            extent: (blocks * size) as u32,
            blocks: blocks as u32,
            waking: waking_for(blocks) as u32,
            first: first_for(bin) as u32,
            factor: factor(size as u64),
            step: factor(size as u64).wrapping_mul(size as u64),
        };
        bin += 1;
    }
    table
}

/// The first of the bins for which the pages of `bin` serve.
const fn first_for(bin: usize) -> usize {
    if bin == 1 {
        return 0;
    }
    let mut first = bin;
    while first < SMALL_BINS && bin_of((first - 1) * GRAIN) == bin {
        first -= 1;
    }
    first
}

const fn waking_for(blocks: usize) -> usize {
    if blocks < WAKING_SHARE {
        1
    } else {
        blocks / WAKING_SHARE
    }
}

const fn factor(size: u64) -> u64 {
    // Where the size divides 2⁶⁴ this is one less than the quotient.
    let below = u64::MAX / size;
    if size.is_power_of_two() {
        below + 2
    } else {
        below + 1
    }
}

const fn size_of(bin: usize) -> usize {
    if bin < SMALL_BINS {
        return bin * GRAIN;
    }
    let step = bin - SMALL_BINS;
    let doubling = SMALL << (step / 8);
    doubling + doubling / 8 * (step % 8 + 1)
}

/// The fewest slices that hold four blocks, or two that are larger than a slice, and waste at most a sixteenth; where none does,
/// the ones that waste least.
const fn slices_for(size: usize) -> usize {
    let few = if size > SLICE { 2 } else { 4 };
    let (mut best, mut least) = (MOST_SLICES, usize::MAX);
    let mut slices = 1;
    while slices <= MOST_SLICES {
        let bytes = slices * SLICE;
        // In thousandths of the page, so that pages of different lengths compare.
        let waste = bytes % size * 1000 / bytes;
        if bytes / size >= few {
            if waste * 16 <= 1000 {
                return slices;
            }
            if waste < least {
                (best, least) = (slices, waste);
            }
        }
        slices += 1;
    }
    best
}

/// The bin for `bytes`, which must be at most [`LARGEST`]. For none it is bin 0, which has no pages of its own: whoever makes
/// one takes bin 1 then.
#[inline(always)]
pub const fn bin_of(bytes: usize) -> usize {
    debug_assert!(bytes <= LARGEST);
    if bytes <= SMALL {
        let steps = if bytes <= FINE {
            1
        } else if bytes <= 2 * FINE {
            2
        } else {
            4
        };
        return bytes.div_ceil(GRAIN * steps) * steps;
    }
    bin_above_small(bytes)
}

/// The bin for `bytes`, which must be more than [`SMALL`] and at most [`LARGEST`].
#[inline(always)]
pub const fn bin_above_small(bytes: usize) -> usize {
    let top = (bytes - 1).ilog2();
    let eighth = (bytes - 1) >> (top - 3) & 7;
    SMALL_BINS + (top - SMALL.ilog2()) as usize * 8 + eighth
}

/// The sizes whose pages others share.
const SHARED: [usize; 2] = [256, 1024];

/// The bin whose pages also give blocks of `bin`, which may be it; none where that is too large. What a block of `bin` is a multiple of
/// that is a power of two, the other's is, too.
pub fn shared_bin(bin: usize) -> Option<usize> {
    let size = CLASSES[bin].size as usize;
    let coarse = SHARED.into_iter().find(|coarse| size <= *coarse)?;
    Some(bin_of(coarse))
}

/// The smallest bin whose blocks hold `bytes`, also where that is 0, and begin at multiples of `align`, a power of two of any
/// size: inv:class.rounded. `None` when only a span of its own will do.
#[inline(always)]
pub const fn bin_for(bytes: usize, align: usize) -> Option<usize> {
    if bytes > LARGEST || align > SLICE {
        return None;
    }
    match rounded(bytes, align) {
        bytes if bytes <= LARGEST => Some(bin_of(bytes)),
        _ => None,
    }
}

/// The bin that a shift finds for blocks of `bytes` at multiples of `align`, a power of two, where both are less than [`SMALL`];
/// `None` where they are not. The bin may be one without pages of its own.
#[inline(always)]
pub const fn bin_shifted(bytes: usize, align: usize) -> Option<usize> {
    if bytes | align >= SMALL {
        return None;
    }
    // What `div_ceil` does, for numbers so small that nothing overflows.
    let bin = (rounded(bytes, align) + GRAIN - 1) >> GRAIN.ilog2();
    // SAFETY: both are less than a power of two, so that the multiple of `align` is not above it.
    unsafe { core::hint::assert_unchecked(bin <= SMALL / GRAIN) };
    Some(bin)
}

/// The next multiple of `align`, a power of two, that is not 0.
#[inline(always)]
const fn rounded(bytes: usize, align: usize) -> usize {
    let bytes = if bytes == 0 { 1 } else { bytes };
    (bytes + align - 1) & !(align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bin_of_every_size_is_the_smallest_that_holds_it() {
        let mut smaller = 0;
        for bytes in 1..=LARGEST {
            let size = CLASSES[bin_of(bytes)].size as usize;
            assert!(smaller < bytes && bytes <= size, "{bytes}");
            if bytes == size {
                smaller = size;
            }
        }
        assert_eq!(bin_of(0), 0);
        assert_eq!(bin_of(LARGEST), BINS - 1);
    }

    #[test]
    fn a_block_is_at_most_an_eighth_larger_than_asked() {
        for bytes in 129..=LARGEST {
            let size = CLASSES[bin_of(bytes)].size as usize;
            assert!((size - bytes) * 8 <= bytes, "{bytes} in {size}");
        }
    }

    #[test]
    fn each_bin_that_a_shift_finds_is_served_by_the_one_for_its_size() {
        for shifted in 0..=SMALL / GRAIN {
            let bin = bin_of(shifted * GRAIN).max(1);
            let serves = |bin: usize| (CLASSES[bin].first as usize..=bin).contains(&shifted);
            assert!(serves(bin), "{shifted}");
            let mut others = (1..BINS).filter(|&other| other != bin && other != shifted);
            assert!(!others.any(serves), "{shifted}");
        }
        assert_eq!((CLASSES[1].first, CLASSES[16].first), (0, 16));
        assert_eq!((CLASSES[64].first, CLASSES[65].first), (61, 65));
    }

    #[test]
    fn the_sizes_that_share_pages_hold_and_align_what_others_do() {
        for (bin, class) in CLASSES.iter().enumerate().skip(1) {
            let size = class.size as usize;
            let Some(coarse) = shared_bin(bin) else {
                assert!(size > 1024);
                continue;
            };
            let larger = CLASSES[coarse].size as usize;
            assert!(size <= larger && larger <= (4 * size).max(256));
            assert!(larger.trailing_zeros() >= size.trailing_zeros());
        }
    }

    #[test]
    fn pages_hold_whole_blocks_and_waste_little() {
        for class in &CLASSES[1..] {
            let bytes = class.slices as usize * SLICE;
            assert_eq!(class.extent % class.size, 0);
            assert!(class.extent as usize <= bytes);
            assert!((bytes - class.extent as usize) * 14 <= bytes, "{class:?}");
            let few = if class.size as usize > SLICE { 2 } else { 4 };
            assert!(class.extent / class.size >= few, "{class:?}");
            assert_eq!(class.size as usize % GRAIN, 0);
        }
    }

    #[test]
    fn the_factor_tells_block_starts_from_all_other_offsets() {
        for class in &CLASSES[1..] {
            let size = u64::from(class.size);
            assert!(class.step > 0);
            assert!(u64::from(class.extent) / size * class.step < 1 << 20);
            for offset in 0..class.slices as u64 * SLICE as u64 {
                let product = offset.wrapping_mul(class.factor);
                if offset % size == 0 {
                    assert_eq!(product, offset / size * class.step);
                } else {
                    assert!(product >= 1 << 47, "{offset} in {class:?}");
                }
            }
        }
    }

    #[test]
    fn aligned_blocks_come_from_classes_whose_size_the_alignment_divides() {
        for shift in 0..=16 {
            let align = 1 << shift;
            for bytes in (0..=SMALL).chain((0..=LARGEST).step_by(7)).chain([LARGEST]) {
                let bin = bin_for(bytes, align).expect("at most 128 KiB");
                let size = CLASSES[bin].size as usize;
                assert!(size.is_multiple_of(align) && size >= bytes);
                let smaller = (bin_of(bytes).max(1)..bin).map(|bin| CLASSES[bin].size as usize);
                assert!(
                    smaller
                        .filter(|size| *size > 0)
                        .all(|size| !size.is_multiple_of(align))
                );
                if let Some(shifted) = bin_shifted(bytes, align) {
                    assert!(
                        (CLASSES[bin].first as usize..=bin).contains(&shifted),
                        "{bytes}"
                    );
                }
            }
            assert_eq!(bin_for(LARGEST + 1, align), None);
        }
        assert_eq!(bin_for(usize::MAX, 32), None);
        assert_eq!(bin_for(1, 128 << 10), None);
        assert_eq!(bin_for(LARGEST, usize::MAX / 2 + 1), None);
        assert_eq!(bin_shifted(SMALL, 16), None);
        assert_eq!(bin_shifted(16, SMALL), None);
        assert_eq!(bin_shifted(usize::MAX, 16), None);
    }
}
