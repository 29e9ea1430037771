//! When to collect, as MMTk asks it.
//!
//! MMTk sizes its spaces by the policy's *maximum*, and a nursery collection near a full space can
//! overrun it; so the maximum that we report is virtual, and what really limits the heap is the size in
//! `pressure`, against which the heap's pages and C's bytes count together:
//!
//! * when it is reached and the death of young owners would not help, the next collection is a full
//!   one, for a minor one first would be wasted;
//! * while a full collection ends it is the hard limit, so that MMTk's own question "must the next one
//!   be full too?" is judged by what is really left.
//!
//! Where the system would refuse what a thread wants for small objects (see `grants`), a full collection is due,
//! whatever the size.
//!
//! Where collections are marked beside the program, one begins at the size, which is chosen so that its
//! marking ends before memory is short; while it runs the size is higher, and reaching that keeps the
//! thread which allocates waiting for its end. Only when the limit is reached with nothing under way is
//! there a full collection at one stop.
//!
//! When everything must move (`compact-test`, zeal) the policy reports the virtual maximum as the
//! current size, so that MMTk never stops copying for want of headroom.

use super::Bowline;
use crate::config::{HeapConfig, Zeal};
use crate::cycle::Pause;
use crate::heap::{engine, heap};
use crate::pressure::Pressure;
use crate::recorder::Reason;
use mmtk::util::heap::{GCTriggerPolicy, SpaceStats};
use mmtk::{MMTK, Plan};
use std::sync::atomic::Ordering::Relaxed;

const LOG_PAGE: usize = 12;
/// What MMTk sizes its spaces by, in bytes; more costs start-up time.
const VIRTUAL_MAXIMUM: usize = 64 << 30;

/// Bytes as pages, rounded up.
fn pages(bytes: usize) -> usize {
    bytes.div_ceil(1 << LOG_PAGE)
}

/// The policy.
pub(super) struct Trigger {
    virtual_maximum: usize,
    move_everything: bool,
    /// Zeal wants no minor collections (`inv:zeal.log`).
    always_full: bool,
    /// Collections are marked while the program runs.
    beside: bool,
    /// Under zeal the system would do nothing but take and give.
    gives_back: bool,
}

impl Trigger {
    pub(super) fn new(config: &HeapConfig) -> Self {
        Trigger {
            virtual_maximum: pages(VIRTUAL_MAXIMUM.max(config.hard_limit())),
            move_everything: config.moves_everything(),
            always_full: config.zeal != Zeal::Off,
            beside: config.marks_beside(),
            gives_back: config.zeal == Zeal::Off,
        }
    }
}

fn pressure() -> &'static Pressure {
    &heap().pressure
}

/// The heap's own pages, and those that a collection will want, as bytes: what is judged by the size and the limit.
pub(crate) fn heap_bytes() -> usize {
    bytes_of(engine().mmtk.get_plan())
}

fn bytes_of(plan: &dyn Plan<VM = Bowline>) -> usize {
    (plan.get_used_pages() + plan.get_collection_reserved_pages()) << LOG_PAGE
}

fn is_full(mmtk: &MMTK<Bowline>) -> bool {
    let plan = mmtk.get_plan();
    plan.generational()
        .is_none_or(|g| !g.is_current_gc_nursery())
}

/// Whether the marking that runs beside the program has nothing left to do. The caller is Managed or holds the
/// world's lock (`inv:cycle.still`).
pub(crate) fn is_marked(plan: &dyn Plan<VM = Bowline>) -> bool {
    // With marking under way, and as much room as the policy then says there is, that is all it asks.
    plan.collection_required(false, None)
}

/// Why a collection is due that is found due now.
fn reason(space_full: bool) -> Reason {
    match space_full {
        true => Reason::Limit,
        false => pressure().reason(0),
    }
}

/// [`GCTriggerPolicy::is_gc_required`] where collections are marked beside the program.
fn is_pause_required(space_full: bool, plan: &dyn Plan<VM = Bowline>) -> bool {
    let heap = heap();
    let over = pressure().poll(bytes_of(plan)) || space_full;
    if heap.is_marking() {
        let marked = is_marked(plan);
        if over && !marked {
            heap.cycle.stalled.store(true, Relaxed);
        }
        return over || marked;
    }
    let falls_back = space_full || pressure().is_beyond_limit();
    let wanted = heap.cycle.wanted.load(Relaxed);
    let used_up = pressure().is_room_used_up();
    if !(over || used_up || wanted || pressure().is_young_full()) {
        return false;
    }
    let reason = reason(space_full);
    heap.recorder.because(reason);
    pressure().choose(reason);
    if falls_back {
        // So that it is done at one stop.
        plan.collection_required(true, None);
    }
    true
}

impl GCTriggerPolicy<Bowline> for Trigger {
    fn on_pending_allocation(&self, pages: usize) {
        pressure().want(pages << LOG_PAGE);
    }

    fn is_gc_required(
        &self,
        space_full: bool,
        space: Option<SpaceStats<Bowline>>,
        plan: &dyn Plan<VM = Bowline>,
    ) -> bool {
        // For a space MMTk asks before it takes pages for a thread (see `grants`).
        let refused = space.is_some() && !heap().grants.cover_pages(heap(), plan);
        let full = space_full || refused;
        // The plan asks `is_heap_full`.
        let required = match self.beside {
            true => is_pause_required(full, plan),
            false => plan.collection_required(full, space) || pressure().is_young_full(),
        };
        if !required {
            return false;
        }
        if !heap().wake() {
            // inv:fork.alone
            if space_full {
                heap().must_collect();
            }
            return false;
        }
        if self.beside {
            return true;
        }
        let reason = reason(full);
        heap().recorder.because(reason);
        if (pressure().choose(reason) || self.always_full || refused)
            && let Some(generational) = plan.generational()
        {
            generational.force_full_heap_collection();
        }
        true
    }

    fn is_heap_full(&self, plan: &dyn Plan<VM = Bowline>) -> bool {
        !self.beside && pressure().poll(bytes_of(plan))
    }

    fn on_gc_release(&self, mmtk: &'static MMTK<Bowline>) {
        heap().grants.copied();
        if heap().pause() == Pause::End {
            pressure().marking_ends(heap().marked());
        }
        if is_full(mmtk) {
            pressure().full_ends();
        }
    }

    fn on_gc_end(&self, mmtk: &'static MMTK<Bowline>) {
        let (used, full) = (bytes_of(mmtk.get_plan()), is_full(mmtk));
        pressure().ended(used, full);
        heap().grants.settle(heap(), full);
        heap().surplus.settle(full);
        if self.gives_back {
            let quota = pressure().surplus(full, mmtk.is_user_triggered_collection());
            heap().surplus.give_back(quota);
        }
    }

    fn get_current_heap_size_in_pages(&self) -> usize {
        if self.move_everything {
            self.virtual_maximum
        } else {
            pages(pressure().size())
        }
    }

    fn get_max_heap_size_in_pages(&self) -> usize {
        self.virtual_maximum
    }

    fn can_heap_size_grow(&self) -> bool {
        pressure().can_grow()
    }
}
