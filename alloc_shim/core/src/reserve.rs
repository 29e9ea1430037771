//! The reserve: memory for signal handlers that have interrupted a thread which may hold the region's lock.
//!
//! Such a handler's allocation must not wait (`inv:word.locked`). When no borrowed heap has a block and the lock is not to be
//! had at once, the block is cut from the reserve: a span that was taken in time, four megabytes where the region is large and no
//! limit on memory is near.
//! The next slow path of any thread that may wait replaces a reserve of which something was cut. So the bound is one
//! reserve between two such moments; beyond it the handler's allocation fails with ENOMEM.
//!
//! ```text
//!   0                                      top                  end
//!   │ size │ block │ size │ block │ …      │ free                │
//!
//!              close                 the last block is freed
//!    OPEN ──────────────► CLOSED ─────────────────────────────► given back
//! ```
//!
//! `inv:reserve.word` One word holds the top, the number of live blocks, and whether the reserve is closed. Blocks are cut
//! at the top of an open one; when the last live one is freed the top goes back to the beginning, or, of a closed one,
//! whoever freed it gives the span back. So nothing is given out twice, and nothing is waited for. The word of a span
//! that was given back stays closed, for whoever comes late.
//!
//! `inv:reserve.inside` A later slice is marked INSIDE before the first block that begins there is given out: nearly no reserve is ever
//! cut from, and the marks of all slices would be two pages of each process. Whoever else marks it then writes the same.
//!
//! `inv:reserve.size` Before each block stands its size, and after it is freed 0.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::classes::GRAIN;
use crate::page::{Kind, PageEntry};
use crate::pal::Pal;
use crate::region::SLICE;
use crate::tls::Words;
use core::ptr::null_mut;
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire, Release},
};

/// The most slices of a reserve, and how many times larger the region must be, and a limit on memory: a reserve counts there,
/// whether it is used or not.
const MOST: usize = 64;
const SHARE: usize = 64;

const TOP: u64 = (1 << 32) - 1;
const LIVE: u64 = 1 << 32;
const CLOSED: u64 = 1 << 63;

/// Where the open reserve is.
#[derive(Debug)]
pub(crate) struct Reserve {
    /// Its first slice; 0 when there is none.
    slice: AtomicUsize,
}

impl Reserve {
    pub(crate) const fn new() -> Self {
        Self {
            slice: AtomicUsize::new(0),
        }
    }
}

/// Cuts `bytes` at a multiple of `align` from a reserve between two addresses: the block's address.
fn cut(word: &AtomicU64, start: usize, end: usize, bytes: usize, align: usize) -> Option<usize> {
    let place = |word: u64| {
        let top = start + (word & TOP) as usize + GRAIN;
        let block = top.checked_next_multiple_of(align)?;
        let fits = word & CLOSED == 0 && block <= end && bytes <= end - block;
        fits.then_some(block)
    };
    let change = |word: u64| {
        let top = (place(word)? + bytes - start) as u64;
        Some((word & !TOP | top) + LIVE)
    };
    place(word.fetch_update(AcqRel, Acquire, change).ok()?)
}

/// One block is freed; true when the span is to be given back.
fn join(word: &AtomicU64) -> bool {
    let change = |word: u64| {
        let left = word - LIVE;
        Some(match left & !TOP {
            0 => 0,
            _ => left,
        })
    };
    let (Ok(old) | Err(old)) = word.fetch_update(AcqRel, Acquire, change);
    (old - LIVE) & !TOP == CLOSED
}

/// Nothing more is cut; true when the span is to be given back.
fn close(word: &AtomicU64) -> bool {
    word.fetch_or(CLOSED, AcqRel) & !TOP == 0
}

impl<P: Pal + Words> Allocator<P> {
    /// A block of the reserve, or null.
    pub(crate) fn cut_from_reserve(&self, bytes: usize, align: usize) -> *mut u8 {
        let bytes = bytes.next_multiple_of(GRAIN);
        let slice = self.reserve.slice.load(Acquire);
        if slice == 0 {
            return null_mut();
        }
        let entry = self.entry(slice);
        let start = self.region.slice_start(slice);
        let end = start.addr() + entry.slices() * SLICE;
        let Some(block) = cut(&entry.cut, start.addr(), end, bytes, align) else {
            return null_mut();
        };
        self.leave_chore();
        let at = block - start.addr();
        if at >= SLICE {
            self.entry(slice + at / SLICE).begin_inside(at / SLICE);
        }
        let block = start.wrapping_add(at);
        // SAFETY: inv:reserve.word: the sixteen bytes before the block have been cut with it.
        unsafe { block.wrapping_sub(GRAIN).cast::<usize>().write(bytes) };
        block
    }

    fn reserve_slices(&self) -> usize {
        let limit = self.words().data_limit().unwrap_or(usize::MAX);
        (self.region.size().min(limit) / SLICE / SHARE).clamp(1, MOST)
    }

    /// Puts a fresh reserve in the place of one of which something was cut. The thread may wait.
    pub(crate) fn renew_reserve(&self) {
        let old = self.reserve.slice.load(Acquire);
        if old != 0 && self.entry(old).cut.load(Acquire) & TOP == 0 {
            return;
        }
        let slices = self.reserve_slices();
        let Some(span) = self.take_span(slices, 1, Class::Runtime) else {
            return;
        };
        let entry = self.entry(span.first);
        let start = self.region.slice_start(span.first);
        entry.begin_own(start, slices, Kind::Reserve);
        entry.cut.store(0, Release);
        let (new, cell) = (span.first, &self.reserve.slice);
        if cell.compare_exchange(old, new, AcqRel, Acquire).is_err() {
            entry.cut.store(CLOSED, Release);
            self.give_back(entry);
        } else if old != 0 && close(&self.entry(old).cut) {
            self.give_back(self.entry(old));
        }
    }

    /// The usable size of a block of a reserve; `None` when it is none.
    pub(crate) fn size_in_reserve(&self, entry: &PageEntry, block: *const u8) -> Option<usize> {
        let start = self.region.slice_start(self.slice_of(entry));
        let at = block.addr() - start.addr();
        let end = entry.slices() * SLICE;
        if at < GRAIN || !at.is_multiple_of(GRAIN) {
            return None;
        }
        // SAFETY: inv:reserve.size: the word lies in the reserve.
        let size = unsafe { block.wrapping_sub(GRAIN).cast::<usize>().read() };
        (size != 0 && size.is_multiple_of(GRAIN) && size <= end - at).then_some(size)
    }

    /// Frees a block of a reserve.
    ///
    /// # Safety
    /// `size_in_reserve` has found it, and the caller gives it back.
    pub(crate) unsafe fn free_in_reserve(&self, entry: &PageEntry, block: *mut u8) {
        // SAFETY: inv:reserve.size: the word before the block is the block's until it is joined.
        unsafe { block.wrapping_sub(GRAIN).cast::<usize>().write(0) };
        if join(&entry.cut) {
            self.give_back(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_one_behind_the_other_until_the_end() {
        let word = AtomicU64::new(0);
        assert_eq!(cut(&word, 4096, 8192, 16, 16), Some(4112));
        assert_eq!(cut(&word, 4096, 8192, 16, 16), Some(4144));
        assert_eq!(cut(&word, 4096, 8192, 1024, 1024), Some(5120));
        assert_eq!(cut(&word, 4096, 8192, 4096, 16), None);
        assert_eq!(cut(&word, 4096, 8192, 16, 1 << 63), None);
        assert_eq!(cut(&word, 4096, 8192, 8192 - 6144 - 16, 16), Some(6160));
        assert_eq!(cut(&word, 4096, 8192, 0, 16), None);
    }

    #[test]
    fn an_open_reserve_begins_anew_when_its_last_block_is_freed() {
        let word = AtomicU64::new(0);
        let first = cut(&word, 4096, 8192, 16, 16);
        assert!(cut(&word, 4096, 8192, 16, 16).is_some());
        assert!(!join(&word) && !join(&word));
        assert_eq!(cut(&word, 4096, 8192, 16, 16), first);
    }

    #[test]
    fn a_closed_reserve_is_given_back_once_by_whoever_frees_last() {
        let word = AtomicU64::new(0);
        assert!(cut(&word, 4096, 8192, 16, 16).is_some());
        assert!(cut(&word, 4096, 8192, 16, 16).is_some());
        assert!(!close(&word));
        assert_eq!(cut(&word, 4096, 8192, 16, 16), None);
        assert!(!join(&word));
        assert!(join(&word));
        let unused = AtomicU64::new(0);
        assert!(close(&unused));
        assert_eq!(cut(&unused, 4096, 8192, 16, 16), None);
    }
}
