//! Large blocks: spans of their own.
//!
//! A request for which no class is large enough, or aligned enough, gets whole slices. The block begins where the span
//! does, so that its address finds its entry; an alignment beyond a slice is the span's. A block of some MiB that is to be zero gets
//! memory that is, new if need be: what the program does not write then costs nothing, and what lay free in its place is
//! purged as far as both together are too much ([`crate::purge`]). A smaller one is cleared where memory is at hand, unless the program
//! has lately written little of such blocks ([`crate::sparse`]). One that comes back nearly unwritten is purged at once, and lies ready as
//! new memory.
//!
//! `inv:large.holder` Between allocation and free a large block's entry is its user's alone, as the memory is; whoever
//! turns its kind from LARGE to FREED gives it back, and nobody else does.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::region::SLICE;
use crate::sparse::looks_unwritten;
use crate::tls::Words;
use core::ptr::null_mut;

/// From so many slices on a block that is to be zero gets memory that is.
const CLEAN: usize = (4 << 20) / SLICE;

impl<P: Pal + Words> Allocator<P> {
    /// A block of whole slices.
    #[inline(never)]
    pub(crate) fn large(&self, bytes: usize, align: usize, zeroed: bool, class: Class) -> *mut u8 {
        if bytes > (isize::MAX as usize).saturating_sub(align.max(SLICE)) {
            return self.no_memory();
        }
        let slices = bytes.div_ceil(SLICE).max(1);
        if self.is_booted() && slices > self.region.size() / SLICE {
            // Whatever is given back, there would be no room.
            self.counters().refusals.bump();
            return self.no_memory();
        }
        let locked = self.is_locked();
        if !locked {
            self.do_chores();
            self.look_around();
            let watched = class == Class::Client && !self.is_away();
            if watched && !self.ask(class, slices * SLICE) {
                return self.no_memory();
            }
        }
        let mut found = self.large_span(slices, align, zeroed, class);
        if found.is_none() && !locked {
            self.purge();
            found = self.large_span(slices, align, zeroed, class);
        }
        let (block, clean) = match found {
            Some(found) => found,
            None if locked => (self.cut_from_reserve(bytes, align), false),
            None => (null_mut(), false),
        };
        if block.is_null() {
            return self.no_memory();
        }
        if zeroed && !clean {
            // SAFETY: inv:alloc.block: the block is the caller's, and at least as large.
            unsafe { block.write_bytes(0, bytes) };
        }
        block
    }

    /// The block, and whether it is all zero.
    fn large_span(
        &self,
        slices: usize,
        align: usize,
        zeroed: bool,
        class: Class,
    ) -> Option<(*mut u8, bool)> {
        let _busy = self.busy();
        if !self.is_booted() && (self.is_locked() || !self.boot()) {
            return None;
        }
        let align = align.div_ceil(SLICE);
        let new = zeroed && (slices >= CLEAN || self.sparse.wants_new());
        let span = match new {
            true => self.take_zeroed(slices, align, class)?,
            false => self.take_span(slices, align, class)?,
        };
        let start = self.region.slice_start(span.first);
        let entry = self.entry(span.first);
        entry.begin_large(start, slices, class);
        if zeroed {
            entry.set_cleared(span.zeroed);
            self.sparse.begin();
        }
        Some((start, span.zeroed))
    }

    /// Frees a large block; false when somebody has freed it already.
    pub(crate) fn free_large(&self, block: &PageEntry) -> bool {
        // Of two who free it one gets this: inv:large.holder.
        let retired = block.retire_large();
        if retired && !self.give_back_new(block) {
            self.give_back(block);
        }
        retired
    }

    /// Gives a freed block that had got new memory back as such, if little of it was written; false: nothing was given.
    fn give_back_new(&self, block: &PageEntry) -> bool {
        let Some(new) = block.take_cleared() else {
            return false;
        };
        self.sparse.end();
        if !new || self.is_locked() {
            return false;
        }
        let (first, slices, class) = (self.slice_of(block), block.slices(), block.class());
        let start = self.region.slice_start(first);
        let unwritten = self.sparse.is_known() || {
            // SAFETY: inv:large.holder: the block was retired by this thread and is not given yet.
            let unwritten = unsafe { looks_unwritten(start, slices * SLICE) };
            self.sparse.learn(unwritten);
            unwritten
        };
        // SAFETY: as above; nobody needs the contents.
        if !unwritten || !unsafe { self.region.clear(start, slices * SLICE) } {
            return false;
        }
        let _locking = self.locking();
        self.region.give_clean(first, slices, class);
        true
    }

    /// Makes a large block hold `bytes` where it is; false when it cannot.
    pub(crate) fn resize_large(&self, block: &PageEntry, bytes: usize) -> bool {
        let (from, to) = (block.slices(), bytes.div_ceil(SLICE).max(1));
        if from == to {
            return true;
        }
        if self.is_locked() {
            return to < from;
        }
        let class = block.class();
        let first = self.slice_of(block);
        if to > from {
            let watched = class == Class::Client && !self.is_away();
            if watched && !self.ask(class, (to - from) * SLICE) {
                return false;
            }
        }
        let _locking = self.locking();
        if to < from {
            // First, for afterwards the slices may be somebody's.
            block.resize_large(to);
            self.region.shrink(first, from, to, class);
            return true;
        }
        let grown = self.region.grow(first, from, to, class).is_some();
        if grown {
            block.resize_large(to);
        }
        grown
    }
}
