//! The reserve: one slice for signal handlers that have interrupted the allocator.
//!
//! A handler's allocation must not wait, for the lock that it would wait for may be held by the very thread that it
//! interrupted. When no borrowed heap has a block and the region's lock cannot be had, the block comes from here. The
//! bound is one slice (64 KiB) of such blocks alive at a time; beyond it such an allocation fails with ENOMEM.
//!
//! ```text
//!   0                                      top                64 KiB
//!   │ size │ block │ size │ block │ …      │ free             │
//! ```
//!
//! `inv:reserve.word` One word holds the top and the number of live blocks. Blocks are cut at the top; when the last live
//! one is freed the top goes back to the beginning. So nothing is given out twice, and nothing is waited for.
//!
//! `inv:reserve.size` Before each block stands its size, and after it is freed 0.

use crate::alloc::Allocator;
use crate::classes::GRAIN;
use crate::pal::Pal;
use crate::region::SLICE;
use crate::tls::Words;
use core::ptr::null_mut;
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{AcqRel, Acquire},
};

/// The state of the reserve.
#[derive(Debug)]
pub(crate) struct Reserve {
    /// The slice's distance from the region's base; 0 when there is no reserve.
    offset: AtomicUsize,
    /// The top in the lower half, the live blocks in the upper.
    word: AtomicU64,
}

const LIVE: u64 = 1 << 32;

impl Reserve {
    pub(crate) const fn new() -> Self {
        Self {
            offset: AtomicUsize::new(0),
            word: AtomicU64::new(0),
        }
    }

    /// Uses the slice at `offset`; false when there is one already.
    pub(crate) fn open(&self, offset: usize) -> bool {
        self.offset
            .compare_exchange(0, offset, AcqRel, Acquire)
            .is_ok()
    }

    /// Cuts `bytes`, a multiple of 16: the distance from the reserve's start.
    fn cut(&self, bytes: usize) -> Option<usize> {
        let cut = |word: u64| {
            let top = (word % LIVE) as usize + bytes;
            (top <= SLICE).then(|| word + bytes as u64 + LIVE)
        };
        let old = self.word.fetch_update(AcqRel, Acquire, cut).ok()?;
        Some((old % LIVE) as usize)
    }

    /// One block is freed.
    fn join(&self) {
        let join = |word: u64| {
            let left = word - LIVE;
            Some(if left < LIVE { 0 } else { left })
        };
        let (Ok(_) | Err(_)) = self.word.fetch_update(AcqRel, Acquire, join);
    }
}

impl<P: Pal + Words> Allocator<P> {
    /// A block of the reserve, or null.
    pub(crate) fn from_reserve(&self, bytes: usize) -> *mut u8 {
        let offset = self.reserve.offset.load(Acquire);
        if offset == 0 || bytes > SLICE {
            return null_mut();
        }
        let Some(at) = self.reserve.cut(bytes.next_multiple_of(GRAIN) + GRAIN) else {
            return null_mut();
        };
        let head = self.region.base().wrapping_add(offset + at);
        let size = bytes.next_multiple_of(GRAIN);
        // SAFETY: inv:reserve.word: the bytes from `head` on have been cut for this block.
        unsafe { head.cast::<usize>().write(size) };
        head.wrapping_add(GRAIN)
    }

    /// The usable size of a block of the reserve; `None` when it is none.
    pub(crate) fn size_in_reserve(&self, block: *const u8) -> Option<usize> {
        let start = self.region.base().addr() + self.reserve.offset.load(Acquire);
        let at = block.addr() - start;
        if at < GRAIN || at % GRAIN != 0 {
            return None;
        }
        // SAFETY: inv:reserve.size: the word lies in the reserve's slice.
        let size = unsafe { block.wrapping_sub(GRAIN).cast::<usize>().read() };
        (size != 0 && size % GRAIN == 0 && size <= SLICE - at).then_some(size)
    }

    /// Frees a block of the reserve.
    ///
    /// # Safety
    /// `size_in_reserve` has found it, and the caller gives it back.
    pub(crate) unsafe fn free_in_reserve(&self, block: *mut u8) {
        // SAFETY: inv:reserve.size: the word before the block is the block's until it is joined.
        unsafe { block.wrapping_sub(GRAIN).cast::<usize>().write(0) };
        self.reserve.join();
    }

    /// Whether nothing of the reserve is in use.
    #[cfg(test)]
    pub(crate) fn reserve_is_unused(&self) -> bool {
        self.reserve.word.load(Acquire) == 0
    }
}
