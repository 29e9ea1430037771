//! The region in a process that is copied.
//!
//! Each function is told or tells whether the lock is *kept*: a handler forks that has interrupted the holder. Both processes
//! go on with what was interrupted, so there the lock stays as it is.

use super::Region;
use crate::pal::Pal;
use crate::spans::Purger;
use crate::sync::Ordering;

impl<P: Pal> Region<P> {
    /// Before `fork`: takes the lock, so that the copy finds everything whole. Gives whether the thread has it already.
    pub fn fork_prepare(&self) -> bool {
        let kept = self.inner.0.is_mine(&self.pal);
        if !kept {
            self.inner.0.hold(&self.pal);
        }
        kept
    }

    /// After `fork`, in the parent; or instead of it.
    pub fn fork_parent(&self, kept: bool) {
        if !kept {
            // SAFETY: `fork_prepare` took the lock, and nothing was used since.
            unsafe { self.inner.0.release(&self.pal) }
        }
    }

    /// After `fork`, in the child.
    pub fn fork_child(&self, kept: bool) {
        self.copies.fetch_add(1, Ordering::Relaxed);
        self.survivor.store(self.pal.me(), Ordering::Relaxed);
        self.torn.store(true, Ordering::Relaxed);
        if !kept {
            // SAFETY: `fork_prepare` took the lock, and this is the only thread.
            unsafe { self.inner.0.reset() };
            self.mend();
        }
    }

    /// In a child: the threads that waited are gone, and so are those that were purging. Their spans are purged here; not that of
    /// the thread that has forked, which a handler may have interrupted in the middle of it. To be called with the lock not held.
    pub(crate) fn mend(&self) {
        if self.torn.swap(false, Ordering::Relaxed) {
            self.lock().waiting = 0;
            self.purge_left();
        }
    }

    /// Whether there is something to mend.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn.load(Ordering::Relaxed)
    }

    /// The running thread, as one that purges.
    pub(crate) fn purger(&self) -> Purger {
        Purger {
            thread: self.pal.me(),
            process: self.copies.load(Ordering::Relaxed),
        }
    }

    /// Whether who purges was not left behind in a process of which this one is a copy.
    pub(crate) fn is_here(&self, purger: Purger) -> bool {
        purger.process == self.copies.load(Ordering::Relaxed)
            || purger.thread == self.survivor.load(Ordering::Relaxed)
    }
}
