//! A heap that is so full that the program only crawls: see `room`.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// A full collection that leaves less than this part of the limit has left little.
pub(super) const LEAST_ROOM: usize = 50;
/// Collections that leave little, one after the other, before somebody is told.
const MOST: u32 = 4;

/// How often collections have left little.
#[derive(Default)]
pub(super) struct Cramped {
    /// The collection under way is there because the heap has reached the limit.
    at_limit: AtomicBool,
    count: AtomicU32,
}

impl Cramped {
    /// A collection is about to begin.
    pub(super) fn begins(&self, at_limit: bool) {
        self.at_limit.store(at_limit, Relaxed);
    }

    /// It ends, a full one or not, and has left little or not.
    pub(super) fn ends(&self, full: bool, little: bool) {
        let at_limit = self.at_limit.swap(false, Relaxed);
        match (full, little) {
            (true, true) if at_limit => self.count.fetch_add(1, Relaxed),
            (true, false) => self.count.swap(0, Relaxed),
            _ => return,
        };
    }
}

impl super::Pressure {
    /// Whether so many collections have left so little that somebody must be told, who is the caller.
    pub(crate) fn is_cramped(&self) -> bool {
        let told = self.cramped.count.load(Relaxed) >= MOST;
        if told {
            self.told_of_no_room();
        }
        told
    }

    /// A thread is about to wait for room that has allocated `bytes` since it last did. Pages that are in use may have
    /// many free lines: then the last collection has not left little.
    pub(crate) fn has_found_room(&self, bytes: u64) {
        if bytes > (self.limit() / LEAST_ROOM) as u64 {
            self.cramped.count.store(0, Relaxed);
        }
    }

    /// Somebody is told that there is no room: the count begins anew.
    pub(crate) fn told_of_no_room(&self) {
        self.cramped.count.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use crate::pressure::tests::{MIB, pressure};

    #[test]
    fn collections_that_leave_little_are_told_of_in_the_end() {
        let p = pressure();
        let collect = |left: usize| {
            p.poll(160 * MIB + 1);
            p.choose(p.reason(0));
            p.ended(160 * MIB - left, true);
            p.is_cramped()
        };
        assert!(!collect(MIB) && !collect(2 * MIB) && !collect(0));
        assert!(collect(3 * MIB), "the fourth");
        assert!(!collect(0), "the count begins anew");
        assert!(!collect(0) && !collect(0));
        assert!(!collect(4 * MIB), "that is enough to go on");
        assert!(!collect(0) && !collect(0) && !collect(0));
        p.ended(160 * MIB, true);
        assert!(!p.is_cramped(), "somebody else's wish");
        assert!(collect(0));
        assert!(!collect(0) && !collect(0) && !collect(0));
        p.ended(100 * MIB, true);
        assert!(!collect(0), "room, whoever asked for it");
        assert!(!collect(0) && !collect(0));
        p.has_found_room(3 << 20);
        assert!(!p.is_cramped());
        assert!(collect(0), "little");
        assert!(!collect(0) && !collect(0) && !collect(0));
        p.has_found_room(4 << 20);
        assert!(!collect(0), "enough to go on, without a page");
    }
}
