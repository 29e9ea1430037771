//! Whether the system would give more memory to the heap.
//!
//! MMTk maps its spaces and their side tables as they grow, and when the system refuses it cannot go on. So before a
//! thread asks MMTk for room that may want new pages, the system is asked whether it would give them: a mapping of
//! that size, and of what the collector may need meanwhile, is made and taken away again. If it is refused the heap is as
//! full as one at its limit, and what follows is the same (see `room`): a full collection, and then the out-of-memory
//! condition, while the collector still has what it needs.
//!
//! `inv:grants.margin` What is granted leaves, at the time, a margin for what nobody can ask about: copies that
//! a collection makes, side tables of the pages, queues, stacks of threads. Its fixed part is lent to who reacts to
//! a full heap (`pressure::reserve`); the rest the collector needs then, too.
//!
//! MMTk gives nothing back, so what was granted once is there for ever, but for its space alone:
//!
//! * Objects that move and small ones that do not live in spaces of equal blocks. As long as such a space takes no
//!   more than it was granted once, nobody asks.
//! * So do large objects, but one that fits into no hole lies behind all: for very large ones a hole must be known
//!   (`surplus`), or the system is asked.
//!
//! What is tried in this way is all that can refuse: `ulimit -d`, `ulimit -v`, and strict overcommit, whenever they were set.
//! A control group does not refuse: it kills.
//!
//! While it is asked, the system counts what it is asked for: an eighth of the heap and about 72 MiB, under
//! `compact-test` as much as the heap. With strict overcommit another process may be refused for that moment.
//!
//! Absent on purpose: certainty. Large objects of up to 8 MiB may each be too large for the holes that there are; memory
//! that others take between the question and the use, more than the margin, still ends the process, with a line
//! (`binding::collection`).

use crate::heap::{Heap, engine, used_bytes};
use crate::sys;
use mmtk::AllocationSemantics;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const MIB: usize = 1 << 20;
const LOG_PAGE: usize = 12;
/// How much is asked for beyond what is wanted, so that it is not asked each time.
const STEP: usize = 8 * MIB;
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
    /// Whether there is, or the system would give, room for an object of `bytes` more. The calling thread is
    /// Managed.
    pub(crate) fn cover(&self, heap: &Heap, bytes: usize, semantics: AllocationSemantics) -> bool {
        let all = used_bytes() as usize;
        let large = heap.surplus.large_bytes().min(all);
        let immovable = immovable_bytes();
        let (granted, used) = match semantics {
            AllocationSemantics::Los => (&self.large, large),
            AllocationSemantics::NonMoving => (&self.immovable, immovable),
            _ => (&self.moving, (all - large).saturating_sub(immovable)),
        };
        let wanted = used + bytes;
        let before = granted.load(Relaxed);
        if wanted <= before && (bytes <= STEP || heap.surplus.has_hole(bytes)) {
            return true;
        }
        if !would_give(heap, bytes.max(wanted.saturating_sub(before))) {
            return false;
        }
        let ahead = if heap.pressure.is_lent() { 0 } else { STEP };
        granted.fetch_max(wanted + ahead, Relaxed);
        true
    }

    /// After a full collection: whether a limit that was lowered may be what it was.
    pub(crate) fn look_again(heap: &Heap) {
        if heap.pressure.is_lowered() && sys::would_map(4 * STEP + FIXED + need(heap)) {
            heap.pressure.restore_limit();
        }
    }
}

/// What small objects take that were made not to move, in bytes: the pages of a space of MMTk's.
fn immovable_bytes() -> usize {
    let mut pages = 0;
    engine().mmtk.get_plan().for_each_space(&mut |space| {
        if space.get_name() == "nonmoving" {
            pages += space.reserved_pages();
        }
    });
    pages << LOG_PAGE
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
