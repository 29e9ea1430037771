//! Whether the system would give more memory to the heap.
//!
//! MMTk maps its spaces and their side tables as they grow, and when the system refuses it cannot go on. So before
//! it takes pages for a thread, the system is asked whether it would give them: a mapping of
//! that size, and of what the collector may need meanwhile, is made and taken away again. If it is refused the heap is as
//! full as one at its limit, and what follows is the same (see `room`): a full collection, and then the out-of-memory
//! condition, while the collector still has what it needs.
//!
//! For small objects it is MMTk that asks, by the poll with which it begins to take a fresh block
//! (`binding::policy`): there a refusal is a collection that is due. What has room in the free lines of used blocks
//! takes no pages, and asks nobody. Only where there is nobody to collect, to whom such a poll cannot refuse anything,
//! and for large objects, is the system asked before MMTk is.
//!
//! `inv:grants.margin` What is granted leaves, at the time, a margin for what nobody can ask about: side tables of the
//! pages, queues, stacks of threads. Its fixed part is lent to who reacts to
//! a full heap (`pressure::reserve`); the rest the collector needs then, too. What a program makes grow beside the heap
//! would use the margin up, so it is asked for in the same way before it grows, by [`Heap::would_give`] if the system is
//! to give pages for it and by [`Heap::has_memory_for`] if it stands in the region.
//!
//! Neither MMTk nor the region gives anything back, so what was granted once is there for ever, but for its space alone:
//!
//! * Objects that move and small ones that do not live in spaces of equal blocks. As long as such a space takes no
//!   more than it had once, nobody asks. Of those that move, that is what a collection would make of them while
//!   it copies: what is free between two collections is where the next one copies to.
//! * So does what the region has, C's blocks and the runtime's, with the tables that a collection needs for weak
//!   things.
//! * So do large objects, but one that fits into no hole lies behind all. So for all but the least of them the system is
//!   asked each time, and if it refuses a hole must be known (`surplus`).
//!
//! What is tried in this way is all that can refuse: `ulimit -d`, `ulimit -v`, and strict overcommit, whenever they were set.
//! A control group does not refuse: it kills.
//!
//! While it is asked, the system counts what it is asked for: an eighth of the heap and about 72 MiB, under
//! `compact-test` as much as the heap. With strict overcommit another process may be refused for that moment.
//!
//! Absent on purpose: C's own `malloc`, which is refused by the system alone; and certainty. Objects of 16 to 256 KiB may each be too large for the holes that there are; memory
//! that others take between the question and the use, more than the margin, still ends the process, with a line
//! (`binding::collection`).

use crate::binding::{BLOCK, Bowline, heap_bytes};
use crate::heap::{Heap, engine, used_bytes};
use crate::sys;
use mmtk::{AllocationSemantics, Plan};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const MIB: usize = 1 << 20;
const LOG_PAGE: usize = 12;
/// MMTk's names for its spaces of small objects.
const MOVING: &str = "immix";
const IMMOVABLE: &str = "nonmoving";
/// How much is asked for beyond what is wanted, so that it is not asked each time.
const STEP: usize = 8 * MIB;
/// Up to this size a large object is not asked for while all together are granted. To ask costs little beside clearing
/// a larger one.
const UNASKED: usize = 256 << 10;
/// The part of the margin that does not depend on the heap: the first chunks of a space's side tables, and threads.
const FIXED: usize = 48 * MIB;
/// The fewest entries that a table grows by.
const LEAST_ENTRIES: usize = 256;
/// What a collection takes at most for each weak object and for each one that somebody guards or finalizes, for as
/// long as it lasts: an entry of a hash table and one of a list, while both grow (`weak::pass`).
const AWAITED: usize = 128;
/// The part of the heap that its side tables, and the queues of a collection, may take: less than this.
const PART: usize = 8;

/// Up to which size, in bytes, the spaces have been granted.
#[derive(Default)]
pub(crate) struct Grants {
    /// While a collection copies.
    moving: AtomicUsize,
    immovable: AtomicUsize,
    large: AtomicUsize,
    /// The region.
    outside: AtomicUsize,
    /// What the space of what moves, and the region, have had: that is there.
    moving_had: AtomicUsize,
    outside_had: AtomicUsize,
    /// How many objects can be guarded or have finalizers without more room, and how many weak objects there are at most.
    guarded: AtomicUsize,
    weak: AtomicUsize,
}

impl Grants {
    /// Whether MMTk may take the pages that it is about to take for small objects. The spaces count them already.
    pub(crate) fn cover_pages(&self, heap: &Heap, plan: &dyn Plan<VM = Bowline>) -> bool {
        let mut covered = true;
        plan.for_each_space(&mut |space| {
            let taken = space.reserved_pages() << LOG_PAGE;
            covered &= match space.get_name() {
                MOVING => self.covers_moving(heap, taken),
                IMMOVABLE => is_given(heap, &self.immovable, taken, need),
                _ => return,
            };
        });
        covered
    }

    /// Whether there is, or the system would give, room for an object of `bytes` more, which if it is small wants
    /// another block. The calling thread is Managed.
    pub(crate) fn cover(&self, heap: &Heap, bytes: usize, semantics: AllocationSemantics) -> bool {
        match semantics {
            AllocationSemantics::Los => self.covers_large(heap, bytes),
            AllocationSemantics::NonMoving => {
                is_given(heap, &self.immovable, taken(IMMOVABLE) + BLOCK, need)
            }
            _ => self.covers_moving(heap, taken(MOVING) + BLOCK),
        }
    }

    /// Whether the space of what moves may take `bytes`, and a collection may copy them.
    fn covers_moving(&self, heap: &Heap, bytes: usize) -> bool {
        let wanted = bytes + copies(heap, bytes);
        if wanted <= self.moving.load(Relaxed) {
            return true;
        }
        let had = self.moving_had.load(Relaxed).max(bytes - BLOCK.min(bytes));
        let more = wanted - had.min(wanted);
        let besides = tables() + self.outside_lacks(heap);
        give(heap, &self.moving, wanted, more, besides)
    }

    fn covers_large(&self, heap: &Heap, bytes: usize) -> bool {
        let wanted = heap.surplus.large_bytes() + bytes;
        (bytes <= UNASKED && wanted <= self.large.load(Relaxed))
            || give(heap, &self.large, wanted, bytes, need(heap))
            || heap.surplus.has_hole(bytes)
    }

    /// What the region has, and what a collection will take of it.
    fn outside(&self, heap: &Heap) -> usize {
        let memory = &heap.pressure.memory;
        let weak = self.guarded.load(Relaxed) + self.weak.load(Relaxed);
        memory.client_bytes() + memory.runtime_bytes() + weak * AWAITED
    }

    /// What of that it has not had yet.
    fn outside_lacks(&self, heap: &Heap) -> usize {
        self.note_outside(heap);
        let had = self.outside_had.load(Relaxed);
        self.outside(heap).saturating_sub(had)
    }

    /// What copies will want beyond what the space of what moves has had.
    fn moving_lacks(&self, heap: &Heap) -> usize {
        let bytes = taken(MOVING);
        let had = self.moving_had.load(Relaxed).max(bytes);
        (bytes + copies(heap, bytes)).saturating_sub(had)
    }

    /// There can be as many objects that somebody guards or finalizes.
    pub(crate) fn guarded(&self, most: usize) {
        self.guarded.store(most, Relaxed);
    }

    /// Counts another weak object, if there is memory for what collections will take for it.
    pub(crate) fn weak_made(&self, heap: &Heap) -> bool {
        let has_room = heap.has_memory_for(AWAITED);
        self.weak.fetch_add(usize::from(has_room), Relaxed);
        has_room
    }

    /// So many weak objects live, as a full collection has found.
    pub(crate) fn weak_live(&self, count: usize) {
        self.weak.store(count, Relaxed);
    }

    /// A collection has copied what it copies, and freed nothing yet. Copies take pages unasked, and those are there
    /// from now on.
    pub(crate) fn copied(&self) {
        let has = taken(MOVING);
        self.moving.fetch_max(has, Relaxed);
        self.moving_had.fetch_max(has, Relaxed);
    }

    /// What the region has it will always have. Called also when a collection has all that it needs for weak things,
    /// before it lets that go.
    pub(crate) fn note_outside(&self, heap: &Heap) {
        let memory = &heap.pressure.memory;
        let has = memory.client_bytes() + memory.runtime_bytes();
        self.outside.fetch_max(has, Relaxed);
        self.outside_had.fetch_max(has, Relaxed);
    }

    /// A collection ends.
    pub(crate) fn settle(&self, heap: &Heap, full: bool) {
        // A limit that was lowered may be what it was.
        if full && heap.pressure.is_lowered() && sys::would_map(4 * STEP + FIXED + need(heap)) {
            heap.pressure.restore_limit();
        }
    }
}

/// What a space of small objects takes, in bytes.
fn taken(name: &str) -> usize {
    let mut pages = 0;
    engine().mmtk.get_plan().for_each_space(&mut |space| {
        if space.get_name() == name {
            pages = space.reserved_pages();
        }
    });
    pages << LOG_PAGE
}

/// What a collection copies at most, with the space of what moves as large as this.
fn copies(heap: &Heap, bytes: usize) -> usize {
    match heap.config.moves_everything() {
        true => bytes,
        false => heap.config.effective_nursery(),
    }
}

/// Whether a space was granted `wanted` bytes before, or is now, with what is needed besides.
fn is_given(
    heap: &Heap,
    granted: &AtomicUsize,
    wanted: usize,
    besides: impl FnOnce(&Heap) -> usize,
) -> bool {
    let before = granted.load(Relaxed);
    wanted <= before || give(heap, granted, wanted, wanted - before, besides(heap))
}

/// Grants a space `wanted` bytes if the system would give `more`, and `besides`.
fn give(heap: &Heap, granted: &AtomicUsize, wanted: usize, more: usize, besides: usize) -> bool {
    let more = more.max(wanted.saturating_sub(granted.load(Relaxed)));
    let given = would_give(heap, more, besides);
    if given {
        let ahead = if heap.pressure.is_lent() { 0 } else { STEP };
        granted.fetch_max(wanted + ahead, Relaxed);
    }
    given
}

/// Whether the system would give `more` bytes of pages with their side tables, and leave what it must
/// (`inv:grants.margin`): `besides` is the part of that which is never lent.
fn would_give(heap: &Heap, more: usize, besides: usize) -> bool {
    let fixed = if heap.pressure.is_lent() { 0 } else { FIXED };
    sys::would_map(more + more / PART + STEP + fixed + besides)
}

/// The part of the margin that is never lent: what the collector needs for as much as is in use now.
fn need(heap: &Heap) -> usize {
    let grants = &heap.grants;
    tables() + grants.moving_lacks(heap) + grants.outside_lacks(heap)
}

/// What of that is for side tables and queues.
fn tables() -> usize {
    used_bytes() as usize / PART
}

impl Heap {
    /// Whether the system would give `bytes` of pages for what grows beside the heap, and leave what the heap needs
    /// (`inv:grants.margin`). Asking costs two system calls.
    pub fn would_give(&self, bytes: usize) -> bool {
        would_give(self, bytes, need(self))
    }

    /// Whether the region has, or the system would give, `bytes` more for what grows there (`inv:grants.margin`). The
    /// system is asked for steps of megabytes. Where the process's `malloc` is another one it is asked for what is large.
    pub fn has_memory_for(&self, bytes: usize) -> bool {
        let grants = &self.grants;
        if self.pressure.memory.is_degraded() {
            return bytes < UNASKED || self.would_give(bytes);
        }
        grants.note_outside(self);
        let wanted = grants.outside(self).saturating_add(bytes);
        if wanted <= grants.outside.load(Relaxed) {
            return true;
        }
        let more = wanted.saturating_sub(grants.outside_had.load(Relaxed));
        let besides = tables() + grants.moving_lacks(self);
        give(self, &grants.outside, wanted, more, besides)
    }

    /// Whether `table` has room for `more` entries, or there is memory to make it. It grows by a quarter at least.
    pub fn has_room_in<T>(&self, table: &mut Vec<T>, more: usize) -> bool {
        if more <= table.capacity() - table.len() {
            return true;
        }
        let more = more.max(table.len() / 4).max(LEAST_ENTRIES);
        let bytes = (table.len() + more).saturating_mul(size_of::<T>());
        self.has_memory_for(bytes) && table.try_reserve_exact(more).is_ok()
    }

    /// Makes the heap's limit what there is, because the system gives no more for small objects that move. A large
    /// one may be refused for its size alone, an immovable one while others have room, and where the reserve is lent
    /// the limit is known already.
    pub(crate) fn refused_by_the_system(&self, semantics: AllocationSemantics) {
        if semantics == AllocationSemantics::Default && !self.pressure.is_lent() {
            self.pressure.lower_limit(heap_bytes());
        }
    }
}
