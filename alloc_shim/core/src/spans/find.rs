//! Finding a free span that is long enough and can be aligned.

use super::index::bin_of;
use super::{Kind, NONE, Spans};

/// How many spans of a bin are looked at, unless the search is thorough.
const TRIES: usize = 8;

/// What is wanted of a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    /// How many slices, at least one.
    pub(crate) len: u32,
    /// At a multiple of how many slices of the address space; a power of two.
    pub(crate) align: u32,
    /// The number of slices in the address space before the region, modulo 2^32.
    pub(crate) origin: u32,
    /// Which kind of span is looked at first; those that are new count as clean.
    pub(crate) first: Kind,
}

impl Want {
    /// The first slice from `first` on that is aligned.
    pub(crate) fn start(&self, first: u32) -> u32 {
        let misaligned = self.origin.wrapping_add(first) & (self.align - 1);
        first + (self.align - misaligned) % self.align
    }
}

/// Where a request fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fit {
    /// The free span.
    pub(crate) span: u32,
    /// Where in it the request begins.
    pub(crate) start: u32,
}

impl Spans<'_> {
    /// A free span of a kind for the request. A search that is not thorough may miss one.
    pub(crate) fn find(&self, kind: Kind, want: Want, thorough: bool) -> Option<Fit> {
        let bins = &self.index.bins[kind as usize];
        let tries = if thorough { usize::MAX } else { TRIES };
        let mut from = bin_of(want.len);
        while let Some(bin) = bins.filled_from(from) {
            let mut span = bins.heads[bin];
            for _ in 0..tries {
                if span == NONE {
                    break;
                }
                let tag = self.tag(span);
                let start = want.start(span);
                if start + want.len <= span + tag.len {
                    return Some(Fit { span, start });
                }
                span = tag.after;
            }
            from = bin + 1;
        }
        None
    }

    /// Where the request fits around a dirty span that is too short for it but has free neighbours: the longest of a few. The
    /// span is the first of those neighbours.
    pub(crate) fn find_around(&self, want: Want) -> Option<Fit> {
        let bins = &self.index.bins[Kind::Dirty as usize];
        let mut tries = TRIES;
        let mut below = bin_of(want.len) + 1;
        while let Some(bin) = bins.filled_below(below) {
            let mut span = bins.heads[bin];
            while span != NONE {
                if tries == 0 {
                    return None;
                }
                tries -= 1;
                let fit = self.around(span, want);
                if fit.is_some() {
                    return fit;
                }
                span = self.tag(span).after;
            }
            below = bin;
        }
        None
    }

    /// Where the request fits so that it covers as much of a dirty span as it can, if the neighbours of the span leave it room.
    fn around(&self, span: u32, want: Want) -> Option<Fit> {
        let first = self.before(span, Kind::Clean);
        let room = self.room_at(first, span - first + want.len + want.align);
        let last = first + room.checked_sub(want.len)?;
        let mut start = want.start(span.min(last));
        if start > last {
            start = want.start(first);
        }
        (start <= last).then_some(Fit { span: first, start })
    }
}
