//! Memory filled with a byte when it is given out and when it is freed, as glibc's `M_PERTURB` has it: a program that counts
//! on fresh memory being zero, or reads what it has freed, shows.
//!
//! Fast paths do not fill. While there is a byte, the word of a thread stays EMPTY when it has a heap, as in the hardened mode
//! (`inv:hardened.word`). The thread that sets the byte goes over at once, every other one at its next slow path.
//!
//! Absent: memory for the runtime is filled as well, but `calloc`'s never is.

use crate::alloc::Allocator;
use crate::free::Place;
use crate::heap::EMPTY;
use crate::pal::Pal;
use crate::tls::Words;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// Beside the byte: there is one.
const ON: u32 = 1 << 8;

impl<P: Pal + Words> Allocator<P> {
    /// Sets what freed memory is filled with; fresh memory gets the complement. `None`: neither is filled.
    pub fn set_perturb(&self, byte: Option<u8>) {
        let word = byte.map_or(0, |byte| u32::from(byte) | ON);
        self.perturb.store(word, Relaxed);
        let words = self.words();
        let slot = words.slot();
        let word = words.get(slot);
        if byte.is_some() && ptr::eq(word, words.own(slot)) {
            words.set(slot, EMPTY);
        }
    }

    /// What freed memory is filled with.
    pub(crate) fn perturb(&self) -> Option<u8> {
        let word = self.perturb.load(Relaxed);
        (word & ON != 0).then_some(word as u8)
    }

    /// Fills a block that is to be given out for `bytes`.
    pub(crate) fn perturb_fresh(&self, block: *mut u8, bytes: usize) {
        if let Some(byte) = self.perturb()
            && !block.is_null()
        {
            // SAFETY: inv:alloc.block: the block is the caller's, and at least as large.
            unsafe { block.write_bytes(!byte, bytes) };
        }
    }

    /// Fills a block that is being freed. Stops the process when it was freed before.
    pub(crate) fn perturb_freed(&self, block: *mut u8, place: &Place<'_>) {
        let Some(byte) = self.perturb() else { return };
        if let Place::Page(page, _) = place {
            self.refuse_freed("free", page, block.cast());
        }
        let (Place::Page(_, bytes) | Place::Large(_, bytes) | Place::Reserve(_, bytes)) = *place;
        // SAFETY: inv:alloc.block: the caller gives the block back, and it is so large.
        unsafe { block.write_bytes(byte, bytes) };
    }
}
