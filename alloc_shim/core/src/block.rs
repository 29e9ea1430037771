//! A free block: what its first sixteen bytes say.
//!
//! ```text
//!   0        the next free block, or its number in a list of frees by others
//!   8        the seal: the address of the page's entry in the side table
//! ```
//!
//! `inv:block.free` A block on a list belongs to whoever holds the list; nobody else writes to it, unless the program
//! writes to memory that it has freed.
//!
//! `inv:block.seal` Blocks on lists bear the seal, and it is wiped from a block before the program gets it. So a block
//! given back that bears the seal has been freed before, or the program has written this very address, which nothing of the
//! allocator's shows it. The second is told from the first by looking through the lists, so that no program is stopped by chance.
//!
//! `inv:block.code` In the hardened mode links are mixed with a number that depends on the block and on the code of its page, so
//! that what a program writes there leads nowhere. Where the code is 0 links are as they are; pages on which the fast paths
//! come have no other one.

use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use core::mem::offset_of;

/// The first bytes of a free block. The link comes first.
#[repr(C)]
#[derive(Debug)]
pub struct Block {
    next: *mut Block,
    seal: usize,
}

impl Block {
    /// Where the seal is.
    #[inline(always)]
    fn seal_place(block: *const Self) -> *mut usize {
        block
            .cast::<usize>()
            .wrapping_add(offset_of!(Self, seal) / size_of::<usize>())
            .cast_mut()
    }

    /// What comes after the block.
    ///
    /// # Safety
    /// The block is free, and on a list that the caller holds.
    #[inline(always)]
    pub unsafe fn next(block: *const Self) -> *mut Self {
        // SAFETY: inv:block.free.
        unsafe { block.cast::<*mut Self>().read() }
    }

    /// Has the processor fetch a block that is given out next, or none where that is null: its first words are read and written
    /// then, and the program writes to it.
    #[inline(always)]
    pub(crate) fn prefetch(block: *const Self) {
        // SAFETY: a hint, which touches nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(block.cast()) };
    }

    /// Whether the block bears the seal.
    ///
    /// # Safety
    /// The block lies in memory of a page.
    #[inline(always)]
    pub unsafe fn is_sealed(block: *const Self, seal: usize) -> bool {
        // SAFETY: inv:block.free: the block's memory is readable; what is in it does not matter.
        unsafe { Self::seal_place(block).read() == seal }
    }

    /// Writes the link, and the seal.
    ///
    /// # Safety
    /// The block is the caller's.
    #[inline(always)]
    pub unsafe fn set(block: *mut Self, next: *mut Self, seal: usize) {
        // SAFETY: inv:block.free: the block is the caller's.
        unsafe { block.write(Self { next, seal }) };
    }

    /// What the link of a block is mixed with: inv:block.code.
    fn mixture(block: *const Self, code: usize) -> usize {
        if code == 0 {
            return 0;
        }
        // The odd multiplier is 2^64 over the golden ratio.
        let mixed = (block.addr() ^ code).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    }

    /// What comes after the block, in a page with this code.
    ///
    /// # Safety
    /// As for [`Block::next`].
    pub unsafe fn next_by(block: *const Self, code: usize) -> *mut Self {
        // SAFETY: as the caller says.
        let next = unsafe { Self::next(block) };
        next.map_addr(|next| next ^ Self::mixture(block, code))
    }

    /// Writes the link, in a page with this code, and the seal.
    ///
    /// # Safety
    /// As for [`Block::set`].
    pub unsafe fn set_by(block: *mut Self, next: *mut Self, seal: usize, code: usize) {
        let next = next.map_addr(|next| next ^ Self::mixture(block, code));
        // SAFETY: as the caller says.
        unsafe { Self::set(block, next, seal) };
    }

    /// The first byte of the seal that is not as it was written.
    ///
    /// # Safety
    /// The block lies in memory of a page.
    pub unsafe fn broken_at(block: *const Self, seal: usize) -> Option<usize> {
        // SAFETY: inv:block.free: the block's memory is readable.
        let changed = seal ^ unsafe { Self::seal_place(block).read() };
        let byte = changed.trailing_zeros() as usize / 8;
        (changed != 0).then_some(offset_of!(Self, seal) + byte)
    }

    /// Wipes the seal off.
    ///
    /// # Safety
    /// The block is the caller's.
    #[inline(always)]
    pub unsafe fn unseal(block: *mut Self) {
        // SAFETY: inv:block.free: the block is the caller's.
        unsafe { Self::seal_place(block).write(0) };
    }

    /// What comes after the block in a list of frees by others; none where that is no number.
    ///
    /// # Safety
    /// The block is free, and on a list that the caller holds.
    pub unsafe fn link(block: *const Self, code: usize) -> Option<crate::remote::Link> {
        // SAFETY: inv:block.free.
        let next = unsafe { Self::next_by(block, code) };
        crate::remote::Link::try_from(next.addr()).ok()
    }
}
