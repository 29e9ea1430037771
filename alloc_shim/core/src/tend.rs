//! Looking after a heap: its mail, its empty pages, and what handlers have left to do.
//!
//! ```text
//!   free by another thread ──► the page's list ──► the page in the heap's mail (when its note says so)
//!                                                        │
//!        the heap's thread, at its next slow path ◄──────┤
//!        whoever freed, when the heap is nobody's ◄──────┤
//!        the next slow path of anybody, when that must not wait (a chore) ◄┤
//!        a visitor, where the heap's thread sleeps ([`crate::visit`]) ◄────┘
//! ```
//!
//! `inv:tend.release` A page is given back by the holder of its heap, when no block is in use and it is not in the mail or
//! on its way there. Then nobody can name a block of it, and nobody's push is unfinished (`inv:remote.post`).
//!
//! A heap with a thread keeps an empty page when it is the only page of its class: a program that frees and
//! allocates one block in turn would otherwise take and give its slices each time. Of such of which more than a little was ever used it
//! keeps the last ones, up to eight slices (`inv:heap.kept`): a program that has done with many sizes would otherwise hold a whole page of
//! each. A heap without a thread keeps none.

use crate::alloc::Allocator;
use crate::heap::{Heap, entry};
use crate::orphans::Call;
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::remote::{Linked, Note};
use crate::tls::Words;
use core::sync::atomic::{
    Ordering::{AcqRel, Relaxed, SeqCst},
    fence,
};

/// Whether a heap keeps an empty page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empties {
    /// The only page of a class.
    KeepOne,
    /// None.
    Release,
}

impl<P: Pal + Words> Allocator<P> {
    /// A free has found that the page is to be looked at: inv:page.due.
    #[cold]
    #[inline(never)]
    pub(crate) fn due(&self, page: &PageEntry) {
        let busy = self.busy();
        // A handler may have been here before the thread was busy, and the page may be somebody else's now.
        let heap = busy.heap();
        if !core::ptr::eq(page.owner.load(Relaxed), heap) {
            return;
        }
        // SAFETY: inv:heap.forever.
        let heap = unsafe { &*heap };
        let _change = heap.change(self.words());
        // A visitor may have been here before.
        if !core::ptr::eq(page.owner.load(Relaxed), heap) {
            return;
        }
        if page.is_parked() {
            heap.unpark(page);
        } else {
            if !heap.has_only(page) || !heap.keeps(page) {
                self.look_at(heap, page, Empties::KeepOne);
            }
            heap.let_stay(page);
        }
    }

    /// Takes what others have freed on a page, and gives the page back if it is empty. The thread is busy, and holds and
    /// changes the heap.
    pub(crate) fn look_at(&self, heap: &Heap, page: &PageEntry, empties: Empties) {
        loop {
            // SAFETY: inv:heap.holder, as the caller says.
            let collected = unsafe { page.collect() };
            self.counters().remote_frees.add(collected);
            let empty = page.used() == 0 && page.remote.note() != Note::Posted;
            let kept = || empties == Empties::KeepOne && !page.is_parked() && heap.has_only(page);
            if empty && !kept() {
                // inv:tend.release.
                heap.unlist(page);
                self.give_back(page);
                return;
            }
            if empty {
                heap.keep(page, |old| self.look_at(heap, old, Empties::Release));
            }
            if !page.is_parked() {
                if page.remote.settle() {
                    return;
                }
            } else if !page.free.load(Relaxed).is_null() {
                heap.unpark(page);
            } else if page.remote.want() {
                return;
            }
        }
    }

    /// Looks at the pages in the mail. The thread is busy, and holds and changes the heap.
    pub(crate) fn read_mail(&self, heap: &Heap, empties: Empties) {
        if heap.shared.mail.is_empty() {
            return;
        }
        let mut letter = heap.shared.mail.take_all();
        while let Some(page) = entry(letter) {
            // Before `receive`, after which it may be posted anew.
            letter = page.link().load(Relaxed);
            page.remote.receive();
            self.look_at(heap, page, empties);
        }
    }

    /// Looks at all pages that are in queues. The thread is busy, and holds and changes the heap.
    pub(crate) fn look_at_all(&self, heap: &Heap) {
        heap.each_queued(|page| self.look_at(heap, page, Empties::Release));
    }

    /// Counts anew what a fork may have left miscounted. The thread is busy, and holds and changes the heap.
    #[inline(always)]
    pub(crate) fn freshen(&self, heap: &Heap) {
        if heap.stale.load(Relaxed) {
            self.freshen_now(heap);
        }
    }

    #[cold]
    #[inline(never)]
    fn freshen_now(&self, heap: &Heap) {
        heap.stale.store(false, Relaxed);
        // SAFETY: inv:heap.holder, as the caller says.
        heap.each_queued(|page| unsafe { page.recount() });
        heap.each_parked(|page| {
            // SAFETY: as above.
            unsafe { page.recount() };
            if page.is_due() {
                heap.unpark(page);
            }
        });
    }

    /// Leaves the heap of a thread that ends. The thread is busy.
    pub(crate) fn leave(&self, heap: &Heap) {
        // inv:threads.told
        heap.shared.thread.store(0, Relaxed);
        heap.shared.tenure.begin_leave(self.words());
        {
            let _change = heap.change(self.words());
            self.freshen(heap);
            self.read_mail(heap, Empties::Release);
            self.look_at_all(heap);
            heap.share_anew();
        }
        self.counters().heaps_orphaned.bump();
        self.unowned.fetch_add(1, Relaxed);
        self.finish(heap);
    }

    /// Reads a held heap's mail, and leaves the heap when nobody calls any more. The thread is busy.
    pub(crate) fn finish(&self, heap: &Heap) {
        loop {
            {
                let _change = heap.change(self.words());
                self.freshen(heap);
                self.read_mail(heap, Empties::Release);
            }
            if heap.shared.tenure.finish() {
                return;
            }
        }
    }

    /// Tells a page's heap of frees.
    #[cold]
    #[inline(never)]
    pub(crate) fn post(&self, page: &PageEntry) {
        // SAFETY: inv:remote.post: until the mail is read the page keeps its heap; inv:heap.forever.
        let home = unsafe { &*page.owner.load(Relaxed) };
        home.shared.mail.push(page);
        if self.is_locked() {
            if home.shared.tenure.call_softly() {
                self.leave_chore();
            }
        } else if home.shared.tenure.call() == Call::Held {
            // Or the holder has heard: inv:heap.heard.
            let _busy = self.busy();
            self.finish(home);
        }
    }

    /// There is something to do for whoever may wait for the region's lock.
    pub(crate) fn leave_chore(&self) {
        self.chores.swap(true, AcqRel);
    }

    /// Does what handlers have left to do. The thread may wait.
    pub(crate) fn do_chores(&self) {
        if self.chores.load(Relaxed) {
            self.do_chores_now();
        }
    }

    #[cold]
    #[inline(never)]
    fn do_chores_now(&self) {
        let _busy = self.busy();
        if !self.chores.swap(false, AcqRel) {
            return;
        }
        fence(SeqCst);
        self.renew_reserve();
        self.give_deferred();
        self.mend_region();
        for heap in self.each_heap() {
            if !heap.shared.mail.is_empty() && heap.shared.tenure.borrow() {
                self.finish(heap);
            }
        }
    }

    /// Gives back to the system what is free.
    pub fn purge(&self) {
        if self.is_away() || self.region.base().is_null() {
            return;
        }
        self.do_chores();
        self.empty_quarantine();
        let _busy = self.busy();
        self.visit_all();
        let words = self.words();
        // SAFETY: inv:word.own, inv:heap.forever.
        if let Some(heap) = unsafe { words.own(words.slot()).as_ref() } {
            let _change = heap.change(self.words());
            self.read_mail(heap, Empties::Release);
            self.look_at_all(heap);
        }
        for heap in self.each_heap() {
            if heap.shared.tenure.borrow() {
                let change = heap.change(self.words());
                self.freshen(heap);
                self.look_at_all(heap);
                drop(change);
                self.finish(heap);
            }
        }
        let _locking = self.locking();
        self.region.purge_all();
    }
}
