//! What C's `malloc` and the threads of the heap ask when memory is short.
//!
//! C's `malloc` runs [`hook`] when it takes memory from the region and C's bytes may have crossed the
//! size: the region compares with a *mark* that is lower than the size by what the heap may grow
//! unseen, and the hook computes exactly. What it does depends on who asks:
//!
//! ```text
//!   a thread of the collector's, or inside this module,
//!   or inside the heap's handlers of a fork            ─▶ go on
//!   Managed                                            ─▶ go on; the thread's next poll sees to it
//!   Native, or not attached:
//!        below the size                                ─▶ go on
//!        below the limit                               ─▶ ask for a collection, go on
//!        beyond                                        ─▶ wait for a minor one if that may do, then for
//!                                                         a full one; still beyond: refuse (ENOMEM).
//!                                                         Refuse at once if there was a full one just
//!                                                         now and no thread was Managed since, or if
//!                                                         nobody can be had who collects (`fork`)
//! ```
//!
//! `inv:pressure.wait` Who waits in the hook holds no lock of the heap's and is not Managed, and the
//! collector needs nothing of C's: no thread of the collector's asks. So the collection that it waits
//! for can run. One thing could keep it from starting, a Managed thread that waits for a lock of
//! C's which the waiting thread holds; therefore a wait for the world to stop is bounded by
//! [`PATIENCE`], after which the allocation is refused.
//!
//! Absent on purpose: waiting for finalizers, which may want a lock that the waiting thread holds.

use super::Pressure;
use super::reentry::{Table, this_thread};
use crate::alloc::OutOfMemory;
use crate::heap::{Heap, engine};
use crate::mutator::Mutator;
use crate::recorder::{Note, Reason};
use crate::thread::{Whereabouts, quietly, requester, whereabouts};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How long a thread that C's `malloc` keeps waiting waits for the world to stop.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits for a collection that a thread of the heap's seems to be about to start.
const BRIEF: Duration = Duration::from_millis(50);
/// How long a full collection is recent if no thread was Managed since.
const RECENT: Duration = Duration::from_millis(100);

/// The hook's answers.
const GO_ON: u32 = 0;
const REFUSE: u32 = 1;

/// The threads that may see their own variables for the first time.
static FIRST: Table = Table::new();

/// This process is a forked child.
pub(super) fn forked() {
    FIRST.clear();
}

impl Pressure {
    /// Under zeal: whether this run of the hook is an Nth.
    fn is_nth_run(&self) -> bool {
        self.every
            .is_some_and(|n| (self.runs.fetch_add(1, Relaxed) + 1).is_multiple_of(n))
    }
}

/// Where the calling thread is. Inside, if it is in this function already.
fn find_out() -> Whereabouts {
    let stay = FIRST.enter(this_thread());
    stay.map_or(Whereabouts::Inside, |_stay| whereabouts())
}

/// Runs inside C's `malloc` before it takes `bytes` from the region.
pub(super) extern "C" fn hook(bytes: usize) -> u32 {
    let Some(heap) = Heap::get() else {
        return GO_ON;
    };
    let pressure = &heap.pressure;
    match find_out() {
        Whereabouts::Inside => GO_ON,
        Whereabouts::Managed(block) => {
            if pressure.is_nth_run() {
                pressure.due.store(true, Relaxed);
            }
            if pressure.due.load(Relaxed) || pressure.has_dead() || pressure.is_over(bytes) {
                block.stack.want_poll();
            }
            GO_ON
        }
        // This may be a thread of the heap's own that has just begun.
        Whereabouts::Unknown if pressure.starting.load(Relaxed) > 0 => GO_ON,
        Whereabouts::Unknown => quietly(|| asked_outside(heap, bytes)),
        Whereabouts::Native(block) => {
            if pressure.is_over(bytes) {
                // A collection that is only asked for may come too late for a thread that allocates in a
                // loop, and its finalizers run on this thread alone: so its next poll waits and runs them.
                block.stack.want_poll();
            }
            quietly(|| asked_outside(heap, bytes))
        }
    }
}

/// The hook on a thread that is not Managed.
fn asked_outside(heap: &Heap, bytes: usize) -> u32 {
    let pressure = &heap.pressure;
    heap.give_back();
    if pressure.is_nth_run() {
        heap.recorder.note(Note::Zeal);
        wait(heap, true, 0, Reason::Zeal);
    }
    if bytes > pressure.limit() {
        return refuse(heap);
    }
    if !pressure.is_over(bytes) {
        return GO_ON;
    }
    if pressure.beyond_limit(bytes) == 0 {
        if !pressure.heap_collects() {
            ask(heap, bytes);
        }
        return GO_ON;
    }
    // Who is refused and tries again at once must not pay for a collection each time.
    if heap.world.is_settled(RECENT) {
        return refuse(heap);
    }
    pressure.waits.fetch_add(1, Relaxed);
    heap.recorder.note(Note::Waits);
    for full in [false, true] {
        if !full && pressure.wants_full(bytes) {
            continue;
        }
        if !wait(heap, full, bytes, Reason::Limit) {
            break;
        }
        if pressure.beyond_limit(bytes) == 0 {
            return GO_ON;
        }
    }
    refuse(heap)
}

fn refuse(heap: &Heap) -> u32 {
    heap.pressure.refusals.fetch_add(1, Relaxed);
    heap.recorder.note(Note::Refused);
    REFUSE
}

/// Asks for a collection and goes on.
fn ask(heap: &Heap, bytes: usize) {
    let pressure = &heap.pressure;
    if pressure.asked.swap(true, Relaxed) {
        return;
    }
    // It is found here, but that does not make it C's doing.
    let reason = match pressure.is_for_c(bytes) {
        true => Reason::Malloc,
        false => Reason::Heap,
    };
    pressure.on_its_way(reason, bytes);
    if heap.request(pressure.wants_full(bytes), reason) {
        heap.recorder.note(Note::Asked);
    } else {
        pressure.asked.store(false, Relaxed);
        pressure.for_c.store(false, Relaxed);
    }
}

/// Waits for the end of a collection that begins now (`inv:pressure.wait`) and is to make room for `bytes`.
/// Returns whether there was one.
fn wait(heap: &Heap, full: bool, bytes: usize, reason: Reason) -> bool {
    let pressure = &heap.pressure;
    pressure.waiting.fetch_add(1, Relaxed);
    let whole = heap.whole();
    let mut done = false;
    // A minor collection may have been on its way already.
    for attempt in 0..3 {
        let relies = attempt < 2 && pressure.heap_collects();
        let patience = if relies { BRIEF } else { PATIENCE };
        pressure.asked.store(true, Relaxed);
        pressure.for_c.store(true, Relaxed);
        let ask = || {
            // inv:fork.alone
            if !relies && !heap.wake() {
                return false;
            }
            if !relies {
                pressure.want(bytes);
                heap.recorder.because(reason);
                let mmtk = engine().mmtk;
                mmtk.handle_user_collection_request(requester(), true, full);
            }
            true
        };
        done = heap.world.wait_from_outside(Instant::now() + patience, ask);
        // What the world does not stop for yet is marking, which needs nobody.
        while !done && heap.is_marking() && !heap.is_asleep() {
            let soon = Instant::now() + patience;
            done = heap.world.wait_from_outside(soon, || true);
        }
        let none_came = relies && !done;
        if !none_came && (!done || !full || heap.whole() > whole) {
            break;
        }
    }
    pressure.waiting.fetch_sub(1, Relaxed);
    heap.give_back();
    done
}

// What is asked by a thread that is Managed.

impl Mutator {
    /// Makes room for `bytes` of memory outside the heap that are about to be allocated, collecting if
    /// they would pass the size. `Err` says that they would pass the limit, even after a full
    /// collection; if [`Heap::finalizable`] says so, running finalizers may help.
    pub fn poll_pressure(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        let pressure = &self.heap().pressure;
        if pressure.is_over(bytes) || pressure.is_young_full() {
            self.make_room(bytes)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn make_room(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        let pressure = &self.heap().pressure;
        let failed = Err(OutOfMemory { requested: bytes });
        // What can never fit is refused before it starts a collection.
        if bytes > pressure.limit() {
            return failed;
        }
        let young = pressure.is_young_full();
        for full in [false, true] {
            let wanted = pressure.is_over(bytes) || (young && !full);
            if !wanted || (!full && pressure.wants_full(bytes)) {
                continue;
            }
            // Since it was found wanted only C's account can have shrunk.
            let reason = match pressure.reason(bytes) {
                Reason::Nursery => Reason::CMemory,
                reason => reason,
            };
            pressure.on_its_way(reason, bytes);
            pressure.want(bytes);
            let at_once = full && (!pressure.marks_beside || pressure.wants_full(bytes));
            self.request(at_once, reason);
        }
        if pressure.beyond_limit(bytes) > 0 {
            return failed;
        }
        Ok(())
    }

    /// Asks for this thread at its next poll if a collection is due.
    pub(crate) fn want_poll_if_over(&self) {
        if self.heap().pressure.is_over(0) {
            self.block().stack.want_poll();
        }
    }

    /// What a thread does when it goes on after a poll that wanted it.
    pub(crate) fn after_poll(&mut self) {
        let heap = self.heap();
        heap.give_back();
        if heap.pressure.due.swap(false, Relaxed) {
            self.heap().recorder.note(Note::Zeal);
            self.request(true, Reason::Zeal);
        }
        // A poll has nothing to refuse: whoever wants more finds out. A full heap would be collected at each poll.
        if !self.heap().pressure.is_in_vain() {
            let _ = self.poll_pressure(0);
        }
    }
}
