//! Looking over every structure: for tests, and for whoever suspects one.

use crate::alloc::Allocator;
use crate::heap::Heap;
use crate::pal::Pal;
use crate::spans::Fault;
use crate::tls::Words;
use core::ptr;

/// What does not hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// The region's spans.
    Spans(Fault),
    /// A page or the lists of the heap at this address.
    Heap(usize),
}

impl<P: Pal + Words> Allocator<P> {
    /// Looks over the spans, the calling thread's heap and all heaps without a thread.
    pub fn check(&self) -> Result<(), Unsound> {
        let busy = self.busy();
        let own = busy.words.own(busy.slot);
        for heap in self.each_heap() {
            let own = ptr::eq(heap, own);
            if own || heap.shared.tenure.borrow() {
                let sound = heap.check();
                if !own {
                    self.finish(heap);
                }
                sound
                    .then_some(())
                    .ok_or(Unsound::Heap(ptr::from_ref::<Heap>(heap).addr()))?;
            }
        }
        let _locking = self.locking();
        self.region.check().map_err(Unsound::Spans)?;
        Ok(())
    }
}
