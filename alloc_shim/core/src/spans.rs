//! Spans: which slices of the region are free, found by length, by neighbour and by age.
//!
//! Everything here is arithmetic on an array of [`Tag`]s, one for each slice, and an [`Index`] into it; no memory of the
//! spans themselves is touched.
//!
//! ```text
//!            take            give              settle         purge starts           purge ends
//!   CLEAN ──────────► TAKEN ────────► RESTING ────────► DIRTY ──────────────► LEAVING ────────────► CLEAN
//!     ▲                 ▲      take      │                │                      │ refused
//!     │ the frontier    └────────────────┴────────────────┘                      └──────► DIRTY
//! ```
//!
//! `inv:spans.tiled` From the first slice to the frontier spans follow each other without a gap. The tags of a span's first
//! and last slice say its state, first slice and length; those between say nothing.
//!
//! `inv:spans.merged` No two neighbours are both dirty or both clean. Dirty and clean ones stay apart, so that a clean span
//! is zero in every byte (`inv:pal.zero`); a purge makes them one.
//!
//! `inv:spans.aged` The dirty spans stand in a list by the time since when they, or their oldest part, have been free.
//!
//! Free spans of one kind are binned by length: exactly up to 32 slices, in eighths of a power of two beyond. A request
//! looks at some spans of its own bin, newest first, then takes what it finds in a larger one: good fit, as in Masmano,
//! Ripoll, Crespo and Real, *TLSF* (2004). Dirty spans come first, since using them again costs no fault, also those that are too
//! short but have free neighbours; but not where the memory is to be zero.

mod check;
mod find;
mod index;
mod lists;
mod rest;
#[cfg(test)]
mod tests;

pub use check::{Fault, Totals};
pub(crate) use find::Want;
pub(crate) use index::Index;
use lists::Which;
pub(crate) use rest::REST_MS;

/// No slice. The first slice of every region belongs to its tables, so no span begins there.
const NONE: u32 = 0;

/// What a span is used for. Zeroed memory is `Unused`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum State {
    /// Beyond the frontier.
    #[default]
    Unused = 0,
    /// Somebody's.
    Taken,
    /// Free, with memory that holds anything.
    Dirty,
    /// Free, and zero in every byte.
    Clean,
    /// Free, and on its way from dirty to clean.
    Leaving,
    /// Free since a moment ago: inv:spans.resting.
    Resting,
}

/// The two kinds of free spans that can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dirty = 0,
    Clean = 1,
}

impl State {
    fn kind(self) -> Option<Kind> {
        match self {
            State::Dirty => Some(Kind::Dirty),
            State::Clean => Some(Kind::Clean),
            State::Unused | State::Taken | State::Leaving | State::Resting => None,
        }
    }
}

impl Kind {
    fn state(self) -> State {
        match self {
            Kind::Dirty => State::Dirty,
            Kind::Clean => State::Clean,
        }
    }
}

/// What is known about a slice. All zero is a slice beyond the frontier.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Tag {
    state: State,
    /// The span's first slice.
    first: u32,
    /// The span's length.
    len: u32,
    /// When the oldest part became free, in milliseconds of a clock that wraps around. Of the span's first slice only, as all that
    /// follows.
    freed: u32,
    /// Neighbours in the bin; of a leaving span its [`Purger`].
    before: u32,
    after: u32,
    /// Neighbours in the list of dirty or of leaving spans.
    older: u32,
    newer: u32,
}

const _: () = assert!(size_of::<Tag>() == 32);

/// Who purges a leaving span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purger {
    /// The number of a thread.
    pub(crate) thread: u32,
    /// And in which copy of the process, counted from the first.
    pub(crate) process: u32,
}

/// The spans of a region, for the duration of one operation.
#[derive(Debug)]
pub(crate) struct Spans<'a> {
    index: &'a mut Index,
    /// The tags of slices from `low` on; at least as far as the frontier.
    tags: &'a mut [Tag],
    low: u32,
}

impl<'a> Spans<'a> {
    /// The spans of slices from `low` on, which is not 0.
    pub(crate) fn new(index: &'a mut Index, tags: &'a mut [Tag], low: u32) -> Self {
        debug_assert!(low != NONE);
        Spans { index, tags, low }
    }

    /// The slice's tag.
    fn tag(&self, slice: u32) -> Tag {
        self.tags[(slice - self.low) as usize]
    }

    fn tag_mut(&mut self, slice: u32) -> &mut Tag {
        &mut self.tags[(slice - self.low) as usize]
    }

    /// The span that begins at `first`, if one does: its state and length.
    pub(crate) fn at(&self, first: u32) -> Option<(State, u32)> {
        let index = first.checked_sub(self.low)?;
        let tag = self.tags.get(index as usize)?;
        (tag.first == first && tag.state != State::Unused).then_some((tag.state, tag.len))
    }

    /// Where the free span of this kind begins that ends before `end`; `end` if there is none.
    pub(crate) fn before(&self, end: u32, kind: Kind) -> u32 {
        match end > self.low {
            true if self.tag(end - 1).state == kind.state() => self.tag(end - 1).first,
            _ => end,
        }
    }

    /// Writes down that a span is in `state`, at both its ends.
    pub(crate) fn set(&mut self, first: u32, len: u32, state: State) {
        for slice in [first, first + len - 1] {
            let tag = self.tag_mut(slice);
            (tag.state, tag.first, tag.len) = (state, first, len);
        }
    }

    /// Frees slices that are in no list, as clean or, since `now`, dirty ones; they become one with their neighbours.
    pub(crate) fn free(&mut self, first: u32, len: u32, kind: Kind, now: u32) {
        self.free_since(first, len, kind, now, 0);
    }

    /// The same of slices that have been free for some time, no longer than any that is dirty.
    fn free_since(&mut self, first: u32, len: u32, kind: Kind, now: u32, age: u32) {
        let left = (first > self.low).then(|| self.tag(first - 1));
        let left = left
            .filter(|tag| tag.state == kind.state())
            .map(|tag| self.tag(tag.first));
        let right = self
            .at(first + len)
            .filter(|(state, _)| *state == kind.state())
            .map(|_| self.tag(first + len));
        let mut start = first;
        let mut end = first + len;
        for neighbour in [left, right].into_iter().flatten() {
            self.unbin(neighbour.first);
            start = start.min(neighbour.first);
            end = end.max(neighbour.first + neighbour.len);
        }
        if kind == Kind::Dirty {
            self.inherit_age(left, right, start, now, age);
        }
        self.set(start, end - start, kind.state());
        self.bin(start);
    }

    /// Gives the dirty span that begins at `start` the place in age of the older of its parts.
    fn inherit_age(
        &mut self,
        left: Option<Tag>,
        right: Option<Tag>,
        start: u32,
        now: u32,
        age: u32,
    ) {
        match (left, right) {
            (None, None) => {
                self.tag_mut(start).freed = now.wrapping_sub(age);
                self.push_newest(Which::Dirty, start);
            }
            (Some(one), None) | (None, Some(one)) => self.replace_in_age(one.first, start),
            (Some(one), Some(other)) => {
                let one_is_older = now.wrapping_sub(one.freed) >= now.wrapping_sub(other.freed);
                let (heir, rest) = if one_is_older {
                    (one, other)
                } else {
                    (other, one)
                };
                self.leave_list(Which::Dirty, rest.first);
                self.replace_in_age(heir.first, start);
            }
        }
    }

    /// Takes `len` slices at `start` out of the free span that begins at `span`; what is left over stays as free and as old
    /// as it was.
    pub(crate) fn carve(&mut self, span: u32, start: u32, len: u32) -> Kind {
        let whole = self.tag(span);
        let kind = whole.state.kind().expect("only free spans are carved");
        let end = span + whole.len;
        let (lead, rest) = (start - span, end - (start + len));
        self.unbin(span);
        if kind == Kind::Dirty {
            match (lead > 0, rest > 0) {
                (true, true) => self.insert_after(span, start + len),
                (true, false) => {}
                (false, true) => self.replace_in_age(span, start + len),
                (false, false) => self.leave_list(Which::Dirty, span),
            }
        }
        if lead > 0 {
            self.set(span, lead, whole.state);
            self.bin(span);
        }
        if rest > 0 {
            self.set(start + len, rest, whole.state);
            self.bin(start + len);
        }
        self.set(start, len, State::Taken);
        kind
    }

    /// How many free slices follow each other from `first` on; stops counting at `enough`.
    pub(crate) fn room_at(&self, first: u32, enough: u32) -> u32 {
        let mut room = 0;
        while room < enough {
            match self.at(first + room) {
                Some((State::Dirty | State::Clean, len)) => room += len,
                _ => break,
            }
        }
        room
    }

    /// Takes `len` slices from `start` on as one span, out of the free ones that follow each other from `span` on; how many of
    /// them were clean.
    pub(crate) fn take_run(&mut self, span: u32, start: u32, len: u32) -> u32 {
        let clean = self.absorb(span, start, len);
        self.set(start, len, State::Taken);
        clean
    }

    /// The same for slices that become a part of another span.
    pub(crate) fn absorb(&mut self, mut span: u32, start: u32, len: u32) -> u32 {
        let mut clean = 0;
        let end = start + len;
        while span < end {
            let next = span + self.tag(span).len;
            let (from, to) = (span.max(start), next.min(end));
            if from < to && self.carve(span, from, to - from) == Kind::Clean {
                clean += to - from;
            }
            span = next;
        }
        clean
    }

    /// How long the oldest dirty span has been free.
    pub(crate) fn oldest_age(&self, now: u32) -> Option<u32> {
        let oldest = self.index.dirty.oldest;
        (oldest != NONE).then(|| now.wrapping_sub(self.tag(oldest).freed))
    }

    /// Lets at most `most` slices, the last ones, of the oldest dirty span leave: nobody can take them until `purger` lets them arrive.
    pub(crate) fn depart(&mut self, most: u32, purger: Purger) -> Option<(u32, u32)> {
        let span = self.index.dirty.oldest;
        if span == NONE || most == 0 {
            return None;
        }
        let whole = self.tag(span).len;
        let len = whole.min(most);
        let first = span + whole - len;
        self.carve(span, first, len);
        self.set(first, len, State::Leaving);
        self.push_newest(Which::Leaving, first);
        self.hand_over(first, purger);
        Some((first, len))
    }

    fn hand_over(&mut self, leaving: u32, purger: Purger) {
        let tag = self.tag_mut(leaving);
        (tag.before, tag.after) = (purger.thread, purger.process);
    }

    /// Ends what [`Spans::depart`] began. A span that was not purged is dirty as if it had become free just now.
    pub(crate) fn arrive(&mut self, first: u32, purged: bool, now: u32) {
        let len = self.tag(first).len;
        self.leave_list(Which::Leaving, first);
        let kind = if purged { Kind::Clean } else { Kind::Dirty };
        self.free(first, len, kind, now);
    }

    /// A leaving span whose purger does not live; `heir` purges it from now on.
    pub(crate) fn inherit(
        &mut self,
        lives: impl Fn(Purger) -> bool,
        heir: Purger,
    ) -> Option<(u32, u32)> {
        let mut span = self.index.leaving.oldest;
        while span != NONE {
            let tag = self.tag(span);
            let purger = Purger {
                thread: tag.before,
                process: tag.after,
            };
            if !lives(purger) {
                self.hand_over(span, heir);
                return Some((span, tag.len));
            }
            span = tag.newer;
        }
        None
    }
}
