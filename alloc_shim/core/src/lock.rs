//! A lock of one word that sleeps in the kernel.
//!
//! ```text
//!    FREE ──lock──► the holder ──another waits──► the holder, and WANTED
//!     ▲              │                               │
//!     └────unlock────┴─────unlock, wake one──────────┘
//! ```
//!
//! The word is the number of the thread that holds the lock, so that a handler can tell whether its own thread does: at every
//! instruction, since it takes one exchange.
//!
//! The third mutex of Ulrich Drepper, *Futexes Are Tricky* (2011), with a short spin before sleeping. Whoever slept takes
//! the lock as WANTED, since others may still sleep.
//!
//! `inv:lock.exclusive` While a [`Guard`] lives, or between [`Lock::hold`] and [`Lock::release`], nobody else has access to
//! what the lock protects.
//!
//! Absent on purpose: poisoning (nothing here unwinds in the product), fairness, and a lock that its own holder may take
//! again: a signal handler uses [`Lock::try_lock`].

#[cfg(test)]
mod tests;

use crate::pal::Pal;
use crate::sync::{AtomicU32, Ordering, const_fn, spin};
use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};

const FREE: u32 = 0;
const WANTED: u32 = 1 << 31;

/// The largest number of a thread.
pub const MOST: u32 = WANTED - 1;

/// How often a thread looks before it sleeps.
#[cfg(not(loom))]
const SPINS: u32 = 64;
#[cfg(loom)]
const SPINS: u32 = 1;

/// A value that one thread at a time may use.
pub struct Lock<T> {
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: inv:lock.exclusive: the value is used by one thread at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    const_fn! {
        /// A lock that nobody holds.
        pub fn new(value: T) -> Self {
            Lock {
                word: AtomicU32::new(FREE),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// Waits until the value is free.
    #[inline]
    pub fn lock<'a, P: Pal>(&'a self, pal: &'a P) -> Guard<'a, T, P> {
        self.hold(pal);
        Guard { lock: self, pal }
    }

    /// The value, if it is free now.
    #[inline]
    pub fn try_lock<'a, P: Pal>(&'a self, pal: &'a P) -> Option<Guard<'a, T, P>> {
        self.grab(pal.me()).then(|| Guard { lock: self, pal })
    }

    /// Takes the lock without a guard: before `fork`, to be released in another function.
    #[inline]
    pub fn hold<P: Pal>(&self, pal: &P) {
        let me = pal.me();
        if !self.grab(me) {
            self.hold_slowly(pal, me);
        }
    }

    /// Whether the running thread holds the lock: it is in a handler then, which has interrupted the holder.
    pub fn is_mine<P: Pal>(&self, pal: &P) -> bool {
        self.word.load(Ordering::Relaxed) & !WANTED == pal.me()
    }

    /// As [`Lock::hold`] if the value is free now.
    pub fn try_hold<P: Pal>(&self, pal: &P) -> bool {
        self.grab(pal.me())
    }

    /// The value.
    ///
    /// # Safety
    /// The caller took the lock by [`Lock::hold`] or [`Lock::try_hold`] and has no other reference to the value.
    #[allow(
        clippy::mut_from_ref,
        reason = "inv:lock.exclusive, which the caller stands for without a guard"
    )]
    pub unsafe fn held(&self) -> &mut T {
        // SAFETY: inv:lock.exclusive, as the caller says.
        unsafe { &mut *self.value.get() }
    }

    /// Releases what [`Lock::hold`] took.
    ///
    /// # Safety
    /// The caller took the lock by `hold` and no longer uses the value.
    #[inline]
    pub unsafe fn release<P: Pal>(&self, pal: &P) {
        if self.word.swap(FREE, Ordering::Release) & WANTED != 0 {
            pal.wake(&self.word);
        }
    }

    /// Makes the lock free, whoever held or wanted it.
    ///
    /// # Safety
    /// The caller is the only thread of a forked child, and it holds the lock by [`Lock::hold`].
    pub unsafe fn reset(&self) {
        self.word.store(FREE, Ordering::Release);
    }

    #[inline]
    fn grab(&self, holder: u32) -> bool {
        self.word
            .compare_exchange(FREE, holder, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    #[inline(never)]
    fn hold_slowly<P: Pal>(&self, pal: &P, me: u32) {
        for _ in 0..SPINS {
            if self.word.load(Ordering::Relaxed) == FREE && self.grab(me) {
                return;
            }
            spin();
        }
        while !self.grab(me | WANTED) {
            if let Some(wanted) = self.want() {
                pal.wait(&self.word, wanted);
            }
        }
    }

    /// Says that another waits; what the word is then. `None`: the lock is free.
    fn want(&self) -> Option<u32> {
        let held = |word| (word != FREE).then_some(word | WANTED);
        self.word
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, held)
            .ok()
            .map(|word| word | WANTED)
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// The value of a [`Lock`], until dropped.
pub struct Guard<'a, T, P: Pal> {
    lock: &'a Lock<T>,
    pal: &'a P,
}

impl<T, P: Pal> Deref for Guard<'_, T, P> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: inv:lock.exclusive.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T, P: Pal> DerefMut for Guard<'_, T, P> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: inv:lock.exclusive.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T, P: Pal> Drop for Guard<'_, T, P> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard stands for having taken the lock, and it ends here.
        unsafe { self.lock.release(self.pal) }
    }
}

impl<T, P: Pal> fmt::Debug for Guard<'_, T, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
