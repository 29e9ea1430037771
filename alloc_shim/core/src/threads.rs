//! Threads and their heaps: how a thread gets one, borrows one, and leaves it.
//!
//! A thread gets its heap at its first slow path: one whose thread has ended, or a new one. At its end it looks through
//! its pages once more, gives back the empty ones and leaves the rest, which others go on freeing; they look after it
//! then ([`crate::tend`]). So a thousand threads one after the other need one heap.
//!
//! `inv:threads.heaps` Heaps are cut from slices of their own, are never given back, and are linked before anybody else
//! can see them.
//!
//! `inv:threads.told` libc tells nobody of the end of a thread that took its heap in the last round of destructors. Such a heap
//! stays OWNED, with the number of its thread; and whoever else has this number later is the proof that the thread is gone.
//! The number is the address of the thread's descriptor, which libc uses again for the next thread. A heap that was left as it
//! should be has no number, so that nobody takes it for his own while its next owner has not yet written his.
//!
//! Where a handler interrupted the allocator it borrows a heap that nobody holds, for one allocation.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::heap::{BUSY, DEAD, EMPTY, Heap};
use crate::page::Kind;
use crate::pal::Pal;
use crate::region::SLICE;
use crate::slow::SCARCE;
use crate::tls::Words;
use core::ptr;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Among how many of the newest heaps one is looked for that was left untold. So a thread's start takes no longer where there
/// are thousands; and what is made because one was not found is among the newest when the next thread looks.
const RECENT: usize = 64;

/// Where a thread stands on a slow path.
pub(crate) enum Standing<'a> {
    /// It has this heap.
    Home(&'a Heap),
    /// It has none, and there is no memory for one.
    Without,
    /// It has ended, or it is inside the allocator already (`inv:alloc.nested`).
    Away,
    /// It is inside the allocator already and may hold a lock (`inv:word.locked`).
    Locked,
}

/// Makes the thread's word BUSY until dropped.
pub(crate) struct Busy<'a, P: Pal + Words> {
    pub(crate) words: &'a P,
    pub(crate) slot: P::Slot,
    /// What the word was.
    pub(crate) back: *const Heap,
}

impl<P: Pal + Words> Busy<'_, P> {
    /// The heap that the thread holds; null or one without a page where it holds none. What the word does not show the
    /// second word knows: inv:hardened.word.
    pub(crate) fn heap(&self) -> *const Heap {
        if ptr::eq(self.back, EMPTY) {
            self.words.own(self.slot)
        } else {
            self.back
        }
    }
}

impl<P: Pal + Words> Drop for Busy<'_, P> {
    fn drop(&mut self) {
        self.words.set(self.slot, self.back);
    }
}

impl<P: Pal + Words> Allocator<P> {
    /// Makes the thread busy; what its word was comes back when the result is dropped.
    pub(crate) fn busy(&self) -> Busy<'_, P> {
        let words = self.words();
        let slot = words.slot();
        let back = words.get(slot);
        words.set(slot, BUSY);
        Busy { words, slot, back }
    }

    /// Whether the thread has ended or is inside the allocator already.
    pub(crate) fn is_away(&self) -> bool {
        let words = self.words();
        let word = words.get(words.slot());
        ptr::eq(word, BUSY) || ptr::eq(word, DEAD)
    }

    /// Where the thread stands; gives it a heap if it may have one and has none.
    pub(crate) fn standing(&self) -> Standing<'_> {
        let words = self.words();
        let slot = words.slot();
        let word = words.get(slot);
        if words.locked(slot) {
            return Standing::Locked;
        }
        if ptr::eq(word, BUSY) || ptr::eq(word, DEAD) {
            return Standing::Away;
        }
        if ptr::eq(word, EMPTY) {
            return self.settle(slot);
        }
        // SAFETY: inv:word.never-null, inv:heap.forever.
        let heap = unsafe { &*word };
        words.set(slot, self.shown(heap));
        Standing::Home(heap)
    }

    /// Gives the thread a heap.
    fn settle(&self, slot: P::Slot) -> Standing<'_> {
        let words = self.words();
        words.set(slot, BUSY);
        // SAFETY: inv:word.own, inv:heap.forever.
        if let Some(own) = unsafe { words.own(slot).as_ref() } {
            words.set(slot, self.shown(own));
            return Standing::Home(own);
        }
        let found = if self.boot() { self.obtain() } else { None };
        let Some(heap) = found else {
            words.set(slot, EMPTY);
            return Standing::Without;
        };
        words.set_own(slot, heap);
        words.set(slot, self.shown(heap));
        let hook = self.start_hook.load(Acquire);
        if !hook.is_null() {
            // SAFETY: `on_thread_start` alone stores here, and what it stores is such a function.
            let hook = unsafe { core::mem::transmute::<*mut (), fn()>(hook) };
            hook();
        }
        Standing::Home(heap)
    }

    /// What the word of a thread that has this heap says: inv:hardened.word, inv:profile.word.
    fn shown(&self, heap: *const Heap) -> *const Heap {
        if self.is_hardened() || self.profile.is_on() || self.perturb().is_some() {
            EMPTY
        } else {
            heap
        }
    }

    /// Makes the region usable. The thread is busy and may wait.
    pub(crate) fn boot(&self) -> bool {
        if self.is_booted() {
            return true;
        }
        let booted = {
            let _locking = self.locking();
            self.region.boot()
        };
        if booted {
            let limit = self.words().data_limit();
            self.scarce
                .store(limit.is_some_and(|limit| limit < SCARCE), Relaxed);
            self.visited.store(self.region.now(), Relaxed);
            self.renew_reserve();
            self.booted.store(true, Release);
        }
        booted
    }

    /// A heap for the thread. It is busy.
    fn obtain(&self) -> Option<&Heap> {
        let heap = self.inherit().or_else(|| self.adopt())?;
        heap.shared.thread.store(self.words().thread(), Relaxed);
        if heap.stale.load(Relaxed) {
            let _change = heap.change(self.words());
            self.freshen(heap);
        }
        Some(heap)
    }

    /// The heap of a thread that was here before and whose end nobody has told: inv:threads.told.
    fn inherit(&self) -> Option<&Heap> {
        let me = self.words().thread();
        let left = |heap: &&Heap| {
            let shared = &heap.shared;
            shared.thread.load(Relaxed) == me && shared.tenure.is_owned() && !heap.is_changing()
        };
        let heap = self.each_heap().take(RECENT).find(left)?;
        self.counters().heaps_orphaned.bump();
        self.counters().heaps_adopted.bump();
        Some(heap)
    }

    /// A heap that nobody has, or a new one.
    fn adopt(&self) -> Option<&Heap> {
        if self.unowned.load(Relaxed) > 0
            && let Some(heap) = self.find_heap(|heap| heap.shared.tenure.adopt())
        {
            self.unowned.fetch_sub(1, Relaxed);
            self.counters().heaps_adopted.bump();
            return Some(heap);
        }
        let heap = self.make_heap()?;
        heap.shared.tenure.keep();
        Some(heap)
    }

    /// A heap that nobody else holds, for a moment.
    pub(crate) fn borrow(&self) -> Option<&Heap> {
        self.counters().nested.bump();
        let found = self.find_heap(|heap| heap.shared.tenure.borrow());
        found.or_else(|| {
            let heap = self.make_heap()?;
            self.unowned.fetch_add(1, Relaxed);
            Some(heap)
        })
    }

    /// The first heap that `take` takes.
    pub(crate) fn find_heap(&self, take: impl Fn(&Heap) -> bool) -> Option<&Heap> {
        self.each_heap().find(|heap| take(heap))
    }

    /// All heaps, newest first.
    pub(crate) fn each_heap(&self) -> impl Iterator<Item = &Heap> {
        // SAFETY: inv:threads.heaps, inv:heap.forever.
        let follow = |heap: *mut Heap| unsafe { heap.as_ref() };
        let first = follow(self.heaps.load(Acquire));
        core::iter::successors(first, move |heap| {
            follow(heap.shared.following.load(Acquire))
        })
    }

    /// A new heap, held by the caller.
    fn make_heap(&self) -> Option<&Heap> {
        let place = self.heap_place()?;
        // SAFETY: inv:threads.heaps: the place is large enough, aligned and nobody else's.
        unsafe { place.write(Heap::new()) };
        // SAFETY: inv:threads.heaps: just written.
        let heap = unsafe { &*place };
        let mut first = self.heaps.load(Relaxed);
        loop {
            heap.shared.following.store(first, Relaxed);
            match self
                .heaps
                .compare_exchange_weak(first, place, Release, Relaxed)
            {
                Ok(_) => break,
                Err(now) => first = now,
            }
        }
        self.counters().heaps_created.bump();
        Some(heap)
    }

    /// Room for a heap.
    fn heap_place(&self) -> Option<*mut Heap> {
        const SIZE: usize = size_of::<Heap>();
        let base = self.region.base();
        let mut shelf = self.shelf.load(Acquire);
        loop {
            if shelf == 0 {
                let span = self.take_span(1, 1, Class::Runtime)?;
                let start = self.region.slice_start(span.first);
                self.entry(span.first).begin_own(start, 1, Kind::Heaps);
                let rest = span.first * SLICE + SIZE;
                match self.shelf.compare_exchange(0, rest, AcqRel, Acquire) {
                    Ok(_) => return Some(start.cast()),
                    Err(now) => {
                        self.give_back(self.entry(span.first));
                        shelf = now;
                        continue;
                    }
                }
            }
            let after = shelf + SIZE;
            let rest = if after % SLICE + SIZE > SLICE || after.is_multiple_of(SLICE) {
                0
            } else {
                after
            };
            match self.shelf.compare_exchange(shelf, rest, AcqRel, Acquire) {
                Ok(_) => return Some(base.wrapping_add(shelf).cast()),
                Err(now) => shelf = now,
            }
        }
    }

    /// The thread ends.
    pub fn thread_exit(&self) {
        let words = self.words();
        let slot = words.slot();
        words.set(slot, BUSY);
        // SAFETY: inv:word.own, inv:heap.forever.
        let own = unsafe { words.own(slot).as_ref() };
        words.set_own(slot, ptr::null());
        if let Some(heap) = own
            && !heap.is_changing()
        {
            self.leave(heap);
        }
        words.set(slot, DEAD);
    }

    /// Another allocator serves the process from now on: whatever this thread asks for takes the slow path, where the caller
    /// sends it there. Its blocks can be freed as before.
    pub fn retire(&self) {
        let words = self.words();
        let slot = words.slot();
        if ptr::eq(words.get(slot), words.own(slot)) {
            words.set(slot, EMPTY);
        }
    }

    /// Sets what runs on every thread that gets a heap.
    pub fn on_thread_start(&self, hook: fn()) {
        self.start_hook.store(hook as *mut (), Release);
    }
}
