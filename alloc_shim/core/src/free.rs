//! Freeing beside the fast path, and what is said of pointers that are no live block.
//!
//! `inv:free.verified` A process is stopped for a pointer only when the side table or the page's lists say that no live
//! block begins there. The seal in a block is the reason to look, never the verdict. (For a page of another thread the
//! lists may move under the look; what remains is that a program frees a live block of which the second word happens to
//! be its 64-bit seal, while its page's lists move in the one way that shows it. Such a block is freed all the same when
//! it is not found.)
//!
//! The reports, each one line on standard error before the process aborts:
//!
//! ```text
//! bowline_malloc: free of 0x…: double free of a block of N bytes
//! bowline_malloc: free of 0x…: inside the block of N bytes at 0x…
//! bowline_malloc: free of 0x…: not allocated here
//! bowline_malloc: free of 0x…: not allocated here any more: all blocks around it were freed
//! ```
//!
//! and the same of `realloc` and `malloc_usable_size`.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::block::Block;
use crate::classes::{GRAIN, LARGEST};
use crate::errno;
use crate::foreign::Foreign;
use crate::heap::{BUSY, EMPTY, Heap};
use crate::page::{Kind, Lies, PageEntry};
use crate::pal::Pal;
use crate::region::SLICE;
use crate::report::Line;
use crate::tls::Words;
use core::ptr::{self, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// What a live block is part of, with its usable size.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Page(&'a PageEntry, usize),
    Large(&'a PageEntry, usize),
    Reserve(&'a PageEntry, usize),
}

/// Why a pointer is no live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It is outside the region.
    Foreign,
    /// Nothing is there.
    NotAllocated,
    /// Nothing is there any more; what was is not known.
    GivenBack,
    /// A block of this size was freed.
    Freed(usize),
    /// It leads into the block at this address, of this size.
    Inside(usize, usize),
    /// The block of this size was written at this offset, behind its end.
    Overflow(usize, usize),
    /// What says the block's size was overwritten.
    Overrun,
}

/// Whether `bytes` stay in a block of `size`. One of which more than half would be idle is given up for a smaller one.
#[inline(always)]
fn suits(bytes: usize, size: usize) -> bool {
    bytes <= size && (bytes > size / 2 || size <= 2 * GRAIN)
}

impl<P: Pal + Words> Allocator<P> {
    /// Where a block is, as far as the side table knows.
    pub(crate) fn place(&self, block: *const u8) -> Result<Place<'_>, Bad> {
        let offset = self.region.offset(block).ok_or(Bad::Foreign)?;
        let slice = offset / SLICE;
        let entry = self.entry(slice);
        match entry.kind() {
            Kind::Page => self.place_in_page(entry, offset % SLICE),
            Kind::Inside => {
                let back = entry.slices();
                let entry = self.entry(slice - back);
                match entry.kind() {
                    Kind::Reserve => self.place_in_reserve(entry, block),
                    _ => self.place_in_page(entry, offset % SLICE + back * SLICE),
                }
            }
            Kind::Large => match offset % SLICE {
                0 => Ok(Place::Large(entry, entry.slices() * SLICE)),
                _ => Err(self.inside_large(entry)),
            },
            Kind::Freed if offset % SLICE == 0 => Err(self
                .large_before(slice)
                .unwrap_or(Bad::Freed(entry.slices() * SLICE))),
            Kind::Reserve => self.place_in_reserve(entry, block),
            Kind::Left => Err(self
                .large_before(slice)
                .unwrap_or_else(|| self.left_behind(slice, offset % SLICE))),
            Kind::Freed => Err(self.large_before(slice).unwrap_or(Bad::GivenBack)),
            Kind::None | Kind::Heaps => Err(self.large_before(slice).unwrap_or(Bad::NotAllocated)),
        }
    }

    /// What to say of an offset into a slice of a page that was given back. A double free, if a block began there and no large
    /// one has come and gone since.
    #[cold]
    fn left_behind(&self, slice: usize, offset: usize) -> Bad {
        let back = self.entry(slice).back();
        let page = slice.checked_sub(back).map(|first| self.entry(first));
        let still = |page: &&PageEntry| page.kind() == Kind::Left && page.slices() > back;
        let page = page.filter(still).filter(|_| !self.had_large(slice));
        match page {
            Some(page) if page.lies(offset + back * SLICE) == Lies::Begins => {
                Bad::Freed(page.shape().size as usize)
            }
            _ => Bad::GivenBack,
        }
    }

    /// Whether a large block that was freed began in an earlier slice and covered this one.
    fn had_large(&self, slice: usize) -> bool {
        let covers = |first: usize| {
            let entry = self.entry(first);
            entry.kind() == Kind::Freed && first + entry.slices() > slice
        };
        (0..slice).any(covers)
    }

    fn place_in_page<'a>(&self, page: &'a PageEntry, offset: usize) -> Result<Place<'a>, Bad> {
        let size = page.shape().size as usize;
        match page.lies(offset) {
            Lies::Begins => Ok(Place::Page(page, size)),
            Lies::Inside(start) => Err(Bad::Inside(page.start.load(Relaxed).addr() + start, size)),
            Lies::Beyond => Err(Bad::NotAllocated),
        }
    }

    fn place_in_reserve<'a>(
        &self,
        entry: &'a PageEntry,
        block: *const u8,
    ) -> Result<Place<'a>, Bad> {
        match self.size_in_reserve(entry, block) {
            Some(size) => Ok(Place::Reserve(entry, size)),
            None => Err(Bad::NotAllocated),
        }
    }

    fn inside_large(&self, entry: &PageEntry) -> Bad {
        Bad::Inside(entry.start.load(Relaxed).addr(), entry.slices() * SLICE)
    }

    /// The large block that covers a slice and begins in an earlier one. Slow: only for reports.
    #[cold]
    fn large_before(&self, slice: usize) -> Option<Bad> {
        for first in (0..slice).rev() {
            let entry = self.entry(first);
            if entry.kind() == Kind::Large {
                return (first + entry.slices() > slice).then(|| self.inside_large(entry));
            }
        }
        None
    }

    /// Frees a block that is in no page of `word`, the heap to which the thread's word leads: mostly one of another thread.
    ///
    /// # Safety
    /// As for [`Allocator::free`]; `page` is the entry of the block's slice.
    #[inline(never)]
    pub(crate) unsafe fn free_afar(&self, page: &PageEntry, word: *const Heap, block: *mut Block) {
        let words = self.words();
        // inv:word.own: a word that is EMPTY does not tell.
        let is_own =
            ptr::eq(word, EMPTY) && ptr::eq(page.owner.load(Relaxed), words.own(words.slot()));
        if !is_own && self.is_plain(page) && page.has_live(block, 0) {
            // SAFETY: as the caller says.
            return unsafe { self.free_to_others(page, block) };
        }
        // SAFETY: as the caller says.
        unsafe { self.free_slow(block.cast()) }
    }

    /// Frees a block of a page of another heap.
    ///
    /// # Safety
    /// A block of the page begins there that is not free, and the caller gives it back.
    #[inline(always)]
    unsafe fn free_to_others(&self, page: &PageEntry, block: *mut Block) {
        // SAFETY: as the caller says. Unless it is to be told of, the page may be gone afterwards: inv:remote.last.
        if unsafe { page.push_remote(block) } {
            self.post(page);
        }
    }

    /// What is not on the fast path: null, blocks of other threads and of later slices of a page, large ones, and
    /// pointers that are none of ours.
    ///
    /// # Safety
    /// As for [`Allocator::free`].
    #[inline(never)]
    pub(crate) unsafe fn free_slow(&self, block: *mut u8) {
        if block.is_null() {
            return;
        }
        if let Some(page) = self.page_of(block) {
            // SAFETY: `page_of` has found the block, and it is not free; the caller gives it back.
            return unsafe { self.free_in_page(page, block.cast()) };
        }
        match self.place(block) {
            Ok(place) => {
                self.unwatch(&place, block);
                if !self.detain(block, &place) {
                    // SAFETY: `place` has found the block; the caller gives it back.
                    unsafe { self.free_at(&place, block) };
                }
            }
            Err(Bad::Foreign) => match self.foreign() {
                // SAFETY: the block is not of this allocator, and the hook is who else there is.
                Some(foreign) => unsafe { (foreign.free)(block) },
                None => self.refuse("free", block, Bad::Foreign),
            },
            Err(bad) => self.refuse("free", block, bad),
        }
    }

    /// The page of a block that needs no second look: one that does not bear the seal, while no mode asks for more.
    #[inline]
    fn page_of(&self, block: *const u8) -> Option<&PageEntry> {
        let entry = self.region.entry_of(block)?;
        let here = self.at(entry);
        let back = match here.kind() {
            Kind::Inside => here.slices(),
            _ => 0,
        };
        let page = self.at(entry.wrapping_sub(back));
        (self.is_plain(page) && page.has_live(block.cast(), back)).then_some(page)
    }

    /// Whether the entry is a page's and no mode asks for more than to free its blocks.
    #[inline(always)]
    fn is_plain(&self, page: &PageEntry) -> bool {
        // Of a page that has a sample of a profile each block is looked up.
        let sampled = page.sampled.load(Relaxed) != 0;
        let modes = self.is_hardened() || self.perturb().is_some();
        page.kind() == Kind::Page && !sampled && !modes
    }

    /// Frees a block that is at this place.
    ///
    /// # Safety
    /// [`Allocator::place`] has found it there, and the caller gives it back.
    pub(crate) unsafe fn free_at(&self, place: &Place<'_>, block: *mut u8) {
        match *place {
            Place::Page(page, _) => {
                self.refuse_freed("free", page, block.cast());
                // SAFETY: as the caller says.
                unsafe { self.free_in_page(page, block.cast()) }
            }
            Place::Large(entry, size) => {
                if !self.free_large(entry) {
                    self.refuse("free", block, Bad::Freed(size));
                }
            }
            // SAFETY: as the caller says.
            Place::Reserve(entry, _) => unsafe { self.free_in_reserve(entry, block) },
        }
    }

    /// Frees a block of a page, of this thread's or of another's.
    ///
    /// # Safety
    /// A block of the page begins there that is not free, and the caller gives it back.
    #[inline]
    unsafe fn free_in_page(&self, page: &PageEntry, block: *mut Block) {
        let busy = self.busy();
        let home = page.owner.load(Relaxed);
        if !ptr::eq(home, busy.heap()) {
            drop(busy);
            // SAFETY: as the caller says.
            return unsafe { self.free_to_others(page, block) };
        }
        // SAFETY: inv:heap.holder: the words led to the heap; the caller gives the block back.
        let due = unsafe { page.push_by(block) };
        drop(busy);
        if due {
            self.due(page);
        }
    }

    /// Stops the process when a block of a page is free already: inv:free.verified.
    pub(crate) fn refuse_freed(&self, what: &str, page: &PageEntry, block: *const Block) {
        // SAFETY: inv:block.seal: the block lies in the page.
        if unsafe { Block::is_sealed(block, page.seal()) } && {
            // A page whose lists move under the look gets a few looks.
            // SAFETY: inv:page.start: a page whose block the program frees for the first time stays; when it frees it
            // again, what is read is still memory of the region.
            (0..3).any(|_| unsafe { page.lists(block) })
        } {
            let size = page.shape().size as usize;
            self.refuse(what, block.cast(), Bad::Freed(size));
        }
    }

    /// The usable size of a block that is at this place. Stops the process when it was freed, and in the hardened mode when
    /// there was a write behind it.
    pub(crate) fn size_of_live(&self, what: &str, place: Place<'_>, block: *const u8) -> usize {
        let (Place::Page(_, size) | Place::Large(_, size) | Place::Reserve(_, size)) = place;
        if let Place::Page(page, _) = place {
            self.refuse_freed(what, page, block.cast());
        }
        if !self.is_hardened() {
            return size;
        }
        self.refuse_detained(what, block, size);
        match self.asked(&place, block) {
            Some(Ok(asked)) => asked,
            Some(Err(bad)) => self.refuse(what, block, bad),
            None => size,
        }
    }

    /// Whether a block can hold `bytes` where it is, and should; a large one is made to.
    fn stays(&self, place: Place<'_>, bytes: usize) -> bool {
        if self.is_hardened() {
            return false;
        }
        match place {
            Place::Page(_, size) => suits(bytes, size),
            Place::Large(entry, _) => {
                let fits = isize::try_from(bytes).is_ok() && bytes > LARGEST;
                fits && self.resize_large(entry, bytes)
            }
            Place::Reserve(_, size) => bytes <= size,
        }
    }

    /// The usable size of a block; 0 for null.
    ///
    /// # Safety
    /// `block` is null or a live block.
    pub unsafe fn usable_size(&self, block: *const u8) -> usize {
        if let Some(page) = self.page_of(block) {
            return page.shape().size as usize;
        }
        if block.is_null() {
            return 0;
        }
        match self.place(block) {
            Ok(place) => self.size_of_live("malloc_usable_size", place, block),
            Err(Bad::Foreign) if let Some(foreign) = self.foreign() => {
                // SAFETY: the block is not of this allocator, and the hook is who else there is.
                unsafe { (foreign.usable_size)(block) }
            }
            Err(bad) => self.refuse("malloc_usable_size", block, bad),
        }
    }

    /// The block, if it is one of the thread's own pages and `realloc` leaves it where it is; else null, and nothing was done. In
    /// the hardened mode, and where there is a profile, no page is one of the thread's own: inv:hardened.word, inv:profile.word.
    #[inline(always)]
    pub fn realloc_fast(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        let Some(entry) = self.region.entry_of(block) else {
            return null_mut();
        };
        let page = self.at(entry);
        let words = self.words();
        let slot = words.slot();
        let heap = words.get(slot);
        words.set(slot, BUSY);
        // SAFETY: inv:heap.holder: the word led to the page's heap (inv:page.owner), and is busy now.
        let live = page.is_of(heap) && unsafe { page.holds_live(block.cast()) };
        let size = page.shape().size as usize;
        words.set(slot, heap);
        if live && bytes != 0 && suits(bytes, size) {
            return block;
        }
        null_mut()
    }

    /// As C's `realloc`, glibc's in what the standard leaves open.
    ///
    /// # Safety
    /// `block` is null or a live block; it is no longer one when the result is not null or `bytes` is 0.
    pub unsafe fn realloc(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        let same = self.realloc_fast(block, bytes);
        if same.is_null() {
            // SAFETY: as the caller says.
            return unsafe { self.realloc_slow(block, bytes) };
        }
        same
    }

    /// The same where the block does not stay, or that cannot be told at once.
    ///
    /// # Safety
    /// As for [`Allocator::realloc`].
    pub unsafe fn realloc_slow(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        if block.is_null() {
            return self.malloc(bytes);
        }
        if bytes == 0 {
            // SAFETY: as the caller says.
            unsafe { self.free(block) };
            return null_mut();
        }
        // SAFETY: as the caller says.
        unsafe { self.realloc_class(block, bytes, GRAIN, Class::Client) }
    }

    /// Makes a block hold `bytes` at a multiple of `align`, in place or by moving it to the account `class`. Null, and
    /// the block untouched, when there is no memory; never null for a block that is large enough and aligned so.
    ///
    /// # Safety
    /// `block` is a live block; it is no longer one when the result is not null.
    pub unsafe fn realloc_class(
        &self,
        block: *mut u8,
        bytes: usize,
        align: usize,
        class: Class,
    ) -> *mut u8 {
        let aligned = block.addr().is_multiple_of(align);
        let (stays, old) = match self.place(block) {
            Ok(place) => {
                let old = self.size_of_live("realloc", place, block);
                // Asked last, for a large block is made to stay.
                (aligned && self.stays(place, bytes), old)
            }
            Err(Bad::Foreign) if let Some(foreign) = self.foreign() => {
                // SAFETY: the block is not of this allocator, and the hook is who else there is.
                return unsafe { (foreign.realloc)(block, bytes) };
            }
            Err(bad) => self.refuse("realloc", block, bad),
        };
        if stays {
            self.rewatch(block, old, bytes);
            return block;
        }
        // A move that was only to save memory may fail, and then nobody hears of it.
        let suits = bytes <= old && aligned;
        let moved = if suits {
            errno::keeping(|| self.alloc_class(bytes, align, false, class))
        } else {
            self.alloc_class(bytes, align, false, class)
        };
        if moved.is_null() {
            return if suits { block } else { moved };
        }
        let kept = old.min(bytes);
        // SAFETY: inv:alloc.block: both blocks are live and at least as large, and they are two.
        unsafe { moved.copy_from_nonoverlapping(block, kept) };
        // SAFETY: as the caller says.
        unsafe { self.free(block) };
        moved
    }

    /// Sets what to do with pointers outside the region.
    pub fn on_foreign(&self, foreign: &'static Foreign) {
        self.foreign
            .store(ptr::from_ref(foreign).cast_mut(), Release);
    }

    /// What to do with a pointer outside the region.
    fn foreign(&self) -> Option<&'static Foreign> {
        let foreign = self.foreign.load(Acquire);
        // SAFETY: `on_foreign` alone stores here, and what it stores lives for ever.
        let foreign = unsafe { foreign.as_ref() };
        if foreign.is_some() {
            self.counters().foreign_frees.bump();
        }
        foreign
    }

    /// Says what is wrong with a pointer, and ends the process.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&self, what: &str, block: *const u8, bad: Bad) -> ! {
        let line = Line::new(what).text(" of ").pointer(block).text(": ");
        let line = match bad {
            Bad::Foreign | Bad::NotAllocated => line.text("not allocated here"),
            Bad::GivenBack => {
                line.text("not allocated here any more: all blocks around it were freed")
            }
            Bad::Freed(size) if what == "free" => line
                .text("double free of a block of ")
                .decimal(size)
                .text(" bytes"),
            Bad::Freed(size) => line
                .text("a block of ")
                .decimal(size)
                .text(" bytes that was freed"),
            Bad::Inside(start, size) => line
                .text("inside the block of ")
                .decimal(size)
                .text(" bytes at ")
                .pointer(ptr::without_provenance::<u8>(start)),
            Bad::Overflow(size, at) => line
                .text("overflow: the block of ")
                .decimal(size)
                .text(" bytes was written at offset ")
                .decimal(at),
            Bad::Overrun => {
                line.text("overflow: what stands behind the block was overwritten, its size too")
            }
        };
        line.die(self.region.pal())
    }
}
