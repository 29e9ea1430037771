//! The memory of the slots: one piece of addresses for as many as there can be, of which what is used costs
//! memory.
//!
//! `inv:handle.fixed` The slots are reserved once, stand in one row, and are never given back. So a slot is
//! an index away, can be read at any time, whatever other threads free, and no memory is reclaimed while it could
//! be looked at.
//!
//! The reservation can be read and is not promised, so it counts for nothing in the system's accounts; a slot
//! nobody has used reads as zeros. Slots become writable in their order, by [`Room::open`].
//!
//! Under the model checker, which must see each slot being made, they are a boxed slice.

use super::slots::Slot;

#[cfg(loom)]
pub(super) use model::Room;
#[cfg(not(loom))]
pub(super) use system::Room;

#[cfg(not(loom))]
mod system {
    use super::Slot;
    use std::ops::Deref;

    /// The bytes that become writable at once.
    const STEP: usize = 64 << 10;
    const STEP_SLOTS: u32 = (STEP / size_of::<Slot>()) as u32;

    /// The slots (`inv:handle.fixed`).
    pub(in super::super) struct Room(&'static [Slot]);

    impl Room {
        /// Room for `length` slots, or none if the system has no addresses left.
        pub(in super::super) fn reserve(length: u32) -> Room {
            let length = length as usize;
            let bytes = (length * size_of::<Slot>()).next_multiple_of(STEP);
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
            let hint = std::ptr::null_mut();
            // SAFETY: without MAP_FIXED the call touches no mapping that exists.
            let at = unsafe { libc::mmap(hint, bytes, libc::PROT_READ, flags, -1, 0) };
            if at == libc::MAP_FAILED {
                return Room(&[]);
            }
            // SAFETY: that many are mapped for ever (inv:handle.fixed), and zeros are a slot.
            Room(unsafe { std::slice::from_raw_parts(at.cast::<Slot>(), length) })
        }

        /// Lets slot `index` be written, if the system gives the memory and `may_take` says that so many bytes may be
        /// had of it. Called before its first use, and for those below it before that.
        pub(in super::super) fn open(&self, index: u32, may_take: fn(usize) -> bool) -> bool {
            if !index.is_multiple_of(STEP_SLOTS) {
                return true;
            }
            if !may_take(STEP) {
                return false;
            }
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let first: *const Slot = &self.0[index as usize];
            // SAFETY: the step is part of the mapping, which is a whole number of them.
            let refused = unsafe { libc::mprotect(first.cast_mut().cast(), STEP, access) };
            refused == 0
        }
    }

    impl Deref for Room {
        type Target = [Slot];

        #[inline(always)]
        fn deref(&self) -> &[Slot] {
            self.0
        }
    }
}

#[cfg(loom)]
mod model {
    use super::Slot;
    use std::ops::Deref;

    /// The slots.
    pub(in super::super) struct Room(Box<[Slot]>);

    impl Room {
        /// Room for `length` slots.
        pub(in super::super) fn reserve(length: u32) -> Room {
            Room((0..length).map(|_| Slot::new()).collect())
        }

        /// Slots can always be written.
        pub(in super::super) fn open(&self, _index: u32, _may_take: fn(usize) -> bool) -> bool {
            true
        }
    }

    impl Deref for Room {
        type Target = [Slot];

        fn deref(&self) -> &[Slot] {
            &self.0
        }
    }
}
