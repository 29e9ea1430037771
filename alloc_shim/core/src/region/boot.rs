//! Reserving the region.

use super::{Inner, Region, SLICE};
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::report::Line;
use crate::spans::Tag;
use crate::sync::Ordering;

/// Where the region likes to be: far from executables, libraries, stacks and what the collector asks for.
const HINT: usize = 0x6000_0000_0000;

/// The part of a limit on address space that the region takes; the rest is for code, stacks and mappings.
pub(super) const SHARE: usize = 4;

/// Bytes of both tables for each slice.
const TABLED: usize = size_of::<PageEntry>() + size_of::<Tag>();

/// How many slices the tables of a region of `end` slices need.
fn tables(end: usize) -> usize {
    (end * TABLED).div_ceil(SLICE)
}

impl<P: Pal> Region<P> {
    /// Reserves the region, unless that has been done. False: the system refuses, and it was said on standard error.
    #[inline]
    pub fn boot(&self) -> bool {
        self.size() != 0 || self.boot_slowly()
    }

    #[cold]
    #[inline(never)]
    fn boot_slowly(&self) -> bool {
        let mut inner = self.lock();
        if self.size() != 0 {
            return true;
        }
        if inner.refused {
            return false;
        }
        let limit = self.pal.address_limit();
        let share = limit.map_or(usize::MAX, |limit| limit / SHARE);
        let mut bytes = P::LARGEST.min(share).max(P::SMALLEST) & !(SLICE - 1);
        while bytes >= P::SMALLEST {
            if self.reserve(&mut inner, bytes) {
                inner.limit = limit.unwrap_or(usize::MAX);
                return true;
            }
            bytes = (bytes / 2) & !(SLICE - 1);
        }
        inner.refused = true;
        self.tell_refusal(limit);
        false
    }

    /// Reserves `bytes` and makes the tables readable.
    fn reserve(&self, inner: &mut Inner, bytes: usize) -> bool {
        let start = self.pal.reserve(HINT, bytes);
        if start.is_null() {
            return false;
        }
        let skipped = start.addr().next_multiple_of(SLICE) - start.addr();
        let base = start.wrapping_add(skipped);
        let end = (bytes - skipped) / SLICE;
        let low = tables(end);
        // SAFETY: the pages lie at the beginning of the reservation made above.
        if !unsafe { self.pal.readable(base, low * SLICE) } {
            // SAFETY: the reservation made above, of which nothing is known to anybody.
            unsafe { self.pal.release(start, bytes) };
            return false;
        }
        inner.low = low as u32;
        inner.frontier = inner.low;
        let [seen_low, seen_frontier] = &self.seen;
        seen_low.store(inner.low, Ordering::Relaxed);
        seen_frontier.store(inner.low, Ordering::Release);
        inner.committed = inner.low;
        inner.tabled = inner.low;
        inner.end = end as u32;
        inner.extent = inner.end;
        inner.kept = inner.end;
        self.base.store(base, Ordering::Release);
        self.bounds.set(base, end * SLICE);
        true
    }

    fn tell_refusal(&self, limit: Option<usize>) {
        let line = Line::new("cannot reserve ")
            .decimal(P::SMALLEST >> 20)
            .text(" MiB of address space");
        let line = match limit {
            Some(limit) => line
                .text(" under a limit of ")
                .decimal(limit >> 20)
                .text(" MiB (ulimit -v)"),
            None => line,
        };
        line.text(": there is no static region").send(&self.pal);
    }
}
