//! The limit, which is lower than what was asked for while the system gives no more.
//!
//! Whoever finds that the system refuses memory (see `grants`) lowers the limit to what there is. From then on
//! everything that judges by it works as it does in a smaller heap: collections become full ones, a crowded heap is
//! told of, C's `malloc` is refused, and what the collector itself needs is left alone. A full collection after which
//! the system gives again sets the limit back.

use super::Pressure;
use crate::config::SMALLEST_LIMIT;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The limit in force, and the one that was asked for.
pub(super) struct Limit {
    asked: usize,
    now: AtomicUsize,
}

impl Limit {
    pub(super) fn new(asked: usize) -> Self {
        Limit {
            asked,
            now: AtomicUsize::new(asked),
        }
    }
}

impl Pressure {
    /// The limit in force, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit.now.load(Relaxed)
    }

    /// Whether it is lower than what was asked for.
    pub(crate) fn is_lowered(&self) -> bool {
        self.limit() < self.limit.asked
    }

    /// The system gives no more than there is now, with `heap` bytes of pages.
    pub(crate) fn lower_limit(&self, heap: usize) {
        self.heap.store(heap, Relaxed);
        let limit = self.total().max(SMALLEST_LIMIT).min(self.limit());
        self.limit.now.store(limit, Relaxed);
        self.size.fetch_min(limit, Relaxed);
        self.take_reserve_back();
        self.set_mark();
    }

    /// The system gives again.
    pub(crate) fn restore_limit(&self) {
        self.limit.now.store(self.limit.asked, Relaxed);
        self.take_reserve_back();
        self.set_mark();
    }
}

#[cfg(test)]
mod tests {
    use crate::pressure::tests::{MIB, pressure};

    #[test]
    fn the_limit_is_what_the_system_gives() {
        let p = pressure();
        p.keep_reserve(MIB);
        p.full_ends();
        p.declare(20 * MIB);
        p.lower_limit(60 * MIB);
        assert!(p.is_lowered());
        assert_eq!(p.size(), 80 * MIB, "both sides");
        assert_eq!(p.beyond_limit(0), MIB, "the reserve is part of it");
        p.ended(50 * MIB, true);
        assert_eq!(p.size(), 80 * MIB, "no growth beyond it");
        p.lower_limit(70 * MIB);
        assert_eq!(p.limit(), 80 * MIB, "it never rises by being lowered");
        p.restore_limit();
        assert!(!p.is_lowered());
        assert_eq!(p.limit(), 160 * MIB);
        p.lower_limit(0);
        p.undeclare(20 * MIB);
        p.lower_limit(0);
        assert_eq!(p.limit(), 8 * MIB, "room to collect in");
    }
}
