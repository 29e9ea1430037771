//! The size where collections are marked beside the program (plan `latency`).
//!
//! What the size would be otherwise is the *target*. Between two collections the size is where the next one
//! begins, and that is before the target: as much below it as was allocated during the last marking, twice
//! over, but at least a quarter of what is free and at most three. So marking ends before the target is
//! reached, if the program goes on as it did.
//!
//! During marking the size is half as much again as the target. A thread that reaches it waits for the end:
//! the program allocates faster than its data can be marked.
//!
//! What was allocated during marking is all kept at its end. Most of it is garbage; so it counts once for
//! the next target, and not as what lives and may grow.
//!
//! What lives is what marking has found, by objects, not the pages that they are in: nothing moves, so one object
//! holds its page, and a heap that counted its pages as live would grow with each collection.

use super::Pressure;
use std::sync::atomic::Ordering::Relaxed;

impl Pressure {
    /// The size between two collections that are marked beside the program, when `total` lives and the target is
    /// `target`.
    pub(super) fn begin_at(&self, total: usize, target: usize) -> usize {
        let free = target.saturating_sub(total);
        let grown = self.grown.load(Relaxed).saturating_mul(2);
        // Before the first marking nobody knows.
        let ahead = if grown == 0 { free / 2 } else { grown };
        let begin = target - ahead.clamp(free / 4, free / 4 * 3);
        // Holes in used pages are filled before new ones are asked for.
        begin.max(total + self.nursery / 2).min(self.limit())
    }

    /// Marking begins.
    pub(crate) fn marking_begins(&self) {
        self.total_then.store(self.total(), Relaxed);
        let target = self.target.load(Relaxed);
        self.size
            .store((target + target / 2).min(self.limit()), Relaxed);
        self.set_mark();
    }

    /// Marking has ended, with `heap` bytes of pages, and has found `found` bytes of objects alive. What it has
    /// not found is still there.
    pub(crate) fn marking_ends(&self, heap: usize, found: usize) {
        let before = self.total_then.load(Relaxed);
        let outside = self.outside();
        let grown = (heap + outside).saturating_sub(before);
        self.grown.store(grown, Relaxed);
        self.floating.store(grown.min(heap), Relaxed);
        self.found.store(found, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HeapConfig;
    use crate::pressure::tests::MIB;

    #[test]
    fn marking_begins_early_enough_for_what_the_last_one_let_grow() {
        let p = Pressure::new(&HeapConfig {
            plan: crate::Plan::Latency,
            limit: Some(160 * MIB),
            min_heap: 40 * MIB,
            nursery: 8 * MIB,
            ..HeapConfig::default()
        });
        assert_eq!(p.size(), 20 * MIB);
        assert!(p.poll(21 * MIB));
        p.marking_begins();
        assert_eq!(p.size(), 60 * MIB, "marking may take half more");
        p.marking_ends(26 * MIB, 0);
        p.ended(15 * MIB, true);
        assert_eq!(p.size(), 30 * MIB, "5 × 2 below the target of 40");
        p.poll(30 * MIB);
        p.marking_begins();
        p.marking_ends(39 * MIB, 0);
        p.ended(30 * MIB, true);
        assert_eq!(p.size(), 41 * MIB, "(30 - 9) × 2 + 9 + 8, less 9 × 2");
        p.poll(41 * MIB);
        p.marking_begins();
        p.marking_ends(141 * MIB, 0);
        p.ended(120 * MIB, true);
        assert_eq!(
            p.size(),
            127 * MIB,
            "target 148, three quarters of 28 ahead"
        );
        p.marking_begins();
        p.marking_ends(130 * MIB, 30 * MIB);
        p.ended(120 * MIB, true);
        // 30 × 2 + 10 + 8, which the pages have passed: the next begins half a nursery later.
        assert_eq!(p.size(), 124 * MIB);
        p.declare(39 * MIB);
        assert!(!p.wants_full(0));
        p.declare(2 * MIB);
        assert!(p.wants_full(0), "one stop is for the limit");
    }
}
