//! Freezing: everything that lives in the collected heap moves into the boot heap, once.
//!
//! `inv:freeze.kept` What was promoted, and what stands where nothing moves, stays in its place, for somebody may
//! have its address. It lives for ever from then on, as what moved does: the boot heap holds it. Its words are
//! updated like those of a copy.
//!
//! `inv:freeze.alone` The world is held as for a fork while objects are copied: no thread attaches, none forks, no
//! collection begins, and nothing is being marked.
//!
//! `inv:freeze.slots` The caller's slots are read before the wait for that, which is a safepoint, and written after
//! the freeze, also after one that was refused. In between their values are roots.
//!
//! A worklist copy with a table from old to new places; it needs no forwarding pointers, so the old
//! objects stay whole until MMTk reuses their memory, and the remembered set may still name them.
//! Everything that any root reaches is copied, not only what the caller names: an object left behind
//! would otherwise refer to an old copy of one that was frozen. What is weak is strong for once, and stays so in
//! the boot heap.
//!
//! Afterwards references to old places exist nowhere but in the caller's own variables. Hash tables
//! keyed by address must be rehashed by whoever owns them.
//!
//! Absent on purpose: a bound for how often a freeze begins anew because a collection came first. Whoever asks for
//! collections without rest delays it as he does the program. And freezing around counted pins and running calls:
//! who has them gives them up some day, and what they held would be kept for ever.

use crate::access;
use crate::binding::{WordSlot, each_reference, is_weak, reference};
use crate::fork::{PATIENCE, is_idle};
use crate::heap::{Heap, engine};
use crate::mutator::Mutator;
use crate::pins::{AddrMap, stays};
use crate::roots::RootSource;
use crate::sync::{MutexGuard, lock};
use crate::thread::{ThreadBlock, quietly};
use crate::verify::{self, When};
use crate::watchdog::Watchdog;
use crate::weak::Weak;
use crate::world::{self, Hold};
use bowline_layout::{Addr, Flags, Header, Value, WORD};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What a freeze did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Frozen {
    /// Objects that went into the boot heap.
    pub objects: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Objects that stayed where they are, and live for ever: those promoted, and those that never move.
    pub kept: usize,
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

/// The slots that a freeze updates besides the registered roots: it calls what it is given with each. It is called
/// twice, with nothing between the two on the caller's side, and visits the same slots in the same order.
pub type MoreRoots<'a> = &'a mut dyn FnMut(&mut dyn FnMut(&mut Value));

/// What the caller's slots hold (`inv:freeze.slots`).
struct Slots(Arc<Mutex<Vec<Value>>>);

impl RootSource for Slots {
    fn visit(&self, f: &mut dyn FnMut(&mut Value)) {
        lock(&self.0).iter_mut().for_each(f);
    }

    fn is_dead(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl Heap {
    /// Moves everything that lives out of the collected heap into the boot heap, and updates every
    /// root and the slots that `roots` visits. Any other copy of a reference that the caller keeps is
    /// stale afterwards, but for those to what was promoted or never moves: that stays where it is. This is a
    /// safepoint, so after an error, too, other copies are stale; roots and slots are not.
    ///
    /// # Panics
    /// When `roots` visits more slots at its second call than at its first.
    pub fn freeze(&self, m: &mut Mutator, roots: MoreRoots<'_>) -> Result<Frozen, FreezeError> {
        self.must_be_whole();
        let frozen = quietly(|| {
            let mut values = Vec::new();
            roots(&mut |v| values.push(*v));
            let slots = Arc::new(Mutex::new(values));
            self.sources.add(Box::new(Slots(slots.clone())));
            let frozen = self.freeze_held(m);
            let mut values = std::mem::take(&mut *lock(&slots)).into_iter();
            roots(&mut |v| *v = values.next().expect("the same slots are visited twice"));
            frozen
        })?;
        self.give_back();
        Ok(frozen)
    }

    /// The freeze, in a world that is held for it.
    fn freeze_held(&self, m: &mut Mutator) -> Result<Frozen, FreezeError> {
        let mut world = self.hold_alone(m)?;
        let frozen = self.freeze_alone(m);
        self.boot.withdraw();
        self.world.release(&mut world, Hold::Whole);
        frozen
    }

    /// The world, held for the only thread in it (inv:freeze.alone). It is let go of by [`world::World::release`].
    fn hold_alone(
        &self,
        m: &mut Mutator,
    ) -> Result<MutexGuard<'_, world::Inner<ThreadBlock>>, FreezeError> {
        loop {
            // What is being marked would move away. Its end moves nothing and keeps whatever the caller holds
            // (inv:weak.door).
            if self.is_marking() {
                self.must_collect();
                m.finish_marking();
            }
            // Others are not waited for: they would go on with what they have read before.
            let others = self.world.count() - 1;
            if others > 0 {
                return Err(FreezeError::OtherThreads(others));
            }
            let (deadline, watch) = (Instant::now() + PATIENCE, &mut Watchdog::silent());
            let (mut world, hold) = self.world.hold(Some(m.block()), deadline, is_idle, watch);
            if hold == Hold::Whole && world.count() == 1 && !self.is_marking() {
                return Ok(world);
            }
            self.world.release(&mut world, hold);
        }
    }

    /// The freeze itself (inv:freeze.alone).
    fn freeze_alone(&self, m: &Mutator) -> Result<Frozen, FreezeError> {
        if m.block().in_call() || self.pins.any() {
            return Err(FreezeError::Pinned);
        }
        let wanted = mmtk::memory_manager::used_bytes(engine().mmtk);
        let free = self.boot.free_bytes(wanted);
        if wanted > free {
            return Err(FreezeError::NoRoom { wanted, free });
        }
        let mut copier = Copier {
            heap: self,
            places: AddrMap::default(),
            todo: Vec::new(),
            kept: Vec::new(),
            done: Frozen::default(),
        };
        copier.roots(m);
        copier.run();
        self.boot.keep(&copier.kept);
        self.with_weak(Weak::rehash);
        self.each_weak_word(&mut |v| *v = copier.settle(*v));
        let died = lock(&self.owners).settle_by(&mut |v| copier.settle(v));
        self.pressure.died(died);
        if self.config.verifies() {
            verify::walk(self, &[m.block()], When::Before);
        }
        copier.done.kept = copier.kept.len();
        Ok(copier.done)
    }
}

struct Copier<'a> {
    heap: &'a Heap,
    places: AddrMap<Addr>,
    /// What was reached and not looked at, where it is now.
    todo: Vec<Addr>,
    /// What stays (inv:freeze.kept).
    kept: Vec<Value>,
    done: Frozen,
}

impl Copier<'_> {
    fn roots(&mut self, m: &Mutator) {
        let stack = m.stack();
        (0..stack.len()).for_each(|i| stack.set(i, self.copied(stack.get(i))));
        let mut slots = Vec::new();
        self.heap.each_root_word(&mut |at| slots.push(at));
        self.heap
            .with_weak(|weak| weak.each_word(&mut |at| slots.push(at)));
        slots.into_iter().for_each(|at| self.slot(at));
    }

    /// Copies the rest.
    fn run(&mut self) {
        while let Some(at) = self.todo.pop() {
            // SAFETY: the object was just copied here, or lives here.
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
            if self.heap.boot.contains(at) && !header.flags().has(Flags::IMMUTABLE) {
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

    /// `v`, or the frozen copy of what it refers to, unless that stays.
    fn copied(&mut self, v: Value) -> Value {
        if reference(v).is_none() {
            return v;
        }
        let from = v.addr();
        if let Some(to) = self.places.get(&from) {
            return v.retarget(*to);
        }
        let to = if stays(v) {
            self.kept.push(v);
            from
        } else {
            self.copy(from)
        };
        self.places.insert(from, to);
        self.todo.push(to);
        v.retarget(to)
    }

    /// Copies the object at `from` and returns where to.
    fn copy(&mut self, from: Addr) -> Addr {
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
        self.done.objects += 1;
        self.done.bytes += bytes;
        to
    }

    /// A weak word's new content: what was not reached is dead.
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
