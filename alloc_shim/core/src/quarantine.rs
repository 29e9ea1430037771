//! The quarantine: blocks that were freed and are not given out yet, the oldest leaving first.
//!
//! ```text
//!   ring   │ … │ oldest │ … │ … │ newest │ … │       in the order in which they came
//!   set    │   │ 0x…40 │   │ 0x…10 │ 0x…90 │   │    their addresses, by hash: is this one here?
//! ```
//!
//! It is bounded in blocks and in bytes. A block of more than an eighth of the bytes weighs an eighth, for only its ends hold
//! memory ([`crate::hardened`]).
//!
//! `inv:quarantine.table` The table is memory of the allocator that is zeroed before it is shown and never given back. All of
//! it is atomics, so references to it are sound whoever writes; the ring and the set are written under the lock alone.
//!
//! `inv:quarantine.look` Who looks into the set without the lock may miss a block that another insertion or removal is moving
//! at that moment, but never finds one that is not there: a block that lives again has left the set before it could be
//! given out, and what happened before is seen.
//!
//! `inv:quarantine.lock` Its holder is busy and takes no other lock, but for a fork. A handler that interrupts the allocator
//! never tries for it, but for a fork.

use crate::lock::{Guard, Lock};
use crate::pal::Pal;
use crate::sync::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
    const_fn,
};
use core::ptr::null_mut;

/// The most blocks.
pub const BLOCKS: usize = if cfg!(loom) { 2 } else { 8 << 10 };
/// The most bytes, and how many times larger the region must be.
const BYTES: usize = 32 << 20;
const SHARE: usize = 16;
/// How many blocks there is room for at least.
const EIGHT: usize = 8;
/// Places of the set: half of them stay empty.
const PLACES: usize = 2 * BLOCKS;
const MASK: usize = PLACES - 1;

/// A block that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Where it begins.
    pub block: *mut u8,
    /// Its usable size.
    pub bytes: usize,
}

#[derive(Debug)]
struct Slot {
    block: AtomicPtr<u8>,
    bytes: AtomicUsize,
}

/// See the module. All zero is the empty one.
#[derive(Debug)]
pub struct Table {
    ring: [Slot; BLOCKS],
    set: [AtomicUsize; PLACES],
}

/// What the lock protects, beside the table.
#[derive(Debug)]
struct Inner {
    oldest: usize,
    count: usize,
    weight: usize,
    limit: usize,
}

/// A quarantine that is off until it gets its table.
#[derive(Debug)]
pub struct Quarantine {
    table: AtomicPtr<Table>,
    inner: Lock<Inner>,
}

/// The quarantine, held.
#[derive(Debug)]
pub struct Open<'a, P: Pal> {
    table: &'a Table,
    inner: Guard<'a, Inner, P>,
}

/// A block came that was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again;

impl Quarantine {
    const_fn! {
        /// One without a table.
        pub fn new() -> Self {
            Self {
                table: AtomicPtr::new(null_mut()),
                inner: Lock::new(Inner {
                    oldest: 0,
                    count: 0,
                    weight: 0,
                    limit: 0,
                }),
            }
        }
    }

    /// Whether there is one.
    pub fn is_on(&self) -> bool {
        self.table().is_some()
    }

    fn table(&self) -> Option<&Table> {
        // SAFETY: inv:quarantine.table.
        unsafe { self.table.load(Acquire).as_ref() }
    }

    /// Begins, in a region of so many bytes. Called once.
    ///
    /// # Safety
    /// `table` is zeroed, and the quarantine's for ever.
    pub unsafe fn begin<P: Pal>(&self, table: *mut Table, region: usize, pal: &P) {
        self.inner.lock(pal).limit = BYTES.min(region / SHARE);
        self.table.store(table, Release);
    }

    /// Takes the lock, if there is a quarantine. The thread is busy.
    pub fn open<'a, P: Pal>(&'a self, pal: &'a P) -> Option<Open<'a, P>> {
        let table = self.table()?;
        let inner = self.inner.lock(pal);
        Some(Open { table, inner })
    }

    /// Whether the block is held: inv:quarantine.look.
    pub fn holds(&self, block: *const u8) -> bool {
        self.table()
            .is_some_and(|table| table.find(block.addr()).is_some())
    }

    /// Before `fork`: tries for the lock. Gives whether the thread has it already, by a handler that has interrupted the
    /// holder; nothing when another thread has it.
    pub fn fork_prepare<P: Pal>(&self, pal: &P) -> Option<bool> {
        let kept = self.inner.is_mine(pal);
        (kept || self.inner.try_hold(pal)).then_some(kept)
    }

    /// Waits until no other thread has the lock.
    pub fn await_others<P: Pal>(&self, pal: &P) {
        drop(self.inner.lock(pal));
    }

    /// After `fork`, in the parent.
    pub fn fork_parent<P: Pal>(&self, kept: bool, pal: &P) {
        if !kept {
            // SAFETY: `fork_prepare` took the lock, and nothing was used since.
            unsafe { self.inner.release(pal) }
        }
    }

    /// After `fork`, in the child.
    pub fn fork_child(&self, kept: bool) {
        if !kept {
            // SAFETY: `fork_prepare` took the lock, and this is the only thread.
            unsafe { self.inner.reset() }
        }
    }
}

impl<P: Pal> Open<'_, P> {
    /// Holds a block; the one that must leave for it, if there is no more room.
    pub fn put(&mut self, held: Held) -> Result<Option<Held>, Again> {
        if self.table.find(held.block.addr()).is_some() {
            return Err(Again);
        }
        let leaves = if self.inner.count == BLOCKS {
            self.take()
        } else {
            None
        };
        let slot = self.slot(self.inner.count);
        slot.block.store(held.block, Relaxed);
        slot.bytes.store(held.bytes, Relaxed);
        self.table.insert(held.block.addr());
        self.inner.count += 1;
        self.inner.weight += self.weight(held);
        Ok(leaves)
    }

    /// The oldest block, which is held no more.
    pub fn take(&mut self) -> Option<Held> {
        let held = self.nth(0)?;
        self.table.remove(held.block.addr());
        self.inner.oldest = (self.inner.oldest + 1) % BLOCKS;
        self.inner.count -= 1;
        self.inner.weight -= self.weight(held);
        Some(held)
    }

    /// The oldest block, held no more, if there are too many bytes.
    pub fn take_excess(&mut self) -> Option<Held> {
        let excess = self.inner.weight > self.inner.limit;
        excess.then(|| self.take()).flatten()
    }

    /// How many blocks are held.
    pub fn count(&self) -> usize {
        self.inner.count
    }

    /// All of them, the oldest first.
    pub fn each(&self) -> impl Iterator<Item = Held> {
        (0..self.inner.count).filter_map(|n| self.nth(n))
    }

    fn nth(&self, n: usize) -> Option<Held> {
        let slot = self.slot(n);
        let held = || Held {
            block: slot.block.load(Relaxed),
            bytes: slot.bytes.load(Relaxed),
        };
        (n < self.inner.count).then(held)
    }

    fn slot(&self, n: usize) -> &Slot {
        &self.table.ring[(self.inner.oldest + n) % BLOCKS]
    }

    fn weight(&self, held: Held) -> usize {
        held.bytes.min(self.inner.limit / EIGHT)
    }
}

/// Where an address would best be: the upper bits of a multiplication by 2^64 over the golden ratio (Knuth, *The Art of
/// Computer Programming*, volume 3, 6.4).
pub fn best(address: usize) -> usize {
    let mixed = (address / 16).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> (usize::BITS - PLACES.trailing_zeros())
}

/// What is zeroed memory in the product.
#[cfg(loom)]
impl Default for Table {
    fn default() -> Self {
        use core::array::from_fn;
        let slot = |_| Slot {
            block: AtomicPtr::new(null_mut()),
            bytes: AtomicUsize::new(0),
        };
        Self {
            ring: from_fn(slot),
            set: from_fn(|_| AtomicUsize::new(0)),
        }
    }
}

impl Default for Quarantine {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    fn at(&self, place: usize) -> usize {
        self.set[place].load(Relaxed)
    }

    fn find(&self, address: usize) -> Option<usize> {
        let mut place = best(address);
        for _ in 0..PLACES {
            match self.at(place) {
                0 => return None,
                other if other == address => return Some(place),
                _ => place = (place + 1) & MASK,
            }
        }
        None
    }

    fn insert(&self, address: usize) {
        let mut place = best(address);
        while self.at(place) != 0 {
            place = (place + 1) & MASK;
        }
        self.set[place].store(address, Relaxed);
    }

    /// Removes an address, and moves those behind it up, so that no search ends too early (Knuth's algorithm R, there).
    fn remove(&self, address: usize) {
        let Some(mut hole) = self.find(address) else {
            debug_assert!(false, "what is in the ring is in the set");
            return;
        };
        let mut place = hole;
        loop {
            place = (place + 1) & MASK;
            let other = self.at(place);
            if other == 0 {
                break;
            }
            let way = place.wrapping_sub(best(other)) & MASK;
            if way >= place.wrapping_sub(hole) & MASK {
                self.set[hole].store(other, Relaxed);
                hole = place;
            }
        }
        self.set[hole].store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests;
