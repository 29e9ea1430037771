//! Where large objects are, and where others could be.
//!
//! `inv:large.piece` MMTk takes whole chunks for large objects, as many as one needs, and keeps them. It never joins what
//! is free at the end of such a piece with the beginning of the next; which chunks are one piece it does not tell. So two
//! chunks count as one where an object was that reached from one into the other.
//!
//! Absent on purpose: objects that are about to be made.

use super::PAGE;
use crate::binding::CHUNK;
use bowline_layout::Addr;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A large object's pages: where they begin and how many bytes they are.
type Extent = (usize, usize);

/// The pages of large objects.
#[derive(Default)]
pub(super) struct Large {
    /// Of objects that were made since the last collection.
    young: Vec<Extent>,
    pub(super) old: Vec<Extent>,
    /// Of those that died: still resident.
    pub(super) free: BTreeMap<usize, usize>,
    /// The beginning of the first chunk, if there is one, and behind the last object that there ever was.
    first: usize,
    end: usize,
    /// Ends of chunks beyond which an object has reached: MMTk lets others do so, too.
    joined: BTreeSet<usize>,
}

impl Large {
    /// An object was made here.
    pub(super) fn made(&mut self, at: Addr, bytes: usize) {
        let start = at.raw() & !(PAGE - 1);
        let end = (at.raw() + bytes).next_multiple_of(PAGE);
        self.young.push((start, end - start));
        let chunk = start & !(CHUNK - 1);
        self.first = match self.first {
            0 => chunk,
            first => first.min(chunk),
        };
        self.end = self.end.max(end);
        let joints = (start.next_multiple_of(CHUNK)..end).step_by(CHUNK);
        self.joined.extend(joints.filter(|at| *at > start));
        // The last that begins before the end may reach into it, and what stays of it may be before and behind.
        while let Some((&from, &bytes)) = self.free.range(..end).next_back() {
            if from + bytes <= start {
                break;
            }
            self.free.remove(&from);
            if from < start {
                self.free.insert(from, start - from);
            }
            if from + bytes > end {
                self.free.insert(end, from + bytes - end);
            }
        }
    }

    /// Notes who died; `lives` says who did not. Only a full collection looks at the old.
    pub(super) fn settle(&mut self, full: bool, lives: impl Fn(usize) -> bool) {
        let mut old = std::mem::take(&mut self.old);
        let free = &mut self.free;
        let mut stays = |extent: &Extent| {
            let stays = lives(extent.0);
            if !stays {
                free.insert(extent.0, extent.1);
            }
            stays
        };
        if full {
            old.retain(&mut stays);
        }
        self.young.retain(&mut stays);
        old.append(&mut self.young);
        self.old = old;
    }

    pub(super) fn free_bytes(&self) -> usize {
        self.free.values().sum()
    }

    /// Whether `bytes` fit between objects, in chunks that MMTk takes for one piece (`inv:large.piece`).
    pub(super) fn has_hole(&self, bytes: usize) -> bool {
        let mut taken: Vec<Extent> = self.old.iter().chain(&self.young).copied().collect();
        taken.sort_unstable();
        taken.push((self.end.next_multiple_of(CHUNK), 0));
        let mut from = self.first;
        taken.into_iter().any(|(start, length)| {
            let hole = from..start;
            from = start + length;
            self.fits(hole, bytes)
        })
    }

    /// Whether a piece of the hole has `bytes`.
    fn fits(&self, hole: Range<usize>, bytes: usize) -> bool {
        let mut from = hole.start;
        while hole.end.saturating_sub(from) >= bytes {
            let mut to = (from + 1).next_multiple_of(CHUNK);
            while to < hole.end && self.joined.contains(&to) {
                to += CHUNK;
            }
            if to.min(hole.end) - from >= bytes {
                return true;
            }
            from = to;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(large: &Large) -> Vec<Extent> {
        large.free.iter().map(|(at, bytes)| (*at, *bytes)).collect()
    }

    #[test]
    fn the_dead_are_noted_and_the_old_only_by_a_full_collection() {
        let mut large = Large::default();
        large.made(Addr::new(0x10000), 5000);
        large.made(Addr::new(0x20000), 4096);
        large.settle(false, |at| at != 0x20000);
        assert_eq!(free(&large), [(0x20000, 4096)]);
        large.settle(false, |_| false);
        assert_eq!(free(&large).len(), 1, "the other is old");
        large.settle(true, |_| false);
        assert_eq!(free(&large), [(0x10000, 8192), (0x20000, 4096)]);
        assert_eq!(large.free_bytes(), 12288);
    }

    #[test]
    fn what_is_used_again_is_struck_out() {
        let mut large = Large::default();
        large.made(Addr::new(0x10000), 0x8000);
        large.settle(false, |_| false);
        large.made(Addr::new(0x12000), 0x1000);
        assert_eq!(free(&large), [(0x10000, 0x2000), (0x13000, 0x5000)]);
        large.made(Addr::new(0x0f000), 0x5000);
        assert_eq!(free(&large), [(0x14000, 0x4000)]);
        large.made(Addr::new(0x18000), 0x1000);
        large.made(Addr::new(0x13000), 0x1000);
        assert_eq!(free(&large), [(0x14000, 0x4000)], "neighbours stay");
        large.made(Addr::new(0x10000), 0x10000);
        assert_eq!(free(&large), []);
    }

    #[test]
    fn holes_are_found_within_a_piece() {
        const MIB: usize = 1 << 20;
        let mut large = Large::default();
        assert!(!large.has_hole(PAGE));
        large.made(Addr::new(CHUNK), MIB);
        large.made(Addr::new(CHUNK + MIB), MIB);
        assert!(
            large.has_hole(2 * MIB) && !large.has_hole(2 * MIB + PAGE),
            "behind the last"
        );
        large.made(Addr::new(2 * CHUNK), 6 * MIB);
        assert!(large.has_hole(2 * MIB) && !large.has_hole(2 * MIB + PAGE));
        large.settle(true, |at| at != 2 * CHUNK);
        assert!(large.has_hole(8 * MIB), "one object has joined them");
        assert!(
            !large.has_hole(8 * MIB + PAGE),
            "nothing joins them with the first"
        );
        large.settle(true, |at| at == CHUNK + MIB);
        assert!(large.has_hole(8 * MIB) && !large.has_hole(9 * MIB));
        large.made(Addr::new(2 * CHUNK + MIB), PAGE);
        assert!(large.has_hole(7 * MIB - PAGE) && !large.has_hole(7 * MIB));
    }
}
