//! Where the region lies, as every `free` asks it: two words side by side.
//!
//! What is written here in the processor's language is what the compiler makes longer: it loads an atomic word into a register
//! first, and then computes with it.
//!
//! `inv:bounds.origin` `origin` is the region's base, a multiple of a slice. Until the region is booted it is so far from every
//! pointer of a program that no size reaches from one to the other; so the two words may be read in any order.

use crate::page::PageEntry;
use crate::region::SLICE;
use core::arch::asm;
use core::mem::offset_of;
use core::ptr::without_provenance_mut;
use core::sync::atomic::{
    AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Release},
};

/// Half the address space, the kernel's: no pointer of a program is there, and none less than a region above it.
const FAR: usize = 1 << 63;

/// Where the region begins and how long it is.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Bounds {
    origin: AtomicPtr<u8>,
    size: AtomicUsize,
}

impl Bounds {
    /// Those of a region that is not there yet.
    pub(super) const fn new() -> Self {
        Self {
            origin: AtomicPtr::new(without_provenance_mut(FAR)),
            size: AtomicUsize::new(0),
        }
    }

    /// The region is there.
    pub(super) fn set(&self, base: *mut u8, size: usize) {
        self.origin.store(base, Release);
        self.set_size(size);
    }

    /// The region has another size.
    pub(super) fn set_size(&self, size: usize) {
        self.size.store(size, Release);
    }

    /// How many bytes the region has; 0 before it is booted.
    #[inline(always)]
    pub(super) fn size(&self) -> usize {
        self.size.load(Acquire)
    }

    /// The entry of the slice into which `p` leads, if that is a slice of the region.
    #[inline(always)]
    pub(super) fn entry_of(&self, p: *const u8) -> Option<*mut PageEntry> {
        let offset: usize;
        // An output as well, so that the compiler keeps it in its register.
        let bounds: *const Self;
        // SAFETY: inv:bounds.origin: reads the word.
        unsafe {
            asm!("sub {offset}, qword ptr [{bounds} + {origin}]",
                 offset = inlateout(reg) p.addr() => offset,
                 bounds = inlateout(reg) self => bounds,
                 origin = const offset_of!(Self, origin), options(pure, readonly, nostack));
        }
        // SAFETY: inv:bounds.origin: reads the other word.
        unsafe {
            asm!("cmp {offset}, qword ptr [{bounds} + {size}]", "jae {outside}",
                 offset = in(reg) offset, bounds = in(reg) bounds,
                 size = const offset_of!(Self, size),
                 outside = label { return None }, options(readonly, nostack));
        }
        let entry: *mut PageEntry;
        // SAFETY: inv:bounds.origin: reads the word, which is the base now.
        unsafe {
            asm!("add {entry}, qword ptr [{bounds} + {origin}]",
                 entry = inlateout(reg) offset / SLICE * size_of::<PageEntry>() => entry,
                 bounds = in(reg) bounds,
                 origin = const offset_of!(Self, origin), options(pure, readonly, nostack));
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::without_provenance;

    #[test]
    fn nothing_is_in_a_region_that_is_not_there() {
        let bounds = Bounds::new();
        // Also where another thread is about to boot it: it stores the base before the size.
        bounds.set_size(usize::MAX >> 2);
        for address in [0, 1, 1 << 12, 1 << 40, (1 << 47) - 1, usize::MAX] {
            assert_eq!(bounds.entry_of(without_provenance(address)), None);
        }
    }

    #[test]
    fn the_entries_are_those_of_the_slices_from_the_base_to_the_end() {
        let mut table = [0u8; 64];
        let base = table.as_mut_ptr().with_addr(5 * SLICE);
        let bounds = Bounds::new();
        bounds.set(base, 3 * SLICE);
        let slice = |address: usize| {
            let entry = bounds.entry_of(without_provenance(address))?;
            Some((entry.addr() - base.addr()) / size_of::<PageEntry>())
        };
        assert_eq!(slice(5 * SLICE - 1), None);
        assert_eq!(slice(5 * SLICE), Some(0));
        assert_eq!(slice(6 * SLICE - 1), Some(0));
        assert_eq!(slice(7 * SLICE + 9), Some(2));
        assert_eq!((slice(8 * SLICE - 1), slice(8 * SLICE)), (Some(2), None));
        bounds.set_size(SLICE);
        assert_eq!((slice(5 * SLICE), slice(6 * SLICE)), (Some(0), None));
        assert_eq!((slice(0), slice(usize::MAX)), (None, None));
    }
}
