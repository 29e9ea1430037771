//! References of objects and roots.
//!
//! Lists are the common case, and MMTk's breadth-first packets cost four times as much per pair along
//! a cdr spine as walking it; so pairs are traced here, following cdrs as long as they are newly
//! reached. Every pair so reached is also enqueued by MMTk and scanned again, which changes nothing; a walk ends
//! after so many pairs as fit into a packet, so that they are scanned again while they are in the cache, and a list
//! of any length takes no more memory than the packet. The last of them goes on.
//! Spines through the car stay with the packets.
//!
//! While marking runs beside the program, a collector thread and the barrier's slow path read words that a thread
//! may be storing into: they load them as atomics, once, and a pair has its two words visited like any other
//! object, for MMTk follows them there depth first. Objects that are being filled are never scanned: they
//! are marked from birth (`inv:mutator.barrier`). Headers and bitmaps do not change.

use super::blocks::is_seen;
use super::{Bowline, WordSlot, in_heap, object_at};
use crate::access;
use crate::heap::{heap, is_minor};
use crate::thread::{ThreadBlock, WorkerBlock};
use bowline_layout::{Addr, Header, References, Shape, Value, WORD, object_bytes, references};
use mmtk::scheduler::GCWorker;
use mmtk::util::{ObjectReference, VMWorkerThread};
use mmtk::vm::slot::Slot;
use mmtk::vm::{ObjectTracer, ObjectTracerContext, RootsWorkFactory, Scanning, SlotVisitor};

/// Slots in one work packet of roots.
const PACKET: usize = 4096;

/// Pairs in one walk along a spine.
const SPINE: usize = 4096;

/// The scanning interface.
pub(crate) struct Scan;

#[inline(always)]
fn addr(object: ObjectReference) -> Addr {
    Addr::new(object.to_raw_address().as_usize())
}

/// The header of the object at `at`, or nothing for a pair.
#[inline(always)]
fn header_at(at: Addr) -> Option<Header> {
    // Of a pair this is the car, which a thread may be changing.
    Header::from_bits(WordSlot::new(at).value().bits())
}

/// Calls `f` with each word of the object at `at` that holds a strong value.
#[inline(always)]
pub(crate) fn each_reference(at: Addr, header: Header, f: &mut (impl FnMut(Addr) + ?Sized)) {
    match references(header) {
        References::Range { first, end } => (first..end).for_each(|i| f(at.word(i))),
        References::Bitmap => {
            // SAFETY: word 1 of a bitmap object is its bitmap.
            let bitmap = unsafe { access::read(at.word(1)) };
            (0..header.length().min(64))
                .filter(|i| bitmap >> i & 1 != 0)
                .for_each(|i| f(at.word(2 + i)));
        }
    }
}

/// Whether it is a thread's store that looks at an object, and not a collector thread.
#[inline(always)]
fn is_barrier(tls: VMWorkerThread) -> bool {
    tls.0.0.is_null()
}

/// Whether objects of this shape hold values that do not keep their objects alive.
pub(crate) fn is_weak(shape: Shape) -> bool {
    matches!(
        shape,
        Shape::WeakPair | Shape::Ephemeron | Shape::WeakValues
    )
}

/// Traces the object in `slot` and returns it with whether it was reached before, if it is a pair: those alone
/// are all in the moving space.
#[inline(always)]
fn trace(slot: WordSlot, tracer: &mut impl ObjectTracer) -> Option<(ObjectReference, bool)> {
    let object = slot.load()?;
    let pair = slot.value().is_pair();
    let seen = pair && is_seen(addr(object));
    let now = tracer.trace_object(object);
    if now != object {
        slot.store(now);
    }
    pair.then_some((now, seen))
}

impl Scanning<Bowline> for Scan {
    #[inline(always)]
    fn support_slot_enqueuing(tls: VMWorkerThread, object: ObjectReference) -> bool {
        header_at(addr(object)).is_some() || heap().is_marking() || is_barrier(tls)
    }

    #[inline(always)]
    fn scan_object<V: SlotVisitor<WordSlot>>(
        tls: VMWorkerThread,
        object: ObjectReference,
        visitor: &mut V,
    ) {
        let at = addr(object);
        let header = header_at(at);
        if heap().is_marking() && !is_barrier(tls) {
            let bytes = header.map_or(2 * WORD, object_bytes);
            WorkerBlock::of(tls).count_marked(bytes);
        }
        let Some(header) = header else {
            visitor.visit_slot(WordSlot::new(at));
            visitor.visit_slot(WordSlot::new(at.word(1)));
            return;
        };
        if is_weak(header.shape()) && !is_barrier(tls) {
            WorkerBlock::of(tls).found_weak(at);
        }
        each_reference(at, header, &mut |word| {
            visitor.visit_slot(WordSlot::new(word))
        });
    }

    fn scan_object_and_trace_edges<T: ObjectTracer>(
        _tls: VMWorkerThread,
        object: ObjectReference,
        tracer: &mut T,
    ) {
        let mut at = addr(object);
        for _ in 0..SPINE {
            let car = WordSlot::new(at);
            if let Some(object) = car.load() {
                let now = tracer.trace_object(object);
                if now != object {
                    car.store(now);
                }
            }
            let Some((next, seen)) = trace(WordSlot::new(at.word(1)), tracer) else {
                return;
            };
            at = addr(next);
            if seen {
                return;
            }
        }
    }

    fn notify_initial_thread_scan_complete(_partial: bool, _tls: VMWorkerThread) {}

    fn scan_roots_in_mutator_thread(
        _tls: VMWorkerThread,
        mutator: &'static mut mmtk::Mutator<Bowline>,
        mut factory: impl RootsWorkFactory<WordSlot>,
    ) {
        let block = ThreadBlock::of(mutator.mutator_tls);
        let mut packets = Packets::new(&mut factory);
        let words = block.stack.scan(is_minor(), &mut |word| packets.slot(word));
        let changed = heap()
            .chunks
            .empty(&block.dirty, is_minor(), &mut |word| packets.slot(word));
        heap().counters.looked_at(words, changed);
        block.each_pinned(&mut |v| packets.pin(v));
        packets.flush();
    }

    fn scan_vm_specific_roots(_tls: VMWorkerThread, mut factory: impl RootsWorkFactory<WordSlot>) {
        let mut packets = Packets::new(&mut factory);
        heap().each_root_word(&mut |word| packets.slot(word));
        let chunks = &heap().chunks;
        let changed = chunks.empty_orphans(is_minor(), &mut |word| packets.slot(word));
        heap().counters.looked_at(0, changed);
        heap().pins.each(&mut |v| packets.pin(v));
        packets.flush();
    }

    fn supports_return_barrier() -> bool {
        false
    }

    fn prepare_for_roots_re_scanning() {}

    fn process_weak_refs(
        worker: &mut GCWorker<Bowline>,
        context: impl ObjectTracerContext<Bowline>,
    ) -> bool {
        heap().marking_is_over();
        let found = heap().take_weak();
        context.with_tracer(worker, |tracer| {
            heap().weak_round(found, &mut |v: Value| {
                let Some(object) = super::reference(v) else {
                    return v;
                };
                v.retarget(addr(tracer.trace_object(object)))
            })
        })
    }
}

/// Roots on their way into work packets.
struct Packets<'a, F> {
    factory: &'a mut F,
    slots: Vec<WordSlot>,
    pinned: Vec<ObjectReference>,
}

impl<'a, F: RootsWorkFactory<WordSlot>> Packets<'a, F> {
    fn new(factory: &'a mut F) -> Self {
        Packets {
            factory,
            slots: Vec::new(),
            pinned: Vec::new(),
        }
    }

    /// A root slot. Words that refer to no collected object need no packet.
    fn slot(&mut self, word: Addr) {
        let slot = WordSlot::new(word);
        if slot.load().is_none() {
            return;
        }
        if self.slots.capacity() == 0 {
            self.slots.reserve_exact(PACKET);
        }
        self.slots.push(slot);
        if self.slots.len() == PACKET {
            let full = std::mem::take(&mut self.slots);
            self.factory.create_process_roots_work(full);
        }
    }

    /// A pinning root.
    fn pin(&mut self, v: Value) {
        if v.is_pointer() && in_heap(v.addr()) {
            self.pinned.push(object_at(v.addr()));
        }
    }

    fn flush(self) {
        if !self.slots.is_empty() {
            self.factory.create_process_roots_work(self.slots);
        }
        if !self.pinned.is_empty() {
            self.factory.create_process_pinning_roots_work(self.pinned);
        }
    }
}

const _: () = assert!(WORD == size_of::<usize>());
