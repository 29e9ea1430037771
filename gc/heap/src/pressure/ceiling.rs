//! How far below the limit collections begin for the sake of finalizers.
//!
//! C's `malloc` waits at the limit for a collection, and not for the finalizers of what that finds dead: they run
//! on the program's own threads, at polls. So while finalizers are attached there must be room between
//! the size and the limit for what the program allocates between two polls, or, where collections are
//! marked beside it, goes on to allocate until its thread waits for the end of the marking. What is dead by then
//! is given back at the poll.
//!
//! The size counts as no more than the *ceiling*. That leaves free, of what large requests may take, half of what
//! the last full collection left; but not more than the finalizers are about, and not more than three
//! sixteenths of the limit. In a heap so full that this is less than a thirty-second of the limit nothing is
//! spared: it would be collected again and again for little.
//!
//! Absent on purpose: room for finalizers about which nothing is said (0 bytes).

use super::Pressure;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What finalizers need.
pub(super) struct Ceiling {
    /// Bytes that the finalizers that are attached, or wait, are about.
    expected: AtomicUsize,
    /// What is spared for them at most.
    spared: AtomicUsize,
}

impl Ceiling {
    /// While the heap is empty.
    pub(super) fn new(limit: usize) -> Self {
        Ceiling {
            expected: AtomicUsize::new(0),
            spared: AtomicUsize::new(most(limit)),
        }
    }
}

/// The most that is spared.
fn most(limit: usize) -> usize {
    limit / 16 * 3
}

impl Pressure {
    /// What the size counts as at most.
    pub(super) fn ceiling(&self) -> usize {
        let Ceiling { expected, spared } = &self.ceiling;
        match expected.load(Relaxed).min(spared.load(Relaxed)) {
            0 => self.limit(),
            spared => self.for_large().saturating_sub(spared),
        }
    }

    /// What large requests may bring the total to.
    pub(super) fn for_large(&self) -> usize {
        let limit = self.limit();
        limit - limit / 16
    }

    /// Chooses what is spared where a full collection has left `total`.
    pub(super) fn spare(&self, total: usize) {
        let limit = self.limit();
        let half = self.for_large().saturating_sub(total) / 2;
        let spared = match half < limit / 32 {
            true => 0,
            false => half.min(most(limit)),
        };
        self.ceiling.spared.store(spared, Relaxed);
    }

    /// Until the next choice the ceiling is the limit.
    pub(super) fn spare_nothing(&self) {
        self.ceiling.spared.store(0, Relaxed);
    }

    /// A finalizer was attached that is about `bytes`.
    pub(crate) fn expect(&self, bytes: usize) {
        self.ceiling.expected.fetch_add(bytes, Relaxed);
        if self.ceiling() < self.size() {
            self.set_mark();
        }
    }

    /// It is taken.
    pub(super) fn expect_less(&self, bytes: usize) {
        self.ceiling.expected.fetch_sub(bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use crate::pressure::tests::{MIB, pressure};

    #[test]
    fn finalizers_keep_the_size_below_the_limit() {
        let p = pressure();
        p.full_ends();
        p.ended(70 * MIB, true);
        assert_eq!(p.ceiling(), 160 * MIB, "none");
        p.expect(5 * MIB);
        assert_eq!(p.ceiling(), 145 * MIB, "no more than they are about");
        p.expect(95 * MIB);
        assert_eq!(p.ceiling(), 120 * MIB, "three sixteenths");
        assert!(!p.poll(120 * MIB) && p.poll(120 * MIB + 1));
        p.ended(120 * MIB, true);
        assert_eq!(p.ceiling(), 135 * MIB, "half of what is left");
        p.ended(139 * MIB, true);
        p.expect(MIB);
        assert!(!p.poll(144 * MIB) && p.poll(145 * MIB));
        p.ended(141 * MIB, true);
        assert_eq!(p.ceiling(), 160 * MIB, "a heap as full as that");
        p.ended(70 * MIB, true);
        p.made_ready(101 * MIB);
        p.taken(101 * MIB);
        assert_eq!(p.ceiling(), 160 * MIB, "all have run");
    }

    #[test]
    fn while_a_full_collection_ends_the_limit_alone_counts() {
        let p = pressure();
        p.ended(70 * MIB, true);
        p.expect(100 * MIB);
        assert!(p.poll(130 * MIB));
        p.full_ends();
        assert!(!p.poll(130 * MIB));
    }
}
