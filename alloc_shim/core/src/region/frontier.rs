//! Moving the frontier: making more of the region usable.

use super::{Inner, Region, SLICE};
use crate::pal::Pal;
use crate::spans::{Kind, Want};
use crate::sync::Ordering;

/// Slices made usable at a time, when the system lets us: one call for a MiB.
const STEP: u32 = 16;

/// Slices whose tables are made usable at a time: 64 KiB of entries.
const TABLE_STEP: u32 = 512;

/// The unit in which memory is made usable.
const PAGE: usize = 4096;

impl<P: Pal> Region<P> {
    /// Takes new slices behind everything ever taken, and what is free before them. Where they begin, and whether all are zero,
    /// as those are that alignment leaves out.
    pub(super) fn take_at_frontier(&self, inner: &mut Inner, want: Want) -> Option<(u32, bool)> {
        let frontier = inner.frontier;
        let spans = self.spans(inner);
        let mut last = spans.before(frontier, Kind::Clean);
        if want.first == Kind::Dirty {
            last = spans.before(last, Kind::Dirty);
            last = spans.before(last, Kind::Clean);
        }
        let start = want.start(last);
        let end = start
            .checked_add(want.len)
            .filter(|end| *end <= inner.end)?;
        if !self.advance(inner, end) {
            return None;
        }
        let mut spans = self.spans(inner);
        let clean = spans.take_run(last, start, want.len);
        Some((start, clean == want.len))
    }

    /// Makes the slices from `first` to `end` free spans without a gap, by moving the frontier if that is what is missing.
    pub(super) fn reach(&self, inner: &mut Inner, first: u32, end: u32) -> bool {
        if first == end {
            return true;
        }
        let room = self.spans(inner).room_at(first, end - first);
        first + room >= end || (first + room == inner.frontier && self.advance(inner, end))
    }

    /// Moves the frontier to `end`; what it passes becomes a clean span.
    fn advance(&self, inner: &mut Inner, end: u32) -> bool {
        if end <= inner.frontier {
            return true;
        }
        // Slices first: where they are refused, no table has been made usable for them in vain.
        if !self.extend_slices(inner, end) || !self.extend_tables(inner, end) {
            return false;
        }
        let (first, len) = (inner.frontier, end - inner.frontier);
        inner.frontier = end;
        let [_, seen] = &self.seen;
        // The tables behind it are usable: whoever sees it may look at them.
        seen.store(end, Ordering::Release);
        self.spans(inner).free(first, len, Kind::Clean, 0);
        true
    }

    fn extend_slices(&self, inner: &mut Inner, end: u32) -> bool {
        if end <= inner.committed {
            return true;
        }
        self.heed_limit(inner);
        if end > inner.end {
            return false;
        }
        let roomy = end.next_multiple_of(STEP).min(inner.end);
        let start = self.slice_start(inner.committed as usize);
        for to in [roomy, end] {
            let bytes = (to - inner.committed) as usize * SLICE;
            if self.commit(start, bytes) {
                inner.usable += bytes;
                inner.committed = to;
                return true;
            }
        }
        false
    }

    fn extend_tables(&self, inner: &mut Inner, end: u32) -> bool {
        if end <= inner.tabled {
            return true;
        }
        let to = end.next_multiple_of(TABLE_STEP).min(inner.end);
        let (from, all) = (inner.tabled, inner.extent);
        let entries = [from, to].map(|slice| self.entry(slice as usize).cast::<u8>());
        let tags = [from, to].map(|slice| self.tag_place(all, slice).cast::<u8>());
        let mut usable = 0;
        for [start, end] in [entries, tags] {
            let start = start.wrapping_sub(start.addr() % PAGE);
            let bytes = (end.addr() - start.addr()).next_multiple_of(PAGE);
            if !self.commit(start, bytes) {
                return false;
            }
            usable += bytes;
        }
        // Of both at once: where the second is refused the first comes again.
        inner.usable += usable;
        inner.tabled = to;
        true
    }

    fn commit(&self, start: *mut u8, bytes: usize) -> bool {
        self.counters.commits.bump();
        // SAFETY: inv:region.base: the pages lie in the region, which is reserved.
        unsafe { self.pal.commit(start, bytes) }
    }
}
