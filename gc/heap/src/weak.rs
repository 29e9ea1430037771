//! Weak things: what does not keep its object alive, and what is done when the object dies.
//!
//! Weak objects are not registered anywhere: scanning one notes it, so a collection deals with the weak
//! objects that it has reached (in a minor collection: the young and the changed ones) and dead ones
//! cost nothing.
//!
//! Guardians are Chez Scheme's (Dybvig, Bruggeman, Eby: Guardians in a Generation-Based Garbage
//! Collector, 1993): an entry is a guardian, an object and a representative. While guardian and object
//! live, the representative does. When the object is found dead and the guardian is not, the
//! representative is kept and queued. When the guardian dies its entries die with it.
//!
//! Finalizers are entries of a guardian that always lives, [`FINALIZERS`]. The representative is the
//! finalizer, and the object comes back with it. An object's finalizers are queued oldest first, and so
//! are those of all objects that are found dead in one collection.
//!
//! `inv:weak.young` What waits in a queue, and every entry that a collection has seen, refers to old
//! objects alone afterwards. So a minor collection looks at the entries made since the last one, and at
//! none of the queues.
//!
//! `inv:weak.row` Entries stand in one row, the old ones first and each kind by age. So the end of a collection needs no
//! memory to sort them.
//!
//! Reading order: `pass` (what a collection does), `objects` (weak objects as a program sees them). The
//! order of events is told in `docs/design/weak.md`.

mod objects;
mod pass;

use crate::alloc::OutOfMemory;
use crate::binding::{is_reached, now_at, reference};
use crate::heap::{Heap, heap};
use crate::owners::OwnerLabel;
use crate::pins::AddrHasher;
use crate::roots::Sources;
use bowline_layout::{Addr, Value};
use pass::{Awaited, Pass};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;

/// The guardian whose representatives are finalizers: no object, so it never dies.
pub(crate) const FINALIZERS: Value = Value::TRUE;

/// What a finalizer stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Charge {
    /// Bytes that it is expected to give back.
    pub(crate) bytes: usize,
    /// Whether they were declared, because the region does not count them.
    pub(crate) declared: bool,
    pub(crate) label: OwnerLabel,
}

/// An object's finalizer, and the object.
pub(crate) struct Finalizer {
    pub(crate) object: Value,
    pub(crate) finalizer: Value,
    pub(crate) charge: Charge,
}

struct Entry {
    guardian: Value,
    object: Value,
    representative: Value,
    charge: Charge,
    /// The object was found dead: the entry has been served.
    served: bool,
}

impl Entry {
    /// Whether the object comes back.
    fn resurrects(&self) -> bool {
        self.guardian == FINALIZERS
    }

    fn each_word(&mut self, f: &mut dyn FnMut(Addr)) {
        f(crate::roots::word_of(&mut self.guardian));
        f(crate::roots::word_of(&mut self.object));
        f(crate::roots::word_of(&mut self.representative));
    }
}

/// The representatives that wait at one guardian.
struct Queue {
    guardian: Value,
    waiting: VecDeque<Value>,
}

/// Queues by the bits of their guardian.
type Queues = HashMap<u64, Queue, BuildHasherDefault<AddrHasher>>;

/// What collections have had to do for weak things since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WeakWork {
    /// How often MMTk was asked to trace further, or told that this is all.
    pub rounds: u64,
    /// Entries, ephemerons and words looked at in these rounds.
    pub steps: u64,
}

/// The weak things of the process.
#[derive(Default)]
pub(crate) struct Weak {
    /// Weak objects reached in this collection, but for ephemerons.
    found: Vec<Addr>,
    /// How many were, with these.
    reached: usize,
    /// What waits in this collection for an object to be reached.
    awaited: Awaited,
    /// inv:weak.row
    entries: Vec<Entry>,
    /// How many were there at the last collection (inv:weak.young).
    old: usize,
    /// Representatives that wait to be asked for.
    ready: Queues,
    /// Guardians whose queues this collection has added to.
    touched: Vec<Value>,
    /// Finalizers that wait to be run.
    finalizers: VecDeque<Finalizer>,
    /// Whether some of them were queued by a thread and may be young.
    hurried: bool,
    /// Bytes of those that this collection has added.
    made_ready: usize,
    work: WeakWork,
}

/// One collection's view: liveness depends on its kind.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub(crate) minor: bool,
}

impl View {
    /// Whether `v` is known to live; what is no collected object always does.
    fn lives(self, v: Value) -> bool {
        reference(v).is_none_or(|object| is_reached(object, self.minor))
    }

    /// `v` where its object is now, or broken.
    pub(crate) fn settle(self, v: Value) -> Value {
        match reference(v) {
            None => v,
            Some(object) if is_reached(object, self.minor) => v.retarget(now_at(object)),
            Some(_) => Value::BROKEN,
        }
    }
}

impl Weak {
    /// Adds an entry to a guardian.
    pub(crate) fn guard(
        &mut self,
        heap: &Heap,
        guardian: Value,
        object: Value,
        representative: Value,
    ) -> Result<(), OutOfMemory> {
        self.enter(heap, guardian, object, representative, Charge::default())
    }

    /// Adds a finalizer to an object.
    pub(crate) fn finalize(
        &mut self,
        heap: &Heap,
        object: Value,
        finalizer: Value,
        charge: Charge,
    ) -> Result<(), OutOfMemory> {
        self.enter(heap, FINALIZERS, object, finalizer, charge)
    }

    fn enter(
        &mut self,
        heap: &Heap,
        guardian: Value,
        object: Value,
        representative: Value,
        charge: Charge,
    ) -> Result<(), OutOfMemory> {
        let before = self.entries.capacity();
        if !heap.has_room_in(&mut self.entries, 1) {
            let requested = size_of::<Entry>();
            return Err(OutOfMemory { requested });
        }
        if self.entries.capacity() != before {
            heap.grants.guarded(self.entries.capacity());
        }
        self.entries.push(Entry {
            guardian,
            object,
            representative,
            charge,
            served: false,
        });
        Ok(())
    }

    /// The oldest finalizer that waits to be run.
    pub(crate) fn next_finalizer(&mut self) -> Option<Finalizer> {
        self.finalizers.pop_front()
    }

    /// How many finalizers wait to be run.
    pub(crate) fn finalizers_waiting(&self) -> usize {
        self.finalizers.len()
    }

    /// Queues the finalizers of all objects that live, the newest first, behind those that wait. Returns how
    /// many wait now, and the bytes of those added.
    pub(crate) fn hurry_finalizers(&mut self) -> (usize, usize) {
        let mut bytes = 0;
        for entry in self.entries.iter().rev().filter(|e| e.resurrects()) {
            bytes += entry.charge.bytes;
            self.finalizers.push_back(Finalizer {
                object: entry.object,
                finalizer: entry.representative,
                charge: entry.charge,
            });
        }
        let old = self.entries.iter().take(self.old);
        self.old = old.filter(|e| !e.resurrects()).count();
        self.entries.retain(|e| !e.resurrects());
        self.hurried = true;
        (self.finalizers.len(), bytes)
    }

    /// How many finalizers wait, and the bytes of those that this collection has added.
    pub(crate) fn take_made_ready(&mut self) -> (usize, usize) {
        (self.finalizers.len(), std::mem::take(&mut self.made_ready))
    }

    /// The next representative that waits at `guardian`.
    pub(crate) fn next(&mut self, guardian: Value) -> Option<Value> {
        let queue = self.ready.get_mut(&guardian.bits())?;
        let next = queue.waiting.pop_front();
        if queue.waiting.is_empty() {
            self.ready.remove(&guardian.bits());
        }
        next
    }

    /// What was done so far.
    pub(crate) fn work(&self) -> WeakWork {
        self.work
    }

    /// Calls `f` with each word that refers to an object of a live guardian's. Whoever changes them calls
    /// [`Weak::rehash`].
    pub(crate) fn each_word(&mut self, f: &mut dyn FnMut(Addr)) {
        for entry in &mut self.entries {
            entry.each_word(f);
        }
        for queue in self.ready.values_mut() {
            f(crate::roots::word_of(&mut queue.guardian));
            let waiting = queue.waiting.iter_mut();
            waiting.for_each(|v| f(crate::roots::word_of(v)));
        }
        for waiting in &mut self.finalizers {
            f(crate::roots::word_of(&mut waiting.object));
            f(crate::roots::word_of(&mut waiting.finalizer));
        }
    }

    /// Finds the queues by where their guardians are now.
    pub(crate) fn rehash(&mut self) {
        let queues = std::mem::take(&mut self.ready).into_values();
        self.ready = queues.map(|q| (q.guardian.bits(), q)).collect();
    }

    /// One round. Returns whether there must be another after tracing.
    pub(crate) fn round(
        &mut self,
        minor: bool,
        found: Vec<Addr>,
        sources: &Sources,
        trace: &mut dyn FnMut(Value) -> Value,
    ) -> bool {
        let view = View { minor };
        self.work.rounds += 1;
        if Pass::new(self, view, trace).run(found) {
            return true;
        }
        heap().grants.note_outside(heap());
        let reached = std::mem::take(&mut self.reached);
        if !minor {
            heap().grants.weak_live(reached);
        }
        // inv:weak.last
        self.break_dead(view);
        sources.each_weak(&mut |v| *v = view.settle(*v));
        false
    }
}
