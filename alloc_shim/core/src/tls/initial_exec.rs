//! The words of the product, at a fixed distance from the thread pointer.
//!
//! `inv:tls.image` The words stand in the thread-local image of this module, which the loader copies for every thread
//! before any code of that thread runs: first the address of EMPTY (a relocation), the first of the states, then null, then
//! no lock, then no number. The offset that the
//! linker puts into the global offset table, or straight into the instruction in an executable, is theirs.

use super::Words;
use crate::heap::{Heap, STATES};
use crate::lock::MOST;
use crate::pal::Unix;
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU32, Ordering};

// Hidden, for several copies of this library in one process must not share the words.
global_asm!(
    ".pushsection .tdata.bowline_alloc_words,\"awT\",@progbits",
    ".hidden bowline_alloc_words",
    ".globl bowline_alloc_words",
    ".type bowline_alloc_words,@object",
    ".size bowline_alloc_words,32",
    ".p2align 5",
    "bowline_alloc_words:",
    ".quad {empty}",
    ".quad 0",
    ".quad 0",
    ".quad 0",
    ".popsection",
    empty = sym STATES,
);

/// Numbers are given out in order; after two thousand million threads they begin anew.
static NUMBERS: AtomicU32 = AtomicU32::new(0);

/// The number by which locks know the running thread, given at its first use: neither 0 nor above [`MOST`].
pub(crate) fn number() -> u32 {
    let slot = Unix::new().slot();
    let mut number: usize;
    // SAFETY: inv:tls.image: loads the thread's fourth word.
    unsafe {
        asm!("mov {number}, qword ptr fs:[{slot} + 24]",
             slot = in(reg) slot, number = lateout(reg) number, options(nostack, preserves_flags));
    }
    if number == 0 {
        number = (NUMBERS.fetch_add(1, Ordering::Relaxed) % MOST) as usize + 1;
        // SAFETY: inv:tls.image: stores the thread's fourth word.
        unsafe {
            asm!("mov qword ptr fs:[{slot} + 24], {number}",
                 slot = in(reg) slot, number = in(reg) number, options(nostack, preserves_flags));
        }
    }
    number as u32
}

impl Words for Unix {
    /// Distance from the thread pointer.
    type Slot = usize;

    #[inline(always)]
    fn slot(&self) -> usize {
        let slot;
        // SAFETY: inv:tls.image: loads a constant of this module.
        unsafe {
            asm!("mov {slot}, qword ptr [rip + bowline_alloc_words@gottpoff]",
                 slot = out(reg) slot, options(pure, nomem, nostack, preserves_flags));
        }
        slot
    }

    #[inline(always)]
    fn get(&self, slot: usize) -> *const Heap {
        let heap;
        // SAFETY: inv:tls.image: loads the thread's first word.
        unsafe {
            asm!("mov {heap}, qword ptr fs:[{slot}]",
                 slot = in(reg) slot, heap = lateout(reg) heap, options(nostack, preserves_flags));
        }
        heap
    }

    #[inline(always)]
    fn set(&self, slot: usize, heap: *const Heap) {
        // SAFETY: inv:tls.image: stores the thread's first word.
        unsafe {
            asm!("mov qword ptr fs:[{slot}], {heap}",
                 slot = in(reg) slot, heap = in(reg) heap, options(nostack, preserves_flags));
        }
    }

    #[inline]
    fn own(&self, slot: usize) -> *const Heap {
        let heap;
        // SAFETY: inv:tls.image: loads the thread's second word.
        unsafe {
            asm!("mov {heap}, qword ptr fs:[{slot} + 8]",
                 slot = in(reg) slot, heap = lateout(reg) heap, options(nostack, preserves_flags));
        }
        heap
    }

    #[inline]
    fn set_own(&self, slot: usize, heap: *const Heap) {
        // SAFETY: inv:tls.image: stores the thread's second word.
        unsafe {
            asm!("mov qword ptr fs:[{slot} + 8], {heap}",
                 slot = in(reg) slot, heap = in(reg) heap, options(nostack, preserves_flags));
        }
    }

    #[inline]
    fn locked(&self, slot: usize) -> bool {
        let locked: usize;
        // SAFETY: inv:tls.image: loads the thread's third word.
        unsafe {
            asm!("mov {locked}, qword ptr fs:[{slot} + 16]",
                 slot = in(reg) slot, locked = lateout(reg) locked, options(nostack, preserves_flags));
        }
        locked != 0
    }

    /// The thread pointer, which points to itself.
    #[inline]
    fn thread(&self) -> usize {
        let thread: usize;
        // SAFETY: the x86-64 ABI for thread-local storage: the first word at the thread pointer is its own address.
        unsafe {
            asm!("mov {thread}, qword ptr fs:[0]",
                 thread = lateout(reg) thread, options(nostack, preserves_flags));
        }
        thread
    }

    #[inline]
    fn set_locked(&self, slot: usize, locked: bool) {
        // SAFETY: inv:tls.image: stores the thread's third word.
        unsafe {
            asm!("mov qword ptr fs:[{slot} + 16], {locked}",
                 slot = in(reg) slot, locked = in(reg) usize::from(locked), options(nostack, preserves_flags));
        }
    }
}
