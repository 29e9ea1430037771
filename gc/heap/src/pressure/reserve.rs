//! What is kept back of the limit, so that whoever is told of a full heap has memory to react in.
//!
//! Absent on purpose: an object that is given up. To make it anew takes room, and where the data that
//! filled the heap are still there when the program has reacted, there is none.

use super::{Pressure, SMALL};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The limit that is in force.
pub(super) struct Reserve {
    bytes: AtomicUsize,
    ceiling: AtomicUsize,
    lent: AtomicBool,
    /// The size is no less while the reserve is lent: a collection at each poll would give nothing.
    floor: AtomicUsize,
}

impl Reserve {
    pub(super) fn none(limit: usize) -> Self {
        Reserve {
            bytes: AtomicUsize::new(0),
            ceiling: AtomicUsize::new(limit),
            lent: AtomicBool::new(false),
            floor: AtomicUsize::new(0),
        }
    }

    /// What the size counts as at least.
    pub(super) fn floor(&self) -> usize {
        self.floor.load(Relaxed)
    }
}

impl Pressure {
    /// By how much the total, and `bytes` more, passes the limit.
    /// The last sixteenth is for small requests.
    pub(super) fn beyond_limit(&self, bytes: usize) -> usize {
        let spared = if bytes > SMALL { self.limit() / 16 } else { 0 };
        let wanted = self.total().saturating_add(bytes);
        // The collector may be about to change both: the ceiling may still be another limit's.
        let ceiling = self.reserve.ceiling.load(Relaxed).saturating_sub(spared);
        wanted.saturating_sub(ceiling)
    }

    /// Whether the total is beyond the limit.
    pub(crate) fn is_beyond_limit(&self) -> bool {
        self.beyond_limit(0) > 0
    }

    /// Whether it is without what finalizers are about to give back.
    pub(crate) fn lasts_beyond_limit(&self) -> bool {
        let lasting = self.heap.load(Relaxed) + self.lasting();
        lasting > self.reserve.ceiling.load(Relaxed)
    }

    /// Keeps `bytes` of the limit back.
    pub(crate) fn keep_reserve(&self, bytes: usize) {
        self.reserve.bytes.store(bytes, Relaxed);
        self.take_reserve_back();
    }

    /// Lets as much be allocated now, with `heap` bytes of pages, as is kept back. That is beyond the limit where
    /// the last collection has left more than the limit, as one that could not free a page may.
    pub(crate) fn lend_reserve(&self, heap: usize) {
        self.heap.store(heap, Relaxed);
        self.reserve.lent.store(true, Relaxed);
        let ceiling = self.total() + self.reserve.bytes.load(Relaxed);
        self.reserve
            .ceiling
            .store(ceiling.max(self.limit()), Relaxed);
        self.reserve.floor.store(ceiling, Relaxed);
    }

    /// The limit is what it was before the reserve was lent.
    pub(crate) fn take_reserve_back(&self) {
        let limit = self.limit();
        let kept = limit - self.reserve.bytes.load(Relaxed).min(limit / 4);
        self.reserve.ceiling.store(kept, Relaxed);
        self.reserve.lent.store(false, Relaxed);
        self.reserve.floor.store(0, Relaxed);
    }

    /// Whether somebody reacts to a full heap.
    pub(crate) fn is_lent(&self) -> bool {
        self.reserve.lent.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Relaxed;
    use crate::pressure::tests::{MIB, pressure};

    #[test]
    fn the_reserve_is_there_for_who_is_told_and_again_afterwards() {
        let p = pressure();
        p.poll(160 * MIB);
        assert!(!p.is_beyond_limit());
        p.keep_reserve(MIB);
        assert!(p.is_beyond_limit());
        p.lend_reserve(159 * MIB);
        p.poll(160 * MIB);
        assert!(!p.is_beyond_limit());
        p.lend_reserve(163 * MIB);
        p.poll(164 * MIB);
        assert!(!p.is_beyond_limit(), "whatever there was already");
        p.poll(164 * MIB + 1);
        assert!(p.is_beyond_limit());
        p.take_reserve_back();
        p.poll(159 * MIB);
        assert!(!p.is_beyond_limit());
        p.poll(159 * MIB + 1);
        assert!(p.is_beyond_limit());
    }

    #[test]
    fn what_is_lent_is_had_without_a_collection_also_where_the_limit_was_lowered() {
        let p = pressure();
        p.keep_reserve(MIB);
        p.lower_limit(100 * MIB);
        p.ended(100 * MIB, true);
        assert!(p.poll(100 * MIB));
        p.lend_reserve(100 * MIB);
        assert!(!p.poll(101 * MIB));
        assert!(p.poll(101 * MIB + 1));
        p.take_reserve_back();
        assert!(p.poll(100 * MIB));
    }

    #[test]
    fn who_asks_while_the_limit_changes_is_told_something_sensible() {
        let p = pressure();
        p.poll(4 * MIB);
        p.reserve.ceiling.store(8 * MIB, Relaxed);
        assert_eq!(
            p.beyond_limit(MIB),
            5 * MIB,
            "of a limit of 8 there is no part for large requests"
        );
        p.reserve.ceiling.store(160 * MIB, Relaxed);
        assert_eq!(p.beyond_limit(MIB), 0);
    }
}
