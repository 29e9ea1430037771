//! A thread as the world sees it: a word for its state, and how the collector waits for it. The picture of the
//! states is in `world`.
//!
//! Absent on purpose: what else a thread has (see `thread`), so that the model checker runs this with threads
//! of its own.

use crate::sync::{Futex, LOOKS, Ordering, spin};
use std::time::{Duration, Instant};

/// A mutator's state, as the collector sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum State {
    /// May touch the heap; must stop before a collection starts.
    Managed = 0,
    /// In foreign code; does not delay a collection.
    Native = 1,
    /// Waits for a collection to end.
    Stopped = 2,
    /// Native since before the last full collection ended.
    Settled = 3,
}

/// The word of a thread's state.
pub(crate) struct StateWord(Futex);

impl StateWord {
    /// The state of a thread that is not attached yet.
    pub(crate) fn new() -> Self {
        StateWord(Futex::new(State::Native as u32))
    }

    #[inline(always)]
    pub(crate) fn set(&self, state: State) {
        // Release: who sees the state sees what the thread did before.
        self.0.word().store(state as u32, Ordering::Release);
    }

    /// The state.
    #[inline(always)]
    pub(crate) fn get(&self) -> State {
        const STATES: [State; 4] = [
            State::Managed,
            State::Native,
            State::Stopped,
            State::Settled,
        ];
        // Acquire: see `set`.
        STATES[self.0.word().load(Ordering::Acquire) as usize]
    }

    #[inline(always)]
    pub(crate) fn is(&self, state: State) -> bool {
        self.get() == state
    }

    /// Wakes the collector if it sleeps on this word. Called when the thread is no longer Managed.
    pub(crate) fn wake(&self) {
        self.0.wake();
    }

    /// Sleeps while the state is Managed, and `patience` at most. May return for no reason.
    pub(crate) fn wait_while_managed(&self, patience: Option<Duration>) {
        self.0.wait(State::Managed as u32, patience);
    }

    /// Native → Settled; a thread that is not Native stays what it is.
    pub(crate) fn settle(&self) {
        let (native, settled) = (State::Native as u32, State::Settled as u32);
        let word = self.0.word();
        let _ = word.compare_exchange(native, settled, Ordering::AcqRel, Ordering::Relaxed);
    }
}

/// A thread of the world.
pub(crate) trait Member: 'static {
    /// Its state.
    fn state(&self) -> &StateWord;
    /// Asks for it at its next poll.
    fn want_poll(&self);
    /// Takes the request back.
    fn clear_poll(&self);
    /// Whether it is the calling thread's.
    fn is_here(&self) -> bool;
}

/// Who is told of threads that keep the collector waiting.
pub(crate) trait Watch<M> {
    /// How long a thread may take; nothing if nobody wants to know.
    fn patience(&self) -> Option<Duration>;
    /// This thread has not stopped yet, after so long.
    fn stalled(&mut self, member: &M, waited: Duration);
    /// They have all stopped after so long, and some were named before.
    fn over(&mut self, waited: Duration);
}

/// The first of `members` that is Managed.
pub(crate) fn first_managed<M: Member>(members: &[&'static M]) -> Option<&'static M> {
    let mut managed = members.iter().filter(|m| m.state().is(State::Managed));
    managed.next().copied()
}

/// The wait of the collector, or of a fork, for threads to stop.
pub(crate) struct Wait<'a, W> {
    asked: Instant,
    /// How long nobody is named; nothing if nobody will be any more.
    patience: Option<Duration>,
    named: bool,
    watch: &'a mut W,
}

impl<'a, W> Wait<'a, W> {
    /// They are asked to stop now.
    pub(crate) fn new<M>(watch: &'a mut W) -> Self
    where
        W: Watch<M>,
    {
        Wait {
            asked: Instant::now(),
            patience: watch.patience(),
            named: false,
            watch,
        }
    }

    /// Waits until each of `members` has been seen not to be Managed.
    pub(crate) fn for_all<M: Member>(&mut self, members: &[&'static M])
    where
        W: Watch<M>,
    {
        for member in members {
            let mut looks = 0;
            while member.state().is(State::Managed) {
                if looks < LOOKS {
                    looks += 1;
                    spin();
                    continue;
                }
                let left = self.patience;
                let left = left.map(|patience| patience.saturating_sub(self.asked.elapsed()));
                if left.is_some_and(|left| left.is_zero()) {
                    self.name(members);
                } else {
                    member.state().wait_while_managed(left);
                }
            }
        }
    }

    /// How long to sleep, `left` at most, for some of `members` to stop: those are named when it is time.
    pub(crate) fn next<M: Member>(
        &mut self,
        members: &[&'static M],
        left: Option<Duration>,
    ) -> Option<Duration>
    where
        W: Watch<M>,
    {
        let waited = self.asked.elapsed();
        if self.patience.is_some_and(|patience| patience <= waited) {
            self.name(members);
        }
        let due = self.patience.map(|patience| patience - waited);
        [left, due].into_iter().flatten().min()
    }

    /// Names all who have not stopped: they were asked at once, so all have taken that long.
    fn name<M: Member>(&mut self, members: &[&'static M])
    where
        W: Watch<M>,
    {
        self.patience = None;
        let waited = self.asked.elapsed();
        for late in members.iter().filter(|m| m.state().is(State::Managed)) {
            self.watch.stalled(late, waited);
            self.named = true;
        }
    }

    /// So much of the time was not theirs.
    pub(crate) fn without(&mut self, time: Duration) {
        self.asked += time;
    }

    /// Whether some were named, so that there is something to say when all have stopped.
    pub(crate) fn has_named(&self) -> bool {
        self.named
    }

    /// All have stopped.
    pub(crate) fn over<M>(&mut self)
    where
        W: Watch<M>,
    {
        if std::mem::take(&mut self.named) {
            self.watch.over(self.asked.elapsed());
        }
    }
}
