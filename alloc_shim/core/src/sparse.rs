//! Whether a program writes the large cleared blocks that it asks for, or only some places in them.
//!
//! Memory that the system gives is zero, and what is not written of it occupies nothing. But whoever writes a whole block pays a
//! fault for each page, several times what clearing costs; so memory that is at hand is cleared, unless blocks that were given new
//! memory have lately come back nearly unwritten. Then new memory is both less and faster.
//!
//! ```text
//!          blocks with new memory come back sparse
//!   CLEAR ─────────────────────────────────────────► NEW
//!     │ ▲             they come back dense             │
//!     │ └──────────────────────────────────────────────┘
//!     └─ one block in so many gets new memory, to find out: fewer and fewer while they come back dense
//! ```
//!
//! But a block that comes and goes alone is cleared: that costs less than the faults, and there is little to be won.
//!
//! How a block was used is seen by its contents in a few places, for to ask the system would be a call that sandboxes may not know.
//! Nothing depends on the answer but time and memory, so it is kept without care for races.

use crate::page::PageEntry;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// By how much sparse blocks must prevail for new memory to be taken, and the most that is counted.
const ENOUGH: u32 = 4;
const MOST: u32 = 12;

/// How much a dense block counts against.
const DENSE: u32 = 2;

/// Between two blocks that get new memory to find out: so many at first, and so many at last. When nearly all have been sparse, one
/// in so many as at first is looked at.
const FIRST_PAUSE: u32 = 64;
const LAST_PAUSE: u32 = 1024;

/// In how many places a block is looked at, and how much of each.
const PLACES: usize = 4;
const PLACE: usize = 4096;

/// What large cleared blocks have been like.
#[derive(Debug)]
pub(crate) struct Sparse {
    score: AtomicU32,
    /// Large cleared blocks that are in use.
    held: AtomicU32,
    pause: AtomicU32,
    /// How many blocks come before the next that is to find out.
    left: AtomicU32,
}

impl Sparse {
    pub(crate) const fn new() -> Self {
        Self {
            score: AtomicU32::new(0),
            held: AtomicU32::new(0),
            pause: AtomicU32::new(FIRST_PAUSE),
            left: AtomicU32::new(FIRST_PAUSE),
        }
    }

    /// Whether the block that is asked for now gets new memory.
    pub(crate) fn wants_new(&self) -> bool {
        if self.prevail() {
            return true;
        }
        let left = self.left.load(Relaxed);
        let next = left.checked_sub(1).unwrap_or(self.pause.load(Relaxed));
        self.left.store(next, Relaxed);
        left == 0
    }

    /// Whether sparse blocks prevail, and there are others than the one that is asked for.
    pub(crate) fn prevail(&self) -> bool {
        self.score.load(Relaxed) >= ENOUGH && self.held.load(Relaxed) > 0
    }

    /// A large cleared block is given out.
    pub(crate) fn begin(&self) {
        self.held.fetch_add(1, Relaxed);
    }

    /// It comes back.
    pub(crate) fn end(&self) {
        self.held.fetch_sub(1, Relaxed);
    }

    /// Whether a block that comes back need not be looked at. To look at what was not written is a fault for each place.
    pub(crate) fn is_known(&self) -> bool {
        let left = self.left.load(Relaxed);
        let known = self.score.load(Relaxed) == MOST && left > 0;
        self.left
            .store(if known { left - 1 } else { left }, Relaxed);
        known
    }

    /// A block that had got new memory has come back.
    pub(crate) fn learn(&self, sparse: bool) {
        let (score, pause) = (self.score.load(Relaxed), self.pause.load(Relaxed));
        let (score, pause) = match sparse {
            true => ((score + 1).min(MOST), FIRST_PAUSE),
            false => (score.saturating_sub(DENSE), (pause * 2).min(LAST_PAUSE)),
        };
        self.score.store(score, Relaxed);
        self.pause.store(pause, Relaxed);
        self.left.store(pause, Relaxed);
    }
}

impl PageEntry {
    /// The large block was to be cleared, and got memory that was new or not.
    pub(crate) fn set_cleared(&self, new: bool) {
        self.untouched.store(1 + u32::from(new), Relaxed);
    }

    /// Takes that note away: whether the memory was new, if the block was to be cleared.
    pub(crate) fn take_cleared(&self) -> Option<bool> {
        match self.untouched.swap(0, Relaxed) {
            0 => None,
            note => Some(note > 1),
        }
    }
}

/// Whether a block looks as if few of its pages were written.
///
/// # Safety
/// The memory can be read, is whole pages, and nobody writes to it.
pub(crate) unsafe fn looks_unwritten(start: *const u8, bytes: usize) -> bool {
    let is_zero = |place: usize| {
        // In the middle of an equal part, for programs write the ends.
        let at = (2 * place + 1) * bytes / (2 * PLACES) / PLACE * PLACE;
        let words = start.wrapping_add(at).cast::<u64>();
        // SAFETY: as the caller says; a page begins there.
        let words = unsafe { core::slice::from_raw_parts(words, PLACE / size_of::<u64>()) };
        words.iter().all(|word| *word == 0)
    };
    (0..PLACES).all(is_zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_memory_is_taken_while_sparse_blocks_prevail() {
        let blocks = Sparse::new();
        blocks.begin();
        for _ in 0..ENOUGH {
            assert!(!blocks.wants_new());
            blocks.learn(true);
        }
        assert!((0..1000).all(|_| blocks.wants_new()));
        blocks.end();
        assert!(!blocks.prevail());
        blocks.begin();
        assert!(blocks.prevail());
        blocks.learn(false);
        assert!(!blocks.wants_new());
        (0..100).for_each(|_| blocks.learn(true));
        for _ in 0..MOST.div_ceil(DENSE) {
            blocks.learn(false);
        }
        assert!(!blocks.wants_new());
    }

    #[test]
    fn less_and_less_is_asked_while_blocks_come_back_dense() {
        let blocks = Sparse::new();
        let mut asked = 0;
        for _ in 0..10_000 {
            if blocks.wants_new() {
                asked += 1;
                blocks.learn(false);
            }
        }
        assert!((8..20).contains(&asked), "{asked}");
        // And it is found out when that has changed.
        let until = (0..10_000).take_while(|_| {
            if blocks.wants_new() {
                blocks.learn(true);
                blocks.begin();
            }
            !blocks.prevail()
        });
        let until = until.count();
        assert!(until < 1200, "{until}");
    }

    #[test]
    fn where_all_are_sparse_few_are_looked_at() {
        let blocks = Sparse::new();
        let looked_at = (0..1000).filter(|_| {
            let look = !blocks.is_known();
            if look {
                blocks.learn(true);
            }
            look
        });
        assert!((15..40).contains(&looked_at.count()));
    }

    #[test]
    fn a_block_of_which_the_ends_are_written_is_sparse() {
        let mut block = vec![0_u64; (160 << 10) / 8];
        let bytes = block.len() * 8;
        let last = block.len() - 1;
        block[0] = 1;
        block[last] = 1;
        let looks = |block: &[u64]| {
            // SAFETY: the vector is borrowed.
            unsafe { looks_unwritten(block.as_ptr().cast(), bytes) }
        };
        assert!(looks(&block));
        block.chunks_mut(512).for_each(|page| page[100] = 1);
        assert!(!looks(&block));
    }
}
