//! Weak things: what does not keep its object alive, and what is done when the object dies.
//!
//! Weak objects are not registered anywhere: scanning one notes it, so a collection deals with the weak
//! objects that it has reached (in a minor collection: the young and the changed ones) and dead ones
//! cost nothing.
//!
//! Guardians are Chez Scheme's: an entry is a guardian, an object and a representative. While guardian
//! and object live, the representative does. When the object is found dead and the guardian is not, the
//! representative is kept and queued. When the guardian dies its entries die with it.
//!
//! Finalizers are entries of a guardian that always lives, [`FINALIZERS`]. The representative is the
//! finalizer, and the object comes back with it. An object's finalizers are queued oldest first, and so
//! are those of all objects that are found dead in one collection.
//!
//! A collection runs [`Weak::round`] again and again, tracing in between, until nothing more is
//! reached:
//!
//! 1. values of ephemerons with a live key, representatives of live guardians: traced;
//! 2. when 1 reaches nothing: guarded objects found dead; their representatives are traced and queued;
//! 3. when 2 finds none: weak references to what is dead are broken.
//!
//! `inv:weak.door` A value that was read from a weak word, to be used, passes through
//! [`Mutator::strengthen`], and with it what leaves a guardian's queue or that of the finalizers. While
//! marking runs beside the program the collector may not have reached it, and will not: it traces what was
//! strongly reachable when marking began. [`Mutator::read_weak`] reads and strengthens; a comparison
//! with [`Value::BROKEN`] needs neither. When nothing is being marked the door costs one test.
//!
//! What is *made* while marking runs needs no care: whatever a thread can hold then was reachable in the
//! beginning, is as young as the marking, or came through the door, so it outlives this collection. Hence
//! a weak object made then, which is never scanned, refers to nothing that dies in it; and so does a word
//! stored into an old one.
//!
//! `inv:weak.last` References are broken after the last resurrection, so a weak reference to a
//! resurrected object stays.

use crate::access;
use crate::binding::{WordSlot, is_reached, now_at, reference};
use crate::mutator::Mutator;
use crate::owners::OwnerLabel;
use crate::roots::Sources;
use bowline_layout::{Addr, Header, Shape, Value, weak_pair};
use std::collections::VecDeque;

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

/// A dead object's finalizer, and the object.
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
}

impl Entry {
    /// Whether the object comes back.
    fn resurrects(&self) -> bool {
        self.guardian == FINALIZERS
    }
}

/// The weak things of the process.
#[derive(Default)]
pub(crate) struct Weak {
    /// Weak objects reached in this collection, but for waiting ephemerons.
    found: Vec<Addr>,
    /// Ephemerons reached in this collection whose key is not known to live.
    waiting: Vec<Addr>,
    /// Entries made since the last collection: no others can change in a minor one.
    young: Vec<Entry>,
    old: Vec<Entry>,
    /// Representatives that wait to be asked for, by guardian.
    ready: Vec<(Value, VecDeque<Value>)>,
    /// Finalizers that wait to be run.
    finalizers: VecDeque<Finalizer>,
    /// Bytes of those that this collection has added.
    made_ready: usize,
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

fn shape_at(at: Addr) -> Option<Header> {
    // SAFETY: weak objects are noted where they stand after any move.
    Header::from_bits(unsafe { access::read(at) })
}

impl Weak {
    /// Adds an entry to a guardian.
    pub(crate) fn guard(&mut self, guardian: Value, object: Value, representative: Value) {
        self.young.push(Entry {
            guardian,
            object,
            representative,
            charge: Charge::default(),
        });
    }

    /// Adds a finalizer to an object.
    pub(crate) fn finalize(&mut self, object: Value, finalizer: Value, charge: Charge) {
        self.young.push(Entry {
            guardian: FINALIZERS,
            object,
            representative: finalizer,
            charge,
        });
    }

    /// The oldest finalizer that waits to be run, with how many wait after it.
    pub(crate) fn next_finalizer(&mut self) -> Option<(Finalizer, usize)> {
        let next = self.finalizers.pop_front()?;
        Some((next, self.finalizers.len()))
    }

    /// How many finalizers wait, and the bytes of those that this collection has added.
    pub(crate) fn take_made_ready(&mut self) -> (usize, usize) {
        (self.finalizers.len(), std::mem::take(&mut self.made_ready))
    }

    /// The next representative that waits at `guardian`.
    pub(crate) fn next(&mut self, guardian: Value) -> Option<Value> {
        let i = self.ready.iter().position(|(g, _)| *g == guardian)?;
        let next = self.ready[i].1.pop_front();
        if self.ready[i].1.is_empty() {
            self.ready.swap_remove(i);
        }
        next
    }

    /// Calls `f` with each word that refers to an object of a live guardian's.
    pub(crate) fn each_word(&mut self, f: &mut dyn FnMut(Addr)) {
        for entry in self.young.iter_mut().chain(&mut self.old) {
            f(crate::roots::word_of(&mut entry.guardian));
            f(crate::roots::word_of(&mut entry.object));
            f(crate::roots::word_of(&mut entry.representative));
        }
        for (guardian, queue) in &mut self.ready {
            f(crate::roots::word_of(guardian));
            queue.iter_mut().for_each(|v| f(crate::roots::word_of(v)));
        }
        for waiting in &mut self.finalizers {
            f(crate::roots::word_of(&mut waiting.object));
            f(crate::roots::word_of(&mut waiting.finalizer));
        }
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
        self.sort_found(found);
        if self.follow(view, trace) || self.resurrect(view, trace) {
            return true;
        }
        // inv:weak.last
        self.break_dead(view);
        sources.each_weak(&mut |v| *v = view.settle(*v));
        false
    }

    fn sort_found(&mut self, found: Vec<Addr>) {
        for at in found {
            match shape_at(at).map(|h| h.shape()) {
                Some(Shape::Ephemeron) => self.waiting.push(at),
                _ => self.found.push(at),
            }
        }
    }

    /// Step 1. Returns whether anything was reached.
    fn follow(&mut self, view: View, trace: &mut dyn FnMut(Value) -> Value) -> bool {
        let mut reached = false;
        let mut keep = |v: &mut Value| {
            reached |= !view.lives(*v);
            *v = trace(*v);
        };
        self.waiting.retain(|at| {
            let (key, value) = (WordSlot::new(at.word(1)), WordSlot::new(at.word(2)));
            if !view.lives(key.value()) {
                return true;
            }
            key.set(view.settle(key.value()));
            let mut v = value.value();
            keep(&mut v);
            value.set(v);
            false
        });
        let old = self.old.iter_mut().filter(|_| !view.minor);
        for entry in self.young.iter_mut().chain(old) {
            if view.lives(entry.guardian) && view.lives(entry.object) {
                keep(&mut entry.representative);
            }
        }
        for (guardian, queue) in &mut self.ready {
            if view.lives(*guardian) {
                queue.iter_mut().for_each(&mut keep);
            }
        }
        for waiting in &mut self.finalizers {
            keep(&mut waiting.object);
            keep(&mut waiting.finalizer);
        }
        reached
    }

    /// Step 2. Returns whether anything was resurrected.
    fn resurrect(&mut self, view: View, trace: &mut dyn FnMut(Value) -> Value) -> bool {
        let dead = |e: &mut Entry| view.lives(e.guardian) && !view.lives(e.object);
        let mut finished: Vec<Entry> = Vec::new();
        if !view.minor {
            finished.extend(self.old.extract_if(.., dead));
        }
        finished.extend(self.young.extract_if(.., dead));
        for entry in &finished {
            if entry.resurrects() {
                self.made_ready += entry.charge.bytes;
                self.finalizers.push_back(Finalizer {
                    object: trace(entry.object),
                    finalizer: trace(entry.representative),
                    charge: entry.charge,
                });
                continue;
            }
            let guardian = view.settle(entry.guardian);
            let representative = trace(entry.representative);
            // A queue's guardian may be noted at its old place in this collection still.
            let queue = self
                .ready
                .iter_mut()
                .find(|(g, _)| view.settle(*g) == guardian);
            match queue {
                Some((_, queue)) => queue.push_back(representative),
                None => self
                    .ready
                    .push((guardian, VecDeque::from([representative]))),
            }
        }
        !finished.is_empty()
    }

    /// Step 3.
    fn break_dead(&mut self, view: View) {
        for at in self.found.drain(..) {
            break_weak(view, at);
        }
        for at in self.waiting.drain(..) {
            (1..=2).for_each(|i| WordSlot::new(at.word(i)).set(Value::BROKEN));
        }
        self.young.append(&mut if view.minor {
            Vec::new()
        } else {
            std::mem::take(&mut self.old)
        });
        let settled = self.young.drain(..).filter(|e| view.lives(e.guardian));
        self.old.extend(settled.map(|e| Entry {
            guardian: view.settle(e.guardian),
            object: view.settle(e.object),
            representative: view.settle(e.representative),
            charge: e.charge,
        }));
        self.ready.retain_mut(|(guardian, _)| {
            *guardian = view.settle(*guardian);
            *guardian != Value::BROKEN
        });
    }
}

/// Settles the weak words of the object at `at`.
fn break_weak(view: View, at: Addr) {
    let Some(header) = shape_at(at) else {
        return;
    };
    let end = match header.shape() {
        Shape::WeakPair => weak_pair::CAR + 1,
        Shape::WeakValues => 1 + header.length(),
        _ => return,
    };
    for slot in (1..end).map(|i| WordSlot::new(at.word(i))) {
        let (before, after) = (slot.value(), view.settle(slot.value()));
        if before != after {
            slot.set(after);
        }
    }
}

/// The door (`inv:weak.door`).
impl Mutator {
    /// Word `word` of the weak object `object`, to be used as a strong value.
    ///
    /// # Safety
    /// `inv:access.live`
    #[inline(always)]
    pub unsafe fn read_weak(&self, object: Value, word: usize) -> Value {
        // SAFETY: inv:access.live
        self.strengthen(unsafe { access::value(object, word) })
    }

    /// `v`, which was read from a weak word and is a strong value from now on.
    #[inline(always)]
    pub fn strengthen(&self, v: Value) -> Value {
        if self.heap().is_marking() {
            self.strengthen_slow(v);
        }
        v
    }

    #[cold]
    #[inline(never)]
    fn strengthen_slow(&self, v: Value) {
        if let Some(object) = reference(v) {
            self.with_context(|context| context.barrier.load_weak_reference(object));
        }
    }
}
