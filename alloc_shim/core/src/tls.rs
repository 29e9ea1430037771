//! The thread's word: which heap the running thread may touch.
//!
//! `inv:word.never-null` The word always points to a [`Heap`]. Three of them are static, have no page and stand for
//! states; nothing writes to their pages, so an allocation through them finds nothing and takes the slow path, and
//! no page is owned by them, so a free through them takes the slow path. The fast paths test for none of this.
//!
//! ```text
//!            first slow path                 every operation on the heap
//!   EMPTY ─────────────────────► the heap ◄──────────────────────────► BUSY
//!     │                             │                                   ▲
//!     │ thread exit                 │ thread exit                       │ slow paths
//!     └───────────────► DEAD ◄──────┘                                   ▼
//!                         ◄──────────────────────────────────────────── DEAD
//! ```
//!
//! In the hardened mode a thread that has a heap goes on with EMPTY ([`crate::hardened`]).
//!
//! `inv:word.busy` Whoever touches what the word leads to, or holds a lock of the allocator, has stored BUSY first and
//! stores the old word when done. A signal handler that interrupts in between therefore finds BUSY: it allocates from a
//! borrowed heap and frees as another thread would. The stores need no fence of the processor, since a handler runs on
//! the thread that it interrupts; that the compiler keeps their order is what [`Words`] promises.
//!
//! `inv:word.locked` A flag beside it is set from before the thread tries for a lock of the allocator until it has released
//! it; the word is BUSY then. A handler that finds the flag waits for nothing, for it might be waiting for its own thread;
//! without the flag it may wait, since whoever holds the lock goes on without it.
//!
//! `inv:word.own` A second word holds the heap that the thread has taken, from when it took it until it exits. It is
//! read on slow paths alone: when a handler is the first to allocate on a thread, it may run between the load of EMPTY
//! and the store of BUSY, and restoring EMPTY then would lose the heap.
//!
//! The product keeps all of it in one initial-exec variable made by hand: `thread_local!` would call
//! `__tls_get_addr`, which allocates, and registers destructors, which allocate as well.

pub(crate) mod initial_exec;
#[cfg(test)]
pub(crate) mod model;

use crate::heap::Heap;

/// Where the running thread's words are.
pub trait Words: Sync + 'static {
    /// Finds the words; worth keeping across a load and a store.
    type Slot: Copy;
    /// This thread's slot.
    fn slot(&self) -> Self::Slot;
    /// The heap's word. The compiler moves no access to memory across it.
    fn get(&self, slot: Self::Slot) -> *const Heap;
    /// Stores the heap's word. The compiler moves no access to memory across it.
    fn set(&self, slot: Self::Slot, heap: *const Heap);
    /// The second word: the thread's own heap or null.
    fn own(&self, slot: Self::Slot) -> *const Heap;
    /// Stores the second word.
    fn set_own(&self, slot: Self::Slot, heap: *const Heap);
    /// Whether the thread may hold a lock.
    fn locked(&self, slot: Self::Slot) -> bool;
    /// A number that the running thread has and no other living one.
    fn thread(&self) -> usize;
    /// Stores whether the thread may hold a lock. The compiler moves no access to memory across it.
    fn set_locked(&self, slot: Self::Slot, locked: bool);
}
