//! Allocation beside the fast path: where a page comes from when the current one has no block.
//!
//! In this order: what others have freed, the rest of the page, other pages of the class, a new page. Before new memory
//! for the client is taken the region is asked, and what it does then (it may collect, wait, allocate and free) it does
//! with no lock held and the thread not busy; so afterwards everything is looked at again.
//!
//! A slice that was full of memory when it was given back may be taken for a page of which a few blocks are needed. There are as many
//! such pages as threads times sizes that each uses a little, so what they would hold is given back: `trim`.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::block::Block;
use crate::classes::{BINS, CLASSES, SMALL};
use crate::heap::Heap;
use crate::pal::Pal;
use crate::region::{SLICE, Span};
use crate::tend::Empties;
use crate::threads::Standing;
use crate::tls::Words;
use core::ptr::null_mut;
use core::sync::atomic::{
    Ordering::{Relaxed, SeqCst},
    fence,
};

/// How much of a page is left its memory in any case, in bytes, and what is worth a system call.
const NEEDED: usize = 8 << 10;
const WORTH: usize = 16 << 10;

/// Up to so many heaps each size has pages of its own from its first block on: inv:heap.shared.
const ROOMY: usize = 16;

/// A limit on memory below which that is so from the first heap on: a page counts there, whether it is used or not.
pub(crate) const SCARCE: usize = 64 << 20;

/// How many times larger than wanted a block may be where there is no memory for a page.
const LENT: u32 = 4;

impl<P: Pal + Words> Allocator<P> {
    /// A block from a slow path: one of a bin, or a large one.
    #[cold]
    #[inline(never)]
    pub(crate) fn alloc_slow(
        &self,
        bin: Option<usize>,
        bytes: usize,
        align: usize,
        zeroed: bool,
        class: Class,
    ) -> *mut u8 {
        let block = match bin {
            _ if self.is_hardened() => self.alloc_guarded(bytes, align, zeroed, class),
            Some(bin) => self.block_plainly(bin, align, bytes, zeroed, class),
            None => self.large(bytes, align, zeroed, class),
        };
        if !zeroed {
            self.perturb_fresh(block, bytes);
        }
        self.watch(block, bytes);
        block
    }

    /// A block of a bin for `bytes`, cleared where `zeroed`.
    pub(crate) fn block_plainly(
        &self,
        bin: usize,
        align: usize,
        bytes: usize,
        zeroed: bool,
        class: Class,
    ) -> *mut u8 {
        let block = self.block_slow(class, bin.max(1), align).cast::<u8>();
        if block.is_null() {
            return self.no_memory();
        }
        if zeroed {
            // SAFETY: inv:alloc.block: the block is the caller's, and at least as large.
            unsafe { block.write_bytes(0, bytes) };
        }
        block
    }

    /// A block for which the current page of the thread's heap had no room; null when there is no memory. The blocks of
    /// the class are multiples of `align`.
    fn block_slow(&self, class: Class, bin: usize, align: usize) -> *mut Block {
        let block = self.pop_profiled(class, bin);
        if !block.is_null() {
            return block;
        }
        match self.standing() {
            Standing::Home(heap) => self.block_at_home(heap, class, bin, align),
            Standing::Without => null_mut(),
            Standing::Away => self.block_away(class, bin),
            Standing::Locked => self.block_locked(class, bin, align),
        }
    }

    fn block_at_home(&self, heap: &Heap, class: Class, bin: usize, align: usize) -> *mut Block {
        self.do_chores();
        let mut bin = bin;
        {
            let _busy = self.busy();
            let _change = heap.change(self.words());
            self.read_mail(heap, Empties::KeepOne);
            // SAFETY: inv:heap.holder: the thread's heap; it is busy and changing.
            let mut block = unsafe { self.refilled(heap, class, bin) };
            if let Some(coarse) = self.shared_for(heap, class, bin)
                && block.is_null()
            {
                bin = coarse;
                // SAFETY: as above.
                block = unsafe { self.refilled(heap, class, bin) };
            }
            if !block.is_null() {
                return block;
            }
        }
        self.look_around();
        let bytes = CLASSES[bin].slices as usize * SLICE;
        if class == Class::Client && !self.ask(class, bytes) {
            return null_mut();
        }
        let block = self.block_of_new_page(heap, class, bin);
        if !block.is_null() {
            return block;
        }
        // Empty pages of other classes may be what is missing.
        self.purge();
        let block = self.block_of_new_page(heap, class, bin);
        if !block.is_null() || self.is_hardened() {
            return block;
        }
        self.block_of_larger(heap, class, bin, align)
    }

    /// The bin from whose pages the next block comes while the heap has none of `bin`, where it shall be another: inv:heap.shared.
    fn shared_for(&self, heap: &Heap, class: Class, bin: usize) -> Option<usize> {
        let many = self.counters().heaps_created.get() > ROOMY;
        let scarce = many || self.scarce.load(Relaxed);
        let none = scarce && !self.is_hardened() && heap.current(class, bin).is_none();
        none.then(|| heap.shares(bin)).flatten()
    }

    /// Where there is no memory for a page: a block of a larger size of which the heap has a page with room, and of which all
    /// blocks begin at multiples of `align` (inv:class.align).
    #[cold]
    #[inline(never)]
    fn block_of_larger(&self, heap: &Heap, class: Class, bin: usize, align: usize) -> *mut Block {
        let _busy = self.busy();
        let _change = heap.change(self.words());
        let most = (LENT * CLASSES[bin].size).max(SMALL as u32);
        let larger = (bin + 1..BINS)
            .take_while(|larger| CLASSES[*larger].size <= most)
            .filter(|larger| (CLASSES[*larger].size as usize).is_multiple_of(align));
        for larger in larger {
            // SAFETY: inv:heap.holder: the thread's heap; it is busy and changing.
            let block = unsafe { self.refilled(heap, class, larger) };
            if !block.is_null() {
                return block;
            }
        }
        null_mut()
    }

    fn block_of_new_page(&self, heap: &Heap, class: Class, bin: usize) -> *mut Block {
        let _busy = self.busy();
        let _change = heap.change(self.words());
        // SAFETY: inv:heap.holder: the thread's heap; it is busy and changing.
        unsafe { self.supplied(heap, class, bin) }
    }

    /// On a thread that has ended, and in a signal handler that has interrupted the allocator: from a borrowed heap.
    fn block_away(&self, class: Class, bin: usize) -> *mut Block {
        self.do_chores();
        let _busy = self.busy();
        if !self.boot() {
            return null_mut();
        }
        let Some(heap) = self.borrow() else {
            return null_mut();
        };
        let block = {
            let _change = heap.change(self.words());
            self.freshen(heap);
            self.read_mail(heap, Empties::KeepOne);
            // SAFETY: inv:heap.holder: the heap is borrowed; the thread is busy and changing it.
            unsafe { self.supplied(heap, class, bin) }
        };
        self.finish(heap);
        block
    }

    /// In a signal handler that must not wait: from a borrowed heap as it is, else from the reserve.
    fn block_locked(&self, class: Class, bin: usize, align: usize) -> *mut Block {
        if !self.is_booted() {
            return null_mut();
        }
        if let Some(heap) = self.borrow() {
            let block = {
                let _change = heap.change(self.words());
                self.freshen(heap);
                // SAFETY: inv:heap.holder: the heap is borrowed; the thread is busy and changing it.
                unsafe { self.supplied(heap, class, bin) }
            };
            // Mail may need the lock: that is for another.
            let called = heap.shared.tenure.abandon();
            fence(SeqCst);
            if called || !heap.shared.mail.is_empty() {
                self.leave_chore();
            }
            if !block.is_null() {
                return block;
            }
        }
        let size = CLASSES[bin].size as usize;
        self.cut_from_reserve(size, align).cast()
    }

    /// A block of the heap's own pages, or null.
    ///
    /// # Safety
    /// The caller holds the heap, is busy, and has said that it changes it.
    unsafe fn refilled(&self, heap: &Heap, class: Class, bin: usize) -> *mut Block {
        let collected = &self.counters().remote_frees;
        // SAFETY: as the caller says.
        if !unsafe { heap.refill(class, bin, collected) } {
            return null_mut();
        }
        if self.is_hardened() {
            // SAFETY: as the caller says.
            return unsafe { self.pop_any(heap, class, bin) };
        }
        // SAFETY: as the caller says.
        unsafe { heap.pop(class, bin) }
    }

    /// A block of the heap's own pages or of a new one; null when there is no memory.
    ///
    /// # Safety
    /// As for `refilled`.
    unsafe fn supplied(&self, heap: &Heap, class: Class, bin: usize) -> *mut Block {
        // SAFETY: as the caller says.
        let block = unsafe { self.refilled(heap, class, bin) };
        if !block.is_null() {
            return block;
        }
        let slices = CLASSES[bin].slices as usize;
        let Some(span) = self.take_span(slices, 1, class) else {
            return null_mut();
        };
        for back in 1..slices {
            self.entry(span.first + back).begin_inside(back);
        }
        let page = self.entry(span.first);
        let untouched = match slices {
            1 => self.trim(heap, bin, span, page.untouched.load(Relaxed)),
            _ => 0,
        };
        page.begin_page(heap, self.region.slice_start(span.first), bin, class);
        page.untouched.store(untouched, Relaxed);
        page.set_code(self.page_code());
        heap.enlist(page);
        // SAFETY: as the caller says.
        unsafe { self.refilled(heap, class, bin) }
    }

    /// Gives back the memory at the end of a slice that was taken for a page, as far as the page is not expected to need it; of the
    /// slice `untouched` bytes have none already. How many have none now. The next page of the bin is left more: a heap whose
    /// pages come and go soon leaves them as they are.
    fn trim(&self, heap: &Heap, bin: usize, span: Span, untouched: u32) -> u32 {
        let untouched = if span.zeroed { SLICE as u32 } else { untouched };
        let needed = heap.needed(bin).max(NEEDED);
        let idle = (SLICE - untouched as usize).saturating_sub(needed);
        let end = self.region.slice_start(span.first).wrapping_add(needed);
        // SAFETY: inv:region.span: the slice was just taken for a page that has not begun.
        if idle >= WORTH && unsafe { self.region.clear(end, idle) } {
            heap.expect(bin, needed + NEEDED);
            return (SLICE - needed) as u32;
        }
        untouched
    }
}
