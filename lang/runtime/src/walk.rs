//! Work that grows with its data, in pieces between which a collection may begin.
//!
//! inv:walk.piece — a loop that is cut by this module polls after [`PIECE`] steps at most, so that it
//! keeps no collection waiting for longer than that. Afterwards every value may be elsewhere: arguments are read again
//! (inv:rooted.args), and what else is needed is kept by [`Rt::poll_keeping`] or [`Rt::poll_keeping_all`].
//!
//! Absent on purpose: polls where bytes, or words that lie beside each other, are copied, filled, compared or searched,
//! which goes at the speed of memory; and in the arithmetic of large numbers and the reader, which are done beside the
//! collector ([`Rt::beside`]). What knows objects by their addresses while it works does not poll either, since they
//! would change: the printer, tables that hash by address when they are hashed anew after a collection, and the labels
//! of data that were read.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_gc::RootSource;
use bowline_layout::Value;

use crate::object::cdr;
use crate::rt::Rt;

/// Steps between two polls: some microseconds.
pub const PIECE: usize = 4096;

/// Words in Rust's memory that are roots until their owner takes them back.
struct Kept(Arc<Mutex<Vec<Value>>>);

impl RootSource for Kept {
    fn visit(&self, f: &mut dyn FnMut(&mut Value)) {
        // Its owner is in a poll, and holds no lock.
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.iter_mut().for_each(f);
    }

    fn is_dead(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// The walk that finds the length of a list: one place goes twice as fast as the other, and meets it on a cycle.
pub(crate) struct Measure {
    slow: Value,
    fast: Value,
    pairs: usize,
}

/// What a list turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// It ends, after so many pairs, with the empty list.
    Proper(usize),
    /// It ends with something else.
    Improper(usize),
    /// It has no end; the two places have met here.
    Cyclic(Value),
}

impl Measure {
    pub(crate) fn new(list: Value) -> Self {
        Measure {
            slow: list,
            fast: list,
            pairs: 0,
        }
    }

    /// Goes on for a piece; `None` if there is more.
    fn go(&mut self) -> Option<Extent> {
        for _ in 0..PIECE / 2 {
            for _ in 0..2 {
                if !self.fast.is_pair() {
                    return Some(match self.fast {
                        Value::NIL => Extent::Proper(self.pairs),
                        _ => Extent::Improper(self.pairs),
                    });
                }
                self.fast = cdr(self.fast);
                self.pairs += 1;
            }
            self.slow = cdr(self.slow);
            if self.fast == self.slow && self.fast.is_pair() {
                return Some(Extent::Cyclic(self.fast));
            }
        }
        None
    }
}

/// The length of a list that has a few thousand pairs at most: `Some(None)` if it is no proper list, `None` if it is
/// longer.
pub fn short_length(v: Value) -> Option<Option<usize>> {
    Measure::new(v).go().map(|extent| match extent {
        Extent::Proper(n) => Some(n),
        _ => None,
    })
}

impl Rt {
    /// Polls. `values` are kept meanwhile, and are where they are afterwards.
    #[inline]
    pub(crate) fn poll_keeping<const N: usize>(&mut self, values: [&mut Value; N]) {
        if !self.heap.stack().poll_wanted() {
            return;
        }
        let height = self.height();
        for v in &values {
            self.push(**v);
        }
        self.heap.poll();
        for (i, v) in values.into_iter().enumerate() {
            *v = self.at(height + i);
        }
        self.truncate(height);
    }

    /// The same for as many as there are: the root stack has not room for all that a walk may remember.
    pub(crate) fn poll_keeping_all(&mut self, values: &mut Vec<Value>) {
        let kept = Arc::new(Mutex::new(std::mem::take(values)));
        self.heap_ref
            .register_roots(Box::new(Kept(Arc::clone(&kept))));
        self.heap.poll();
        *values = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Calls `f` with each piece of `range`, and polls in between (inv:walk.piece).
    pub(crate) fn in_pieces(
        &mut self,
        range: Range<usize>,
        mut f: impl FnMut(&mut Rt, Range<usize>),
    ) {
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + PIECE);
            f(self, start..end);
            self.heap.poll();
            start = end;
        }
    }

    /// What the list at a root stack position is.
    pub(crate) fn extent(&mut self, position: usize) -> Extent {
        let mut walk = Measure::new(self.at(position));
        loop {
            if let Some(extent) = walk.go() {
                return extent;
            }
            self.poll_keeping([&mut walk.slow, &mut walk.fast]);
        }
    }

    /// The length of the proper list at a root stack position; `None` for anything else, cycles included.
    pub fn list_length(&mut self, position: usize) -> Option<usize> {
        match self.extent(position) {
            Extent::Proper(n) => Some(n),
            _ => None,
        }
    }

    /// How many pairs the list at a root stack position has before its end, or before it begins again.
    pub(crate) fn list_prefix(&mut self, position: usize) -> usize {
        let mut met = match self.extent(position) {
            Extent::Proper(n) | Extent::Improper(n) => return n,
            Extent::Cyclic(met) => met,
        };
        // The cycle begins where a walk from the front meets one from here (Floyd; Knuth, TAOCP 2, 3.1, exercise 6).
        let (mut at, mut n) = (self.at(position), 0);
        while at != met {
            (at, met, n) = (cdr(at), cdr(met), n + 1);
            if n % PIECE == 0 {
                self.poll_keeping([&mut at, &mut met]);
            }
        }
        loop {
            (at, n) = (cdr(at), n + 1);
            if at == met {
                return n;
            }
            if n % PIECE == 0 {
                self.poll_keeping([&mut at, &mut met]);
            }
        }
    }

    /// Runs `f`, which touches no object and may take long, as a thread that delays no collection.
    pub(crate) fn beside<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.heap.beside(f)
    }
}
