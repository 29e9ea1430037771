//! A thread's first access to its own variables.
//!
//! Where this code is in a shared library the first access of a thread to a `thread_local!` allocates, and so
//! may run the hook again before the variable exists that would tell. Until the access is over the thread
//! stands in a table that needs no such variable: one slot for each thread that is at this point now.
//!
//! Absent on purpose: waiting. The access may take libc's locks, which a thread that waits here could
//! hold; so a thread that finds no slot is told as if it had entered before.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const SLOTS: usize = 16;

/// The threads that are inside, or 0.
pub(super) struct Table([AtomicUsize; SLOTS]);

/// A thread's stay in the table.
pub(super) struct Stay<'a>(&'a AtomicUsize);

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.0.store(0, Relaxed);
    }
}

impl Table {
    pub(super) const fn new() -> Self {
        Table([const { AtomicUsize::new(0) }; SLOTS])
    }

    /// Enters the thread `id`, which is not 0, unless it is inside.
    pub(super) fn enter(&self, id: usize) -> Option<Stay<'_>> {
        // Relaxed: a thread looks for what it has written itself.
        if self.0.iter().any(|slot| slot.load(Relaxed) == id) {
            return None;
        }
        let mut slots = self.0.iter();
        let free = slots.find(|slot| slot.compare_exchange(0, id, Relaxed, Relaxed).is_ok());
        free.map(Stay)
    }

    /// In a forked child: the other threads do not exist, and their names may be given to new ones.
    pub(super) fn clear(&self) {
        self.0.iter().for_each(|slot| slot.store(0, Relaxed));
    }
}

/// A name of the calling thread that no other living thread has; found without a thread-local variable.
pub(super) fn this_thread() -> usize {
    // SAFETY: every thread may ask for its name.
    unsafe { libc::pthread_self() as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_inside_once() {
        let table = Table::new();
        let first = table.enter(7);
        assert!(first.is_some() && table.enter(7).is_none());
        let other = table.enter(8);
        assert!(other.is_some() && table.enter(8).is_none());
        drop(first);
        assert!(table.enter(8).is_none() && table.enter(7).is_some());
        assert!(table.enter(7).is_some(), "it left at once");
    }

    #[test]
    fn who_finds_no_slot_does_not_wait() {
        let table = Table::new();
        let mut stays: Vec<_> = (1..=SLOTS).map(|id| table.enter(id)).collect();
        assert!(stays.iter().all(Option::is_some));
        assert!(table.enter(SLOTS + 1).is_none());
        stays.pop();
        assert!(table.enter(SLOTS + 1).is_some());
        std::mem::forget(stays);
        table.clear();
        assert!((1..=SLOTS).all(|id| table.enter(id).is_some()));
    }

    #[test]
    fn threads_have_names_of_their_own() {
        let here = this_thread();
        let there = std::thread::spawn(this_thread).join();
        assert!(here != 0 && there.is_ok_and(|id| id != 0 && id != here));
    }
}
