//! Freezing: everything that lives in the collected heap moves into the boot heap, once.
//!
//! A worklist copy with a table from old to new places; it needs no forwarding pointers, so the old
//! objects stay whole until MMTk reuses their memory, and the remembered set may still name them.
//! Everything that any root reaches is copied, not only what the caller names: an object left behind
//! would otherwise refer to an old copy of one that was frozen.
//!
//! Afterwards references to old places exist nowhere but in the caller's own variables. Hash tables
//! keyed by address must be rehashed by whoever owns them.

use crate::access;
use crate::binding::{WordSlot, each_reference, is_weak, reference};
use crate::heap::{Heap, engine};
use crate::mutator::Mutator;
use crate::pins::AddrMap;
use crate::sync::lock;
use crate::verify::{self, When};
use crate::weak::Weak;
use bowline_layout::{Addr, Flags, Header, Value, WORD};
use std::fmt;

/// What a freeze did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Frozen {
    /// Objects that went into the boot heap.
    pub objects: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// Why the heap cannot be frozen now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FreezeError {
    /// Other threads are attached; the message counts them.
    OtherThreads(usize),
    /// Foreign code holds objects in place: pins or an active call.
    Pinned,
    /// The boot heap has no room for all that may live.
    NoRoom {
        /// Bytes in use in the collected heap.
        wanted: usize,
        /// Bytes free in the boot heap.
        free: usize,
    },
}

impl fmt::Display for FreezeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FreezeError::OtherThreads(n) => {
                write!(
                    f,
                    "the heap cannot be frozen while {n} other threads use it"
                )
            }
            FreezeError::Pinned => {
                f.write_str("the heap cannot be frozen while foreign code holds objects in place")
            }
            FreezeError::NoRoom { wanted, free } => write!(
                f,
                "the boot heap has {free} bytes left and up to {wanted} are in use"
            ),
        }
    }
}

impl std::error::Error for FreezeError {}

/// The slots that a freeze updates besides the registered roots: it calls what it is given with each.
pub type MoreRoots<'a> = &'a mut dyn FnMut(&mut dyn FnMut(&mut Value));

impl Heap {
    /// Moves everything that lives out of the collected heap into the boot heap, and updates every
    /// root and the slots that `roots` visits. Any other copy of a reference that the caller keeps is
    /// stale afterwards.
    pub fn freeze(&self, m: &mut Mutator, roots: MoreRoots<'_>) -> Result<Frozen, FreezeError> {
        let threads = self.world.mutators();
        if threads.len() > 1 {
            return Err(FreezeError::OtherThreads(threads.len() - 1));
        }
        if m.block().in_call() || self.pins.any() {
            return Err(FreezeError::Pinned);
        }
        let wanted = mmtk::memory_manager::used_bytes(engine().mmtk);
        let free = self.boot.free_bytes();
        if wanted > free {
            return Err(FreezeError::NoRoom { wanted, free });
        }
        // What is being marked would move away. Its end moves nothing and keeps whatever the caller holds
        // (inv:weak.door).
        m.finish_marking();
        let mut copier = Copier {
            heap: self,
            places: AddrMap::default(),
            todo: Vec::new(),
            done: Frozen::default(),
        };
        copier.roots(m, roots);
        copier.run();
        self.with_weak(Weak::rehash);
        self.each_weak_word(&mut |v| *v = copier.settle(*v));
        let died = lock(&self.owners).settle_by(&mut |v| copier.settle(v));
        self.pressure.died(died);
        self.give_back();
        if self.config.verifies() {
            verify::walk(self, &threads, When::Before);
        }
        m.anchor();
        Ok(copier.done)
    }
}

struct Copier<'a> {
    heap: &'a Heap,
    places: AddrMap<Addr>,
    todo: Vec<Addr>,
    done: Frozen,
}

impl Copier<'_> {
    fn roots(&mut self, m: &Mutator, more: MoreRoots<'_>) {
        let stack = m.stack();
        (0..stack.len()).for_each(|i| stack.set(i, self.copied(stack.get(i))));
        let mut slots = Vec::new();
        self.heap.each_root_word(&mut |at| slots.push(at));
        self.heap
            .with_weak(|weak| weak.each_word(&mut |at| slots.push(at)));
        slots.into_iter().for_each(|at| self.slot(at));
        more(&mut |v| *v = self.copied(*v));
    }

    /// Copies the rest.
    fn run(&mut self) {
        while let Some(at) = self.todo.pop() {
            // SAFETY: the object was just copied here.
            let first = unsafe { access::read(at) };
            let Some(header) = Header::from_bits(first) else {
                (0..2).for_each(|i| self.slot(at.word(i)));
                continue;
            };
            if is_weak(header.shape()) {
                (1..=header.length()).for_each(|i| self.slot(at.word(i)));
            } else {
                each_reference(at, header, &mut |word| self.slot(word));
            }
            // What may change later may refer to the collected heap again (inv:boot.slots).
            if !header.flags().has(Flags::IMMUTABLE) {
                self.heap.boot.add_slots(at, header);
            }
        }
    }

    fn slot(&mut self, at: Addr) {
        let slot = WordSlot::new(at);
        let (before, after) = (slot.value(), self.copied(slot.value()));
        if before != after {
            slot.set(after);
        }
    }

    /// `v`, or the frozen copy of what it refers to.
    fn copied(&mut self, v: Value) -> Value {
        if reference(v).is_none() {
            return v;
        }
        let from = v.addr();
        if let Some(to) = self.places.get(&from) {
            return v.retarget(*to);
        }
        // SAFETY: a live object that is not forwarded, for no collection is under way.
        let bytes = unsafe { access::size_at(from) };
        let room = self.heap.boot.room(bytes);
        let to = room.expect("freeze has checked that everything fits");
        for i in 0..bytes / WORD {
            // SAFETY: the object has that many words.
            let word = unsafe { access::read(from.word(i)) };
            // SAFETY: so has the room.
            unsafe { access::write(to.word(i), word) };
        }
        self.places.insert(from, to);
        self.todo.push(to);
        self.done.objects += 1;
        self.done.bytes += bytes;
        v.retarget(to)
    }

    /// A weak word's new content: what was not copied is dead.
    fn settle(&self, v: Value) -> Value {
        match reference(v) {
            None => v,
            Some(_) => self
                .places
                .get(&v.addr())
                .map_or(Value::BROKEN, |to| v.retarget(*to)),
        }
    }
}
