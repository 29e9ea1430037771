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
//! for itself, although the owner may run foreign code. A thread that comes back from there writes
//! Managed before it finds out that it must wait; until it has looked it touches nothing.
//!
//! `inv:world.dekker` A thread writes its state, then reads `flags`; the collector writes `flags`, then
//! reads the states; and at least one of the two sees what the other has written. So a thread that became
//! Managed goes back and waits, or the collector waits for it; and one that left Managed wakes the collector,
//! or the collector saw it leave. Between write and read each side has a fence, in one of two forms:
//!
//! * *Fenced*: both are sequentially consistent fences. Of two such fences one comes first, and what is read
//!   behind the second sees what was written before the first.
//! * *By membarrier*: the thread has nothing but an order that the compiler keeps; the collector's fence is
//!   `membarrier(2)`, which has every running thread of the process pass a full fence of the processor's
//!   before it returns (one that does not run has passed one when it was switched off). Where in the thread's
//!   program does its fence fall? Before the read of `flags`: then the read sees what the collector wrote before
//!   its call. Behind that read, and so behind the write of the state: then the collector, which reads the
//!   states after its call, sees that write. There is no third place.
//!
//! The form is chosen when the world is made. In the fenced one [`FENCES`] is set in `flags` for ever, so a
//! thread whose plain read finds `flags` to be 0 is in the other form and need not wait: crossing costs two
//! accesses and a branch, and the fenced form's cost is met by those alone who need it.
//!
//! `inv:world.listed` Threads come and go only with the lock held and the world not still. So the collector,
//! or a fork, waits without the lock for the threads that it found in the list.
//!
//! Settled is Native too, since before the last full collection ended: a thread that comes back and goes
//! again is Native. The collector writes it over Native while the world is stopped, by compare and exchange;
//! an owner that comes back writes Managed over either.
//!
//! A thread in Native never delays a collection. A thread that attaches or detaches during one waits
//! for its end. Nobody takes the lock to stop or to go on: each thread's state is a word that the collector
//! sleeps on, one thread after another, and all sleep on `changes` until the world goes on.
//!
//! A fork, or a freeze, holds the world like a collection of its own: the threads stop, but nothing is collected.
//! The two may come together; the world goes on when both are over. The thread that holds it is Stopped until it
//! does, so that a collection can begin and end meanwhile, unless it holds it *firmly* (`inv:fork.firm`).
//!
//! Absent on purpose: giving up. A Managed thread that never polls delays a collection for ever, so
//! every loop polls; who does not is named by the module `watchdog`.

use crate::member::{Member, State, Wait, Watch, first_managed};
use crate::sync::{Futex, Mutex, MutexGuard, Ordering, fence};
use std::sync::atomic::compiler_fence;
use std::time::{Duration, Instant};

/// In `flags`: the collector wants the world to stop, or has stopped it.
const STOPS: u32 = 1;
/// In `flags`: a fork holds the world: nobody becomes Managed and nobody asks for a collection.
const HELD: u32 = 4;
/// In `flags`: nobody may become Managed.
const STILL: u32 = STOPS | HELD;
/// In `flags`: threads fence when they change their states, for the collector cannot make them.
const FENCES: u32 = 2;

/// What a fork or a freeze has of the world, besides its lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hold {
    /// All it wants: every other thread has stopped, no collection runs and none is wanted.
    Whole,
    /// The others were asked to stop, but not all of that came to be.
    Part,
    /// Nobody was asked.
    Nothing,
}

/// What the lock guards.
pub(crate) struct Inner<M: 'static> {
    members: Vec<&'static M>,
    /// Every thread has stopped.
    halted: bool,
    /// When the last full collection ended, if no thread came or went since.
    full_ended: Option<Instant>,
}

impl<M> Inner<M> {
    /// How many threads are in the world.
    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }
}

/// The threads of the process that know the heap.
pub(crate) struct World<M: 'static> {
    inner: Mutex<Inner<M>>,
    /// [`STILL`] and [`FENCES`]; changed with the lock held.
    flags: Futex,
    /// How many stops have ended. Changed with the lock held.
    ended: Futex,
    /// Changes when a stop ends and when a fork lets go, with the lock held.
    changes: Futex,
    /// Makes every running thread of the process pass a fence.
    everywhere: Option<fn()>,
}

impl<M: Member> World<M> {
    /// A world without threads; `everywhere` makes every running thread of the process pass a fence, if there
    /// is such a thing (`inv:world.dekker`).
    pub(crate) fn new(everywhere: Option<fn()>) -> Self {
        World {
            inner: Mutex::new(Inner {
                members: Vec::new(),
                halted: false,
                full_ended: None,
            }),
            flags: Futex::new(if everywhere.is_some() { 0 } else { FENCES }),
            ended: Futex::new(0),
            changes: Futex::new(0),
            everywhere,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<M>> {
        // A thread that panics inside leaves the list whole: each change is one push or one remove.
        self.inner.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn flags(&self) -> u32 {
        self.flags.word().load(Ordering::Acquire)
    }

    /// How many stops have ended.
    fn ended(&self) -> u32 {
        self.ended.word().load(Ordering::Acquire)
    }

    /// Whether the world is to stop, or has, for a collection or a fork.
    pub(crate) fn is_still(&self) -> bool {
        self.flags() & STILL != 0
    }

    /// Sleeps until `done`, which can come to be only when a stop ends or a fork lets go.
    fn sleep_until(&self, done: impl Fn() -> bool) {
        loop {
            let changes = self.changes.word().load(Ordering::Acquire);
            if done() {
                return;
            }
            self.changes.wait(changes, None);
        }
    }

    /// The lock, as soon as `free` of the flags. For who is not Managed.
    fn lock_when(&self, free: impl Fn(u32) -> bool) -> MutexGuard<'_, Inner<M>> {
        loop {
            let inner = self.lock();
            if free(self.flags()) {
                return inner;
            }
            drop(inner);
            self.sleep_until(|| free(self.flags()));
        }
    }

    /// Lets those go on who wait for a change. The lock is held.
    fn changed(&self) {
        self.changes.word().fetch_add(1, Ordering::SeqCst);
        self.changes.wake();
    }

    /// Lets `member` take part, Managed, after any collection under way; `bind` runs just before.
    pub(crate) fn attach(&self, member: &'static M, bind: impl FnOnce()) {
        let mut inner = self.lock_when(|flags| flags & STILL == 0);
        inner.full_ended = None;
        bind();
        member.state().set(State::Managed);
        inner.members.push(member);
    }

    /// Ends the part of `member`, which is Managed; `unbind` runs just after.
    pub(crate) fn detach(&self, member: &'static M, unbind: impl FnOnce()) {
        loop {
            let mut inner = self.lock();
            if !self.is_still() {
                inner.full_ended = None;
                inner.members.retain(|m| !std::ptr::eq(*m, member));
                unbind();
                member.state().set(State::Native);
                return;
            }
            drop(inner);
            self.stop_here(member);
        }
    }

    /// Managed → Stopped, and Managed again when the world goes on.
    fn stop_here(&self, member: &M) {
        loop {
            member.state().set(State::Stopped);
            member.state().wake();
            self.sleep_until(|| !self.is_still());
            if self.becomes_managed(member) {
                return;
            }
        }
    }

    /// Writes Managed. Returns false if the world is to stop again.
    fn becomes_managed(&self, member: &M) -> bool {
        member.state().set(State::Managed);
        // inv:world.dekker
        fence(Ordering::SeqCst);
        !self.is_still()
    }

    /// The slow path of a poll.
    #[cold]
    pub(crate) fn safepoint(&self, member: &M) {
        member.clear_poll();
        // A stop that is not seen behind this fence asks for the thread's poll later than it was taken back.
        fence(Ordering::SeqCst);
        if self.is_still() {
            self.stop_here(member);
        }
    }

    /// Waits for the end of a collection that was asked for and may not have started.
    pub(crate) fn wait_for_collection(&self, member: &M) {
        // No stop can end before this thread is Stopped.
        let ended = self.ended();
        member.state().set(State::Stopped);
        member.state().wake();
        self.sleep_until(|| self.ended() != ended && !self.is_still());
        if !self.becomes_managed(member) {
            self.stop_here(member);
        }
    }

    /// Managed → Native.
    #[inline(always)]
    pub(crate) fn enter_native(&self, member: &M) {
        if self.changes(member, State::Native) {
            member.state().wake();
        }
    }

    /// Native → Managed. Returns whether the world is to stop: then the thread touches nothing and calls
    /// [`World::wait_to_leave`].
    #[inline(always)]
    pub(crate) fn leave_native(&self, member: &M) -> bool {
        self.changes(member, State::Managed)
    }

    /// Waits for the end of the collection that [`World::leave_native`] has found.
    #[cold]
    pub(crate) fn wait_to_leave(&self, member: &M) {
        self.stop_here(member);
    }

    /// Writes a state, then tells whether the world is to stop (`inv:world.dekker`).
    #[inline(always)]
    fn changes(&self, member: &M, state: State) -> bool {
        member.state().set(state);
        compiler_fence(Ordering::SeqCst);
        match self.flags.word().load(Ordering::Acquire) {
            0 => false,
            _ => self.is_still_indeed(),
        }
    }

    /// What to think of flags that are not 0.
    #[cold]
    fn is_still_indeed(&self) -> bool {
        // inv:world.dekker. Who needs no fence finds the same flags again, or the world has gone on.
        fence(Ordering::SeqCst);
        self.is_still()
    }

    /// Sets `flag` and asks all threads to stop. Returns them; the world is locked before, and not after.
    fn ask_to_stop(&self, inner: MutexGuard<'_, Inner<M>>, flag: u32) -> Vec<&'static M> {
        let flags = self.flags.word().fetch_or(flag, Ordering::SeqCst);
        let members = inner.members.clone();
        // inv:world.listed
        drop(inner);
        // inv:world.dekker, for the states and for the polls that are asked for behind it.
        fence(Ordering::SeqCst);
        match self.everywhere {
            Some(everywhere) if flags & FENCES == 0 => everywhere(),
            _ => {}
        }
        members.iter().for_each(|m| m.want_poll());
        members
    }

    /// Stops the world and returns the threads in it.
    pub(crate) fn stop(&self, watch: &mut impl Watch<M>) -> Vec<&'static M> {
        let mut wait = Wait::new(watch);
        let members = self.ask_to_stop(self.lock(), STOPS);
        loop {
            wait.for_all(&members);
            let mut inner = self.lock();
            // The thread of a fork that has not got its way goes on, with the lock held.
            if first_managed(&members).is_none() {
                inner.halted = true;
                break;
            }
        }
        wait.over();
        members
    }

    /// Lets the world go on after a collection, which was a full one or not. With `polls` every thread
    /// polls once more soon, because there is something to be done at a safe point of the language's.
    pub(crate) fn resume(&self, full: bool, polls: bool) {
        let mut inner = self.lock();
        if full {
            inner.members.iter().for_each(|m| m.state().settle());
            inner.full_ended = Some(Instant::now());
        }
        inner.members.iter().for_each(|m| match polls {
            true => m.want_poll(),
            false => m.clear_poll(),
        });
        inner.halted = false;
        self.flags.word().fetch_and(!STOPS, Ordering::SeqCst);
        self.ended.word().fetch_add(1, Ordering::SeqCst);
        self.changed();
    }

    /// Runs `f`, which must not wait for a thread, unless the world is stopped. Returns what `f` does, or
    /// else false.
    pub(crate) fn unless_stopped(&self, f: impl FnOnce() -> bool) -> bool {
        let _inner = self.lock();
        !self.is_still() && f()
    }

    /// Asks for a collection by `ask`, which must not wait for a thread, and waits for its end. The
    /// calling thread is not Managed. Returns false if the world has not stopped by `deadline`, or if `ask`
    /// does.
    pub(crate) fn wait_from_outside(&self, deadline: Instant, ask: impl FnOnce() -> bool) -> bool {
        let Some(inner) = self.wait_until(deadline, || !self.is_still()) else {
            return false;
        };
        if !ask() {
            return false;
        }
        let ended = self.ended();
        drop(inner);
        self.wait_until(deadline, || self.ended() != ended)
            .is_some()
    }

    /// The lock, once `done`; nothing if that does not come until `deadline`, unless a collection is
    /// running then.
    fn wait_until(
        &self,
        deadline: Instant,
        done: impl Fn() -> bool,
    ) -> Option<MutexGuard<'_, Inner<M>>> {
        loop {
            let inner = self.lock();
            let changes = self.changes.word().load(Ordering::Acquire);
            if done() {
                return Some(inner);
            }
            let left = time_left(deadline, inner.halted);
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            drop(inner);
            self.changes.wait(changes, left);
        }
    }

    /// Whether a full collection ended less than `recent` ago and no thread was Managed since, so that
    /// another one would find nothing new.
    pub(crate) fn is_settled(&self, recent: Duration) -> bool {
        let inner = self.lock();
        inner.full_ended.is_some_and(|end| end.elapsed() < recent)
            && inner.members.iter().all(|m| m.state().is(State::Settled))
    }

    /// Stops the world for a fork or a freeze and keeps it locked: nobody else is Managed, no collection runs and
    /// none is wanted, which `idle` says. For `mine`, the calling thread's if it is Managed, this is a safepoint.
    /// If all that is not so by `deadline`, part of it must do; a collection that has stopped the world already
    /// is waited for however long it takes, for it needs nothing of this thread's, and that time does not count.
    pub(crate) fn hold(
        &self,
        mine: Option<&M>,
        deadline: Instant,
        idle: impl Fn() -> bool,
        watch: &mut impl Watch<M>,
    ) -> (MutexGuard<'_, Inner<M>>, Hold) {
        if let Some(member) = mine {
            member.state().set(State::Stopped);
            // Whoever waits for it need not have been seen.
            member.state().wake();
        }
        // Another thread's fork goes first.
        let inner = self.lock_when(|flags| flags & HELD == 0);
        let members = self.ask_to_stop(inner, HELD);
        let held = self.wait_to_hold(&members, false, deadline, idle, watch);
        if let Some(member) = mine {
            member.state().set(State::Managed);
        }
        held
    }

    /// [`World::hold`] for a thread that stays Managed: no safepoint. A collection or a fork that waits for it
    /// would do so as long as it waits for them: it takes what there is without them.
    pub(crate) fn hold_firmly(
        &self,
        member: &M,
        deadline: Instant,
        idle: impl Fn() -> bool,
        watch: &mut impl Watch<M>,
    ) -> (MutexGuard<'_, Inner<M>>, Hold) {
        let inner = self.lock();
        if self.is_still() || !idle() {
            return (inner, Hold::Nothing);
        }
        let mut others = self.ask_to_stop(inner, HELD);
        others.retain(|other| !std::ptr::eq(*other, member));
        self.wait_to_hold(&others, true, deadline, idle, watch)
    }

    /// Waits for `members` and for the end of a collection. Who is `firm` keeps one from coming to an end.
    fn wait_to_hold(
        &self,
        members: &[&'static M],
        firm: bool,
        mut deadline: Instant,
        idle: impl Fn() -> bool,
        watch: &mut impl Watch<M>,
    ) -> (MutexGuard<'_, Inner<M>>, Hold) {
        let mut wait = Wait::new(watch);
        loop {
            let inner = self.lock();
            let changes = self.changes.word().load(Ordering::Acquire);
            let (collects, halted) = (self.flags() & STOPS != 0 || !idle(), inner.halted);
            let late = first_managed(members);
            if !collects && late.is_none() {
                if !wait.has_named() {
                    return (inner, Hold::Whole);
                }
                // Where nobody reads standard error a line of it may wait: not with the lock held.
                drop(inner);
                wait.over();
                continue;
            }
            let left = time_left(deadline, halted);
            if collects && firm || left.is_some_and(|left| left.is_zero()) {
                return (inner, Hold::Part);
            }
            drop(inner);
            match late {
                _ if halted => {
                    // Who is Managed now has come back from C, and stops at once.
                    let begun = Instant::now();
                    self.changes.wait(changes, left);
                    let ran = begun.elapsed();
                    deadline += ran;
                    wait.without(ran);
                }
                Some(member) if !collects => {
                    let next = wait.next(members, left);
                    member.state().wait_while_managed(next);
                }
                // The collection waits for it, too.
                Some(_) => self.changes.wait(changes, wait.next(members, left)),
                None => self.changes.wait(changes, left),
            }
        }
    }

    /// Lets go of what [`World::hold`] held. Who polls because of it does so in vain.
    pub(crate) fn release(&self, _inner: &mut Inner<M>, hold: Hold) {
        if hold == Hold::Nothing {
            return;
        }
        self.flags.word().fetch_and(!HELD, Ordering::SeqCst);
        self.changed();
    }

    /// In a forked child: takes the other threads, which are not there, out of the world and returns them.
    /// With `fences` the threads of this process fence from now on.
    pub(crate) fn forked(&self, inner: &mut Inner<M>, fences: bool) -> Vec<&'static M> {
        inner.halted = false;
        inner.full_ended = None;
        self.flags.word().fetch_and(!STOPS, Ordering::SeqCst);
        if fences {
            // inv:world.dekker: nobody else is here who could have read the flags without.
            self.flags.word().fetch_or(FENCES, Ordering::SeqCst);
        }
        // Another thread's fork may have been under way.
        self.release(inner, Hold::Part);
        inner.members.extract_if(.., |m| !m.is_here()).collect()
    }

    /// Whether a thread waits for the world to go on.
    pub(crate) fn anyone_stopped(&self) -> bool {
        let inner = self.lock();
        inner.members.iter().any(|m| m.state().is(State::Stopped))
    }

    /// Runs `f`, which must not wait for a thread, with the threads in the world: none comes or goes meanwhile.
    pub(crate) fn with_members<R>(&self, f: impl FnOnce(&[&'static M]) -> R) -> R {
        f(&self.lock().members)
    }

    /// The threads in the world, while it is stopped or the only one is the caller's: another could be gone.
    pub(crate) fn mutators(&self) -> Vec<&'static M> {
        self.lock().members.clone()
    }

    /// How many threads are in the world.
    pub(crate) fn count(&self) -> usize {
        self.lock().count()
    }
}

/// The time until `deadline`; no time is set while a collection is `running`.
fn time_left(deadline: Instant, running: bool) -> Option<Duration> {
    (!running).then(|| deadline.saturating_duration_since(Instant::now()))
}
