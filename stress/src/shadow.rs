//! Which memory belongs to a live block: one bit for every eight bytes of the address space.
//!
//! ```text
//!   address: 47 bits = 17 (chunk of 1 GiB) + 21 (word of 512 bytes) + 6 (bit) + 3
//! ```
//!
//! A chunk's words (16 MiB, mostly untouched) are mapped when its first block comes. All of it is
//! atomics over mapped memory, so threads, signal handlers and forked children may use it at any
//! time, and nothing in it comes from the malloc under test.
//!
//! * `inv:shadow.order`: a block is claimed after the call that gave it returned, and released
//!   before the call that takes it back begins; so a set bit under a new block means that two live
//!   blocks share these bytes.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::raw::map_words;

const CHUNKS: usize = 1 << 17;
const CHUNK_BITS: u32 = 30;
const CHUNK_WORDS: usize = 1 << 21;

/// The map of live blocks.
pub(crate) struct Shadow {
    /// For each chunk the number of its words in `pools`, plus one; 0 if it has none.
    chunks: &'static [AtomicU64],
    /// The chunks' words, as many as there is room for.
    pool: &'static [AtomicU64],
    taken: AtomicU64,
}

/// How many chunks can be mapped: 64 GiB of address space with blocks in it. Where the system promises no more memory than it has, they
/// count once for each process, and a torture forks.
const POOL: usize = 64;

impl Shadow {
    /// An empty map. `None` if the system has no address space for it.
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            chunks: map_words(CHUNKS)?,
            // Address space only: what is not touched is never backed.
            pool: map_words(POOL * CHUNK_WORDS)?,
            taken: AtomicU64::new(0),
        })
    }

    /// The words of the chunk that an address lies in; `None` if there is no room for them.
    fn words(&self, address: usize) -> Option<&'static [AtomicU64]> {
        let chunk = self.chunks.get(address >> CHUNK_BITS)?;
        let mut number = chunk.load(Ordering::Acquire);
        if number == 0 {
            let fresh = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
            let swap = chunk.compare_exchange(0, fresh, Ordering::AcqRel, Ordering::Acquire);
            number = swap.map_or_else(|theirs| theirs, |_| fresh);
        }
        let first = (number as usize - 1) * CHUNK_WORDS;
        self.pool.get(first..first + CHUNK_WORDS)
    }

    /// Visits each word that the range touches, with the bits in question.
    fn each(&self, range: Range<usize>, mut visit: impl FnMut(&AtomicU64, u64, usize)) {
        let mut at = range.start & !7;
        while at < range.end {
            let base = at & !511;
            let end = range.end.min(base + 512);
            let first = (at - base) / 8;
            let last = (end - 1 - base) / 8;
            let bits = (u64::MAX >> (63 - last)) & (u64::MAX << first);
            if let Some(words) = self.words(at) {
                let word = (at >> 9) & (CHUNK_WORDS - 1);
                visit(&words[word], bits, base);
            }
            at = base + 512;
        }
    }

    /// Marks a block as live: the first address of it that already was, if any.
    pub(crate) fn claim(&self, start: usize, size: usize) -> Option<usize> {
        let mut clash = None;
        self.each(start..start + size.max(1), |word, bits, base| {
            let both = word.fetch_or(bits, Ordering::AcqRel) & bits;
            if both != 0 && clash.is_none() {
                clash = Some(base + both.trailing_zeros() as usize * 8);
            }
        });
        clash
    }

    /// Marks a block as gone.
    pub(crate) fn release(&self, start: usize, size: usize) {
        self.each(start..start + size.max(1), |word, bits, _| {
            word.fetch_and(!bits, Ordering::AcqRel);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_side_by_side_do_not_clash() {
        let shadow = Shadow::new().unwrap();
        assert_eq!(shadow.claim(0x7000_0000_1000, 24), None);
        assert_eq!(shadow.claim(0x7000_0000_1018, 8), None);
        assert_eq!(shadow.claim(0x7000_0000_1020, 100_000), None);
        assert_eq!(shadow.claim(0x7000_0000_0000, 4096), None);
    }

    #[test]
    fn each_shared_part_clashes() {
        let shadow = Shadow::new().unwrap();
        let (start, size) = (0x7000_3fff_f000, 8192);
        for other in [start - 4096, start, start + 8, start + size - 8] {
            assert_eq!(shadow.claim(start, size), None);
            let first = other.max(start);
            assert_eq!(shadow.claim(other, 4104), Some(first));
            shadow.release(start, size);
            shadow.release(other, 4104);
        }
    }

    #[test]
    fn what_is_released_can_be_claimed_again() {
        let shadow = Shadow::new().unwrap();
        let (start, size) = (0x5555_5555_5550, 3 << 30);
        assert_eq!(shadow.claim(start, size), None);
        assert_eq!(shadow.claim(start + size - 1, 1), Some(start + size - 8));
        shadow.release(start, size);
        assert_eq!(shadow.claim(start, size), None);
    }

    #[test]
    fn empty_blocks_have_a_place_of_their_own() {
        let shadow = Shadow::new().unwrap();
        assert_eq!(shadow.claim(0x1000, 0), None);
        assert_eq!(shadow.claim(0x1000, 0), Some(0x1000));
    }
}
