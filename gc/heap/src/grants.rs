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
//! `inv:grants.margin` What is granted leaves, at the time, a margin for what nobody can ask about: copies that
//! a collection makes, side tables of the pages, queues, stacks of threads. Its fixed part is lent to who reacts to
//! a full heap (`pressure::reserve`); the rest the collector needs then, too.
//!
//! MMTk gives nothing back, so what was granted once is there for ever, but for its space alone:
//!
//! * Objects that move and small ones that do not live in spaces of equal blocks. As long as such a space takes no
//!   more than it had once, nobody asks.
//! * So do large objects, but one that fits into no hole lies behind all. So for all but the least of them the system is
//!   asked each time, and if it refuses a hole must be known (`surplus`).
//!
//! What is tried in this way is all that can refuse: `ulimit -d`, `ulimit -v`, and strict overcommit, whenever they were set.
//! A control group does not refuse: it kills.
//!
//! While it is asked, the system counts what it is asked for: an eighth of the heap and about 72 MiB, under
//! `compact-test` as much as the heap. With strict overcommit another process may be refused for that moment.
//!
//! Absent on purpose: certainty. Objects of 16 to 256 KiB may each be too large for the holes that there are; memory
//! that others take between the question and the use, more than the margin, still ends the process, with a line
//! (`binding::collection`).

use crate::binding::{BLOCK, Bowline};
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
/// The part of the heap that its side tables, and the queues of a collection, may take: less than this.
const PART: usize = 8;

/// Up to which size, in bytes, the spaces have been granted.
#[derive(Default)]
pub(crate) struct Grants {
    moving: AtomicUsize,
    immovable: AtomicUsize,
    large: AtomicUsize,
}

impl Grants {
    /// Whether MMTk may take the pages that it is about to take for small objects. The spaces count them already.
    pub(crate) fn cover_pages(&self, heap: &Heap, plan: &dyn Plan<VM = Bowline>) -> bool {
        let mut covered = true;
        plan.for_each_space(&mut |space| {
            let granted = match space.get_name() {
                MOVING => &self.moving,
                IMMOVABLE => &self.immovable,
                _ => return,
            };
            covered &= is_given(heap, granted, space.reserved_pages() << LOG_PAGE);
        });
        covered
    }

    /// Whether there is, or the system would give, room for an object of `bytes` more, which if it is small wants
    /// another block. The calling thread is Managed.
    pub(crate) fn cover(&self, heap: &Heap, bytes: usize, semantics: AllocationSemantics) -> bool {
        match semantics {
            AllocationSemantics::Los => self.covers_large(heap, bytes),
            AllocationSemantics::NonMoving => {
                is_given(heap, &self.immovable, taken(IMMOVABLE) + BLOCK)
            }
            _ => is_given(heap, &self.moving, taken(MOVING) + BLOCK),
        }
    }

    fn covers_large(&self, heap: &Heap, bytes: usize) -> bool {
        let wanted = heap.surplus.large_bytes() + bytes;
        (bytes <= UNASKED && wanted <= self.large.load(Relaxed))
            || give(heap, &self.large, wanted, bytes)
            || heap.surplus.has_hole(bytes)
    }

    /// A collection ends.
    pub(crate) fn settle(&self, heap: &Heap, full: bool) {
        // Copies take pages unasked, and those are there from now on.
        self.moving.fetch_max(taken(MOVING), Relaxed);
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

/// Whether a space of small objects was granted `wanted` bytes before, or is now.
fn is_given(heap: &Heap, granted: &AtomicUsize, wanted: usize) -> bool {
    let before = granted.load(Relaxed);
    wanted <= before || give(heap, granted, wanted, wanted - before)
}

/// Grants a space `wanted` bytes if the system would give `more`.
fn give(heap: &Heap, granted: &AtomicUsize, wanted: usize, more: usize) -> bool {
    let given = would_give(heap, more.max(wanted.saturating_sub(granted.load(Relaxed))));
    if given {
        let ahead = if heap.pressure.is_lent() { 0 } else { STEP };
        granted.fetch_max(wanted + ahead, Relaxed);
    }
    given
}

/// Whether the system would give `more` bytes of pages with their side tables, and leave what it must
/// (`inv:grants.margin`).
fn would_give(heap: &Heap, more: usize) -> bool {
    let fixed = if heap.pressure.is_lent() { 0 } else { FIXED };
    sys::would_map(more + more / PART + STEP + fixed + need(heap))
}

/// The part of the margin that is never lent: what the collector needs for as much as is in use now.
fn need(heap: &Heap) -> usize {
    let used = used_bytes() as usize;
    let copies = match heap.config.moves_everything() {
        true => used,
        false => heap.config.effective_nursery(),
    };
    copies + used / PART
}

impl Heap {
    /// Makes the heap's limit what there is, because the system gives no more for small objects that move. A large
    /// one may be refused for its size alone, an immovable one while others have room, and where the reserve is lent
    /// the limit is known already.
    pub(crate) fn refused_by_the_system(&self, semantics: AllocationSemantics) {
        if semantics == AllocationSemantics::Default && !self.pressure.is_lent() {
            self.pressure
                .lower_limit(engine().mmtk.get_plan().get_used_pages() << LOG_PAGE);
        }
    }
}
