//! What a collection does for weak things.
//!
//! MMTk traces from the roots, then asks for a *round*; what a round traces, MMTk traces from, and asks
//! again, until a round reaches nothing. A round
//!
//! 1. keeps the values of ephemerons with a live key, and the representatives of live guardians' live
//!    objects;
//! 2. when that reaches nothing more: queues guarded objects found dead, and goes back to 1;
//! 3. when there are none: breaks weak references to what is dead.
//!
//! `inv:weak.last` References are broken after the last resurrection, so a weak reference to a
//! resurrected object stays.
//!
//! What hangs on an object that was not reached yet *waits* in a table under that object, and is looked at
//! again when the object is reached, not before: after Hayes (Ephemerons: a New Finalization Mechanism,
//! 1997) and Barros and Ierusalimschy (Eliminating Cycles in Weak Tables, 2008). MMTk does not tell
//! what it reaches, so a round scans what it has reached itself, as far as its budget goes; only what
//! is beyond it is left to MMTk, and then the next round looks through the table. The budget is as large
//! as the table, so all rounds together do work in proportion to what waits and what is reached, and a
//! chain of ephemerons takes a few rounds however long it is. MMTk scans those objects once more.
//!
//! `inv:weak.exact` A round knows that it has reached all that it could as long as MMTk scans nothing
//! beside it, which it begins to do when 4096 objects have been traced. Only such a round resurrects.

use super::{Entry, Finalizer, Queue, View, Weak};
use crate::access;
use crate::binding::{WordSlot, each_reference, reference};
use crate::pins::AddrMap;
use bowline_layout::{Addr, Header, Shape, Value, ephemeron, weak_pair};
use std::collections::VecDeque;

/// Fewer objects than MMTk collects before it hands them to its workers.
const TRACED_AT_MOST: usize = 4000;
/// The least number of words that a round scans before it leaves the rest to MMTk.
const LEAST_BUDGET: usize = 4096;
/// The end of a list of waiters.
const END: u32 = u32::MAX;

/// What waits for an object.
#[derive(Clone, Copy)]
enum Waiter {
    /// The ephemeron at this address, for its key.
    Ephemeron(Addr),
    /// The entry with this number, for its guardian or its object.
    Entry(usize),
    /// The queue of this guardian, for the guardian.
    Queue(Value),
}

/// The table of what waits.
#[derive(Default)]
pub(super) struct Awaited {
    /// Whether a round of this collection was there before.
    begun: bool,
    /// The first waiter for each object, by where the object was.
    first: AddrMap<u32>,
    /// Each waiter, and the next for the same object.
    waiters: Vec<(Waiter, u32)>,
    /// Entries with a live guardian that wait for their object.
    guarded: Vec<usize>,
}

/// One round.
pub(super) struct Pass<'a> {
    weak: &'a mut Weak,
    view: View,
    trace: &'a mut dyn FnMut(Value) -> Value,
    /// What this round has reached and not scanned: where it was, and where it is.
    todo: Vec<(Addr, Addr)>,
    traced: usize,
    budget: usize,
    steps: u64,
}

fn header_at(at: Addr) -> Option<Header> {
    Header::from_bits(WordSlot::new(at).value().bits())
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        weak: &'a mut Weak,
        view: View,
        trace: &'a mut dyn FnMut(Value) -> Value,
    ) -> Self {
        Pass {
            weak,
            view,
            trace,
            todo: Vec::new(),
            traced: 0,
            budget: LEAST_BUDGET,
            steps: 0,
        }
    }

    /// Does the round, in which the workers' `found` are new. Returns whether MMTk must trace further.
    pub(super) fn run(mut self, found: Vec<Addr>) -> bool {
        if self.weak.awaited.begun {
            self.look_again();
        } else {
            self.weak.awaited.begun = true;
            self.begin();
        }
        self.weak.reached += found.len();
        for at in found {
            match header_at(at).map(|h| h.shape()) {
                Some(Shape::Ephemeron) => self.consider(Waiter::Ephemeron(at)),
                _ => self.weak.found.push(at),
            }
        }
        self.budget = self.budget.max(self.weak.awaited.first.len());
        while self.follow() && self.traced < TRACED_AT_MOST && self.resurrect() {}
        self.weak.work.steps += self.steps;
        self.traced > 0
    }

    /// Considers what lives longer than a collection.
    fn begin(&mut self) {
        let first = if self.view.minor { self.weak.old } else { 0 };
        // inv:weak.young
        if !self.view.minor || self.weak.hurried {
            let mut waiting = std::mem::take(&mut self.weak.finalizers);
            for finalizer in &mut waiting {
                self.keep(&mut finalizer.object);
                self.keep(&mut finalizer.finalizer);
            }
            self.weak.finalizers = waiting;
        }
        for i in first..self.weak.entries.len() {
            self.consider(Waiter::Entry(i));
        }
        if !self.view.minor {
            let guardians: Vec<Value> = self.weak.ready.values().map(|q| q.guardian).collect();
            let queues = guardians.into_iter().map(Waiter::Queue);
            queues.for_each(|queue| self.consider(queue));
        }
    }

    /// Looks through the table for what MMTk has reached since the last round.
    fn look_again(&mut self) {
        self.steps += self.weak.awaited.first.len() as u64;
        let view = self.view;
        let reached: Vec<u32> = self
            .weak
            .awaited
            .first
            .extract_if(|at, _| view.lives(Value::pointer(*at, bowline_layout::Tag::Object)))
            .map(|(_, first)| first)
            .collect();
        reached.into_iter().for_each(|first| self.serve(first));
    }

    /// Considers the waiters in the list from `next` on.
    fn serve(&mut self, mut next: u32) {
        while let Some((waiter, after)) = self.weak.awaited.waiters.get(next as usize).copied() {
            self.consider(waiter);
            next = after;
        }
    }

    fn wait_for(&mut self, v: Value, waiter: Waiter) {
        let awaited = &mut self.weak.awaited;
        let first = awaited.first.entry(v.addr()).or_insert(END);
        let number = awaited.waiters.len() as u32;
        awaited.waiters.push((waiter, *first));
        *first = number;
    }

    fn entry(&mut self, i: usize) -> &mut Entry {
        &mut self.weak.entries[i]
    }

    /// Step 1 for one waiter: keeps what hangs on objects that live, or lets it wait.
    fn consider(&mut self, waiter: Waiter) {
        self.steps += 1;
        match waiter {
            Waiter::Ephemeron(at) => {
                let key = WordSlot::new(at.word(ephemeron::KEY));
                if !self.view.lives(key.value()) {
                    return self.wait_for(key.value(), waiter);
                }
                key.set(self.view.settle(key.value()));
                self.keep_slot(WordSlot::new(at.word(ephemeron::VALUE)));
            }
            Waiter::Entry(i) => {
                let view = self.view;
                let entry = self.entry(i);
                let (guardian, object) = (entry.guardian, entry.object);
                if entry.served {
                    return;
                }
                if !view.lives(guardian) {
                    return self.wait_for(guardian, waiter);
                }
                if !view.lives(object) {
                    self.weak.awaited.guarded.push(i);
                    return self.wait_for(object, waiter);
                }
                let mut representative = self.entry(i).representative;
                self.keep(&mut representative);
                self.entry(i).representative = representative;
            }
            Waiter::Queue(guardian) => {
                if !self.view.lives(guardian) {
                    return self.wait_for(guardian, waiter);
                }
                let Some(mut queue) = self.weak.ready.remove(&guardian.bits()) else {
                    return;
                };
                self.steps += queue.waiting.len() as u64;
                queue.waiting.iter_mut().for_each(|v| self.keep(v));
                self.weak.ready.insert(guardian.bits(), queue);
            }
        }
    }

    /// Keeps what `v` refers to, and says where it is now.
    fn keep(&mut self, v: &mut Value) {
        let before = *v;
        if self.view.lives(before) {
            *v = self.view.settle(before);
            return;
        }
        *v = (self.trace)(before);
        self.traced += 1;
        self.todo.push((before.addr(), v.addr()));
    }

    fn keep_slot(&mut self, slot: WordSlot) {
        let before = slot.value();
        // Most words refer to nothing that is collected.
        if reference(before).is_none() {
            return;
        }
        let mut now = before;
        self.keep(&mut now);
        if now != before {
            slot.set(now);
        }
    }

    /// Follows what was reached. Returns whether all of it could be followed.
    fn follow(&mut self) -> bool {
        while let Some((was, at)) = self.todo.pop() {
            if let Some(first) = self.weak.awaited.first.remove(&was) {
                self.serve(first);
            }
            let before = self.steps;
            self.scan(at);
            let spent = (self.steps - before) as usize;
            match self.budget.checked_sub(spent) {
                Some(left) => self.budget = left,
                None => {
                    // The next round finds who waited for these in the table.
                    self.todo.clear();
                    return false;
                }
            }
        }
        true
    }

    /// Keeps what the object at `at` refers to.
    fn scan(&mut self, at: Addr) {
        let Some(header) = header_at(at) else {
            self.steps += 2;
            self.keep_slot(WordSlot::new(at));
            self.keep_slot(WordSlot::new(at.word(1)));
            return;
        };
        self.steps += 1;
        if header.shape() == Shape::Ephemeron {
            self.consider(Waiter::Ephemeron(at));
        }
        each_reference(at, header, &mut |word| {
            self.steps += 1;
            self.keep_slot(WordSlot::new(word));
        });
    }

    /// Step 2. Returns whether anything was queued.
    fn resurrect(&mut self) -> bool {
        // inv:weak.exact
        let view = self.view;
        let mut dead = std::mem::take(&mut self.weak.awaited.guarded);
        self.steps += dead.len() as u64;
        dead.retain(|i| {
            let entry = self.entry(*i);
            !entry.served && !view.lives(entry.object)
        });
        // The oldest first.
        dead.sort_unstable();
        for i in &dead {
            self.queue(*i);
        }
        !dead.is_empty()
    }

    /// Queues what is kept of the entry with this number, whose object is dead.
    fn queue(&mut self, i: usize) {
        let entry = self.entry(i);
        entry.served = true;
        let resurrects = entry.resurrects();
        let (guardian, mut object, charge) = (entry.guardian, entry.object, entry.charge);
        let mut representative = entry.representative;
        self.keep(&mut representative);
        if resurrects {
            self.keep(&mut object);
            self.weak.made_ready += charge.bytes;
            self.weak.finalizers.push_back(Finalizer {
                object,
                finalizer: representative,
                charge,
            });
            return;
        }
        self.weak.touched.push(guardian);
        let queue = self.weak.ready.entry(guardian.bits());
        let queue = queue.or_insert_with(|| Queue {
            guardian,
            waiting: VecDeque::new(),
        });
        queue.waiting.push_back(representative);
    }
}

impl Weak {
    /// Step 3, and the end of the collection.
    pub(super) fn break_dead(&mut self, view: View) {
        for at in self.found.drain(..) {
            break_weak(view, at);
        }
        let awaited = std::mem::take(&mut self.awaited);
        for first in awaited.first.into_values() {
            let mut next = first;
            while let Some((waiter, after)) = awaited.waiters.get(next as usize) {
                if let Waiter::Ephemeron(at) = waiter {
                    (1..=2).for_each(|i| WordSlot::new(at.word(i)).set(Value::BROKEN));
                }
                next = *after;
            }
        }
        let first = if view.minor { self.old } else { 0 };
        let mut kept = first;
        for i in first..self.entries.len() {
            let entry = &mut self.entries[i];
            if entry.served || !view.lives(entry.guardian) {
                continue;
            }
            let words = [
                &mut entry.guardian,
                &mut entry.object,
                &mut entry.representative,
            ];
            words.into_iter().for_each(|v| *v = view.settle(*v));
            // inv:weak.row
            self.entries.swap(kept, i);
            kept += 1;
        }
        self.entries.truncate(kept);
        self.old = kept;
        self.settle_queues(view);
        self.hurried = false;
    }

    /// Finds the queues by where their guardians are now. Old guardians have not moved in a minor
    /// collection (inv:weak.young).
    fn settle_queues(&mut self, view: View) {
        if !view.minor {
            self.touched.clear();
            let queues = std::mem::take(&mut self.ready).into_values();
            let live = queues.filter(|q| view.lives(q.guardian)).map(|q| {
                let guardian = view.settle(q.guardian);
                (guardian.bits(), Queue { guardian, ..q })
            });
            self.ready = live.collect();
            return;
        }
        for was in std::mem::take(&mut self.touched) {
            let now = view.settle(was);
            if now != was
                && let Some(queue) = self.ready.remove(&was.bits())
            {
                let guardian = now;
                self.ready.insert(now.bits(), Queue { guardian, ..queue });
            }
        }
    }
}

/// Settles the weak words of the object at `at`.
fn break_weak(view: View, at: Addr) {
    // SAFETY: weak objects are noted where they stand after any move.
    let Some(header) = Header::from_bits(unsafe { access::read(at) }) else {
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
