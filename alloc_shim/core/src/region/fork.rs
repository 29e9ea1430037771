//! The region in a process that is copied.

use super::Region;
use crate::pal::Pal;

impl<P: Pal> Region<P> {
    /// Before `fork`: takes the lock, so that the copy finds everything whole.
    pub fn fork_prepare(&self) {
        self.inner.0.hold(&self.pal);
    }

    /// After `fork`, in the parent.
    pub fn fork_parent(&self) {
        // SAFETY: `fork_prepare` took the lock, and nothing was used since.
        unsafe { self.inner.0.release(&self.pal) }
    }

    /// After `fork`, in the child: the threads that waited are gone, and so are those that were purging. Their spans are
    /// purged here.
    pub fn fork_child(&self) {
        // SAFETY: `fork_prepare` took the lock, and this is the only thread.
        unsafe { self.inner.0.reset() };
        self.lock().waiting = 0;
        self.purge_left();
    }
}
