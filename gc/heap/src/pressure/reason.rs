//! Why a collection is due, and which are for C's memory.
//!
//! A collection that the size demands is *for C's memory* if C's bytes have grown more than the heap's pages
//! since the size was set, that is, since the last full collection. What C held then has been judged already:
//! the size allows for it.

use super::Pressure;
use crate::recorder::Reason;
use std::sync::atomic::Ordering::Relaxed;

impl Pressure {
    /// Whether C's bytes, and `bytes` more, have grown more than the heap since the size was set.
    pub(super) fn is_for_c(&self, bytes: usize) -> bool {
        let heap = self.heap.load(Relaxed);
        let heap = heap.saturating_sub(self.heap_then.load(Relaxed));
        let lasting = self.lasting().saturating_add(bytes);
        lasting.saturating_sub(self.lasting_then.load(Relaxed)) > heap
    }

    /// Why a collection is due that somebody finds due now who is about to take `bytes` outside the heap.
    pub(crate) fn reason(&self, bytes: usize) -> Reason {
        if self.beyond_limit(bytes) > 0 {
            Reason::Limit
        } else if self.excess(bytes) > 0 {
            match self.is_for_c(bytes) {
                true => Reason::CMemory,
                false => Reason::Heap,
            }
        } else if self.is_room_used_up() {
            Reason::Heap
        } else if self.is_young_full() {
            Reason::Owners
        } else {
            Reason::Nursery
        }
    }

    /// A collection was asked for because of `reason`, by somebody who is about to take `bytes` outside the heap.
    pub(super) fn on_its_way(&self, reason: Reason, bytes: usize) {
        self.asked.store(true, Relaxed);
        let for_c = match reason {
            Reason::CMemory | Reason::Malloc | Reason::Owners => true,
            Reason::Limit => self.is_for_c(bytes),
            _ => false,
        };
        if for_c {
            self.for_c.store(true, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pressure::tests::{MIB, pressure};

    /// What is told and counted of a collection that is due at a poll with `heap` bytes of pages.
    fn told(p: &Pressure, heap: usize) -> (Reason, u64) {
        let before = p.collections.load(Relaxed);
        p.poll(heap);
        let reason = p.reason(0);
        p.choose(reason);
        p.count_collection();
        (reason, p.collections.load(Relaxed) - before)
    }

    #[test]
    fn the_reason_is_whatever_grew_more_since_the_size_was_set() {
        let p = pressure();
        assert_eq!(told(&p, 8 * MIB), (Reason::Nursery, 0));
        p.declare(MIB);
        let little = told(&p, 40 * MIB);
        assert_eq!(little, (Reason::Heap, 0), "a little of C's is not why");
        p.ended(20 * MIB, true);
        assert_eq!(p.size(), 50 * MIB);
        p.declare(22 * MIB);
        assert_eq!(
            told(&p, 28 * MIB),
            (Reason::CMemory, 1),
            "C's 22, the heap's 8"
        );
        p.ended(20 * MIB, false);
        assert_eq!(
            told(&p, 28 * MIB),
            (Reason::CMemory, 1),
            "a minor one keeps that"
        );
        p.ended(20 * MIB, true);
        assert_eq!(p.size(), 94 * MIB);
        let old = told(&p, 72 * MIB);
        assert_eq!(old, (Reason::Heap, 0), "what C had then is not why");
        assert_eq!(told(&p, 138 * MIB), (Reason::Limit, 0));
        p.declare(125 * MIB);
        assert_eq!(told(&p, 20 * MIB), (Reason::Limit, 1));
    }

    #[test]
    fn what_is_about_to_be_taken_counts_as_grown() {
        let p = pressure();
        p.poll(15 * MIB);
        assert_eq!(p.reason(0), Reason::Nursery);
        assert_eq!(p.reason(26 * MIB), Reason::CMemory);
        assert_eq!(p.reason(150 * MIB), Reason::Limit);
        p.poll(30 * MIB);
        assert_eq!(p.reason(11 * MIB), Reason::Heap);
        p.declare(20 * MIB);
        p.made_ready(20 * MIB);
        p.poll(41 * MIB);
        let waits = p.reason(0);
        assert_eq!(waits, Reason::Heap, "what waits for a finalizer is not why");
    }

    #[test]
    fn young_owners_are_of_c() {
        let p = pressure();
        p.full_ends();
        p.owner_made(25 * MIB, false);
        assert_eq!(told(&p, 30 * MIB), (Reason::Owners, 1));
    }
}
