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
//! nobody waits for more than one in vain. It is one that stops the world until it is done: what dies while
//! a collection marks beside the program is not found by that one. So a full heap costs a full
//! collection for each time that somebody learns of it, and another that MMTk has asked for by then.
//!
//! A heap that is nearly full would be worse: each full collection finds a little, and the program crawls. So
//! when four collections at the limit, one after the other, have each left less than a fiftieth of it,
//! whoever waited for the last is told that there is no memory, although there is some: it is what
//! its handler runs in. Then the count begins anew.
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

/// Rounds after which MMTk itself is at its end, whatever the accounts say. Other threads' collections make
/// rounds, too.
const MOST_ROUNDS: u32 = 100;

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
        for _ in 0..MOST_ROUNDS {
            let context = self.context();
            let at = mmtk::memory_manager::alloc_with_options(
                context, bytes, WORD, 0, semantics, AT_ONCE,
            );
            // A collection may be due for another reason, too.
            let vain = heap.whole() > began && heap.pressure.is_beyond_limit();
            if !at.is_zero() {
                return at;
            }
            if vain {
                heap.pressure.told_of_no_room();
                return at;
            }
            heap.pressure.want(bytes);
            self.wait_for_room();
            if heap.pressure.is_cramped() {
                return Address::ZERO;
            }
        }
        Address::ZERO
    }

    /// Waits for the collection that MMTk has asked for, or for one that is asked for here.
    fn wait_for_room(&mut self) {
        match engine().mmtk.get_gc_status() {
            // It has not begun, or waits for this thread, which is Managed.
            GcStatus::PauseRequested | GcStatus::InPause => wait_for_pause(self.block()),
            _ => self.request(true, Reason::Limit),
        }
    }
}
