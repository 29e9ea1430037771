//! The limit of a stack that others may pull, and the requests to interrupt what its thread is doing.
//!
//! `inv:interrupt.seen` A request is counted first and trips the limit then; whoever puts the limit
//! back looks at the count afterwards and trips it again while there is a request. So a request that
//! was counted is met at the next poll, whatever collections come between.
//!
//! Requests count only while somebody listens: one that comes when nothing is being done is dropped
//! and meets nobody later.
//!
//! Absent on purpose: what an interrupt does. The language asks at its polls and decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Nobody listens.
const DEAF: u32 = 0;
/// Somebody listens; every request adds one.
const LISTENING: u32 = 1;

/// A stack's limit (`inv:stack.limit`) with the requests to interrupt its thread.
#[derive(Debug)]
pub(crate) struct Limit {
    word: AtomicUsize,
    /// What the word is when nobody wants the thread. The thread itself moves it.
    rest: AtomicUsize,
    requests: AtomicU32,
}

impl Limit {
    pub(crate) fn new(rest: usize) -> Arc<Self> {
        Arc::new(Limit {
            word: AtomicUsize::new(rest),
            rest: AtomicUsize::new(rest),
            requests: AtomicU32::new(DEAF),
        })
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> &AtomicUsize {
        &self.word
    }

    pub(crate) fn trip(&self) {
        self.word.store(0, Ordering::SeqCst);
    }

    /// Puts the word back unless the thread is to be interrupted (inv:interrupt.seen).
    pub(crate) fn restore(&self) {
        let rest = self.rest.load(Ordering::SeqCst);
        self.word.store(rest, Ordering::SeqCst);
        if self.is_requested() {
            self.trip();
        }
    }

    /// Changes what the word is when nobody wants the thread; called by that thread. A limit that was
    /// tripped stays so.
    pub(crate) fn move_to(&self, rest: usize) {
        self.rest.store(rest, Ordering::SeqCst);
        let untripped = |word: usize| (word != 0).then_some(rest);
        let _ = self
            .word
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, untripped);
    }

    #[inline]
    pub(crate) fn is_requested(&self) -> bool {
        self.requests.load(Ordering::SeqCst) > LISTENING
    }

    /// Takes the requests, if there are any.
    pub(crate) fn take(&self) -> bool {
        let taken = self
            .requests
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| {
                (n > LISTENING).then_some(LISTENING)
            });
        taken.is_ok()
    }

    pub(crate) fn listen(&self, on: bool) {
        let state = if on { LISTENING } else { DEAF };
        self.requests.store(state, Ordering::SeqCst);
    }
}

/// A handle by which any thread, and a signal handler, brings the thread of a mutator to its next poll, and does no
/// more. Whoever polls may put the limit back without doing what the puller wants: who is not served pulls again.
#[derive(Clone, Debug)]
pub struct Puller(pub(crate) Arc<Limit>);

impl Puller {
    /// Pulls the limit.
    pub fn pull(&self) {
        self.0.trip();
    }
}

/// A handle by which any thread, and a signal handler, interrupts what the thread of a mutator does.
#[derive(Clone, Debug)]
pub struct Interrupter(pub(crate) Arc<Limit>);

impl Interrupter {
    /// Whether there are requests that the thread has not met.
    #[inline]
    pub fn is_requested(&self) -> bool {
        self.0.is_requested()
    }

    /// Asks the thread to stop what it does, at its next poll. The result is how many requests it has
    /// not met yet, this one included; 0 if there is nothing to interrupt. May be called in a signal
    /// handler.
    pub fn interrupt(&self) -> u32 {
        let counted = self
            .0
            .requests
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| {
                (n >= LISTENING).then(|| n.saturating_add(1))
            });
        match counted {
            Ok(before) => {
                self.0.trip();
                before.saturating_add(1) - LISTENING
            }
            Err(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_outlives_whoever_restores_the_limit() {
        let limit = Limit::new(64);
        let interrupter = Interrupter(Arc::clone(&limit));
        limit.listen(true);
        assert_eq!((interrupter.interrupt(), interrupter.interrupt()), (1, 2));
        limit.restore();
        assert_eq!(limit.word().load(Ordering::Relaxed), 0);
        assert!(limit.take() && !limit.take());
        limit.restore();
        assert_eq!(limit.word().load(Ordering::Relaxed), 64);
    }

    #[test]
    fn a_limit_that_moves_stays_tripped() {
        let limit = Limit::new(64);
        limit.move_to(32);
        assert_eq!(limit.word().load(Ordering::Relaxed), 32);
        limit.trip();
        limit.move_to(48);
        assert_eq!(limit.word().load(Ordering::Relaxed), 0);
        limit.restore();
        assert_eq!(limit.word().load(Ordering::Relaxed), 48);
    }

    #[test]
    fn a_request_that_nobody_listens_for_is_dropped() {
        let limit = Limit::new(64);
        let interrupter = Interrupter(Arc::clone(&limit));
        assert_eq!(interrupter.interrupt(), 0);
        limit.listen(true);
        assert!(!limit.take());
        assert_eq!(interrupter.interrupt(), 1);
        limit.listen(false);
        limit.listen(true);
        assert!(!limit.take());
    }
}
