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
//! A fork from a signal handler whose own thread may hold the region's lock (`inv:word.locked`) would wait for itself, as it
//! would with glibc's locks; POSIX has taken `fork` off the list of what a handler may call.
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

impl<P: Pal + Words> Allocator<P> {
    /// Before `fork`.
    pub fn fork_prepare(&self) {
        let words = self.words();
        let slot = words.slot();
        let word = words.get(slot);
        words.set(slot, &BUSY);
        self.quarantine.fork_prepare(self.region.pal());
        words.set_locked(slot, true);
        self.region.fork_prepare();
        // The lock is held: nobody else forks now.
        self.forking.store(word.cast_mut(), Relaxed);
    }

    /// After `fork`, in the parent.
    pub fn fork_parent(&self) {
        let word = self.forking.load(Relaxed);
        self.region.fork_parent();
        self.quarantine.fork_parent(self.region.pal());
        let words = self.words();
        let slot = words.slot();
        words.set_locked(slot, false);
        words.set(slot, word);
    }

    /// After `fork`, in the child.
    pub fn fork_child(&self) {
        let words = self.words();
        let slot = words.slot();
        let own = words.own(slot);
        let mut unowned = 0;
        for heap in self.each_heap() {
            if !ptr::eq(heap, own) {
                // Sound is what nobody was changing: inv:heap.changing.
                heap.shared.tenure.after_fork(!heap.is_changing());
                heap.stale.store(true, Relaxed);
            }
            if heap.shared.tenure.is_lost() {
                continue;
            }
            unowned += isize::from(!ptr::eq(heap, own));
            if !heap.is_changing() {
                self.gather_mail(heap);
            }
        }
        self.unowned.store(unowned, Relaxed);
        self.leave_chore();
        let word = self.forking.load(Relaxed);
        self.region.fork_child();
        self.quarantine.fork_child();
        words.set_locked(slot, false);
        words.set(slot, word);
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
