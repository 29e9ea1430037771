//! A way from Native to Managed and back without a [`Mutator`], for who looks at objects for a moment.
//!
//! `inv:passage.short` Between the two the thread waits for nothing, allocates nothing and calls nothing that does: a
//! collection that is asked for meanwhile waits for it, and nobody could name what it does.
//!
//! Absent on purpose: waiting. Where the world is to stop the thread is Native again at once, and who needs the heap all the
//! same goes the way of the mutator, [`Mutator::leave_native`].

use crate::heap::heap;
use crate::mutator::Mutator;
use crate::stack::RootStack;
use crate::thread::ThreadBlock;

/// The way of one mutator's thread.
#[derive(Clone, Copy)]
pub struct Passage(*const ThreadBlock);

impl Mutator {
    /// The way of this thread. It outlives the borrow, but not the mutator.
    #[inline(always)]
    pub fn passage(&self) -> Passage {
        Passage(self.block())
    }
}

impl Passage {
    /// Runs `f` Managed (`inv:passage.short`); nothing where the world is to stop.
    ///
    /// # Safety
    /// The mutator is alive and the calling thread's, which is Native by [`Mutator::enter_native`].
    #[inline(always)]
    pub unsafe fn glance<R>(self, f: impl FnOnce() -> R) -> Option<R> {
        // SAFETY: a block lives as long as its mutator.
        let block = unsafe { &*self.0 };
        let world = &heap().world;
        if world.leave_native(block) {
            go_back(block);
            return None;
        }
        let result = f();
        world.enter_native(block);
        Some(result)
    }

    /// The thread's root stack.
    ///
    /// # Safety
    /// The mutator is alive for as long as the result is used.
    #[inline(always)]
    pub unsafe fn stack<'a>(self) -> &'a RootStack {
        // SAFETY: as above.
        let block = unsafe { &*self.0 };
        &block.stack
    }
}

/// The thread has written Managed and has seen that it must wait: whoever waits for it learns that it does not go on.
#[cold]
fn go_back(block: &ThreadBlock) {
    heap().world.enter_native(block);
}
