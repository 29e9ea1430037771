//! Taking samples: what an allocation and a free do where there is a profile, and what is told of it.

use super::chance::Chance;
use super::tables::{Backtrace, Frames, Site, Tables};
use crate::account::Class;
use crate::alloc::Allocator;
use crate::block::Block;
use crate::free::Place;
use crate::heap::{EMPTY, Heap};
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::tls::Words;
use core::ptr::{self, null_mut};
use core::sync::atomic::{
    AtomicIsize, AtomicPtr, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// A profile that is off until it begins.
#[derive(Debug)]
pub(crate) struct Profile {
    tables: AtomicPtr<Tables>,
    chance: Chance,
    backtrace: AtomicPtr<()>,
    /// Samples for which there was no room.
    lost: AtomicUsize,
}

/// Bytes until the next sample of a heap, which its holder alone counts.
#[derive(Debug)]
pub(crate) struct Until(AtomicIsize);

impl Until {
    /// Nothing was drawn yet.
    pub(crate) const fn undrawn() -> Self {
        Self(AtomicIsize::new(isize::MIN))
    }

    /// Counts bytes; whether one of them was chosen.
    fn pass(&self, bytes: usize, chance: &Chance) -> bool {
        let mut left = self.0.load(Relaxed);
        if left == isize::MIN {
            left = chance.draw();
        }
        left = left.saturating_sub_unsigned(bytes);
        let chosen = left < 0;
        // Chance has no memory: what lies behind the chosen byte is drawn anew.
        self.0
            .store(if chosen { chance.draw() } else { left }, Relaxed);
        chosen
    }
}

/// What a profile has to say beside its sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Bytes from one sample to the next, on average.
    pub interval: usize,
    /// Samples that were left out, for there was no room.
    pub lost: usize,
}

impl Profile {
    pub(crate) const fn new() -> Self {
        Self {
            tables: AtomicPtr::new(null_mut()),
            chance: Chance::new(),
            backtrace: AtomicPtr::new(null_mut()),
            lost: AtomicUsize::new(0),
        }
    }

    /// Whether there is one.
    pub(crate) fn is_on(&self) -> bool {
        !self.tables.load(Relaxed).is_null()
    }

    fn tables(&self) -> Option<&Tables> {
        // SAFETY: inv:profile.tables.
        unsafe { self.tables.load(Acquire).as_ref() }
    }

    fn frames(&self) -> Frames {
        let mut frames = Frames::none();
        let backtrace = self.backtrace.load(Acquire);
        if !backtrace.is_null() {
            // SAFETY: `profile` alone stores here, and what it stores is such a function.
            let backtrace = unsafe { core::mem::transmute::<*mut (), Backtrace>(backtrace) };
            frames.fill(backtrace);
        }
        frames
    }
}

impl<P: Pal + Words> Allocator<P> {
    /// Begins a profile of what is allocated from now on, with a sample for each `interval` bytes, at least 1; false when there is no
    /// memory for it. To be called once, while the process has one thread.
    pub fn profile(&self, interval: usize, backtrace: Backtrace) -> bool {
        let busy = self.busy();
        let Some(start) = self.own_memory(size_of::<Tables>()) else {
            return false;
        };
        let profile = &self.profile;
        profile.chance.set(interval, self.region.pal().random());
        profile.backtrace.store(backtrace as *mut (), Release);
        let tables = start.cast::<Tables>();
        // SAFETY: inv:profile.tables: zeroed, and never given back.
        unsafe { &*tables }.begin();
        profile.tables.store(tables, Release);
        let own = busy.words.own(busy.slot);
        let had = !own.is_null() && ptr::eq(busy.back, own);
        let (words, slot) = (busy.words, busy.slot);
        drop(busy);
        if had {
            // inv:profile.word
            words.set(slot, EMPTY);
        }
        true
    }

    /// Calls `visit` with each stack that has taken memory; none where there is no profile. Nothing is locked, and others may go on.
    pub fn sites(&self, mut visit: impl FnMut(&Site<'_>)) {
        if let Some(tables) = self.profile.tables() {
            tables.sites(&mut visit);
        }
    }

    /// Calls `visit` with the number and the address of each place in those stacks.
    pub fn places(&self, mut visit: impl FnMut(usize, usize)) {
        if let Some(tables) = self.profile.tables() {
            tables.places(&mut visit);
        }
    }

    /// What else a profile has to say.
    pub fn summary(&self) -> Summary {
        Summary {
            interval: self.profile.chance.interval(),
            lost: self.profile.lost.load(Relaxed),
        }
    }

    /// The heap of a thread whose word says EMPTY for it has a profile, and null of every other one.
    fn profiled_heap(&self) -> *const Heap {
        let words = self.words();
        let slot = words.slot();
        if !ptr::eq(words.get(slot), EMPTY) || words.locked(slot) {
            return ptr::null();
        }
        words.own(slot)
    }

    /// A block of the current page of a class, where there is a profile and the thread has a heap: its own fast path.
    pub(crate) fn pop_profiled(&self, class: Class, bin: usize) -> *mut Block {
        let heap = self.profiled_heap();
        // The mode that guards blocks has its own way to take them.
        if heap.is_null() || !self.profile.is_on() || self.is_hardened() {
            return null_mut();
        }
        let _busy = self.busy();
        // SAFETY: inv:word.own, inv:heap.forever.
        let heap = unsafe { &*heap };
        // SAFETY: inv:heap.holder: the thread's own heap, and the thread is busy.
        unsafe { heap.pop(class, bin) }
    }

    /// Counts a block that was just allocated, of so many bytes; and keeps it as a sample if one of them was chosen.
    pub(crate) fn watch(&self, block: *mut u8, bytes: usize) {
        if self.profile.is_on() && !block.is_null() {
            self.watch_block(block, bytes.max(1));
        }
    }

    #[cold]
    fn watch_block(&self, block: *mut u8, bytes: usize) {
        // SAFETY: inv:word.own, inv:heap.forever.
        let Some(heap) = (unsafe { self.profiled_heap().as_ref() }) else {
            return;
        };
        if !heap.until.pass(bytes, &self.profile.chance) {
            return;
        }
        let _busy = self.busy();
        let Ok(Place::Page(page, _) | Place::Large(page, _)) = self.place(block) else {
            return;
        };
        let Some(tables) = self.profile.tables() else {
            return;
        };
        let frames = self.profile.frames();
        let weight = self.profile.chance.weight(bytes);
        // Before the record, so that whoever frees the block looks for it.
        page.sampled.fetch_add(1, Relaxed);
        if !tables.take(block.addr(), bytes, &frames, weight) {
            page.sampled.fetch_sub(1, Relaxed);
            self.profile.lost.fetch_add(1, Relaxed);
        }
    }

    /// A large block has grown or shrunk where it is: it is told as if it had moved.
    pub(crate) fn rewatch(&self, block: *mut u8, old: usize, bytes: usize) {
        if !self.profile.is_on() {
            return;
        }
        if let Ok(place @ Place::Large(_, size)) = self.place(block)
            && size != old
        {
            self.unwatch(&place, block);
            self.watch(block, bytes);
        }
    }

    /// A block at this place is given back.
    #[inline(always)]
    pub(crate) fn unwatch(&self, place: &Place<'_>, block: *const u8) {
        if let Place::Page(page, _) | Place::Large(page, _) = *place
            && page.sampled.load(Relaxed) != 0
        {
            self.unwatch_block(page, block);
        }
    }

    #[cold]
    #[inline(never)]
    fn unwatch_block(&self, page: &PageEntry, block: *const u8) {
        let Some(tables) = self.profile.tables() else {
            return;
        };
        let weight = |bytes| self.profile.chance.weight(bytes);
        if tables.give(block.addr(), weight) {
            page.sampled.fetch_sub(1, Relaxed);
        }
    }
}
