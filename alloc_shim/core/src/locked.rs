//! The region as heaps use it: with the thread marked as one that may hold the region's lock, and without waiting where
//! it is marked already (`inv:word.locked`).
//!
//! ```text
//!   the thread may hold the lock     take                give
//!   no                               waits               waits
//!   yes: a handler interrupted it    tries a few times   tries, else the span is deferred: a chore for another
//! ```
//!
//! `inv:locked.deferred` A span whose entry is on the deferred stack is nobody's but the stack's; no block of it is live, and
//! whoever takes the stack gives it back.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::figures::Figures;
use crate::heap::entry;
use crate::page::{Kind, PageEntry};
use crate::pal::Pal;
use crate::region::{SLICE, Span};
use crate::remote::Linked;
use crate::threads::Busy;
use crate::tls::Words;
use core::sync::atomic::Ordering::Relaxed;

/// How often a call that may not wait tries for the lock, which another thread may hold for a moment.
const TRIES: usize = 100;

/// Marks the thread as one that may hold a lock, until dropped.
pub(crate) struct Locking<'a, P: Pal + Words>(Busy<'a, P>);

impl<P: Pal + Words> Drop for Locking<'_, P> {
    fn drop(&mut self) {
        self.0.words.set_locked(self.0.slot, false);
    }
}

impl<P: Pal + Words> Allocator<P> {
    /// Whether the thread may hold a lock of the allocator.
    pub(crate) fn is_locked(&self) -> bool {
        let words = self.words();
        words.locked(words.slot())
    }

    /// Marks the thread as one that may hold a lock. It was none.
    pub(crate) fn locking(&self) -> Locking<'_, P> {
        let busy = self.busy();
        busy.words.set_locked(busy.slot, true);
        Locking(busy)
    }

    /// Takes slices from the region.
    pub(crate) fn take_span(&self, slices: usize, align: usize, class: Class) -> Option<Span> {
        if self.is_locked() {
            let attempt = |_| {
                core::hint::spin_loop();
                self.region.take_now(slices, align, class)
            };
            return (0..TRIES).find_map(attempt);
        }
        let _locking = self.locking();
        self.region.take(slices, align, class)
    }

    /// Zeroed memory for tables of the allocator's own, never given back; it begins at a slice. The thread is busy.
    pub(crate) fn own_memory(&self, bytes: usize) -> Option<*mut u8> {
        let slices = bytes.div_ceil(SLICE);
        let span = self
            .boot()
            .then(|| self.take_span(slices, 1, Class::Runtime))??;
        let start = self.region.slice_start(span.first);
        self.entry(span.first).begin_own(start, slices, Kind::Heaps);
        if !span.zeroed {
            // SAFETY: inv:region.span: the memory is the allocator's, and so large.
            unsafe { start.write_bytes(0, slices * SLICE) };
        }
        Some(start)
    }

    /// The same for memory that is to be zero.
    pub(crate) fn take_zeroed(&self, slices: usize, align: usize, class: Class) -> Option<Span> {
        if self.is_locked() {
            return self.take_span(slices, align, class);
        }
        let _locking = self.locking();
        self.region.take_zeroed(slices, align, class)
    }

    /// Gives the span that begins at an entry back to the region, whatever it was. Nobody uses it any more.
    pub(crate) fn give_back(&self, begins: &PageEntry) {
        let (first, slices, class) = (self.slice_of(begins), begins.slices(), begins.class());
        if self.is_locked() {
            // Not tried: the entries would have to be cleared before it is known whether the lock is to be had.
            self.deferred.push(begins);
            self.leave_chore();
            return;
        }
        match begins.kind() {
            // A report of a double free tells it from what was never allocated.
            Kind::Freed => {}
            // inv:reserve.inside: not all later slices are marked, and what else stands in one is of a page that is gone.
            _ => (first..first + slices)
                .map(|slice| self.entry(slice))
                .filter(|at| core::ptr::eq(*at, begins) || at.kind() == Kind::Inside)
                .for_each(PageEntry::end),
        }
        let _locking = self.locking();
        self.region.give(first, slices, class);
    }

    /// The state of things now; none where the thread may hold the region's lock, which a handler has interrupted.
    pub fn figures(&self) -> Option<Figures> {
        if self.is_locked() {
            return None;
        }
        let _locking = self.locking();
        Some(self.region.figures())
    }

    /// In a forked child: does what could not be done to the region at the fork. The thread may wait.
    pub(crate) fn mend_region(&self) {
        let _locking = self.locking();
        self.region.mend();
    }

    /// Gives back what could not be given back at once. The thread may wait.
    pub(crate) fn give_deferred(&self) {
        // From here on they are this call's: inv:locked.deferred.
        let mut next = self.deferred.take_all();
        while let Some(begins) = entry(next) {
            next = begins.link().load(Relaxed);
            self.give_back(begins);
        }
    }
}
