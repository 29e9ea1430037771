//! The allocator: the fast paths, and what they fall back to.
//!
//! `malloc` takes a block off the current page of a class; `free` puts one back on the list of its page. Both first make
//! the thread's word BUSY and afterwards put it back (`inv:word.busy` in [`crate::tls`]). Everything else is a slow path
//! and begins by asking where the thread stands:
//!
//! ```text
//!   the word    it allocates from            it frees                       locks
//!   a heap      its heap                     at home, or to the others      may wait
//!   EMPTY       a heap that it gets now      to the others                  may wait
//!               (or has: hardened)           (or at home)
//!   DEAD        a borrowed heap              to the others                  may wait
//!   BUSY        a borrowed heap              to the others                  may wait
//!   BUSY, and   a borrowed heap as it is,    to the others; what needs a    never
//!   locked      then the reserve             lock is left as a chore
//! ```
//!
//! `inv:alloc.nested` BUSY on entry means that this thread is inside the allocator already, in whatever it was doing when
//! the signal came; so of the thread's own heap nothing is read, and nothing is done that one call cannot do inside another.
//!
//! `inv:alloc.block` What is given out is a block of a page carved for it, a large block, or a block of the reserve; in
//! each case the side table finds it again by its address.
//!
//! The client's account is watched: before a heap takes new memory for it, outside of every lock and not busy, the region
//! is asked ([`Region::ask`]). A nested allocation, one at a thread's end, and the runtime's own are not watched.

#[cfg(test)]
mod tests;

use crate::account::Class;
use crate::block::Block;
use crate::classes::{GRAIN, LARGEST, SMALL, bin_above_small, bin_for, bin_shifted};
use crate::errno;
use crate::figures::Counters;
use crate::foreign::Foreign;
use crate::heap::{BUSY, Heap};
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::profile::Profile;
use crate::quarantine::Quarantine;
use crate::region::{Region, SLICE};
use crate::remote::Stack;
use crate::reserve::Reserve;
use crate::sparse::Sparse;
use crate::tls::Words;
use core::ptr::null_mut;
use core::sync::atomic::{
    AtomicBool, AtomicIsize, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed},
};

/// An allocator over one region.
#[derive(Debug)]
pub struct Allocator<P: Pal> {
    pub(crate) region: Region<P>,
    /// Whether the region and the reserve can be used.
    pub(crate) booted: AtomicBool,
    /// The newest heap.
    pub(crate) heaps: AtomicPtr<Heap>,
    /// Heaps that no thread owns.
    pub(crate) unowned: AtomicIsize,
    /// Where the next heap goes, as a distance from the region's base; 0 when there is no room.
    pub(crate) shelf: AtomicUsize,
    pub(crate) reserve: Reserve,
    /// Spans freed where the region's lock could not be waited for.
    pub(crate) deferred: Stack<PageEntry>,
    /// Whether there is so little memory that sizes share pages: inv:heap.shared.
    pub(crate) scarce: AtomicBool,
    /// Whether there is something that a handler has left to do.
    pub(crate) chores: AtomicBool,
    /// What large cleared blocks have been like.
    pub(crate) sparse: Sparse,
    /// When the heaps of other threads were visited last, by the clock of spans.
    pub(crate) visited: AtomicU32,
    /// Where freed blocks wait in the hardened mode.
    pub(crate) quarantine: Quarantine,
    /// Where the memory goes, when that is asked.
    pub(crate) profile: Profile,
    /// In the hardened mode: what nobody can guess, and what chance is made of.
    pub(crate) secret: AtomicUsize,
    pub(crate) turns: AtomicUsize,
    /// What memory is filled with; 0: with nothing.
    pub(crate) perturb: AtomicU32,
    pub(crate) start_hook: AtomicPtr<()>,
    pub(crate) foreign: AtomicPtr<Foreign>,
    /// The word of the thread that forks.
    pub(crate) forking: AtomicPtr<Heap>,
    /// What it had before.
    pub(crate) fork_kept: AtomicU8,
}

impl<P: Pal + Words> Allocator<P> {
    /// An allocator that has reserved nothing yet.
    pub const fn new(pal: P) -> Self {
        Self {
            region: Region::new(pal),
            booted: AtomicBool::new(false),
            heaps: AtomicPtr::new(null_mut()),
            unowned: AtomicIsize::new(0),
            shelf: AtomicUsize::new(0),
            reserve: Reserve::new(),
            deferred: Stack::new(),
            scarce: AtomicBool::new(false),
            chores: AtomicBool::new(false),
            sparse: Sparse::new(),
            visited: AtomicU32::new(0),
            quarantine: Quarantine::new(),
            profile: Profile::new(),
            secret: AtomicUsize::new(0),
            turns: AtomicUsize::new(0),
            perturb: AtomicU32::new(0),
            start_hook: AtomicPtr::new(null_mut()),
            foreign: AtomicPtr::new(null_mut()),
            forking: AtomicPtr::new(null_mut()),
            fork_kept: AtomicU8::new(0),
        }
    }

    /// The region below.
    pub fn region(&self) -> &Region<P> {
        &self.region
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.region.counters()
    }

    #[inline(always)]
    pub(crate) fn words(&self) -> &P {
        self.region.pal()
    }

    #[inline(always)]
    pub(crate) fn is_booted(&self) -> bool {
        self.booted.load(Acquire)
    }

    /// A block of the client's, as C's `malloc`.
    #[inline(always)]
    pub fn malloc(&self, bytes: usize) -> *mut u8 {
        let block = self.malloc_fast(bytes);
        if block.is_null() {
            return self.malloc_slow(bytes);
        }
        block
    }

    /// The same if the thread has a small block at hand, else null, and nothing was done.
    #[inline(always)]
    pub fn malloc_fast(&self, bytes: usize) -> *mut u8 {
        if bytes <= SMALL {
            return self.pop(Class::Client, bytes.div_ceil(GRAIN)).cast();
        }
        null_mut()
    }

    /// The same of blocks too large for that, as far as there are classes.
    #[inline(always)]
    pub fn malloc_medium(&self, bytes: usize) -> *mut u8 {
        if SMALL < bytes && bytes <= LARGEST {
            return self.pop(Class::Client, bin_above_small(bytes)).cast();
        }
        null_mut()
    }

    /// The same when there was none at hand.
    #[cold]
    #[inline(never)]
    pub fn malloc_slow(&self, bytes: usize) -> *mut u8 {
        self.alloc_class(bytes, GRAIN, false, Class::Client)
    }

    /// A block of `bytes` at a multiple of `align`, a power of two, if the thread has a small one at hand, else null, and nothing
    /// was done.
    #[inline(always)]
    pub fn aligned_fast(&self, bytes: usize, align: usize) -> *mut u8 {
        match bin_shifted(bytes, align) {
            Some(bin) => self.pop(Class::Client, bin).cast(),
            None => null_mut(),
        }
    }

    /// A cleared block if the thread has a small one at hand, else null, and nothing was done.
    #[inline(always)]
    pub fn calloc_fast(&self, bytes: usize) -> *mut u8 {
        let block = self.malloc_fast(bytes);
        if !block.is_null() {
            // SAFETY: inv:alloc.block: the block is the caller's, and at least as large.
            unsafe { block.write_bytes(0, bytes) };
        }
        block
    }

    /// A block of `bytes` at a multiple of `align`, a power of two.
    pub fn aligned(&self, bytes: usize, align: usize) -> *mut u8 {
        let block = self.aligned_fast(bytes, align);
        if block.is_null() {
            return self.alloc_class(bytes, align, false, Class::Client);
        }
        block
    }

    /// As C's `calloc`.
    pub fn calloc(&self, count: usize, bytes: usize) -> *mut u8 {
        let block = self.calloc_fast(count.saturating_mul(bytes));
        if block.is_null() {
            return self.calloc_slow(count, bytes);
        }
        block
    }

    /// The same when there was none at hand.
    pub fn calloc_slow(&self, count: usize, bytes: usize) -> *mut u8 {
        let Some(bytes) = count.checked_mul(bytes) else {
            return self.no_memory();
        };
        if (SLICE..=LARGEST).contains(&bytes) && self.sparse.prevail() {
            let block = self.alloc_slow(None, bytes, GRAIN, true, Class::Client);
            if !block.is_null() {
                return block;
            }
            // A page may have one.
        }
        self.alloc_class(bytes, GRAIN, true, Class::Client)
    }

    /// A block of `bytes` at a multiple of `align`, a power of two, in the account `class`; cleared where `zeroed`.
    pub fn alloc_class(&self, bytes: usize, align: usize, zeroed: bool, class: Class) -> *mut u8 {
        debug_assert!(align.is_power_of_two());
        // Its size is a multiple of `align` (inv:class.rounded), and so is where its blocks begin (inv:class.align).
        let Some(bin) = bin_for(bytes, align) else {
            return self.alloc_slow(None, bytes, align, zeroed, class);
        };
        let block = self.pop(class, bin).cast::<u8>();
        if block.is_null() {
            return self.alloc_slow(Some(bin), bytes, align, zeroed, class);
        }
        if zeroed {
            // SAFETY: inv:alloc.block: the block is the caller's, and at least as large.
            unsafe { block.write_bytes(0, bytes) };
        }
        block
    }

    /// The fast path of allocation: a block of the current page, or null.
    #[inline(always)]
    fn pop(&self, class: Class, bin: usize) -> *mut Block {
        let words = self.words();
        let slot = words.slot();
        let heap = words.get(slot);
        words.set(slot, BUSY);
        // SAFETY: inv:word.never-null.
        let held = unsafe { &*heap };
        // SAFETY: inv:heap.holder: the word led to the heap, and is busy now.
        let block = unsafe { held.pop(class, bin) };
        words.set(slot, heap);
        block
    }

    /// Gives a block back. Keeps errno. A pointer that is no live block is reported, and the process aborts.
    ///
    /// # Safety
    /// `block` is null or a live block of this allocator that nothing uses any more.
    #[inline(always)]
    pub unsafe fn free(&self, block: *mut u8) {
        if let Some(entry) = self.region.entry_of(block) {
            let page = self.at(entry);
            let words = self.words();
            let slot = words.slot();
            let heap = words.get(slot);
            let freed = block.cast::<Block>();
            // Before anything is looked at: a handler may give the page back, as long as it may use the heap.
            words.set(slot, BUSY);
            if page.is_of(heap)
                // SAFETY: inv:heap.holder: the word led to the page's heap (inv:page.owner), and is busy now.
                && unsafe { page.holds_live(freed) }
            {
                // SAFETY: inv:heap.holder, as above; the caller gives the block back.
                if unsafe { page.push(freed) } {
                    words.set(slot, heap);
                    return self.due(page);
                }
                words.set(slot, heap);
                return;
            }
            words.set(slot, heap);
            // SAFETY: as the caller says.
            return unsafe { self.free_afar(page, heap, freed) };
        }
        // SAFETY: as the caller says.
        unsafe { self.free_slow(block) }
    }

    /// The entry of a slice of the region.
    #[inline(always)]
    pub(crate) fn entry(&self, slice: usize) -> &PageEntry {
        self.at(self.region.entry(slice))
    }

    /// What the region's pointer to an entry leads to.
    #[inline(always)]
    pub(crate) fn at(&self, entry: *mut PageEntry) -> &PageEntry {
        // SAFETY: inv:region.table: every slice of the region has an entry, at least a zeroed one.
        unsafe { &*entry }
    }

    /// The entry `page` is that of this slice.
    pub(crate) fn slice_of(&self, page: &PageEntry) -> usize {
        let start = page.start.load(Relaxed).addr();
        (start - self.region.base().addr()) / SLICE
    }

    /// Null, and errno says why.
    #[cold]
    pub(crate) fn no_memory(&self) -> *mut u8 {
        errno::set(libc::ENOMEM);
        null_mut()
    }
}
