//! A thread of the world that has nothing but its state and a wish to poll, for `litmus` and for the models under
//! loom (`tests/loom`), which compile this by themselves.
//!
//! Absent on purpose: a heap.

use crate::member::{Member, StateWord, Watch};
use crate::sync::{Futex, Ordering::SeqCst};
use std::time::Duration;

/// A thread that polls when it crosses.
pub(crate) struct Crosser {
    state: StateWord,
    wanted: Futex,
}

impl Crosser {
    /// One that stays for ever and belongs to no world yet.
    pub(crate) fn fresh() -> &'static Self {
        Box::leak(Box::new(Crosser {
            state: StateWord::new(),
            wanted: Futex::new(0),
        }))
    }

    /// Whether it is to poll.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.word().load(SeqCst) != 0
    }
}

impl Member for Crosser {
    fn state(&self) -> &StateWord {
        &self.state
    }

    fn want_poll(&self) {
        self.wanted.word().store(1, SeqCst);
    }

    fn clear_poll(&self) {
        self.wanted.word().store(0, SeqCst);
    }

    fn is_here(&self) -> bool {
        false
    }
}

/// Who wants to know of nobody.
pub(crate) struct Nobody;

impl Watch<Crosser> for Nobody {
    fn patience(&self) -> Option<Duration> {
        None
    }

    fn stalled(&mut self, _: &Crosser, _: Duration) {}

    fn over(&mut self, _: Duration) {}
}
