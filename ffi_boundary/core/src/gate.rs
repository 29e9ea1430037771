//! Who may use the language now, of the threads that want to.
//!
//! A host, the language's engine, belongs to one thread, its *owner*. Threads that C has made and that call back
//! while the owner is in C are *guests*: they run the language themselves, for the owner may be waiting for them
//! (`pthread_join`), one thread at a time. Whoever runs the language has the gate; every foreign call that is no leaf
//! call leaves it, whoever makes it, and takes it again when C has returned.
//!
//! ```text
//!            leave                             arrive / take
//!   owner runs ◄────────► owner in C: `away` says where its host is ◄────────► a guest runs
//!            take                              leave / depart
//! ```
//!
//! `inv:gate.dekker` While there are no guests the owner's crossing is a store and a load. The owner writes `away`, then
//! reads `word`; the first guest writes `word`, then reads `away`; and at least one of the two sees what the other
//! has written, by the two forms of `inv:world.dekker` (module `world` of the heap): a fence of the guest's on every
//! running thread, or, where there is none, [`FENCES`] in `word` for ever and a fence on both sides. So an owner that
//! comes back finds the guest, or the guest finds the owner back.
//!
//! `inv:gate.one` Whoever has the gate has the host for itself: it is the owner while `away` is null and no guest
//! holds, or the guest that holds while `away` is not null. What one has done to the host the next one sees: by the
//! lock between guests and with an owner that finds guests, and by `word` for an owner that finds them gone.
//!
//! `inv:gate.turns` Nobody waits for ever for one who keeps coming back: after a guest it is the owner's turn if it
//! waits, and after the owner a guest's. Who waits pulls the limit of the one who runs every millisecond, until that
//! one gives way at a poll.
//!
//! `inv:gate.native` Nobody waits for the gate while Managed, or the one who has it would wait for them in a collection.
//!
//! A fork waits until whoever runs has given way, as the heap's does for a safe point, and no longer than that does: in
//! the child the host is between two instructions of everybody's. The threads that are not there are forgotten.
//!
//! Absent on purpose: what is exchanged between two threads. The host does that, when it learns that another thread
//! than the last one has come.

use crate::sync::{AtomicPtr, AtomicU32, Condvar, Mutex, MutexGuard, Ordering, fence, lock, sleep};
use std::sync::atomic::compiler_fence;

/// In `word`: there are guests, so the owner takes the lock.
const GUESTS: u32 = 1;
/// In `word`: there is no fence on every thread.
const FENCES: u32 = 2;

/// How a thread is brought to give way.
pub trait Pull {
    /// Has the thread poll soon. It may do so in vain.
    fn pull(&self);

    /// Whether it is the calling thread.
    fn is_here(&self) -> bool;
}

/// Why a guest was not let in: the program is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

/// What the lock guards.
pub(crate) struct Inner<P> {
    /// How many guests have arrived and not departed.
    guests: u32,
    /// How the guest that has the gate is brought to give way.
    holder: Option<P>,
    /// How many guests wait.
    waiting: u32,
    owner_waits: bool,
    /// Whether the last to have it was a guest.
    guest_was_last: bool,
    /// How often guests have taken it.
    taken: u64,
    closed: bool,
}

/// Who may use one host now.
pub struct Gate<P> {
    /// Where the owner's host is while the owner is in C; null while it is not.
    away: AtomicPtr<()>,
    word: AtomicU32,
    /// How many wait, the owner included; changed with the lock held.
    wanted: AtomicU32,
    inner: Mutex<Inner<P>>,
    changed: Condvar,
    everywhere: Option<fn()>,
    owner: P,
}

impl<P: Pull> Gate<P> {
    /// A gate that its owner has. `everywhere` has every running thread of the process pass a fence, if there is such
    /// a thing (`inv:gate.dekker`).
    pub fn new(everywhere: Option<fn()>, owner: P) -> Self {
        Gate {
            away: AtomicPtr::new(std::ptr::null_mut()),
            word: AtomicU32::new(if everywhere.is_some() { 0 } else { FENCES }),
            wanted: AtomicU32::new(0),
            inner: Mutex::new(Inner {
                guests: 0,
                holder: None,
                waiting: 0,
                owner_waits: false,
                guest_was_last: false,
                taken: 0,
                closed: false,
            }),
            changed: Condvar::new(),
            everywhere,
            owner,
        }
    }

    /// The owner goes to C; its host is at `at` until it is back.
    #[inline(always)]
    pub fn leave(&self, at: *mut ()) {
        self.away.store(at, Ordering::Release);
        compiler_fence(Ordering::SeqCst);
        if self.word.load(Ordering::Acquire) != 0 {
            self.left();
        }
    }

    #[cold]
    fn left(&self) {
        // inv:gate.dekker
        fence(Ordering::SeqCst);
        if self.word.load(Ordering::Acquire) & GUESTS != 0 {
            let _inner = lock(&self.inner);
            self.changed.notify_all();
        }
    }

    /// The owner has come back; `at` is as it was. Returns whether guests may have been there: then the host's state
    /// may be another thread's.
    #[inline(always)]
    pub fn take(&self, at: *mut ()) -> bool {
        self.away.store(std::ptr::null_mut(), Ordering::Release);
        compiler_fence(Ordering::SeqCst);
        self.word.load(Ordering::Acquire) != 0 && self.wait_to_take(at)
    }

    #[cold]
    fn wait_to_take(&self, at: *mut ()) -> bool {
        // inv:gate.dekker
        fence(Ordering::SeqCst);
        if self.word.load(Ordering::Acquire) & GUESTS == 0 {
            return false;
        }
        let mut inner = lock(&self.inner);
        if !inner.is_owners() {
            self.away.store(at, Ordering::Release);
            inner.owner_waits = true;
            self.count(&inner);
            self.changed.notify_all();
            while !inner.is_owners() {
                inner = self.wait(inner);
            }
            inner.owner_waits = false;
            self.count(&inner);
            self.away.store(std::ptr::null_mut(), Ordering::Release);
        }
        inner.guest_was_last = false;
        if inner.guests == 0 {
            // A fork has asked for this once.
            self.word.fetch_and(!GUESTS, Ordering::SeqCst);
        }
        true
    }

    /// A thread that is no guest yet takes the gate, as soon as it may. Returns where the host is.
    pub fn arrive(&self, pull: P) -> Result<*mut (), Closed> {
        let mut inner = lock(&self.inner);
        inner.guests += 1;
        if inner.guests == 1 {
            self.word.fetch_or(GUESTS, Ordering::SeqCst);
            // inv:gate.dekker
            fence(Ordering::SeqCst);
            match self.everywhere {
                Some(everywhere) if self.word.load(Ordering::Relaxed) & FENCES == 0 => everywhere(),
                _ => {}
            }
        }
        self.wait_as_guest(inner, pull, true)
    }

    /// The guest that has the gate goes for good. The host's state is the owner's again.
    pub fn depart(&self) {
        let mut inner = lock(&self.inner);
        inner.holder = None;
        inner.guest_was_last = true;
        self.is_gone(inner);
    }

    /// One guest less.
    fn is_gone(&self, mut inner: MutexGuard<'_, Inner<P>>) {
        inner.guests -= 1;
        if inner.guests == 0 {
            self.word.fetch_and(!GUESTS, Ordering::SeqCst);
        }
        self.changed.notify_all();
    }

    /// The guest that has the gate goes to C.
    pub fn leave_as_guest(&self) {
        let mut inner = lock(&self.inner);
        inner.holder = None;
        inner.guest_was_last = true;
        self.changed.notify_all();
    }

    /// A guest has come back from C. Returns where the host is.
    pub fn take_as_guest(&self, pull: P) -> *mut () {
        let inner = lock(&self.inner);
        let taken = self.wait_as_guest(inner, pull, false);
        // Nobody who has been let in is turned away.
        taken.unwrap_or(std::ptr::null_mut())
    }

    /// A guest that C has jumped out of takes the gate, to depart. When the gate is closed it is gone by that.
    pub fn take_to_depart(&self, pull: P) -> Result<*mut (), Closed> {
        let inner = lock(&self.inner);
        self.wait_as_guest(inner, pull, true)
    }

    /// The guest that has the gate lets others in, if any wait, and takes it again.
    pub fn give_way_as_guest(&self, pull: P) {
        let mut inner = lock(&self.inner);
        inner.holder = None;
        inner.guest_was_last = true;
        let taken = inner.taken;
        self.changed.notify_all();
        // inv:gate.turns: after another guest, if there is one.
        inner.waiting += 1;
        self.count(&inner);
        while inner.waiting > 1 && inner.taken == taken {
            inner = self.wait(inner);
        }
        inner.waiting -= 1;
        let _ = self.wait_as_guest(inner, pull, false);
    }

    /// Waits for a guest's turn. One that has just arrived is turned away when the gate is closed.
    fn wait_as_guest<'a>(
        &'a self,
        mut inner: MutexGuard<'a, Inner<P>>,
        pull: P,
        arrives: bool,
    ) -> Result<*mut (), Closed> {
        inner.waiting += 1;
        self.count(&inner);
        loop {
            if arrives && inner.closed {
                inner.waiting -= 1;
                self.count(&inner);
                self.is_gone(inner);
                return Err(Closed);
            }
            let at = self.away.load(Ordering::Acquire);
            let owners_turn = inner.owner_waits && inner.guest_was_last;
            if inner.holder.is_none() && !at.is_null() && !owners_turn {
                inner.waiting -= 1;
                self.count(&inner);
                inner.taken += 1;
                inner.holder = Some(pull);
                return Ok(at);
            }
            inner = self.wait(inner);
        }
    }

    /// Sleeps for a while and, if nothing has changed, asks whoever runs to give way.
    fn wait<'a>(&self, inner: MutexGuard<'a, Inner<P>>) -> MutexGuard<'a, Inner<P>> {
        let (inner, late) = sleep(&self.changed, inner);
        if late {
            inner.holder.as_ref().unwrap_or(&self.owner).pull();
        }
        inner
    }

    /// Tells how many wait. The lock is held.
    fn count(&self, inner: &Inner<P>) {
        let wanted = inner.waiting + u32::from(inner.owner_waits);
        self.wanted.store(wanted, Ordering::Release);
    }

    /// Whether somebody waits: whoever has the gate should give way at its next poll.
    #[inline]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) != 0
    }

    /// Lets nobody in any more who is not in. For the thread that has the gate.
    pub fn close(&self) {
        lock(&self.inner).closed = true;
        self.changed.notify_all();
    }

    /// Before a fork: waits until whoever runs, if it is not the calling thread, has given way, or until `patient` no more.
    /// Nobody takes the gate by the lock meanwhile.
    #[cfg(not(loom))]
    pub(crate) fn hold(&self, patient: impl Fn() -> bool) -> MutexGuard<'_, Inner<P>> {
        let mut inner = lock(&self.inner);
        inner.waiting += 1;
        self.count(&inner);
        while inner.guests > 0 && !self.is_at_rest(&inner) && patient() {
            inner = self.wait(inner);
        }
        inner.waiting -= 1;
        self.count(&inner);
        inner
    }

    /// Whether nobody but the calling thread has the gate.
    #[cfg(not(loom))]
    fn is_at_rest(&self, inner: &Inner<P>) -> bool {
        match &inner.holder {
            Some(guest) => guest.is_here(),
            None => !self.away.load(Ordering::Acquire).is_null() || self.owner.is_here(),
        }
    }

    /// In a forked child: the other threads are gone. With `fences` those of this process fence from now on.
    #[cfg(not(loom))]
    pub(crate) fn forked(&self, inner: &mut Inner<P>, fences: bool) {
        let owner = self.owner.is_here();
        // Nobody could let anybody in.
        inner.closed |= !self.is_at_rest(inner);
        inner.holder.take_if(|guest| !guest.is_here());
        inner.guests = u32::from(!owner);
        inner.waiting = 0;
        inner.owner_waits = false;
        self.count(inner);
        // The host's state may be that of a thread that is gone: the owner exchanges it.
        let flags = GUESTS | if fences { FENCES } else { 0 };
        self.word.fetch_or(flags, Ordering::SeqCst);
    }

    /// Asks the guest that has the gate to poll, if there is one. For a signal handler: it waits for nobody.
    pub fn pull_guest(&self) {
        if let Ok(inner) = self.inner.try_lock()
            && let Some(guest) = &inner.holder
        {
            guest.pull();
        }
    }
}

impl<P> Inner<P> {
    /// Whether it is the owner's turn (`inv:gate.turns`).
    fn is_owners(&self) -> bool {
        self.holder.is_none() && (self.waiting == 0 || self.guest_was_last)
    }
}
