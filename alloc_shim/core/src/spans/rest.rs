//! Spans that were given back a moment ago. A request of the same length takes one as it is, so that a program that takes and
//! gives one large block in turn pays for no bin, no neighbour and no age.
//!
//! `inv:spans.resting` Resting spans are in no bin and no list by age, and merged with nothing. They are the first of `first`,
//! longest at rest first.

use super::find::Want;
use super::{Kind, NONE, Spans, State};

/// How many spans rest at most; whoever gives one more wakes the one that has rested longest.
const MOST: usize = 4;

/// How long a span rests, in milliseconds, if anybody takes or gives spans.
pub(crate) const REST_MS: u32 = 16;

/// Where the resting spans are.
#[derive(Debug)]
pub(super) struct Resting {
    first: [u32; MOST],
    count: usize,
    pub(super) slices: usize,
}

impl Resting {
    pub(super) const EMPTY: Resting = Resting {
        first: [NONE; MOST],
        count: 0,
        slices: 0,
    };

    pub(super) fn each(&self) -> &[u32] {
        &self.first[..self.count.min(MOST)]
    }
}

impl Spans<'_> {
    /// Lets slices rest that are in no list, since `now`.
    pub(crate) fn rest(&mut self, first: u32, len: u32, now: u32) {
        if self.index.resting.each().len() == MOST {
            self.wake(0, now);
        }
        self.set(first, len, State::Resting);
        self.tag_mut(first).freed = now;
        let resting = &mut self.index.resting;
        resting.first[resting.count] = first;
        resting.count += 1;
        resting.slices += len as usize;
    }

    /// Takes the span that has rested shortest of those with the length that is wanted.
    pub(crate) fn take_resting(&mut self, want: Want) -> Option<u32> {
        let fits = |first: &u32| self.tag(*first).len == want.len && want.start(*first) == *first;
        let place = self.index.resting.each().iter().rposition(fits)?;
        let (first, len) = self.rise(place);
        self.set(first, len, State::Taken);
        Some(first)
    }

    /// Makes all resting spans dirty ones.
    pub(crate) fn settle(&mut self, now: u32) {
        while !self.index.resting.each().is_empty() {
            self.wake(0, now);
        }
    }

    /// How long the longest has rested.
    pub(crate) fn rested(&self, now: u32) -> Option<u32> {
        let first = self.index.resting.each().first()?;
        Some(now.wrapping_sub(self.tag(*first).freed))
    }

    /// Makes a resting span a dirty one. What has become free while it rested is counted as old as it is, or it as young: a
    /// difference of [`REST_MS`], since whoever takes or gives a span later wakes what has rested for so long.
    fn wake(&mut self, place: usize, now: u32) {
        let (first, len) = self.rise(place);
        let since = |first: u32| now.wrapping_sub(self.tag(first).freed);
        let newest = self.index.dirty.newest;
        let age = match newest {
            NONE => since(first),
            _ => since(first).min(since(newest)),
        };
        self.free_since(first, len, Kind::Dirty, now, age);
    }

    /// Takes a span out of those that rest.
    fn rise(&mut self, place: usize) -> (u32, u32) {
        let resting = &mut self.index.resting;
        let first = resting.first[place];
        // No call for a few words, which are mostly none.
        for at in place + 1..resting.count.min(MOST) {
            resting.first[at - 1] = resting.first[at];
        }
        resting.count -= 1;
        let len = self.tag(first).len;
        self.index.resting.slices -= len as usize;
        (first, len)
    }
}
