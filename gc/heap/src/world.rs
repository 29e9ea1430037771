//! Which threads may touch the heap, and how they are stopped.
//!
//! ```text
//!                attach                     enter_native
//!   Detached ─────────────▶ Managed ◀──────────────────────▶ Native
//!      ▲                     │   ▲        leave_native         ▲ │
//!      └──────── drop ───────┤   │                     resume  │ │ leave_native
//!                     poll / │   │ resume                      │ ▼ while stopped
//!                    collect ▼   │                            Stopped
//!                           Stopped
//! ```
//!
//! `inv:world.exclusive` While the world is stopped no thread is Managed, and a thread changes what the
//! collector reads of it (stack, call frames, log) only while Managed. So the collector has all of it
//! for itself, although the owner may run foreign code.
//!
//! `inv:world.dekker` A thread that becomes Managed writes its state, then reads `stopping`; the
//! collector writes `stopping`, then reads the states; all four are sequentially consistent. So at
//! least one sees the other: either the thread goes back and waits, or the collector waits for it.
//!
//! Settled is Native too, since before the last full collection ended: a thread that comes back and goes
//! again is Native.
//!
//! A thread in Native never delays a collection. A thread that attaches or detaches during one waits
//! for its end.
//!
//! Absent on purpose: timeouts. A Managed thread that never polls delays a collection for ever, so
//! every loop polls.

use crate::thread::{State, ThreadBlock, managed_here, quietly};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What the lock guards.
pub(crate) struct Inner {
    mutators: Vec<&'static ThreadBlock>,
    /// The world is to stop, or has.
    stopped: bool,
    /// Every thread has stopped.
    halted: bool,
    /// A fork holds the world: nobody becomes Managed and nobody asks for a collection.
    held: bool,
    /// When the last full collection ended, if no thread came or went since.
    full_ended: Option<Instant>,
    /// How many stops have ended.
    epoch: u64,
}

impl Inner {
    /// Whether nobody may become Managed.
    fn is_still(&self) -> bool {
        self.stopped || self.held
    }
}

/// The threads of the process that know the heap.
pub(crate) struct World {
    inner: Mutex<Inner>,
    /// Says that a thread is no longer Managed.
    stopping: AtomicBool,
    left: Condvar,
    resumed: Condvar,
}

impl World {
    pub(crate) const fn new() -> Self {
        World {
            inner: Mutex::new(Inner {
                mutators: Vec::new(),
                stopped: false,
                halted: false,
                held: false,
                full_ended: None,
                epoch: 0,
            }),
            stopping: AtomicBool::new(false),
            left: Condvar::new(),
            resumed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panics inside leaves the list whole: each change is one push or one remove.
        self.inner.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn wait<'a>(&self, on: &Condvar, guard: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        on.wait(guard).unwrap_or_else(|e| e.into_inner())
    }

    /// Lets `block` take part, Managed, after any collection under way; `bind` runs just before.
    pub(crate) fn attach(&self, block: &'static ThreadBlock, bind: impl FnOnce()) {
        let mut inner = self.lock();
        while inner.is_still() {
            inner = self.wait(&self.resumed, inner);
        }
        inner.full_ended = None;
        bind();
        block.set_state(State::Managed);
        inner.mutators.push(block);
    }

    /// Ends the part of `block`, which is Managed; `unbind` runs just after.
    pub(crate) fn detach(&self, block: &'static ThreadBlock, unbind: impl FnOnce()) {
        let inner = self.lock();
        let mut inner = self.stay_stopped(block, inner);
        inner.full_ended = None;
        inner.mutators.retain(|b| !std::ptr::eq(*b, block));
        unbind();
        block.set_state(State::Native);
        self.left.notify_all();
    }

    /// Waits while the world is stopped; `block` is Managed before and after.
    fn stay_stopped<'a>(
        &'a self,
        block: &ThreadBlock,
        mut inner: MutexGuard<'a, Inner>,
    ) -> MutexGuard<'a, Inner> {
        if inner.is_still() {
            block.set_state(State::Stopped);
            self.left.notify_all();
            while inner.is_still() {
                inner = self.wait(&self.resumed, inner);
            }
            block.set_state(State::Managed);
        }
        inner
    }

    /// The slow path of a poll.
    #[cold]
    pub(crate) fn safepoint(&self, block: &ThreadBlock) {
        let inner = self.lock();
        let _inner = self.stay_stopped(block, inner);
        block.stack.clear_poll();
    }

    /// Waits for the end of a collection that was asked for and may not have started.
    pub(crate) fn wait_for_collection(&self, block: &ThreadBlock) {
        let mut inner = self.lock();
        let epoch = inner.epoch;
        block.set_state(State::Stopped);
        self.left.notify_all();
        while inner.epoch == epoch || inner.is_still() {
            inner = self.wait(&self.resumed, inner);
        }
        block.set_state(State::Managed);
    }

    /// Managed → Native.
    #[inline(always)]
    pub(crate) fn enter_native(&self, block: &ThreadBlock) {
        block.swap_state(State::Native);
        // inv:world.dekker
        if self.stopping.load(Ordering::SeqCst) {
            self.tell_left();
        }
    }

    #[cold]
    fn tell_left(&self) {
        // Native already, so a signal handler that allocates here would be asked, with this lock held.
        quietly(|| {
            let _inner = self.lock();
            self.left.notify_all();
        });
    }

    /// Native → Managed, after any collection under way. Returns whether there was one.
    #[inline(always)]
    pub(crate) fn leave_native(&self, block: &ThreadBlock) -> bool {
        block.swap_state(State::Managed);
        // inv:world.dekker
        let stopping = self.stopping.load(Ordering::SeqCst);
        if stopping {
            block.waiting(|| self.safepoint(block));
        }
        stopping
    }

    /// Stops the world and returns the threads in it.
    pub(crate) fn stop(&self) -> Vec<&'static ThreadBlock> {
        let mut inner = self.lock();
        inner.stopped = true;
        self.stopping.store(true, Ordering::SeqCst);
        inner.mutators.iter().for_each(|b| b.stack.want_poll());
        // inv:world.dekker
        while inner.mutators.iter().any(|b| b.is_managed()) {
            inner = self.wait(&self.left, inner);
        }
        inner.halted = true;
        inner.mutators.clone()
    }

    /// Lets the world go on after a collection, which was a full one or not. With `polls` every thread
    /// polls once more soon, because there is something to be done at a safe point of the language's.
    pub(crate) fn resume(&self, full: bool, polls: bool) {
        let mut inner = self.lock();
        if full {
            inner.mutators.iter().for_each(|b| b.settle());
            inner.full_ended = Some(Instant::now());
        }
        inner.mutators.iter().for_each(|b| match polls {
            true => b.stack.want_poll(),
            false => b.stack.clear_poll(),
        });
        self.stopping.store(inner.held, Ordering::SeqCst);
        inner.stopped = false;
        inner.halted = false;
        inner.epoch += 1;
        self.resumed.notify_all();
    }

    /// Runs `f`, which must not wait for a thread, unless the world is stopped. Returns what `f` does, or
    /// else false.
    pub(crate) fn unless_stopped(&self, f: impl FnOnce() -> bool) -> bool {
        let inner = self.lock();
        !inner.is_still() && f()
    }

    /// Asks for a collection by `ask`, which must not wait for a thread, and waits for its end. The
    /// calling thread is not Managed. Returns false if the world has not stopped by `deadline`, or if `ask`
    /// does.
    pub(crate) fn wait_from_outside(&self, deadline: Instant, ask: impl FnOnce() -> bool) -> bool {
        let inner = self.lock();
        let (inner, running) = self.wait_until(inner, deadline, |inner| !inner.is_still());
        if !running || !ask() {
            return false;
        }
        let epoch = inner.epoch;
        let (_inner, ended) = self.wait_until(inner, deadline, |inner| inner.epoch != epoch);
        ended
    }

    /// Waits until `done`, and until `deadline` at most unless a collection is running then. Returns
    /// whether it is done.
    fn wait_until<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner>,
        deadline: Instant,
        done: impl Fn(&Inner) -> bool,
    ) -> (MutexGuard<'a, Inner>, bool) {
        while !done(&inner) {
            if inner.halted {
                inner = self.wait(&self.resumed, inner);
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return (inner, false);
            }
            let waited = self.resumed.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(|e| e.into_inner()).0;
        }
        (inner, true)
    }

    /// Whether a full collection ended less than `recent` ago and no thread was Managed since, so that
    /// another one would find nothing new.
    pub(crate) fn is_settled(&self, recent: Duration) -> bool {
        let inner = self.lock();
        inner.full_ended.is_some_and(|end| end.elapsed() < recent)
            && inner.mutators.iter().all(|b| b.is_settled())
    }

    /// Stops the world for a fork and keeps it locked: nobody else is Managed, no collection runs and none is
    /// wanted, which `idle` says. For a calling thread that is Managed this is a safepoint. Returns false
    /// too if that is not so by `deadline`; a collection that has stopped the world already is waited for
    /// however long it takes, for it needs nothing of this thread's.
    pub(crate) fn hold(
        &self,
        deadline: Instant,
        idle: impl Fn() -> bool,
    ) -> (MutexGuard<'_, Inner>, bool) {
        let mine = managed_here();
        let mut inner = self.lock();
        if let Some(block) = mine {
            block.set_state(State::Stopped);
            self.left.notify_all();
        }
        // Another thread's fork.
        while inner.held {
            inner = self.wait(&self.resumed, inner);
        }
        inner.held = true;
        self.stopping.store(true, Ordering::SeqCst);
        inner.mutators.iter().for_each(|b| b.stack.want_poll());
        let whole = loop {
            let changes = if inner.stopped || !idle() {
                &self.resumed
            } else if inner.mutators.iter().any(|b| b.is_managed()) {
                // inv:world.dekker
                &self.left
            } else {
                break true;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if inner.halted {
                inner = self.wait(changes, inner);
            } else if left.is_zero() {
                break false;
            } else {
                let waited = changes.wait_timeout(inner, left);
                inner = waited.unwrap_or_else(|e| e.into_inner()).0;
            }
        };
        if let Some(block) = mine {
            block.set_state(State::Managed);
        }
        (inner, whole)
    }

    /// Lets go of what [`World::hold`] held. Who polls because of it does so in vain.
    pub(crate) fn release(&self, inner: &mut Inner) {
        inner.held = false;
        self.stopping.store(inner.stopped, Ordering::SeqCst);
        self.resumed.notify_all();
    }

    /// In a forked child: takes the other threads, which are not there, out of the world and returns them.
    pub(crate) fn forked(&self, inner: &mut Inner) -> Vec<&'static ThreadBlock> {
        inner.stopped = false;
        inner.halted = false;
        inner.full_ended = None;
        self.release(inner);
        inner.mutators.extract_if(.., |b| !b.is_here()).collect()
    }

    /// Whether the world is to stop, or has.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Whether a thread waits for the world to go on.
    pub(crate) fn anyone_stopped(&self) -> bool {
        self.lock().mutators.iter().any(|b| b.is_stopped())
    }

    /// The threads in the world.
    pub(crate) fn mutators(&self) -> Vec<&'static ThreadBlock> {
        self.lock().mutators.clone()
    }

    /// How many threads are in the world.
    pub(crate) fn count(&self) -> usize {
        self.lock().mutators.len()
    }
}
