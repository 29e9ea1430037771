//! The size where collections are marked beside the program (plan `latency`).
//!
//! What the size would be otherwise is the *target*. Between two collections there is *room* for as many bytes as
//! lie between what the last one has left and the beginning of the next, and that is before the target: as much
//! below it as was made during the last marking, twice over, but at least a quarter of what is free and at
//! most three. So marking ends before the target is reached, if the program goes on as it did.
//!
//! Room is used up by what threads are handed to make objects of, wherever that lies, and not by the heap's pages
//! alone. Nothing moves, so one object holds its page, and what is made fills the holes between others before it takes
//! pages; a collection that began with the first new page would find no hole left, and all that is made while it marks
//! would be more pages. For the same reason what lives is what marking has found, by objects: a heap that
//! counted its pages as live would grow with each collection.
//!
//! During marking the size is the total and half the target more. A thread that reaches it waits for the end:
//! the program allocates faster than its data can be marked.
//!
//! What was made during marking is all kept at its end. Most of it is garbage; so it counts once for the next
//! target, and not as what lives and may grow.

use super::Pressure;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What is kept from one pause to the next, in bytes.
pub(super) struct Beside {
    /// What threads were handed since the last pause, large objects included.
    made: AtomicUsize,
    /// What they may be handed until the next collection begins.
    room: AtomicUsize,
    /// C's bytes when the last marking began.
    outside_then: AtomicUsize,
    /// What came to be during the last marking, C's included.
    grown: AtomicUsize,
    /// How much of that is the heap's, and what was found alive; 0 when a collection has ended.
    floating: AtomicUsize,
    found: AtomicUsize,
}

impl Beside {
    pub(super) fn new(room: usize) -> Beside {
        Beside {
            made: AtomicUsize::new(0),
            room: AtomicUsize::new(room),
            outside_then: AtomicUsize::new(0),
            grown: AtomicUsize::new(0),
            floating: AtomicUsize::new(0),
            found: AtomicUsize::new(0),
        }
    }

    /// What was found alive of the `heap` bytes of pages that a collection has left, and what was made while it was
    /// marked. Of these nobody knows.
    pub(super) fn take_found(&self, heap: usize) -> (usize, usize) {
        let floating = self.floating.swap(0, Relaxed).min(heap);
        let found = match self.found.swap(0, Relaxed) {
            0 => heap - floating,
            found => found.min(heap - floating),
        };
        (found, floating)
    }
}

impl Pressure {
    /// A thread was handed `bytes` to make objects of. Returns whether a collection is to begin for it.
    pub(crate) fn made(&self, bytes: usize) -> bool {
        self.beside.made.fetch_add(bytes, Relaxed);
        self.is_room_used_up()
    }

    /// Whether as much was made since the last pause as there was room for.
    pub(crate) fn is_room_used_up(&self) -> bool {
        self.marks_beside && self.beside.made.load(Relaxed) > self.beside.room.load(Relaxed)
    }

    /// The size between two collections that are marked beside the program, when `content` is kept, in pages of
    /// `total`, and the target is `target`.
    pub(super) fn begin_at(&self, content: usize, total: usize, target: usize) -> usize {
        let free = target.saturating_sub(content);
        let grown = self.beside.grown.load(Relaxed).saturating_mul(2);
        // Before the first marking nobody knows.
        let ahead = if grown == 0 { free / 2 } else { grown };
        let ahead = ahead.clamp(free / 4, free / 4 * 3);
        let room = (free - ahead).max(self.nursery / 2);
        self.beside.made.store(0, Relaxed);
        self.beside.room.store(room, Relaxed);
        let most = self.limit().min(self.ceiling());
        let last = most
            .saturating_sub(ahead)
            .max(total + self.nursery / 2)
            .min(most);
        (total + room).min(last)
    }

    /// Marking begins.
    pub(crate) fn marking_begins(&self) {
        self.beside.made.store(0, Relaxed);
        self.beside.outside_then.store(self.outside(), Relaxed);
        let most = self.total() + self.target.load(Relaxed) / 2;
        self.size.store(most.min(self.limit()), Relaxed);
        self.set_mark();
    }

    /// Marking has ended, and has found `found` bytes of objects alive. What it has not found is still there.
    pub(crate) fn marking_ends(&self, found: usize) {
        let beside = &self.beside;
        let made = beside.made.load(Relaxed);
        let before = beside.outside_then.load(Relaxed);
        let grown = made + self.outside().saturating_sub(before);
        beside.grown.store(grown, Relaxed);
        beside.floating.store(made, Relaxed);
        beside.found.store(found, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HeapConfig;
    use crate::pressure::tests::MIB;
    use crate::recorder::Reason;

    fn latency() -> Pressure {
        Pressure::new(&HeapConfig {
            plan: crate::Plan::Latency,
            limit: Some(160 * MIB),
            min_heap: 40 * MIB,
            nursery: 8 * MIB,
            ..HeapConfig::default()
        })
    }

    #[test]
    fn marking_begins_early_enough_for_what_the_last_one_let_grow() {
        let p = latency();
        assert_eq!(p.size(), 20 * MIB);
        assert!(p.poll(21 * MIB));
        p.marking_begins();
        assert_eq!(p.size(), 41 * MIB, "half the target more");
        p.made(5 * MIB);
        p.marking_ends(0);
        p.ended(15 * MIB, true);
        assert_eq!(
            p.size(),
            30 * MIB,
            "15 + 25 - 5 × 2, of a target of 40 and 15 that are kept"
        );
        p.poll(30 * MIB);
        p.marking_begins();
        p.made(9 * MIB);
        p.marking_ends(0);
        p.ended(30 * MIB, true);
        assert_eq!(p.size(), 41 * MIB, "(30 - 9) × 2 + 9 + 8, less 9 × 2");
        p.poll(41 * MIB);
        p.marking_begins();
        p.made(100 * MIB);
        p.marking_ends(0);
        p.ended(120 * MIB, true);
        assert_eq!(
            p.size(),
            127 * MIB,
            "target 148, three quarters of 28 ahead"
        );
        p.declare(39 * MIB);
        assert!(!p.wants_full(0));
        p.declare(2 * MIB);
        assert!(p.wants_full(0), "one stop is for the limit");
    }

    #[test]
    fn what_fills_holes_uses_up_the_room_as_well() {
        let p = latency();
        p.poll(21 * MIB);
        p.marking_begins();
        p.made(10 * MIB);
        assert!(!p.is_over(0), "marking lets the program go on");
        p.marking_ends(30 * MIB);
        p.ended(120 * MIB, true);
        // The target is 30 × 2 + 10 + 8, and 40 are kept in those 120 MiB of pages.
        let room = 78 - 40 - 10 * 2;
        assert_eq!(p.size(), (120 + room) * MIB);
        assert!(!p.made(room * MIB) && p.made(1));
        assert_eq!(p.reason(0), Reason::Heap);
        p.marking_begins();
        assert!(!p.is_room_used_up());
        assert_eq!(p.size(), 159 * MIB, "as much as half the target");
    }

    #[test]
    fn nothing_is_counted_where_the_world_stops() {
        let p = crate::pressure::tests::pressure();
        assert!(!p.made(1000 * MIB));
    }
}
