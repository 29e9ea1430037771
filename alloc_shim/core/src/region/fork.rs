//! The region in a process that is copied.
//!
//! Each function is told or tells whether the lock is *kept*: a handler forks that has interrupted the holder. Both processes
//! go on with what was interrupted, so there the lock stays as it is.

use super::Region;
use crate::pal::Pal;
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
        self.torn.store(true, Ordering::Relaxed);
        if !kept {
            // SAFETY: `fork_prepare` took the lock, and this is the only thread.
            unsafe { self.inner.0.reset() };
            self.mend();
        }
    }

    /// In a child: the threads that waited are gone, and so are those that were purging. Their spans are purged here. To be
    /// called with the lock not held.
    pub(crate) fn mend(&self) {
        if self.torn.swap(false, Ordering::Relaxed) {
            self.lock().waiting = 0;
            self.purge_left();
        }
    }
}
