//! The check of everything that `spans.rs` promises.

use super::index::{BINS, bin_of};
use super::{Kind, NONE, Spans, State, Tag};

/// What a check found wrong, at which slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No span begins where the one before ends.
    Gap(u32),
    /// The tags of a span's two ends differ.
    Ends(u32),
    /// Two free neighbours of one kind.
    Unmerged(u32),
    /// A span stands in the wrong bin or list, or its links do not fit.
    Link(u32),
    /// A bin is marked as filled and is not, or the reverse.
    Mark(u32),
    /// A younger span stands before an older one.
    Age(u32),
    /// A count of the index, or an account, is not the sum of its spans.
    Count(u32),
}

/// What a walk over all spans has counted, in slices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Somebody's.
    pub taken: usize,
    /// Free, with memory.
    pub dirty: usize,
    /// Free and zero.
    pub clean: usize,
    /// On the way from dirty to clean.
    pub leaving: usize,
    /// Free since a moment ago.
    pub resting: usize,
}

impl Spans<'_> {
    /// Walks over all spans before `frontier` and all lists.
    pub(crate) fn check(&self, frontier: u32, now: u32) -> Result<Totals, Fault> {
        let (totals, spans) = self.check_tiles(frontier)?;
        let binned = self.check_bins(Kind::Dirty)? + self.check_bins(Kind::Clean)?;
        if binned != spans[State::Dirty as usize] + spans[State::Clean as usize] {
            return Err(Fault::Count(binned as u32));
        }
        let dirty = self.check_list(self.index.dirty.oldest, State::Dirty, Some(now))?;
        let leaving = self.check_list(self.index.leaving.oldest, State::Leaving, None)?;
        if dirty != spans[State::Dirty as usize] || leaving != spans[State::Leaving as usize] {
            return Err(Fault::Count(dirty as u32));
        }
        self.check_resting(totals.resting, spans[State::Resting as usize])?;
        if totals.dirty != self.index.slices(Kind::Dirty) {
            return Err(Fault::Count(totals.dirty as u32));
        }
        if totals.clean != self.index.slices(Kind::Clean) {
            return Err(Fault::Count(totals.clean as u32));
        }
        Ok(totals)
    }

    /// Checks `inv:spans.tiled` and `inv:spans.merged`; gives the number of spans by state as well.
    fn check_tiles(&self, frontier: u32) -> Result<(Totals, [usize; 6]), Fault> {
        let mut totals = Totals::default();
        let mut spans = [0; 6];
        let mut before = State::Unused;
        let mut slice = self.low;
        while slice < frontier {
            let (state, len) = self.at(slice).ok_or(Fault::Gap(slice))?;
            let Some(end) = slice.checked_add(len).filter(|end| *end <= frontier) else {
                return Err(Fault::Gap(slice));
            };
            let last = self.tag(end - 1);
            if (last.state, last.first, last.len) != (state, slice, len) {
                return Err(Fault::Ends(slice));
            }
            if state.kind().is_some() && state == before {
                return Err(Fault::Unmerged(slice));
            }
            spans[state as usize] += 1;
            *match state {
                State::Taken => &mut totals.taken,
                State::Dirty => &mut totals.dirty,
                State::Clean => &mut totals.clean,
                State::Leaving => &mut totals.leaving,
                State::Resting => &mut totals.resting,
                State::Unused => return Err(Fault::Gap(slice)),
            } += len as usize;
            (before, slice) = (state, end);
        }
        Ok((totals, spans))
    }

    fn check_bins(&self, kind: Kind) -> Result<usize, Fault> {
        let bins = &self.index.bins[kind as usize];
        let mut spans = 0;
        for bin in 0..BINS {
            let marked = bins.filled[bin / 64] >> (bin % 64) & 1 == 1;
            if marked != (bins.heads[bin] != NONE) {
                return Err(Fault::Mark(bin as u32));
            }
            let (mut before, mut span) = (NONE, bins.heads[bin]);
            while span != NONE {
                let tag = self.tag(span);
                let fits = bin_of(tag.len) == bin && tag.state == kind.state();
                if !fits || tag.first != span || tag.before != before {
                    return Err(Fault::Link(span));
                }
                spans += 1;
                (before, span) = (span, tag.after);
            }
        }
        if spans != bins.spans {
            return Err(Fault::Count(spans as u32));
        }
        Ok(spans)
    }

    /// Checks `inv:spans.resting`: what rests is what is said to.
    fn check_resting(&self, slices: usize, spans: usize) -> Result<(), Fault> {
        let resting = &self.index.resting;
        for first in resting.each() {
            if self.at(*first).map(|(state, _)| state) != Some(State::Resting) {
                return Err(Fault::Link(*first));
            }
        }
        if (resting.slices, resting.each().len()) != (slices, spans) {
            return Err(Fault::Count(resting.slices as u32));
        }
        Ok(())
    }

    /// Checks `inv:spans.aged`, for the list that has an age.
    fn check_list(&self, oldest: u32, state: State, now: Option<u32>) -> Result<usize, Fault> {
        let mut spans = 0;
        let (mut before, mut span) = (NONE, oldest);
        let mut age = u32::MAX;
        while span != NONE {
            let tag: Tag = self.tag(span);
            if tag.state != state || tag.first != span || tag.older != before {
                return Err(Fault::Link(span));
            }
            if let Some(now) = now {
                let this = now.wrapping_sub(tag.freed);
                if this > age {
                    return Err(Fault::Age(span));
                }
                age = this;
            }
            spans += 1;
            (before, span) = (span, tag.newer);
        }
        Ok(spans)
    }
}
