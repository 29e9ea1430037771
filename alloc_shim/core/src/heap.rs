//! A heap: the pages from which one thread allocates, by account and size class.
//!
//! ```text
//!    queue of (class, bin):   current ──► page ──► page      blocks come from the first
//!    parked:                  page ──► page ──► …            pages with few free blocks or none, of all bins
//!    mail:                    page ──► …                     pages whose heap others have told of frees
//! ```
//!
//! `inv:heap.lists` Each page of the heap is in exactly one of its queues or parked. The pointers in the lists lead to
//! entries of the side table, which is never given back. An empty queue leads to [`NO_PAGE`], whose list is empty for
//! ever, so that the fast path needs no test for it. A bin without pages of its own leads where the bin that serves for it does.
//!
//! `inv:heap.changing` While `changing` is set the lists may be unsound to others. A fork in another thread leaves such a
//! heap alone in the child; every other heap it can take over.
//!
//! `inv:heap.forever` A heap is never given back: its address stays a heap's, and who looks at its tenure or mail late
//! does no harm.
//!
//! `inv:heap.kept` What stands among the kept pages is an entry of the side table, and says nothing: it is a page of the heap, empty or
//! not, or no longer one. Whoever wants to give it back looks. A page of several slices stands there as many times, or not at all, so
//! the kept pages have at most [`KEPT`] slices.
//!
//! `inv:heap.stays` A page that stays when it is empty is the only one of its queue, and is one that the heap keeps. So nothing
//! would be done if the heap were told that it is empty, which of a program that takes and gives one block in turn it would be each time.
//!
//! `inv:heap.shared` Where there are many threads or little memory, the first few blocks of a small size are taken from a page of a larger one, which many
//! sizes share: a page of its own would have 4 KiB of memory for the sake of one block. A block is what its page says, so only who takes
//! it knows.
//!
//! All heaps of an allocator are linked by `following`, newest first. Absent: a heap's own count of anything; figures
//! are kept by spans.

mod states;

use crate::account::{CLASSES as ACCOUNTS, Class};
use crate::block::Block;
use crate::classes::{BINS, CLASSES, MOST_SLICES, shared_bin};
use crate::figures::Counter;
use crate::orphans::Tenure;
use crate::page::{NO_PAGE, PageEntry, STEP};
use crate::pal::Pal;
use crate::profile::Until;
use crate::remote::Stack;
use core::ptr::{self, null_mut};
use core::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicUsize,
    Ordering::{Acquire, Relaxed},
    compiler_fence, fence,
};

/// How many pages of a queue are looked at for one with free blocks before the current one is carved on.
const LOOKED_AT: usize = 8;

/// How many slices of empty pages with much memory a heap keeps.
const KEPT: usize = MOST_SLICES;

/// An empty page of one slice, of which no more is carved than this, in bytes, is not counted among those.
const LITTLE: usize = 16 << 10;

pub(crate) use states::STATES;
pub use states::{BUSY, DEAD, EMPTY};

/// How many blocks of a size come from pages that sizes share, at most, and how many bytes they have together.
const SHARED_BLOCKS: usize = 8;
const SHARED_BYTES: usize = 4 << 10;

/// One thread's heap.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Heap {
    queues: [[AtomicPtr<PageEntry>; BINS]; ACCOUNTS],
    parked: AtomicPtr<PageEntry>,
    /// How much of a page of each bin is expected to be needed, in steps of carving.
    needed: [AtomicU8; BINS],
    /// How many blocks of each bin came from pages of larger ones: inv:heap.shared.
    shared_blocks: [AtomicU8; BINS],
    /// Empty pages that are kept, and whose turn is next to be kept no longer: inv:heap.kept.
    kept: [AtomicPtr<PageEntry>; KEPT],
    turn: AtomicUsize,
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

const fn none() -> AtomicPtr<PageEntry> {
    AtomicPtr::new((&raw const NO_PAGE).cast_mut())
}

impl Heap {
    /// A heap without a page, held by its maker.
    pub(crate) const fn new() -> Self {
        Self {
            queues: [const { [const { none() }; BINS] }; ACCOUNTS],
            parked: AtomicPtr::new(null_mut()),
            needed: [const { AtomicU8::new(0) }; BINS],
            shared_blocks: [const { AtomicU8::new(0) }; BINS],
            kept: [const { AtomicPtr::new(null_mut()) }; KEPT],
            turn: AtomicUsize::new(0),
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

    /// Says that the lists are being changed, until the result is dropped; waits for a visitor: inv:heap.visit. The caller holds no
    /// lock.
    pub(crate) fn change<P: Pal>(&self, pal: &P) -> Changing<'_> {
        let entered = self.shared.tenure.enter(pal);
        self.changing.store(true, Relaxed);
        compiler_fence(core::sync::atomic::Ordering::SeqCst);
        Changing {
            heap: self,
            entered,
        }
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

    /// Whether a visitor may give the page back: nobody uses a block of it, and its owner takes none off it. Those that others have
    /// freed are counted as used; and the count can only be too high, for the owner takes no block off it meanwhile (`inv:heap.visit`).
    /// What the owner wrote into blocks before it counted them down comes before whatever follows: this processor shows stores in order.
    pub(crate) fn may_leave(&self, page: &PageEntry) -> bool {
        let used = page.used();
        fence(Acquire);
        let first = !page.is_parked() && page.prev.load(Relaxed).is_null();
        !first && page.remote.peek().count == used
    }

    /// Whether the page is the only one of its queue.
    pub(crate) fn has_only(&self, page: &PageEntry) -> bool {
        let current = self.queue(page).load(Relaxed);
        ptr::eq(current, page) && page.next.load(Relaxed).is_null()
    }

    fn queue(&self, page: &PageEntry) -> &AtomicPtr<PageEntry> {
        &self.queues[page.class() as usize][page.bin.load(Relaxed) as usize]
    }

    /// Makes `first` the first page of the queue of `page`, for all bins for which it serves.
    fn set_first(&self, page: &PageEntry, first: *mut PageEntry) {
        let bins = page.shape().first as usize..=page.bin.load(Relaxed) as usize;
        for queue in &self.queues[page.class() as usize][bins] {
            queue.store(first, Relaxed);
        }
    }

    /// Puts a page that is in no list first in its queue.
    pub(crate) fn enlist(&self, page: &PageEntry) {
        let first = self.queue(page).load(Relaxed);
        let first = match entry(first) {
            Some(first) if !ptr::eq(first, &NO_PAGE) => {
                first.set_staying(false);
                address(first)
            }
            _ => null_mut(),
        };
        link(page, null_mut(), first);
        self.set_first(page, address(page));
    }

    /// Puts a page that is in no list second in its queue, so that the current one stays current.
    fn enlist_second(&self, page: &PageEntry) {
        let first = self.queue(page).load(Relaxed);
        match entry(first) {
            Some(first) if !ptr::eq(first, &NO_PAGE) => {
                first.set_staying(false);
                link(page, address(first), first.next.load(Relaxed));
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
            None if page.is_parked() => self.parked.store(next, Relaxed),
            None => {
                let none = (&raw const NO_PAGE).cast_mut();
                let first = if next.is_null() { none } else { next };
                self.set_first(page, first);
            }
        }
    }

    /// Parks a page that has no free block.
    fn park(&self, page: &PageEntry) {
        self.unlist(page);
        page.set_parked(true);
        link(page, null_mut(), self.parked.load(Relaxed));
        self.parked.store(address(page), Relaxed);
    }

    /// Puts a parked page back into its queue, for it has free blocks again.
    pub(crate) fn unpark(&self, page: &PageEntry) {
        self.unlist(page);
        page.set_parked(false);
        // Afterwards, so that whoever frees then reads the new count.
        page.remote.quiet();
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
            if !page.free.load(Relaxed).is_null() {
                return true;
            }
            let fullest = self.fullest(page);
            // SAFETY: as the caller says.
            if fullest.is_none() && unsafe { page.extend() } {
                self.expect(bin, page.carved());
                return true;
            }
            if page.carved() == page.shape().extent as usize && page.remote.want() {
                self.park(page);
            }
            if let Some(fullest) = fullest {
                self.unlist(fullest);
                self.enlist(fullest);
            }
        }
        false
    }

    /// How much of a page of this bin is expected to be needed, in bytes.
    pub(crate) fn needed(&self, bin: usize) -> usize {
        usize::from(self.needed[bin].load(Relaxed)) * STEP
    }

    /// From now on so much is expected to be needed, or what was expected before, if that is more.
    pub(crate) fn expect(&self, bin: usize, bytes: usize) {
        let steps = bytes.div_ceil(STEP).min(usize::from(u8::MAX)) as u8;
        self.needed[bin].store(steps.max(self.needed[bin].load(Relaxed)), Relaxed);
    }

    /// The bin whose pages also give the next block of this one; none where it has had its share, or is too large.
    pub(crate) fn shares(&self, bin: usize) -> Option<usize> {
        let coarse = shared_bin(bin).filter(|coarse| *coarse != bin)?;
        let most = (SHARED_BYTES / CLASSES[coarse].size as usize).min(SHARED_BLOCKS);
        let so_far = self.shared_blocks[bin].load(Relaxed);
        if usize::from(so_far) >= most {
            return None;
        }
        self.shared_blocks[bin].store(so_far + 1, Relaxed);
        Some(coarse)
    }

    /// The next thread begins anew.
    pub(crate) fn share_anew(&self) {
        for count in &self.shared_blocks {
            count.store(0, Relaxed);
        }
    }

    /// Of some pages behind the current one, the one with the fewest free blocks, if any has one.
    fn fullest(&self, current: &PageEntry) -> Option<&PageEntry> {
        let follow = |page: &PageEntry| entry(page.next.load(Relaxed));
        core::iter::successors(follow(current), |page| follow(page))
            .take(LOOKED_AT)
            .filter(|page| !page.free.load(Relaxed).is_null())
            .max_by_key(|page| page.used())
    }

    /// Whether the page, which is empty, is kept already or so small that it need not be counted.
    pub(crate) fn keeps(&self, page: &PageEntry) -> bool {
        let known = |slot: &AtomicPtr<PageEntry>| ptr::eq(slot.load(Relaxed), page);
        let little = page.slices() == 1 && page.carved() <= LITTLE;
        little || self.kept.iter().any(known)
    }

    /// An empty page is to be kept; calls `leave` with those that are kept no longer, if they are still empty.
    pub(crate) fn keep(&self, page: &PageEntry, mut leave: impl FnMut(&PageEntry)) {
        if self.keeps(page) {
            return;
        }
        for _ in 0..page.slices() {
            let turn = self.turn.load(Relaxed);
            self.turn.store((turn + 1) % KEPT, Relaxed);
            let old = self.kept[turn].load(Relaxed);
            for slot in &self.kept {
                if ptr::eq(slot.load(Relaxed), old) {
                    slot.store(null_mut(), Relaxed);
                }
            }
            self.kept[turn].store(address(page), Relaxed);
            // What was kept there may have become another page since.
            let still =
                |old: &&PageEntry| ptr::eq(old.owner.load(Relaxed), self) && !old.is_parked();
            if let Some(old) = entry(old).filter(still) {
                old.set_staying(false);
                if old.used() == 0 {
                    leave(old);
                }
            }
        }
    }

    /// An empty page stays as it is from now on whenever it is empty, if that is what becomes of it anyway: inv:heap.stays.
    pub(crate) fn let_stay(&self, page: &PageEntry) {
        if self.has_only(page) && self.keeps(page) {
            page.set_staying(true);
        }
    }

    /// Calls `visit` with every page that is in a queue; it may take the page out.
    pub(crate) fn each_queued(&self, mut visit: impl FnMut(&PageEntry)) {
        for (bin, queue) in self.queues.iter().flat_map(|of| of.iter().enumerate()) {
            let first = queue.load(Relaxed);
            let is_own = |page: &PageEntry| page.bin.load(Relaxed) as usize == bin;
            if !ptr::eq(first, &NO_PAGE) && entry(first).is_some_and(is_own) {
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
                && ptr::eq(page.owner.load(Relaxed), self)
                && page.is_parked() == parked
                && (!parked || !page.is_due())
                && (!page.is_staying() || self.has_only(page) && self.keeps(page))
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
pub(crate) struct Changing<'a> {
    heap: &'a Heap,
    /// The heap's owner has closed it to visitors.
    entered: bool,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        compiler_fence(core::sync::atomic::Ordering::SeqCst);
        self.heap.changing.store(false, Relaxed);
        if self.entered {
            self.heap.shared.tenure.go_on();
        }
    }
}
