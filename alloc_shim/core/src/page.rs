//! What the side table says about a slice: nothing, or what begins there.
//!
//! ```text
//!                 begin_page                                   begin_large
//!    PAGE ◄───────────────── NONE, LEFT, FREED ─────────────────────────► LARGE
//!      │                         ▲      ▲                                   │
//!      └─────────────────────────┘      └───────────────────────────────────┘
//!              end (to LEFT)                       retire (to FREED)
//! ```
//!
//! A page of several slices marks the others INSIDE, with the way back to the first. A large block does not, for it may
//! have thousands: an address in its middle finds NONE, LEFT or FREED, and only the report of a bad free looks further back.
//! HEAPS and RESERVE are the allocator's own.
//!
//! `inv:page.start` A live block's entry does not change its kind, start, class or owner until the block is freed; so
//! whoever owns a block may read them, and the entry of the slice where a block begins is found by arithmetic.
//!
//! `inv:page.owner` `owner` is the heap of a page in the page's first entry, and null in every other, so that one compare
//! tells the fast path all it needs.
//!
//! `inv:page.used` `countdown + floor` is the number of blocks that are in use: carved, and not on the page's own list. It is 0
//! exactly when nobody outside the heap can name a block of the page, those on the remote list counted as in use.
//!
//! `inv:page.due` A free that makes `countdown` 0 has the heap look at the page. In a queue `floor` is 0, so that is when no block
//! is in use. A parked page is looked at when [`SizeClass::waking`] of its blocks are free, so its floor is that many less than
//! all: a free into a full page is a free like any other, and the page comes back into its queue with some blocks at once (as
//! slabs are woken in Liétar et al., *snmalloc: a message passing allocator*, 2019). Until then its free blocks wait. A page that stays
//! when it is empty need not be looked at then: its floor is one less than none, so that `countdown` does not become 0.
//!
//! `inv:page.prefix` Cut off after any store, as a fork in another thread cuts it off, push and pop leave a sound list
//! and a `countdown` that is wrong by one at most.
//!
//! `inv:page.carved` Blocks up to `carved` bytes have been on a list; no block beyond it is free or live. Carving goes
//! in steps of a few KiB, so that the memory of a page is touched as it is needed.
//!
//! `inv:page.holder` Fields of the first line are written by the heap's holder alone. They are atomics because others read some of
//! them, as hints or by `inv:page.start`. Where relaxed loads and stores cost more than plain ones do, for the compiler does not
//! make them a part of other instructions, the holder loads without atomics.

mod count;

use crate::account::Class;
use crate::block::Block;
use crate::classes::{CLASSES, GRAIN, SizeClass};
use crate::heap::Heap;
use crate::region::SLICE;
use crate::remote::{Linked, Note, Remote};
use core::arch::asm;
use core::mem::offset_of;
use core::ptr::null_mut;
use core::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Bytes carved at a time.
pub(crate) const STEP: usize = 4 << 10;

/// What begins at a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nothing: free, never taken, or inside a large block.
    None = 0,
    /// A page of one size class.
    Page,
    /// A later slice of a page.
    Inside,
    /// A large block.
    Large,
    /// Nothing any more: a large block was freed here.
    Freed,
    /// Nothing any more: a slice of a page that was given back. What the page was still stands in its entries.
    Left,
    /// Heaps, or the tables of the quarantine and of a profile.
    Heaps,
    /// The reserve for signal handlers.
    Reserve,
}

/// One entry of the side table. All zero is [`Kind::None`].
#[repr(C, align(128))]
#[derive(Debug)]
pub struct PageEntry {
    pub(crate) owner: AtomicPtr<Heap>,
    pub(crate) free: AtomicPtr<Block>,
    factor: AtomicU64,
    /// Below it are the products of the blocks that were carved: inv:class.exact.
    limit: AtomicU64,
    /// Frees until the heap looks at the page: inv:page.due.
    countdown: AtomicU32,
    pub(crate) carved: AtomicU32,
    pub(crate) next: AtomicPtr<PageEntry>,
    pub(crate) start: AtomicPtr<u8>,
    /// Slices of what begins here; of an inside slice, how many slices back the page begins.
    slices: AtomicU32,
    kind: AtomicU8,
    pub(crate) bin: AtomicU8,
    class: AtomicU8,
    // From here on the line of the others.
    pub(crate) remote: Remote,
    mail: AtomicPtr<PageEntry>,
    pub(crate) prev: AtomicPtr<PageEntry>,
    /// How much of a reserve is cut; in the hardened mode also what was asked for of a large block ([`crate::hardened`]).
    pub(crate) cut: AtomicU64,
    /// What links are mixed with: inv:block.code.
    code: AtomicUsize,
    /// How many of its blocks are samples of a profile.
    pub(crate) sampled: AtomicU32,
    /// Of a parked page, how many blocks are in use when it is looked at; 0: the page is not parked, or one that stays.
    floor: AtomicU32,
    /// Of a page of one slice, also when it is given back: how many bytes at the slice's end have no memory. A hint, for a large
    /// block may have lain over the slice since. Of a large block: a note ([`PageEntry::set_cleared`]).
    pub(crate) untouched: AtomicU32,
}

const _: () = assert!(size_of::<PageEntry>() == 128);
const _: () = assert!(offset_of!(PageEntry, remote) == 64);

/// The page of a heap that has none of a class: it has no block and never gets one.
pub static NO_PAGE: PageEntry = PageEntry::new();

impl Linked for PageEntry {
    fn link(&self) -> &AtomicPtr<Self> {
        &self.mail
    }
}

/// How an offset lies in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// A block begins there.
    Begins,
    /// Inside the block that begins at this offset.
    Inside(usize),
    /// No block has ever been there.
    Beyond,
}

impl PageEntry {
    const fn new() -> Self {
        Self {
            owner: AtomicPtr::new(null_mut()),
            free: AtomicPtr::new(null_mut()),
            factor: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            countdown: AtomicU32::new(0),
            carved: AtomicU32::new(0),
            next: AtomicPtr::new(null_mut()),
            prev: AtomicPtr::new(null_mut()),
            start: AtomicPtr::new(null_mut()),
            slices: AtomicU32::new(0),
            kind: AtomicU8::new(0),
            bin: AtomicU8::new(0),
            class: AtomicU8::new(0),
            remote: Remote::new(),
            mail: AtomicPtr::new(null_mut()),
            cut: AtomicU64::new(0),
            code: AtomicUsize::new(0),
            sampled: AtomicU32::new(0),
            floor: AtomicU32::new(0),
            untouched: AtomicU32::new(0),
        }
    }

    /// What begins here. Acquire: what `begin_page` and `begin_large` wrote before is seen as well.
    pub fn kind(&self) -> Kind {
        match self.kind.load(Acquire) {
            1 => Kind::Page,
            2 => Kind::Inside,
            3 => Kind::Large,
            4 => Kind::Freed,
            5 => Kind::Left,
            6 => Kind::Heaps,
            7 => Kind::Reserve,
            _ => Kind::None,
        }
    }

    fn set_kind(&self, kind: Kind) {
        self.kind.store(kind as u8, Release);
    }

    /// The account of what begins here.
    pub fn class(&self) -> Class {
        match self.class.load(Relaxed) {
            0 => Class::Client,
            _ => Class::Runtime,
        }
    }

    /// Slices of what begins here; of an inside slice, how many slices back it begins.
    pub fn slices(&self) -> usize {
        self.slices.load(Relaxed) as usize
    }

    /// The size class of a page.
    pub fn shape(&self) -> &'static SizeClass {
        &CLASSES[self.bin.load(Relaxed) as usize]
    }

    /// Makes this the first entry of a page of `bin`, without a block yet.
    pub fn begin_page(&self, owner: *const Heap, start: *mut u8, bin: usize, class: Class) {
        self.begin(start, CLASSES[bin].slices as usize, class);
        self.factor.store(CLASSES[bin].factor, Relaxed);
        self.limit.store(0, Relaxed);
        self.free.store(null_mut(), Relaxed);
        self.countdown.store(0, Relaxed);
        self.floor.store(0, Relaxed);
        self.carved.store(0, Relaxed);
        self.bin.store(bin as u8, Relaxed);
        self.remote.reset();
        self.owner.store(owner.cast_mut(), Relaxed);
        self.set_kind(Kind::Page);
    }

    /// Sets what links of the page's blocks are mixed with, before it has any.
    pub(crate) fn set_code(&self, code: usize) {
        self.code.store(code, Relaxed);
    }

    /// What links of the page's blocks are mixed with; 0: with nothing.
    pub(crate) fn code(&self) -> usize {
        self.code.load(Relaxed)
    }

    /// Makes this a later entry of a page, `back` slices after the first.
    pub fn begin_inside(&self, back: usize) {
        self.owner.store(null_mut(), Relaxed);
        self.slices.store(back as u32, Relaxed);
        self.untouched.store(0, Relaxed);
        self.set_kind(Kind::Inside);
    }

    /// Makes this the entry of a large block of `slices`.
    pub fn begin_large(&self, start: *mut u8, slices: usize, class: Class) {
        self.begin(start, slices, class);
        self.set_kind(Kind::Large);
    }

    /// Makes this the first entry of memory for the allocator itself.
    pub fn begin_own(&self, start: *mut u8, slices: usize, kind: Kind) {
        self.begin(start, slices, Class::Runtime);
        self.set_kind(kind);
    }

    fn begin(&self, start: *mut u8, slices: usize, class: Class) {
        self.owner.store(null_mut(), Relaxed);
        self.start.store(start, Relaxed);
        self.slices.store(slices as u32, Relaxed);
        self.class.store(class as u8, Relaxed);
        self.sampled.store(0, Relaxed);
        self.untouched.store(0, Relaxed);
    }

    /// The large block has now so many slices.
    pub fn resize_large(&self, slices: usize) {
        self.slices.store(slices as u32, Relaxed);
    }

    /// This slice of a page is given back. What it was stays, for reports: of a later one no start, and how far back the page
    /// began.
    pub fn end(&self) {
        if self.kind() == Kind::Inside {
            self.start.store(null_mut(), Relaxed);
        }
        let rest = SLICE.saturating_sub(self.carved().next_multiple_of(STEP)) as u32;
        self.untouched.fetch_min(rest, Relaxed);
        self.owner.store(null_mut(), Relaxed);
        self.set_kind(Kind::Left);
    }

    /// The large block is freed. False when it was already: of two who free it one is told.
    pub fn retire_large(&self) -> bool {
        let (live, freed) = (Kind::Large as u8, Kind::Freed as u8);
        self.kind
            .compare_exchange(live, freed, Acquire, Relaxed)
            .is_ok()
    }

    /// Whether the heap is the page's owner.
    #[inline(always)]
    pub(crate) fn is_of(&self, heap: *const Heap) -> bool {
        // SAFETY: what a relaxed load would read, as a part of the comparison.
        unsafe {
            asm!("cmp qword ptr [{page} + {owner}], {heap}", "jne {other}",
                 page = in(reg) self, owner = const offset_of!(Self, owner), heap = in(reg) heap,
                 other = label { return false }, options(readonly, nostack));
        }
        true
    }

    /// Whether a block begins at `offset`, which lies in the page: inv:class.exact.
    #[inline(always)]
    pub fn begins_at(&self, offset: usize) -> bool {
        (offset as u64).wrapping_mul(self.factor.load(Relaxed)) < self.limit.load(Relaxed)
    }

    /// Whether a block that was given out begins there, `back` slices behind the one of this entry, and does not look free. The
    /// entry is that of a page.
    #[inline(always)]
    pub(crate) fn has_live(&self, block: *const Block, back: usize) -> bool {
        let begins = self.begins_at(back * SLICE + block.addr() % SLICE);
        // SAFETY: inv:block.seal: a block of the page begins there.
        begins && !unsafe { Block::is_sealed(block, self.seal()) }
    }

    /// The same of the slice of this entry.
    ///
    /// # Safety
    /// The caller holds the page's heap, and is busy.
    #[inline(always)]
    pub(crate) unsafe fn holds_live(&self, block: *const Block) -> bool {
        // SAFETY: inv:page.holder.
        let factor = unsafe { self.factor.as_ptr().read() };
        // SAFETY: inv:page.holder.
        let limit = unsafe { self.limit.as_ptr().read() };
        let offset = (block.addr() % SLICE) as u64;
        // SAFETY: inv:block.seal: a block of the page begins there.
        offset.wrapping_mul(factor) < limit && !unsafe { Block::is_sealed(block, self.seal()) }
    }

    /// What free blocks of the page bear.
    #[inline(always)]
    pub fn seal(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// How many bytes of the page were carved into blocks.
    pub(crate) fn carved(&self) -> usize {
        self.carved.load(Relaxed) as usize
    }

    /// Of a slice that was given back: how many slices before it its page began.
    pub(crate) fn back(&self) -> usize {
        match self.start.load(Relaxed).is_null() {
            true => self.slices(),
            false => 0,
        }
    }

    /// How `offset` lies in the page.
    pub fn lies(&self, offset: usize) -> Lies {
        if offset >= self.carved.load(Relaxed) as usize {
            return Lies::Beyond;
        }
        match offset % self.shape().size as usize {
            0 => Lies::Begins,
            into => Lies::Inside(offset - into),
        }
    }

    /// Takes a block off the page's own list; null when there is none.
    ///
    /// # Safety
    /// The caller holds the page's heap, and is busy.
    #[inline(always)]
    pub unsafe fn pop(&self) -> *mut Block {
        let block = self.free.load(Relaxed);
        if block.is_null() {
            return block;
        }
        // SAFETY: inv:block.free: the caller holds the list.
        let next = unsafe { Block::next(block) };
        self.free.store(next, Relaxed);
        Block::prefetch(next);
        self.count_up();
        // SAFETY: inv:block.free: the block is off the list and the caller's.
        unsafe { Block::unseal(block) };
        block
    }

    /// Puts a block back on the page's own list; true when the heap is to look at the page (`inv:page.due`).
    ///
    /// # Safety
    /// The caller holds the page's heap, is busy, and gives a live block of the page.
    #[inline(always)]
    pub unsafe fn push(&self, block: *mut Block) -> bool {
        // SAFETY: inv:block.free: the program has given the block back.
        unsafe { Block::set(block, self.free.load(Relaxed), self.seal()) };
        self.free.store(block, Relaxed);
        self.count_down()
    }

    /// The block with this number in a list of frees by others: its offset in steps of 16 bytes.
    pub fn block(&self, number: u32) -> *mut Block {
        let start = self.start.load(Relaxed);
        start.wrapping_add(number as usize * GRAIN).cast()
    }

    /// Frees a block from a thread that does not hold the heap; true when the caller must tell the heap.
    ///
    /// # Safety
    /// The caller gives a live block of the page.
    #[inline(always)]
    pub unsafe fn push_remote(&self, block: *mut Block) -> bool {
        let offset = block.addr() - self.start.load(Relaxed).addr();
        let link = |next: u32| {
            let next = core::ptr::without_provenance_mut(next as usize);
            // SAFETY: inv:block.free: the program has given the block back, and it is on no list yet.
            unsafe { Block::set_by(block, next, self.seal(), self.code()) };
        };
        let enough = |note| match note {
            Note::Wanted => self.shape().waking,
            Note::Quiet | Note::Posted => self.used(),
        };
        self.remote.push((offset / GRAIN) as u32, enough, link)
    }

    /// Moves what others have freed to the page's own list; how many blocks that were.
    ///
    /// # Safety
    /// The caller holds the page's heap, and is busy.
    pub unsafe fn collect(&self) -> usize {
        let taken = self.remote.take();
        let (mut number, mut moved) = (taken.first, 0);
        let (mut list, code) = (self.free.load(Relaxed), self.code());
        for _ in 0..taken.count {
            let Some(first) = number else {
                debug_assert!(false, "inv:remote.count");
                break;
            };
            let block = self.block(first);
            // SAFETY: inv:block.free: the list was taken.
            let link = unsafe { Block::link(block, code) };
            // SAFETY: inv:block.free: as above.
            unsafe { Block::set_by(block, list, self.seal(), code) };
            (list, moved) = (block, moved + 1);
            let Some(link) = link.filter(|link| code == 0 || self.may_follow(*link)) else {
                // SAFETY: inv:block.free: it is on the list. Whoever takes it off sees that it was written to.
                unsafe { Block::unseal(block) };
                break;
            };
            number = crate::remote::follow(link);
        }
        self.free.store(list, Relaxed);
        // inv:remote.count: blocks of the list were counted as used.
        self.set_used(self.used().wrapping_sub(moved));
        taken.count as usize
    }

    /// Carves more blocks, so that the page's own list has one; false when the page has no more.
    ///
    /// # Safety
    /// The caller holds the page's heap, and is busy.
    pub unsafe fn extend(&self) -> bool {
        let shape = self.shape();
        let size = shape.size as usize;
        let from = self.carved.load(Relaxed) as usize;
        let to = (from + (STEP / size).max(1) * size).min(shape.extent as usize);
        if from == to {
            return false;
        }
        // The heap has kept it as one of so many bytes: inv:heap.stays.
        self.set_staying(false);
        self.paint(from..to);
        // Before the blocks are on the list, so that whoever gets one may free it.
        self.carved.store(to as u32, Relaxed);
        self.limit.store((to / size) as u64 * shape.step, Relaxed);
        let mut next = self.free.load(Relaxed);
        let mut offset = to;
        while offset > from {
            offset -= size;
            let block = self.start.load(Relaxed).wrapping_add(offset).cast();
            // SAFETY: inv:page.carved: no block has been there.
            unsafe { Block::set_by(block, next, self.seal(), self.code()) };
            next = block;
        }
        self.free.store(next, Relaxed);
        true
    }

    /// Counts the page's own list, and from it the blocks in use: after a fork has cut the thread off somewhere.
    ///
    /// # Safety
    /// The caller holds the page's heap, and is busy.
    pub unsafe fn recount(&self) {
        let mut free = 0;
        let mut block = self.free.load(Relaxed);
        while !block.is_null() {
            free += 1;
            // SAFETY: inv:page.prefix: the list is sound, and the caller holds it.
            block = unsafe { Block::next_by(block, self.code()) };
        }
        let carved = self.carved.load(Relaxed) / self.shape().size;
        self.set_used(carved - free);
    }

    /// Whether the block is on the page's own list or on that of the others.
    ///
    /// Exact for the holder of the heap. For anybody else the lists may move under the walk; then what it reads is
    /// memory of the page all the same, every step is checked for lying in the page and for the seal, before and after
    /// the link was read, and the walk is bounded.
    ///
    /// # Safety
    /// The entry is that of a page, and cannot be released meanwhile but by a mistake of the program.
    pub unsafe fn lists(&self, wanted: *const Block) -> bool {
        let start = self.start.load(Relaxed);
        let most = self.shape().extent / self.shape().size;
        let step = |block: *mut Block| {
            let offset = block.addr().wrapping_sub(start.addr());
            if !matches!(self.lies(offset), Lies::Begins) {
                return None;
            }
            let block = start.wrapping_add(offset).cast::<Block>();
            // SAFETY: inv:block.seal: the block lies in the page.
            unsafe { Block::is_sealed(block, self.seal()) }.then_some(block)
        };
        let mut block = self.free.load(Acquire);
        for _ in 0..most {
            let Some(here) = step(block) else { break };
            if here.cast_const() == wanted {
                return true;
            }
            // SAFETY: inv:block.free, or, where the list has moved, only a number that `step` looks at.
            block = unsafe { Block::next_by(here, self.code()) };
            core::sync::atomic::fence(Acquire);
            if step(here).is_none() {
                break;
            }
        }
        let mut number = self.remote.peek().first;
        for _ in 0..most {
            let Some(here) = number.and_then(|number| step(self.block(number))) else {
                break;
            };
            if here.cast_const() == wanted {
                return true;
            }
            // SAFETY: as above.
            let link = unsafe { Block::link(here, self.code()) };
            number = link.and_then(crate::remote::follow);
        }
        false
    }

    /// Whether what the entry says holds together. The caller holds the heap.
    pub fn check(&self) -> bool {
        let shape = self.shape();
        let (carved, used) = (self.carved.load(Relaxed), self.used());
        let mut free = 0;
        let mut block = self.free.load(Relaxed);
        while !block.is_null() {
            let offset = block.addr().wrapping_sub(self.start.load(Relaxed).addr());
            // SAFETY: inv:block.seal: read only where the offset lies in the page.
            let sealed = || unsafe { Block::is_sealed(block, self.seal()) };
            if self.lies(offset) != Lies::Begins || !sealed() || free == carved / shape.size {
                return false;
            }
            free += 1;
            // SAFETY: inv:block.free: the caller holds the list.
            block = unsafe { Block::next_by(block, self.code()) };
        }
        carved <= shape.extent
            && carved % shape.size == 0
            && used + free == carved / shape.size
            && self.remote.peek().count <= used
            && shape.slices as usize * SLICE >= shape.extent as usize
    }
}
