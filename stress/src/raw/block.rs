//! Blocks of the malloc under test, as values that own them, and the pattern they are filled with.
//!
//! The pattern is a function of a key and of the place within the block, so a byte that moved, a
//! byte of another block and a byte that was lost all show. It covers every byte that may be used,
//! not only those asked for. Blocks above 1 MiB carry it at both ends and in 64 bytes of every
//! page, above 64 MiB of every second, third or n-th page; the rest is left untouched, as programs
//! leave it.
//!
//! * `inv:block.owned`: a [`Block`] is the only owner of memory that the malloc under test gave and
//!   did not get back: it is made from an address that was just given, is not cloned, and is
//!   consumed where the address goes back.

use std::fmt;
use std::ops::Range;

/// The multiplier that tells places apart: odd, with its bits well spread.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Above this many bytes a block is filled sparsely.
const DENSE: usize = 1 << 20;

/// How much of each end of a sparse block is filled.
const END: usize = 64 << 10;

/// From here on pages are passed over, one more for each time that the length has this.
const MOST: usize = 64 << 20;

/// How much of each page between the ends of a sparse block is filled.
const PER_PAGE: usize = 64;

/// A call that asks for memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Malloc { size: usize },
    Calloc { count: usize, size: usize },
    PosixMemalign { align: usize, size: usize },
    AlignedAlloc { align: usize, size: usize },
    Memalign { align: usize, size: usize },
    Valloc { size: usize },
    Pvalloc { size: usize },
    New { size: usize },
}

impl Call {
    /// The bytes asked for. A product that overflows is no size: the largest number stands for it.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Calloc { count, size } => count.saturating_mul(size),
            Self::Malloc { size }
            | Self::PosixMemalign { size, .. }
            | Self::AlignedAlloc { size, .. }
            | Self::Memalign { size, .. }
            | Self::Valloc { size }
            | Self::Pvalloc { size }
            | Self::New { size } => size,
        }
    }

    /// The alignment promised for this call. A block of less than 16 bytes holds nothing that is
    /// aligned to more than its size, and C asks for no more than that; of a block of no bytes it
    /// asks for nothing.
    pub(crate) fn align(self) -> usize {
        match self {
            _ if self.size() == 0 => 1,
            Self::PosixMemalign { align, .. }
            | Self::AlignedAlloc { align, .. }
            | Self::Memalign { align, .. } => align,
            Self::Valloc { .. } | Self::Pvalloc { .. } => super::os::page(),
            Self::Malloc { .. } | Self::Calloc { .. } | Self::New { .. } => natural(self.size()),
        }
    }

    /// Whether the memory must be zero.
    pub(crate) const fn zeroed(self) -> bool {
        matches!(self, Self::Calloc { .. })
    }

    /// The name of the function and its arguments as words; the second is 0 if there is one only.
    pub(crate) const fn parts(self) -> (&'static str, usize, usize) {
        match self {
            Self::Malloc { size } => ("malloc", size, 0),
            Self::Calloc { count, size } => ("calloc", count, size),
            Self::PosixMemalign { align, size } => ("posix_memalign", align, size),
            Self::AlignedAlloc { align, size } => ("aligned_alloc", align, size),
            Self::Memalign { align, size } => ("memalign", align, size),
            Self::Valloc { size } => ("valloc", size, 0),
            Self::Pvalloc { size } => ("pvalloc", size, 0),
            Self::New { size } => ("operator new", size, 0),
        }
    }
}

/// What C promises of a block of this size: room for any object that fits.
pub(crate) fn natural(size: usize) -> usize {
    match size {
        0 | 1 => 1,
        2..16 => 1 << size.ilog2(),
        _ => 16,
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, first, second) = self.parts();
        match self {
            Self::Malloc { .. } | Self::Valloc { .. } | Self::Pvalloc { .. } | Self::New { .. } => {
                write!(f, "{name}({first})")
            }
            _ => write!(f, "{name}({first}, {second})"),
        }
    }
}

/// A byte that is not what it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    /// Where in the block.
    pub(crate) offset: usize,
    /// What was written there.
    pub(crate) wanted: u8,
    /// What is there.
    pub(crate) found: u8,
}

/// A block of the malloc under test.
#[derive(Debug)]
pub(crate) struct Block {
    start: usize,
    call: Call,
    asked: usize,
    usable: usize,
    key: u64,
    /// How many bytes the pattern was laid over; 0 if it was not.
    laid: usize,
    /// How many of them still have to carry it.
    kept: usize,
}

/// The parts of `length` bytes that carry the pattern, each beginning at a multiple of eight.
fn windows(length: usize) -> impl Iterator<Item = Range<usize>> {
    let dense = length <= DENSE;
    let first = if dense { length } else { END };
    let tail = if dense { length } else { (length - END) & !7 };
    let step = super::os::page() * (length / MOST + 1);
    let pages = (first..tail).step_by(step);
    let between = pages.map(move |at| at..(at + PER_PAGE).min(tail));
    std::iter::once(0..first)
        .chain(between)
        .chain(std::iter::once(tail..length))
}

/// The pattern's word at a place that is a multiple of eight.
const fn word_at(key: u64, offset: usize) -> [u8; 8] {
    key.wrapping_add((offset as u64).wrapping_mul(SPREAD))
        .to_ne_bytes()
}

#[inline(never)]
fn lay(bytes: &mut [u8], key: u64, offset: usize) {
    let mut at = offset;
    let mut words = bytes.chunks_exact_mut(8);
    for word in &mut words {
        word.copy_from_slice(&word_at(key, at));
        at += 8;
    }
    let rest = words.into_remainder();
    let last = word_at(key, at);
    rest.copy_from_slice(&last[..rest.len()]);
}

#[inline(never)]
fn compare(bytes: &[u8], key: u64, offset: usize) -> Result<(), Wrong> {
    for (i, found) in bytes.chunks(8).enumerate() {
        let at = offset + i * 8;
        let wanted = word_at(key, at);
        if found != &wanted[..found.len()] {
            let wrong = (0..found.len()).find(|&j| found[j] != wanted[j]);
            let j = wrong.unwrap_or(0);
            return Err(Wrong {
                offset: at + j,
                wanted: wanted[j],
                found: found[j],
            });
        }
    }
    Ok(())
}

impl Block {
    pub(super) fn new(start: usize, call: Call, usable: usize) -> Self {
        Self {
            start,
            call,
            asked: call.size(),
            usable,
            key: 0,
            laid: 0,
            kept: 0,
        }
    }

    /// The same block after `realloc` moved or kept it. Its pattern is that of before, as far as
    /// `realloc` promises to keep it: up to the lesser of both sizes asked for.
    pub(crate) fn moved(self, start: usize, asked: usize, usable: usize) -> Self {
        Self {
            start,
            call: Call::Malloc { size: asked },
            asked,
            usable,
            key: self.key,
            laid: self.laid,
            kept: self.kept.min(self.asked).min(asked),
        }
    }

    pub(crate) const fn start(&self) -> usize {
        self.start
    }

    pub(crate) const fn call(&self) -> Call {
        self.call
    }

    /// The bytes asked for.
    pub(crate) const fn asked(&self) -> usize {
        self.asked
    }

    /// The bytes that may be used: those asked for and what `malloc_usable_size` adds.
    pub(crate) fn usable(&self) -> usize {
        self.usable.max(self.asked)
    }

    /// What `malloc_usable_size` said, or the bytes asked for where there is none.
    pub(crate) const fn measured(&self) -> usize {
        self.usable
    }

    fn bytes(&self, range: Range<usize>) -> &[u8] {
        let place = std::ptr::with_exposed_provenance::<u8>(self.start + range.start);
        // SAFETY: inv:block.owned: the memory is there and this block's while it is borrowed.
        unsafe { std::slice::from_raw_parts(std::hint::black_box(place), range.len()) }
    }

    fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        let place = std::ptr::with_exposed_provenance_mut::<u8>(self.start + range.start);
        // SAFETY: inv:block.owned: the memory is there and this block's while it is borrowed.
        unsafe { std::slice::from_raw_parts_mut(std::hint::black_box(place), range.len()) }
    }

    /// Lays the pattern of this key over all that may be used.
    pub(crate) fn fill(&mut self, key: u64) {
        self.fill_part(key, self.usable());
    }

    /// Lays the pattern of this key over the first `length` bytes.
    pub(crate) fn fill_part(&mut self, key: u64, length: usize) {
        let length = length.min(self.usable());
        for window in windows(length) {
            let start = window.start;
            lay(self.bytes_mut(window), key, start);
        }
        self.key = key;
        self.laid = length;
        self.kept = length;
    }

    /// Whether the pattern is still there.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        for window in windows(self.laid) {
            let end = window.end.min(self.kept);
            if window.start < end {
                compare(self.bytes(window.start..end), self.key, window.start)?;
            }
        }
        Ok(())
    }

    /// The first byte of those asked for that is not zero.
    pub(crate) fn dirty(&self) -> Option<Wrong> {
        self.first_but(0)
    }

    /// The first byte of those asked for that is not this.
    pub(crate) fn first_but(&self, wanted: u8) -> Option<Wrong> {
        let bytes = self.bytes(0..self.asked);
        let offset = bytes.iter().position(|&byte| byte != wanted)?;
        Some(Wrong {
            offset,
            wanted,
            found: bytes[offset],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ordinary memory in the place of a block.
    fn block(memory: &mut [u8]) -> Block {
        let start = memory.as_mut_ptr().expose_provenance();
        let size = memory.len();
        Block::new(start, Call::Malloc { size }, size)
    }

    #[test]
    fn each_lost_byte_shows() {
        for size in [1, 7, 8, 9, 100, 4096] {
            for lost in 0..size {
                let mut memory = vec![0; size];
                let mut block = block(&mut memory);
                block.fill(42);
                assert_eq!(block.check(), Ok(()));
                block.bytes_mut(lost..lost + 1)[0] ^= 0x10;
                let wrong = block.check().unwrap_err();
                assert_eq!(wrong.offset, lost);
                assert_eq!(wrong.wanted ^ 0x10, wrong.found);
                // `realloc` to as little keeps nothing of it.
                let start = block.start();
                assert_eq!(block.moved(start, lost, size).check(), Ok(()));
            }
        }
    }

    #[test]
    fn large_blocks_show_a_lost_page() {
        for size in [DENSE, DENSE + 1, DENSE + END + 13, 3 * DENSE + 4097] {
            let mut memory = vec![0; size];
            let mut block = block(&mut memory);
            block.fill(7);
            assert_eq!(block.check(), Ok(()));
            for page in 0..size / 4096 {
                let start = page * 4096;
                let before = block.bytes(start..start + 4096).to_vec();
                block.bytes_mut(start..start + 4096).fill(0);
                assert!(block.check().is_err(), "page {page} of {size} bytes");
                block
                    .bytes_mut(start..start + 4096)
                    .copy_from_slice(&before);
            }
            assert_eq!(block.check(), Ok(()));
        }
    }

    #[test]
    fn another_blocks_pattern_is_told() {
        let mut memory = vec![0; 64];
        let mut block = block(&mut memory);
        block.fill(1);
        lay(block.bytes_mut(32..64), 2, 0);
        assert_eq!(block.check().unwrap_err().offset, 32);
    }

    #[test]
    fn dirt_is_found() {
        let mut memory = vec![0; 100];
        let mut block = block(&mut memory);
        assert_eq!(block.dirty(), None);
        block.bytes_mut(99..100)[0] = 3;
        let wrong = Wrong {
            offset: 99,
            wanted: 0,
            found: 3,
        };
        assert_eq!(block.dirty(), Some(wrong));
    }

    #[test]
    fn calls_read_as_in_c() {
        let call = Call::PosixMemalign {
            align: 64,
            size: 100,
        };
        assert_eq!(call.to_string(), "posix_memalign(64, 100)");
        assert_eq!(Call::Malloc { size: 3 }.to_string(), "malloc(3)");
        let (count, size) = (usize::MAX, 2);
        assert_eq!(Call::Calloc { count, size }.size(), usize::MAX);
    }

    #[test]
    fn small_blocks_need_little_alignment() {
        let of = [0, 1, 2, 3, 4, 7, 8, 15, 16, 17].map(natural);
        assert_eq!(of, [1, 1, 2, 2, 4, 4, 8, 8, 16, 16]);
    }
}
