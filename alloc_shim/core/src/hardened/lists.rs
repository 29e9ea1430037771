//! Lists of free blocks in the hardened mode: links bear a code, blocks come off at random, and what was written to is told
//! from what was not.
//!
//! `inv:lists.painted` While the mode is on, every byte of a free block behind its first sixteen bears the pattern: from when
//! the block is carved, or filled at its free, until it is given out.
//!
//! `inv:lists.believed` A link is followed only if it leads to a block that has been carved in the same page and bears the
//! seal; otherwise a program has written to one of the two.

use super::{PATTERN, changed};
use crate::block::Block;
use crate::page::{Lies, PageEntry};
use crate::remote::{Link, follow};
use core::ops::Range;
use core::ptr::null_mut;
use core::slice;
use core::sync::atomic::Ordering::Relaxed;

/// Where a free block's own words end.
const WORDS: usize = size_of::<Block>();

/// A free block that was written to, and at which offset; `None`: in its link, of which any byte may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged {
    pub(crate) block: *mut Block,
    pub(crate) at: Option<usize>,
}

impl PageEntry {
    /// Makes bytes that are carved bear the pattern, in the mode alone. Nothing has been there.
    pub(crate) fn paint(&self, carved: Range<usize>) {
        if self.code() != 0 {
            let start = self.start.load(Relaxed).wrapping_add(carved.start);
            // SAFETY: inv:page.carved: the memory is the page's, and no block's yet.
            unsafe { start.write_bytes(PATTERN, carved.len()) };
        }
    }

    /// As `push`, whichever way links are written.
    ///
    /// # Safety
    /// As for `push`.
    pub(crate) unsafe fn push_by(&self, block: *mut Block) -> bool {
        // SAFETY: inv:block.free: the program has given the block back.
        unsafe { Block::set_by(block, self.free.load(Relaxed), self.seal(), self.code()) };
        self.free.store(block, Relaxed);
        self.count_down()
    }

    /// Whether a link of a list of frees by others leads to a free block, as far as can be seen.
    pub(crate) fn may_follow(&self, link: Link) -> bool {
        follow(link).is_none_or(|number| self.sound(self.block(number)).is_ok())
    }

    /// Whether a free block of the page is at this address: inv:lists.believed.
    fn sound(&self, block: *mut Block) -> Result<(), Damaged> {
        let offset = block.addr().wrapping_sub(self.start.load(Relaxed).addr());
        if self.lies(offset) != Lies::Begins {
            return Err(Damaged { block, at: None });
        }
        // SAFETY: inv:block.seal: the block lies in the page.
        match unsafe { Block::broken_at(block, self.seal()) } {
            Some(at) => Err(Damaged {
                block,
                at: Some(at),
            }),
            None => Ok(()),
        }
    }

    /// The block after a sound one, if there is one and it is sound too.
    ///
    /// # Safety
    /// The block is on the page's own list, which the caller holds.
    unsafe fn sound_next(&self, block: *mut Block) -> Result<Option<*mut Block>, Damaged> {
        // SAFETY: as the caller says.
        let next = unsafe { Block::next_by(block, self.code()) };
        if next.is_null() {
            return Ok(None);
        }
        match self.sound(next) {
            Ok(()) => Ok(Some(next)),
            // The code makes a number of a foreign hand lead out of the page: the link is wrong, not what it leads to.
            Err(Damaged { at: None, .. }) => Err(Damaged { block, at: None }),
            Err(damaged) => Err(damaged),
        }
    }

    /// Takes the block at `depth` off the page's own list, or the last one; null when there is none.
    ///
    /// # Safety
    /// The caller holds the page's heap, and is busy; links are written as the mode has them.
    pub(crate) unsafe fn pop_at(&self, depth: u32) -> Result<*mut Block, Damaged> {
        let mut block = self.free.load(Relaxed);
        if block.is_null() {
            return Ok(block);
        }
        self.sound(block)?;
        let mut before = null_mut();
        // SAFETY: inv:lists.believed, and the caller holds the list.
        let mut next = unsafe { self.sound_next(block) }?;
        for _ in 0..depth {
            let Some(deeper) = next else { break };
            (before, block) = (block, deeper);
            // SAFETY: as above.
            next = unsafe { self.sound_next(block) }?;
        }
        let next = next.unwrap_or(null_mut());
        if before.is_null() {
            self.free.store(next, Relaxed);
        } else {
            // SAFETY: inv:block.free: the block before is on the list, which the caller holds.
            unsafe { Block::set_by(before, next, self.seal(), self.code()) };
        }
        self.count_up();
        let bytes = self.shape().size as usize;
        let rest = block.cast::<u8>().wrapping_add(WORDS).cast_const();
        // SAFETY: inv:block.free: the block is off the list and the caller's, and so large.
        let rest = unsafe { slice::from_raw_parts(rest, bytes - WORDS) };
        if let Some(at) = changed(rest) {
            return Err(Damaged {
                block,
                at: Some(WORDS + at),
            });
        }
        // SAFETY: inv:block.free: the block is off the list and the caller's.
        unsafe { Block::unseal(block) };
        Ok(block)
    }
}
