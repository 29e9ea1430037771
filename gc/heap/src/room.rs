//! Finding room for an object, and when to give up.
//!
//! MMTk is asked for room without being allowed to wait. When it has none it asks for a collection, which
//! this thread waits for, and is asked again:
//!
//! ```text
//!   no room ──▶ collect (minor, if that may do) ──▶ no room ──▶ collect, full ──▶ no room: out of memory
//! ```
//!
//! `inv:room.bounded` Nobody is told that there is no memory before a full collection has looked for it, and
//! at the limit nobody waits for more than one in vain. It is one that stops the world until it is done: what dies
//! while a collection marks beside the program is not found by that one. So a full heap costs a full
//! collection for each time that somebody learns of it, and another that MMTk has asked for by then.
//! Below the limit others may have been quicker to take what a collection has found, and then it was not in vain; or
//! MMTk has no place although there is memory, and who has waited for [`MOST_IN_VAIN`] full ones is told.
//!
//! A heap that is nearly full would be worse: each full collection finds a little, and the program crawls. So
//! when four collections at the limit, one after the other, have each left less than a fiftieth of it, and no thread
//! has found as much in the free lines of used blocks, whoever waited for the last is told that there is no memory,
//! although there is some: it is what its handler runs in. Then the count begins anew.
//!
//! `inv:room.holes` Where every collection moves all that it may, free lines in used blocks are room only while the
//! total, without what waits for finalizers, is within the limit. The copies go to fresh blocks, and what is pinned
//! leaves the holes around it to be filled anew: each full collection would find room, and leave the heap larger than
//! the one before.
//!
//! Absent on purpose: MMTk's own notion of giving up, which takes three or four full collections.

use crate::binding::wait_for_pause;
use crate::heap::engine;
use crate::mutator::Mutator;
use crate::recorder::Reason;
use bowline_layout::WORD;
use mmtk::util::Address;
use mmtk::util::alloc::AllocationOptions;
use mmtk::{AllocationSemantics, GcStatus};

/// Full collections that a thread waits for in vain below the limit.
const MOST_IN_VAIN: u32 = 4;
/// Rounds after which it waits for full ones only: the others may all be minor ones.
const ROUNDS_OF_ANY: u32 = 100;

/// MMTk may neither wait nor call [`mmtk::vm::Collection::out_of_memory`] for want of room.
const AT_ONCE: AllocationOptions = AllocationOptions {
    allow_overcommit: false,
    at_safepoint: false,
    allow_oom_call: false,
};

impl Mutator {
    /// Room for `bytes`, from MMTk; zero if there is none (`inv:room.bounded`).
    pub(crate) fn find_room(&mut self, bytes: usize, semantics: AllocationSemantics) -> Address {
        let heap = self.heap();
        let began = heap.whole();
        let (mut waited, mut in_vain) = (false, 0);
        for round in 0u32.. {
            let covered = || heap.grants.cover(heap, bytes, semantics);
            // Of small objects the system is asked when MMTk polls (see `grants`).
            let ahead = semantics == AllocationSemantics::Los || heap.is_asleep();
            // inv:room.holes
            let holes = !heap.config.moves_everything() || !heap.pressure.lasts_beyond_limit();
            let at = match holes && (!ahead || covered()) {
                true => mmtk::memory_manager::alloc_with_options(
                    self.context(),
                    bytes,
                    WORD,
                    0,
                    semantics,
                    AT_ONCE,
                ),
                false => Address::ZERO,
            };
            if !at.is_zero() {
                return at;
            }
            in_vain += u32::from(waited && !heap.pressure.has_grown(bytes));
            // A collection may be due for another reason, too.
            let granted = covered();
            let is_full = !granted || heap.pressure.is_beyond_limit();
            let at_limit = heap.whole() > began && is_full;
            if at_limit || in_vain == MOST_IN_VAIN {
                break;
            }
            if !granted {
                heap.refused_by_the_system(semantics);
            }
            heap.pressure.want(bytes);
            let made = self.allocated();
            heap.pressure
                .has_found_room(made - std::mem::replace(&mut self.then, made));
            let (before, full) = (heap.whole(), round >= ROUNDS_OF_ANY);
            self.wait_for_room(full);
            waited = full || heap.whole() > before;
            if heap.pressure.is_cramped() {
                return Address::ZERO;
            }
        }
        heap.pressure.told_of_no_room();
        Address::ZERO
    }

    /// Waits for the collection that MMTk has asked for, unless it must be a `full` one, or for one that is asked
    /// for here.
    fn wait_for_room(&mut self, full: bool) {
        match engine().mmtk.get_gc_status() {
            // It has not begun, or waits for this thread, which is Managed.
            GcStatus::PauseRequested | GcStatus::InPause if !full => wait_for_pause(self.block()),
            _ => self.request(true, Reason::Limit),
        }
    }
}
