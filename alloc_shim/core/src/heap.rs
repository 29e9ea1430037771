//! A heap: the pages from which one thread allocates, by account and size class.
//!
//! ```text
//!    queue of (class, bin):   current ──► page ──► page      blocks come from the first
//!    parked:                  page ──► page ──► …            pages without a free block, of all bins
//!    mail:                    page ──► …                     pages whose heap others have told of frees
//! ```
//!
//! `inv:heap.lists` Each page of the heap is in exactly one of its queues or parked. The pointers in the lists lead to
//! entries of the side table, which is never given back. An empty queue leads to [`NO_PAGE`], whose list is empty for
//! ever, so that the fast path needs no test for it.
//!
//! `inv:heap.changing` While `changing` is set the lists may be unsound to others. A fork in another thread leaves such a
//! heap alone in the child; every other heap it can take over.
//!
//! `inv:heap.forever` A heap is never given back: its address stays a heap's, and who looks at its tenure or mail late
//! does no harm.
//!
//! All heaps of an allocator are linked by `following`, newest first. Absent: a heap's own count of anything; figures
//! are kept by spans.

use crate::account::{CLASSES, Class};
use crate::block::Block;
use crate::classes::BINS;
use crate::figures::Counter;
use crate::orphans::Tenure;
use crate::page::{NO_PAGE, PageEntry};
use crate::profile::Until;
use crate::remote::Stack;
use core::ptr::{self, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::Relaxed, compiler_fence};

/// One thread's heap.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Heap {
    queues: [[AtomicPtr<PageEntry>; BINS]; CLASSES],
    parked: AtomicPtr<PageEntry>,
    changing: AtomicBool,
    /// Where there is a profile: how far the next sample is.
    pub(crate) until: Until,
    /// After a fork: the blocks in use are to be counted anew.
    pub(crate) stale: AtomicBool,
    pub(crate) shared: Shared,
}

/// What other threads write, on lines of its own.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) mail: Stack<PageEntry>,
    pub(crate) tenure: Tenure,
    pub(crate) following: AtomicPtr<Heap>,
    /// Which thread has had it last ([`Words::thread`](crate::tls::Words::thread)); 0: none.
    pub(crate) thread: AtomicUsize,
}

/// The word of a thread that has no heap yet.
pub static EMPTY: Heap = Heap::new();
/// The word of a thread inside the allocator.
pub static BUSY: Heap = Heap::new();
/// The word of a thread that has ended, but for what still runs on it.
pub static DEAD: Heap = Heap::new();

const fn none() -> AtomicPtr<PageEntry> {
    AtomicPtr::new((&raw const NO_PAGE).cast_mut())
}

impl Heap {
    /// A heap without a page, held by its maker.
    pub(crate) const fn new() -> Self {
        Self {
            queues: [const { [const { none() }; BINS] }; CLASSES],
            parked: AtomicPtr::new(null_mut()),
            changing: AtomicBool::new(false),
            until: Until::undrawn(),
            stale: AtomicBool::new(false),
            shared: Shared {
                mail: Stack::new(),
                tenure: Tenure::tended(),
                following: AtomicPtr::new(null_mut()),
                thread: AtomicUsize::new(0),
            },
        }
    }

    /// A block of the current page, or null.
    ///
    /// # Safety
    /// The caller holds the heap (or it is one of the static ones) and is busy.
    #[inline(always)]
    pub(crate) unsafe fn pop(&self, class: Class, bin: usize) -> *mut Block {
        let page = self.queues[class as usize][bin].load(Relaxed);
        // SAFETY: inv:heap.lists.
        let page = unsafe { &*page };
        // SAFETY: the caller holds the heap and is busy.
        unsafe { page.pop() }
    }

    /// Says that the lists are being changed, until the result is dropped.
    pub(crate) fn change(&self) -> Changing<'_> {
        self.changing.store(true, Relaxed);
        compiler_fence(core::sync::atomic::Ordering::SeqCst);
        Changing(self)
    }

    /// Whether the lists are being changed. For the only thread of a forked child.
    pub(crate) fn is_changing(&self) -> bool {
        self.changing.load(Relaxed)
    }

    /// The first page of a queue.
    pub(crate) fn current(&self, class: Class, bin: usize) -> Option<&PageEntry> {
        let page = self.queues[class as usize][bin].load(Relaxed);
        if ptr::eq(page, &NO_PAGE) {
            return None;
        }
        entry(page)
    }

    /// Whether the page is the only one of its queue.
    pub(crate) fn has_only(&self, page: &PageEntry) -> bool {
        let current = self.queue(page).load(Relaxed);
        ptr::eq(current, page) && page.next.load(Relaxed).is_null()
    }

    fn queue(&self, page: &PageEntry) -> &AtomicPtr<PageEntry> {
        &self.queues[page.class() as usize][page.bin.load(Relaxed) as usize]
    }

    /// Puts a page that is in no list first in its queue.
    pub(crate) fn enlist(&self, page: &PageEntry) {
        let queue = self.queue(page);
        let first = queue.load(Relaxed);
        let first = if ptr::eq(first, &NO_PAGE) {
            null_mut()
        } else {
            first
        };
        link(page, null_mut(), first);
        queue.store(address(page), Relaxed);
        page.owner.store(page.home.load(Relaxed), Relaxed);
    }

    /// Puts a page that is in no list second in its queue, so that the current one stays current.
    fn enlist_second(&self, page: &PageEntry) {
        let first = self.queue(page).load(Relaxed);
        match entry(first) {
            Some(first) if !ptr::eq(first, &NO_PAGE) => {
                link(page, address(first), first.next.load(Relaxed));
                page.owner.store(page.home.load(Relaxed), Relaxed);
            }
            _ => self.enlist(page),
        }
    }

    /// Takes a page out of the list in which it is.
    pub(crate) fn unlist(&self, page: &PageEntry) {
        let (prev, next) = (page.prev.load(Relaxed), page.next.load(Relaxed));
        if let Some(next) = entry(next) {
            next.prev.store(prev, Relaxed);
        }
        match entry(prev) {
            Some(prev) => prev.next.store(next, Relaxed),
            None if self.is_parked(page) => self.parked.store(next, Relaxed),
            None => {
                let none = (&raw const NO_PAGE).cast_mut();
                let first = if next.is_null() { none } else { next };
                self.queue(page).store(first, Relaxed);
            }
        }
    }

    /// Whether the page is parked. Only of pages of this heap.
    pub(crate) fn is_parked(&self, page: &PageEntry) -> bool {
        page.owner.load(Relaxed).is_null()
    }

    /// Parks a page that has no free block.
    fn park(&self, page: &PageEntry) {
        self.unlist(page);
        page.owner.store(null_mut(), Relaxed);
        link(page, null_mut(), self.parked.load(Relaxed));
        self.parked.store(address(page), Relaxed);
    }

    /// Puts a parked page back into its queue, for it has free blocks again.
    pub(crate) fn unpark(&self, page: &PageEntry) {
        page.remote.quiet();
        self.unlist(page);
        self.enlist_second(page);
    }

    /// Sees to it that the current page has a free block, without new memory; false when there is none. What others have
    /// freed is added to `collected`.
    ///
    /// # Safety
    /// The caller holds the heap, is busy, and has said that it changes it.
    pub(crate) unsafe fn refill(&self, class: Class, bin: usize, collected: &Counter) -> bool {
        while let Some(page) = self.current(class, bin) {
            if !page.free.load(Relaxed).is_null() {
                return true;
            }
            // SAFETY: as the caller says.
            collected.add(unsafe { page.collect() });
            // SAFETY: as the caller says.
            if !page.free.load(Relaxed).is_null() || unsafe { page.extend() } {
                return true;
            }
            if page.remote.want() {
                self.park(page);
            }
        }
        false
    }

    /// Calls `visit` with every page that is in a queue; it may take the page out.
    pub(crate) fn each_queued(&self, mut visit: impl FnMut(&PageEntry)) {
        for queue in self.queues.iter().flatten() {
            let first = queue.load(Relaxed);
            if !ptr::eq(first, &NO_PAGE) {
                each(first, &mut visit);
            }
        }
    }

    /// Calls `visit` with every parked page; it may take the page out.
    pub(crate) fn each_parked(&self, mut visit: impl FnMut(&PageEntry)) {
        each(self.parked.load(Relaxed), &mut visit);
    }

    /// Whether the lists hold together. The caller holds the heap.
    pub(crate) fn check(&self) -> bool {
        let mut sound = true;
        let mut look = |page: &PageEntry, parked: bool| {
            let next = entry(page.next.load(Relaxed));
            sound &= page.check()
                && ptr::eq(page.home.load(Relaxed), self)
                && self.is_parked(page) == parked
                && (!parked || page.free.load(Relaxed).is_null())
                && next.is_none_or(|next| ptr::eq(next.prev.load(Relaxed), page));
        };
        self.each_queued(|page| look(page, false));
        self.each_parked(|page| look(page, true));
        sound
    }
}

fn each(first: *mut PageEntry, visit: &mut impl FnMut(&PageEntry)) {
    let mut page = first;
    while let Some(here) = entry(page) {
        page = here.next.load(Relaxed);
        visit(here);
    }
}

fn address(page: &PageEntry) -> *mut PageEntry {
    ptr::from_ref(page).cast_mut()
}

/// What a pointer in a list leads to.
pub(crate) fn entry<'a>(page: *mut PageEntry) -> Option<&'a PageEntry> {
    // SAFETY: inv:heap.lists.
    unsafe { page.as_ref() }
}

fn link(page: &PageEntry, prev: *mut PageEntry, next: *mut PageEntry) {
    page.prev.store(prev, Relaxed);
    page.next.store(next, Relaxed);
    if let Some(prev) = entry(prev) {
        prev.next.store(address(page), Relaxed);
    }
    if let Some(next) = entry(next) {
        next.prev.store(address(page), Relaxed);
    }
}

/// Stands for the change of a heap's lists.
pub(crate) struct Changing<'a>(&'a Heap);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.0.changing.store(false, Relaxed);
    }
}
