//! Foreign pointers that own memory, and finalizers.
//!
//! The memory of an owner lives as long as the object does, so an address taken
//! from it is good for as long as the object is reachable. Whoever derives another pointer from one
//! keeps the owner reachable from it.
//!
//! A *finalizer* is any value, attached to a foreign pointer. When the pointer is found dead both wait
//! for somebody who runs it: see `finalize`. The pointer is an ordinary
//! object again then, and may be kept or be given another finalizer. A finalizer that refers to its own
//! pointer does not keep it alive.
//!
//! At the end of the process nothing is given back and no finalizer runs: the system takes the memory.
//! After a fork both processes have each finalizer, as they have all other memory; but only the parent
//! finds anything dead.

use crate::access;
use crate::alloc::OutOfMemory;
use crate::heap::Heap;
use crate::mutator::{Collect, Mutator};
use crate::owners::{Owner, OwnerLabel, Release};
use crate::sync::lock;
use crate::thread::quietly;
use crate::weak::Charge;
use bowline_layout::{Tag, Value, foreign_pointer};
use std::ffi::c_void;
use std::ptr::NonNull;

/// The most bytes that a pointer can stand for, more than any machine has: so that no sum overflows.
const MOST_BYTES: usize = 1 << 46;

impl Mutator {
    /// A foreign pointer to `bytes` of fresh C memory, which are given back when the collector finds it
    /// dead. They are zero if `zeroed`, and aligned like `malloc`'s. No bytes are a valid, unique
    /// pointer too. For `Err` see [`Mutator::poll_pressure`].
    pub fn foreign_memory(
        &mut self,
        bytes: usize,
        zeroed: bool,
        label: OwnerLabel,
    ) -> Result<Value, OutOfMemory> {
        self.poll_pressure(bytes)?;
        if self.heap().refuses() {
            return Err(OutOfMemory { requested: bytes });
        }
        // When the system has no memory, what dead owners hold may do.
        for again in [true, false] {
            let owner = self.alloc(foreign_pointer::HEADER, Tag::Object)?;
            if self.own_memory(owner, bytes, zeroed, label).is_ok() {
                return Ok(owner);
            }
            if again && self.heap().wake() {
                self.collect(Collect::Full);
            }
        }
        Err(OutOfMemory { requested: bytes })
    }

    /// Makes the fresh object `owner` own fresh memory, if there is some.
    fn own_memory(
        &mut self,
        owner: Value,
        bytes: usize,
        zeroed: bool,
        label: OwnerLabel,
    ) -> Result<(), OutOfMemory> {
        let heap = self.heap();
        let memory = match heap.has_memory_for(bytes) {
            true => heap.pressure.memory.alloc(bytes.max(1), zeroed),
            false => None,
        };
        let memory = memory.ok_or(OutOfMemory { requested: bytes })?;
        self.own(owner, memory, bytes, label)
    }

    /// Makes the fresh object `owner` own `memory`, or gives that back.
    fn own(
        &mut self,
        owner: Value,
        memory: NonNull<c_void>,
        bytes: usize,
        label: OwnerLabel,
    ) -> Result<(), OutOfMemory> {
        let (heap, charged) = (self.heap(), bytes.max(1));
        self.note_owner(owner, Release::Memory(memory), charged, label)?;
        let address = memory.as_ptr().expose_provenance();
        // SAFETY: the object is fresh.
        unsafe { access::set_word(owner, foreign_pointer::POINTER, address as u64) };
        // SAFETY: the object is fresh.
        unsafe { access::set_word(owner, foreign_pointer::BYTES, bytes as u64) };
        // SAFETY: the object is fresh.
        unsafe { access::init(owner, foreign_pointer::BASE, Value::FALSE) };
        let pressure = &heap.pressure;
        pressure.owner_made(charged, pressure.memory.counts(address));
        Ok(())
    }

    /// Makes the fresh object `owner` own what `release` gives back when it is called with `word`: `bytes`, which count
    /// as declared until then. It is called once when the collector has found the owner dead, on any thread, which may
    /// be the collector's or in C's `malloc`: it may neither use the heap nor wait for a thread that does. For `Err`,
    /// there is no memory to note it, and `release` has been called.
    pub fn own_by(
        &mut self,
        owner: Value,
        release: fn(usize),
        word: usize,
        bytes: usize,
        label: OwnerLabel,
    ) -> Result<(), OutOfMemory> {
        let heap = self.heap();
        let bytes = bytes.clamp(1, MOST_BYTES);
        self.note_owner(owner, Release::Call(release, word), bytes, label)?;
        heap.pressure.owner_made(bytes, false);
        self.want_poll_if_over();
        Ok(())
    }

    /// Notes what `owner` owns, or gives it back.
    fn note_owner(
        &self,
        owner: Value,
        release: Release,
        bytes: usize,
        label: OwnerLabel,
    ) -> Result<(), OutOfMemory> {
        let heap = self.heap();
        let noted = quietly(|| lock(&heap.owners).add(heap, owner, release, bytes, label));
        noted.map_err(|left| {
            left.give_back(&heap.pressure.memory);
            OutOfMemory { requested: bytes }
        })
    }

    /// Attaches `finalizer` to the foreign pointer `pointer`; `bytes` is what it stands for: how much
    /// memory will be free when the finalizer has run, at most 64 TiB. If the region does not count them already they
    /// count as declared until the finalizer is taken. For `Err`, there is no memory to note it.
    pub fn attach_finalizer(
        &mut self,
        pointer: Value,
        finalizer: Value,
        bytes: usize,
        label: OwnerLabel,
    ) -> Result<(), OutOfMemory> {
        let heap = self.heap();
        let pressure = &heap.pressure;
        let bytes = bytes.min(MOST_BYTES);
        // SAFETY: the caller's foreign pointer is live.
        let address = unsafe { access::word(pointer, foreign_pointer::POINTER) };
        let declared = !pressure.memory.counts(address as usize);
        let charge = Charge {
            bytes,
            declared,
            label,
        };
        heap.with_weak(|weak| weak.finalize(heap, pointer, finalizer, charge))?;
        lock(&heap.owners).charge(label, bytes);
        pressure.owner_made(bytes, !declared);
        pressure.expect(bytes);
        if declared {
            self.want_poll_if_over();
        }
        Ok(())
    }

    /// The oldest finalizer whose pointer has died, and the pointer. The runtime asks at safe points
    /// when [`Heap::finalizable`] says that there is one.
    pub fn next_finalizable(&mut self) -> Option<(Value, Value)> {
        let heap = self.heap();
        let next = heap.with_weak(|weak| {
            let next = weak.next_finalizer();
            // With the lock held, for another thread may take the next.
            heap.finalizers_left(weak.finalizers_waiting());
            next
        })?;
        heap.recorder.finalizer_taken();
        let charge = next.charge;
        lock(&heap.owners).discharge(charge.label, charge.bytes);
        heap.pressure.taken(charge.bytes);
        if charge.declared {
            heap.pressure.undeclare(charge.bytes);
        }
        // inv:weak.door
        Some((
            self.strengthen(next.object),
            self.strengthen(next.finalizer),
        ))
    }
}

impl Heap {
    /// The label of this name: what owns C memory, and where it was made. The same name gives the same
    /// label. Names are kept for ever.
    pub fn owner_label(&self, name: &str) -> OwnerLabel {
        quietly(|| lock(&self.owners).label(name))
    }

    /// The name of a label; `None` for the default.
    pub fn owner_name(&self, label: OwnerLabel) -> Option<String> {
        quietly(|| lock(&self.owners).name(label).map(str::to_owned))
    }

    /// The labels that hold the most C memory, at most `top` of them, by owners and by finalizers: what
    /// lives, or has died unnoticed.
    pub fn owners(&self, top: usize) -> Vec<Owner> {
        quietly(|| lock(&self.owners).table(top))
    }

    /// Gives the memory of dead owners back.
    #[inline]
    pub(crate) fn give_back(&self) {
        if self.pressure.has_dead() {
            self.give_back_now();
        }
    }

    #[cold]
    fn give_back_now(&self) {
        loop {
            let dead = lock(&self.owners).take_dead();
            let dead = || dead.iter().flatten();
            if dead().next().is_none() {
                return;
            }
            let bytes = dead().map(|d| d.bytes).sum();
            let declared = dead().filter(|d| d.is_declared()).map(|d| d.bytes).sum();
            dead().for_each(|d| d.give_back(&self.pressure.memory));
            self.pressure.gave_back(bytes, declared);
        }
    }
}
