//! Visits to the heaps of threads that sleep: what others have freed there is given back for them.
//!
//! A thread looks at its mail on its next slow path. One that sleeps has none, and pages of which others have freed every block would
//! wait in its mail for ever. So whoever asks for memory to be given back ([`Allocator::purge`]) visits the heaps of all threads that have
//! mail; and so does a thread that wants new memory, when nobody has for [`ROUND_MS`].
//!
//! `inv:visit.locked` Who visits holds the region's lock, and the thread is marked so: a fork finds no visit under way but that of the
//! thread that forks, and a handler on the visitor's thread waits for nothing. The owner never holds the lock while it waits for a
//! visitor.
//!
//! A visitor gives back a page as the owner would (`inv:tend.release`), but only such that the owner takes no blocks off meanwhile
//! (`inv:heap.visit`); a letter about any other stays in the mail. What a thread keeps for itself is not touched.

use crate::alloc::Allocator;
use crate::heap::{Heap, entry};
use crate::pal::Pal;
use crate::remote::Linked;
use crate::tls::Words;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// How long nobody visits anybody after everybody was visited, in milliseconds.
const ROUND_MS: u32 = 1000;

/// How many pages are given back in one visit: so long the owner waits if it wakes, and everybody for the region.
const MOST: usize = 1000;

impl<P: Pal + Words> Allocator<P> {
    /// Visits the heaps of others, unless somebody has lately. The thread may wait.
    pub(crate) fn look_around(&self) {
        let (now, last) = (self.region.now(), self.visited.load(Relaxed));
        let mine = |last| self.visited.compare_exchange(last, now, Relaxed, Relaxed);
        if now.wrapping_sub(last) >= ROUND_MS && mine(last).is_ok() {
            self.visit_all();
        }
    }

    /// Visits every heap of another thread that has mail. The thread may wait.
    #[cold]
    #[inline(never)]
    pub(crate) fn visit_all(&self) {
        let words = self.words();
        let own = words.own(words.slot());
        for heap in self.each_heap().filter(|heap| !ptr::eq(*heap, own)) {
            while !heap.shared.mail.is_empty() && self.visit(heap) {}
        }
    }

    /// Visits a heap; whether there may be more to give back.
    fn visit(&self, heap: &Heap) -> bool {
        let _locking = self.locking();
        let mut given = 0;
        self.region.give_some(|give| {
            let tenure = &heap.shared.tenure;
            if !tenure.visit() {
                return;
            }
            // A heap whose blocks are to be counted anew is left to its owner.
            let sound = !heap.stale.load(Relaxed);
            let mut letter = heap.shared.mail.take_all();
            while let Some(page) = entry(letter) {
                letter = page.link().load(Relaxed);
                if !sound || given == MOST || !heap.may_leave(page) {
                    // Its note still says that it is there: inv:remote.post.
                    heap.shared.mail.push(page);
                    continue;
                }
                self.counters().remote_frees.add(page.used() as usize);
                heap.unlist(page);
                let (first, slices) = (self.slice_of(page), page.slices());
                (first..first + slices).for_each(|slice| self.entry(slice).end());
                give(first, slices, page.class());
                given += 1;
            }
            tenure.end_visit(self.words());
        });
        given == MOST
    }
}
