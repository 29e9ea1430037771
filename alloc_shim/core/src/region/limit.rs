//! A limit on address space that the program sets when the region is reserved already.
//!
//! The kernel counts the whole reservation, so under such a limit every other mapping, and with it every new thread, would be
//! refused. Nobody tells of a new limit. It is looked at when the region makes memory usable, before a fork and when all that is
//! free is given back; then the region keeps what it would have taken under that limit, but at least what it has used already:
//!
//! ```text
//!   │ entries │ ······ │ tags │ ······ │ spans │ usable, untouched │ up to a quarter of the limit │ ··············· │
//!               given back     given back                                                           given back
//! ```
//!
//! `inv:limit.beyond` What is given back lies behind everything that was ever usable, in the slices and in both tables: no block
//! and no written entry is lost. A wrong pointer into it can no longer be looked up, but for slices below the end.
//!
//! `inv:limit.once` What was given back is the program's to map, so it is not given back again when the limit falls once more.
//!
//! Absent on purpose: growing again when the limit is raised.

use super::boot::SHARE;
use super::{Inner, Region, SLICE};
use crate::pal::Pal;

/// The unit in which address space is given back.
const PAGE: usize = 4096;

impl<P: Pal> Region<P> {
    /// Looks whether there is a lower limit than before, and makes the region fit it.
    pub(crate) fn heed_limit(&self, inner: &mut Inner) {
        let Some(limit) = self.pal.address_limit() else {
            return;
        };
        if limit >= inner.limit || inner.low == 0 {
            return;
        }
        inner.limit = limit;
        let most = u32::try_from(limit / SHARE / SLICE).unwrap_or(u32::MAX);
        let end = inner.low.saturating_add(most).max(inner.committed);
        if end >= inner.end {
            return;
        }
        let (before, kept) = (inner.end, inner.kept);
        inner.end = end;
        inner.kept = end.max(inner.tabled);
        self.bounds.set_size(end as usize * SLICE);
        let extent = inner.extent;
        let tags_end = match before == extent {
            // For the first time: and what lies between the last tag and the first slice.
            true => self.slice_start(inner.low as usize),
            false => self.tag_place(extent, kept).cast(),
        };
        // inv:limit.once
        let places = [
            (
                self.entry(inner.kept as usize).cast(),
                self.entry(kept as usize).cast(),
            ),
            (self.tag_place(extent, inner.kept).cast(), tags_end),
            (
                self.slice_start(end as usize),
                self.slice_start(before as usize),
            ),
        ];
        for (from, to) in places {
            self.give_up(from, to);
        }
    }

    /// Looks at the limit before a fork. The caller holds the lock by [`Region::fork_prepare`].
    pub(crate) fn look_at_limit(&self) {
        // SAFETY: inv:lock.exclusive: the caller holds it.
        let inner = unsafe { self.inner.0.held() };
        self.heed_limit(inner);
    }

    /// Gives whole pages between two places of the reservation back.
    fn give_up(&self, from: *mut u8, to: *mut u8) {
        let start = from.wrapping_add(from.addr().next_multiple_of(PAGE) - from.addr());
        let end = to.addr() / PAGE * PAGE;
        if start.addr() < end {
            // SAFETY: inv:limit.beyond.
            unsafe { self.pal.release_part(start, end - start.addr()) };
        }
    }
}
