//! Allocation beside the fast path: where a page comes from when the current one has no block.
//!
//! In this order: what others have freed, the rest of the page, other pages of the class, a new page. Before new memory
//! for the client is taken the region is asked, and what it does then (it may collect, wait, allocate and free) it does
//! with no lock held and the thread not busy; so afterwards everything is looked at again.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::block::Block;
use crate::classes::CLASSES;
use crate::heap::Heap;
use crate::pal::Pal;
use crate::region::{SLICE, Span};
use crate::tend::Empties;
use crate::threads::Standing;
use crate::tls::Words;
use core::ptr::null_mut;
use core::sync::atomic::{Ordering::SeqCst, fence};

/// How often a call that may not wait tries for the region's lock.
const TRIES: usize = 100;

impl<P: Pal + Words> Allocator<P> {
    /// A block for which the current page of the thread's heap had no room; null when there is no memory.
    #[cold]
    #[inline(never)]
    pub(crate) fn block_slow(&self, class: Class, bin: usize) -> *mut Block {
        match self.standing() {
            Standing::Home(heap) => self.block_at_home(heap, class, bin),
            Standing::Without => null_mut(),
            Standing::Dead => self.block_at_end(class, bin),
            Standing::Nested => self.block_nested(class, bin),
        }
    }

    fn block_at_home(&self, heap: &Heap, class: Class, bin: usize) -> *mut Block {
        self.do_chores();
        {
            let _busy = self.busy();
            let _change = heap.change();
            self.read_mail(heap, Empties::KeepOne);
            // SAFETY: inv:heap.holder: the thread's heap; it is busy and changing.
            let block = unsafe { self.refilled(heap, class, bin) };
            if !block.is_null() {
                return block;
            }
        }
        let bytes = CLASSES[bin].slices as usize * SLICE;
        if class == Class::Client && !self.region.ask(class, bytes) {
            return null_mut();
        }
        let block = self.block_of_new_page(heap, class, bin);
        if !block.is_null() {
            return block;
        }
        // Empty pages of other classes may be what is missing.
        self.purge();
        self.block_of_new_page(heap, class, bin)
    }

    fn block_of_new_page(&self, heap: &Heap, class: Class, bin: usize) -> *mut Block {
        let _busy = self.busy();
        let _change = heap.change();
        // SAFETY: inv:heap.holder: the thread's heap; it is busy and changing.
        unsafe { self.supplied(heap, class, bin, false) }
    }

    /// On a thread that has ended: from a borrowed heap.
    fn block_at_end(&self, class: Class, bin: usize) -> *mut Block {
        self.do_chores();
        let _busy = self.busy();
        if !self.boot() {
            return null_mut();
        }
        let Some(heap) = self.borrow(false) else {
            return null_mut();
        };
        let block = {
            let _change = heap.change();
            self.freshen(heap);
            self.read_mail(heap, Empties::KeepOne);
            // SAFETY: inv:heap.holder: the heap is borrowed; the thread is busy and changing it.
            unsafe { self.supplied(heap, class, bin, false) }
        };
        self.finish(heap);
        block
    }

    /// In a signal handler that has interrupted the allocator (`inv:alloc.nested`): from a borrowed heap, else from the
    /// reserve.
    fn block_nested(&self, class: Class, bin: usize) -> *mut Block {
        if self.secret() == 0 {
            return null_mut();
        }
        let mut block = null_mut();
        if let Some(heap) = self.borrow(true) {
            {
                let _change = heap.change();
                self.freshen(heap);
                // SAFETY: inv:heap.holder: the heap is borrowed; the thread is busy and changing it.
                block = unsafe { self.supplied(heap, class, bin, true) };
            }
            let called = heap.shared.tenure.abandon();
            fence(SeqCst);
            if called || !heap.shared.mail.is_empty() {
                self.leave_chore();
            }
        }
        if block.is_null() {
            let bytes = CLASSES[bin].size as usize;
            block = self.from_reserve(bytes).cast();
        }
        block
    }

    /// A block of the heap's own pages, or null.
    ///
    /// # Safety
    /// The caller holds the heap, is busy, and has said that it changes it.
    unsafe fn refilled(&self, heap: &Heap, class: Class, bin: usize) -> *mut Block {
        // SAFETY: as the caller says.
        if unsafe { heap.refill(class, bin, self.secret()) } {
            // SAFETY: as the caller says.
            unsafe { heap.pop(class, bin) }
        } else {
            null_mut()
        }
    }

    /// A block of the heap's own pages or of a new one; null when there is no memory.
    ///
    /// # Safety
    /// As for `refilled`.
    unsafe fn supplied(&self, heap: &Heap, class: Class, bin: usize, nested: bool) -> *mut Block {
        // SAFETY: as the caller says.
        let block = unsafe { self.refilled(heap, class, bin) };
        if !block.is_null() {
            return block;
        }
        let slices = CLASSES[bin].slices as usize;
        let Some(span) = self.take_span(nested, slices, 1, class) else {
            return null_mut();
        };
        for back in 1..slices {
            self.entry(span.first + back).begin_inside(back);
        }
        let page = self.entry(span.first);
        page.begin_page(heap, self.region.slice_start(span.first), bin, class);
        heap.enlist(page);
        // SAFETY: as the caller says.
        unsafe { self.refilled(heap, class, bin) }
    }

    /// Takes slices from the region; `nested`: without waiting.
    pub(crate) fn take_span(
        &self,
        nested: bool,
        slices: usize,
        align: usize,
        class: Class,
    ) -> Option<Span> {
        if nested {
            return (0..TRIES).find_map(|_| self.region.take_now(slices, align, class));
        }
        self.region.take(slices, align, class)
    }
}
