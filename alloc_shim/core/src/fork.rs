//! Fork: both processes go on, whatever the other threads were doing.
//!
//! ```text
//!   prepare: the thread is busy, both locks are held            (a handler that allocates now does not wait)
//!      │
//!      ├─ parent: the locks are released, the word comes back
//!      └─ child:  the same, and the heaps of the other threads, who do not exist here:
//!                   nobody was changing it      vacant; the next thread adopts it
//!                   somebody was                lost: its blocks can be freed, its pages are not used again
//! ```
//!
//! The child sees of each other thread a prefix of its stores: before the page tables are copied and protected a store
//! is seen by both processes, afterwards it is seen by the parent alone, and the border is one moment for each thread. A
//! thread in a fast path leaves the lists sound at every store (`inv:page.prefix`) and a count that may be wrong by one;
//! therefore a heap taken over is counted anew by whoever holds it next.
//!
//! `inv:fork.mail` A thread may be gone between making a page's note Posted and pushing the page onto the mail. The child
//! makes each mail anew from the notes, before it has a second thread.
//!
//! `inv:fork.nested` A handler may fork that has interrupted the allocator. A lock that its own thread holds then stays held, in
//! both processes, until the handler has returned; the handler finds its thread marked, as before, and waits for nothing. In the
//! child a heap that its thread may have been about to take, to leave, to visit or to look after is lost.
//!
//! `inv:fork.order` The region's lock comes first, then the quarantine's. Who cannot have the second at once lets go of the
//! first, for a handler may wait for it whose thread holds the second.
//!
//! What is lost in the child: the block that another thread was freeing for a third one, a large block that it was
//! giving back, and lost heaps. Absent: a handler of its own for `vfork` and `posix_spawn`, whose children do not run this.

use crate::alloc::Allocator;
use crate::heap::{BUSY, Heap};
use crate::page::PageEntry;
use crate::pal::Pal;
use crate::remote::Note;
use crate::tls::Words;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// What the thread had before it forked: inv:fork.nested.
#[derive(Clone, Copy)]
struct Kept {
    region: bool,
    quarantine: bool,
    /// It was marked as one that may hold a lock.
    nested: bool,
}

impl Kept {
    fn bits(self) -> u8 {
        u8::from(self.region) | u8::from(self.quarantine) << 1 | u8::from(self.nested) << 2
    }

    fn of(bits: u8) -> Self {
        Self {
            region: bits & 1 != 0,
            quarantine: bits & 2 != 0,
            nested: bits & 4 != 0,
        }
    }
}

impl<P: Pal + Words> Allocator<P> {
    /// Before `fork`.
    pub fn fork_prepare(&self) {
        let words = self.words();
        let slot = words.slot();
        let word = words.get(slot);
        words.set(slot, BUSY);
        let nested = words.locked(slot);
        words.set_locked(slot, true);
        let kept = self.hold_locks();
        // The lock is held: nobody else forks now.
        self.forking.store(word.cast_mut(), Relaxed);
        let kept = Kept { nested, ..kept };
        self.fork_kept.store(kept.bits(), Relaxed);
    }

    /// Takes both locks: inv:fork.order.
    fn hold_locks(&self) -> Kept {
        let pal = self.region.pal();
        loop {
            let region = self.region.fork_prepare();
            if !region {
                self.region.look_at_limit();
            }
            if let Some(quarantine) = self.quarantine.fork_prepare(pal) {
                return Kept {
                    region,
                    quarantine,
                    nested: false,
                };
            }
            self.region.fork_parent(region);
            self.quarantine.await_others(pal);
        }
    }

    /// After `fork`, in the parent.
    pub fn fork_parent(&self) {
        let word = self.forking.load(Relaxed);
        let kept = Kept::of(self.fork_kept.load(Relaxed));
        let pal = self.region.pal();
        self.quarantine.fork_parent(kept.quarantine, pal);
        self.region.fork_parent(kept.region);
        self.go_on(word, kept);
    }

    /// After `fork`, in the child.
    pub fn fork_child(&self) {
        let word = self.forking.load(Relaxed);
        let kept = Kept::of(self.fork_kept.load(Relaxed));
        self.take_over(ptr::eq(word, BUSY));
        self.leave_chore();
        self.quarantine.fork_child(kept.quarantine);
        self.region.fork_child(kept.region);
        self.go_on(word, kept);
    }

    /// The thread that has forked goes on as it was.
    fn go_on(&self, word: *const Heap, kept: Kept) {
        let words = self.words();
        let slot = words.slot();
        words.set_locked(slot, kept.nested);
        words.set(slot, word);
    }

    /// Takes over the heaps of threads that are not here; `nested`: the fork has interrupted the allocator.
    fn take_over(&self, nested: bool) {
        let words = self.words();
        let own = words.own(words.slot());
        let mut unowned = 0;
        for heap in self.each_heap() {
            let tenure = &heap.shared.tenure;
            if !ptr::eq(heap, own) {
                // inv:fork.nested
                let mine = nested && (tenure.is_tended() || own.is_null());
                // inv:visit.locked: this thread visits it.
                let mine = mine || tenure.is_visited();
                // Sound is what nobody was changing: inv:heap.changing.
                heap.shared.thread.store(0, Relaxed);
                tenure.after_fork(!mine && !heap.is_changing());
                heap.stale.store(true, Relaxed);
            }
            if tenure.is_lost() {
                continue;
            }
            unowned += isize::from(!ptr::eq(heap, own));
            if !heap.is_changing() {
                self.gather_mail(heap);
            }
        }
        self.unowned.store(unowned, Relaxed);
    }

    /// Makes the mail of a heap anew (`inv:fork.mail`): the pages whose notes say that they are in it.
    fn gather_mail(&self, heap: &Heap) {
        let _ = heap.shared.mail.take_all();
        let gather = |page: &PageEntry| {
            if page.remote.note() == Note::Posted {
                heap.shared.mail.push(page);
            }
        };
        heap.each_queued(gather);
        heap.each_parked(gather);
    }
}
