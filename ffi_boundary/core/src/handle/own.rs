//! Local handles that their thread changes without a locked operation.
//!
//! A local handle is mostly changed and freed by the thread that made it, its *owner*: its slot's state has the owner's
//! number. What is said here is what it takes for the owner to do so by plain stores.
//!
//! `inv:handle.own` The owner changes such a slot in a *section*: it writes its word, then reads `revokers`, and goes on if
//! there are none; last it takes its word back. Who else wants to change the slot writes `revokers`, then reads the
//! owner's word until that is 0; then it does as with any other slot, by an exchange, and takes `revokers` back. One of
//! the two sees what the other has written, by the two forms of `inv:world.dekker` (module `world` of the heap): here the
//! owner has an order that the compiler keeps, and the other a fence on every running thread. So no exchange falls between
//! two plain accesses of a section. While there are revokers owners change their slots by exchanges, too.
//!
//! Where nothing fences all threads nobody has a number, and no slot an owner. A number is one thread's at a time; who gets
//! that of a thread which has ended owns what that has left.
//!
//! Absent on purpose: haste for the others. A fence on all threads takes a microsecond or more, but handles that one
//! thread makes and another frees are global ones.

use crate::sync::{AtomicU32, AtomicU64, OWNERS, Ordering, fence, light_fence, spin};
use crossbeam_utils::CachePadded;
use std::cell::Cell;

/// The threads that own slots, by numbers from 1.
pub(super) struct Owners {
    /// 1 while the thread of this number is in a section.
    words: [CachePadded<AtomicU32>; OWNERS],
    /// How many threads change what is another's.
    revokers: CachePadded<AtomicU32>,
    /// A bit for each number that a thread has.
    taken: AtomicU64,
    everywhere: Option<fn()>,
}

const _: () = assert!(OWNERS <= 64);

/// A section of an owner's; over when it is dropped. They do not nest.
pub(super) struct Section<'o>(&'o AtomicU32);

impl Drop for Section<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: who sees it sees what was changed.
        self.0.store(0, Ordering::Release);
    }
}

/// While this lasts no owner is in a section that began before it was made and concerned the slot; and none begins.
pub(super) struct Revoked<'o>(&'o AtomicU32);

impl Drop for Revoked<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

impl Owners {
    /// Nobody yet. `everywhere` has every running thread of the process pass a fence, if there is such a thing.
    pub(super) fn new(everywhere: Option<fn()>) -> Owners {
        Owners {
            words: std::array::from_fn(|_| CachePadded::new(AtomicU32::new(0))),
            revokers: CachePadded::new(AtomicU32::new(0)),
            taken: AtomicU64::new(0),
            everywhere,
        }
    }

    /// A number for the calling thread; 0 if there is none.
    pub(super) fn join(&self) -> u32 {
        if self.everywhere.is_none() {
            return 0;
        }
        let mut taken = self.taken.load(Ordering::Relaxed);
        loop {
            let number = taken.trailing_ones();
            if number as usize >= OWNERS {
                return 0;
            }
            let more = taken | 1 << number;
            // Acquire: what the thread has done that had the number before is seen.
            match self.taken.compare_exchange_weak(
                taken,
                more,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return number + 1,
                Err(now) => taken = now,
            }
        }
    }

    /// The calling thread has the number no more.
    pub(super) fn leave(&self, number: u32) {
        if let Some(bit) = number.checked_sub(1) {
            self.taken.fetch_and(!(1 << bit), Ordering::Release);
        }
    }

    /// Begins a section of the calling thread, which has this number; none without one, or while there are revokers.
    #[inline(always)]
    pub(super) fn begin(&self, number: u32) -> Option<Section<'_>> {
        let word = self.words.get((number as usize).wrapping_sub(1))?;
        word.store(1, Ordering::Relaxed);
        // inv:handle.own
        light_fence();
        let section = Section(word);
        // Acquire: what a revoker has changed is seen.
        (self.revokers.load(Ordering::Acquire) == 0).then_some(section)
    }

    /// Waits until the thread of this number is in no section, for who is about to change what is that thread's.
    #[cold]
    pub(super) fn revoke(&self, number: u32) -> Option<Revoked<'_>> {
        let word = self.words.get((number as usize).wrapping_sub(1))?;
        self.revokers.fetch_add(1, Ordering::SeqCst);
        // inv:handle.own
        fence(Ordering::SeqCst);
        if let Some(everywhere) = self.everywhere {
            everywhere();
        }
        while word.load(Ordering::Acquire) != 0 {
            spin();
        }
        Some(Revoked(&self.revokers))
    }

    /// In a forked child: the other threads are gone, and the calling one is in no section.
    #[cfg(not(loom))]
    pub(super) fn forked(&self) {
        self.revokers.store(0, Ordering::SeqCst);
        for word in &self.words {
            word.store(0, Ordering::SeqCst);
        }
    }
}

/// The most slots that one thread keeps.
const KEPT: usize = 32;

/// What one thread has of a table: free slots that it keeps for its next handles, so that it need not go to the lists, which
/// are everybody's, and a number by which it owns local handles (`inv:handle.own`). A slot that is kept is free, and on no
/// list.
#[derive(Debug)]
pub struct Kept {
    slots: [Cell<u32>; KEPT],
    count: Cell<usize>,
    /// 0 for none.
    pub(super) number: Cell<u32>,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept::new()
    }
}

impl Kept {
    /// None.
    pub const fn new() -> Kept {
        Kept {
            slots: [const { Cell::new(0) }; KEPT],
            count: Cell::new(0),
            number: Cell::new(0),
        }
    }

    #[inline(always)]
    pub(super) fn take(&self) -> Option<u32> {
        let last = self.count.get().wrapping_sub(1);
        let slot = self.slots.get(last)?;
        self.count.set(last);
        Some(slot.get())
    }

    /// Keeps a slot, if there is room.
    #[inline(always)]
    pub(super) fn keep(&self, index: u32) -> bool {
        let count = self.count.get();
        let Some(slot) = self.slots.get(count) else {
            return false;
        };
        slot.set(index);
        self.count.set(count + 1);
        true
    }
}
