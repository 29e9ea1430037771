//! Locks that a panic elsewhere does not take away, and what the world's threads agree by, from std and the
//! system or from loom.
//!
//! The module `world` takes its lock, its fences and its words from here, so that `--cfg loom` runs the same code
//! under the model checker, in a test of its own: MMTk is no part of that. Constants that only set a pace shrink
//! there, to keep the state space small.

#[cfg(not(loom))]
mod real {
    pub(crate) use crate::futex::Futex;
    pub(crate) use std::hint::spin_loop as spin;
    pub(crate) use std::sync::atomic::{Ordering, fence};
    pub(crate) use std::sync::{Mutex, MutexGuard};

    /// How often the collector looks at a thread before it sleeps: a loop that polls stops meanwhile.
    pub(crate) const LOOKS: u32 = 100;

    /// Locks `mutex`. Every structure of this crate is whole between two statements that change it, so a
    /// panic of a former holder leaves nothing half done.
    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(loom)]
mod model {
    use loom::sync::Condvar;
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now as spin;
    use std::time::Duration;

    pub(crate) const LOOKS: u32 = 0;

    /// A word to sleep on: who waits compares and falls asleep in one step, as in the kernel, under a lock that
    /// who wakes takes too. Nobody wakes by time.
    pub(crate) struct Futex {
        word: AtomicU32,
        queue: Mutex<()>,
        woken: Condvar,
    }

    impl Futex {
        pub(crate) fn new(value: u32) -> Self {
            Futex {
                word: AtomicU32::new(value),
                queue: Mutex::new(()),
                woken: Condvar::new(),
            }
        }

        pub(crate) fn word(&self) -> &AtomicU32 {
            &self.word
        }

        pub(crate) fn wait(&self, expected: u32, _patience: Option<Duration>) {
            let queue = self.queue.lock().expect("no panic");
            if self.word.load(Ordering::SeqCst) == expected {
                drop(self.woken.wait(queue));
            }
        }

        pub(crate) fn wake(&self) {
            let _queue = self.queue.lock().expect("no panic");
            self.woken.notify_all();
        }
    }
}

#[cfg(loom)]
pub(crate) use model::*;
#[cfg(not(loom))]
pub(crate) use real::*;
