//! What the words of threads lead to that hold no heap: three heaps without a page, of which only the address counts.
//!
//! ```text
//!   EMPTY ─► │ NO_PAGE │ … │ NO_PAGE │ … │ NO_PAGE │ 0 … 0 │
//!   BUSY  ───────────► │                           │       │
//!   DEAD  ─────────────────────────► │             │       │
//! ```
//!
//! `inv:heap.states` Of these heaps the queues alone are ever read, and all their queues lead to [`NO_PAGE`]; so the three lie in one
//! another, a line apart. Each of the pointers is a relocation that every process does, on pages that it then has for itself.
//!
//! [`NO_PAGE`]: crate::page::NO_PAGE

use super::{Heap, none};
use crate::account::CLASSES;
use crate::classes::BINS;
use crate::page::PageEntry;
use core::mem::offset_of;
use core::sync::atomic::AtomicPtr;

/// How far the heaps are apart, in bytes.
const APART: usize = align_of::<Heap>();

const WORD: usize = size_of::<*mut PageEntry>();
const QUEUES: usize = CLASSES * BINS;
const REST: usize = size_of::<Heap>() / WORD - QUEUES;

/// The three of them.
#[repr(C, align(128))]
#[derive(Debug)]
pub(crate) struct States {
    queues: [AtomicPtr<PageEntry>; QUEUES + 2 * APART / WORD],
    rest: [usize; REST],
}

const _: () = assert!(offset_of!(Heap, queues) == 0);
const _: () = assert!(align_of::<States>() == APART);
const _: () = assert!(size_of::<States>() == size_of::<Heap>() + 2 * APART);

/// Where they are.
pub(crate) static STATES: States = States {
    queues: [const { none() }; QUEUES + 2 * APART / WORD],
    rest: [0; REST],
};

const fn state(number: usize) -> *const Heap {
    (&raw const STATES).wrapping_byte_add(number * APART).cast()
}

/// The word of a thread that has no heap yet.
pub const EMPTY: *const Heap = state(0);
/// The word of a thread inside the allocator.
pub const BUSY: *const Heap = state(1);
/// The word of a thread that has ended, but for what still runs on it.
pub const DEAD: *const Heap = state(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::NO_PAGE;
    use core::ptr;
    use core::sync::atomic::Ordering::Relaxed;

    #[test]
    fn no_state_has_a_page() {
        let is_none = |queue: &AtomicPtr<PageEntry>| ptr::eq(queue.load(Relaxed), &NO_PAGE);
        assert!(STATES.queues.iter().all(is_none));
        // The queues of the last one end where the table does.
        let before = DEAD.addr() - EMPTY.addr();
        assert_eq!(size_of_val(&STATES.queues), before + QUEUES * WORD);
    }
}
