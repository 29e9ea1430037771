//! When to collect.
//!
//! MMTk sizes its spaces by the policy's *maximum*, and a nursery collection near a full space can
//! overrun it; so the maximum that we report is virtual, and what really limits the heap is a size of
//! our own:
//!
//! * after a full collection it becomes `live × growth + nursery`, at least the minimum and at most
//!   the hard limit;
//! * when it is reached, the next collection is a full one, for a minor one first would be wasted;
//! * while a full collection ends it is the hard limit, so that MMTk's own question "must the next one
//!   be full too?" is judged by what is really left.
//!
//! When everything must move (`compact-test`, zeal) the policy reports the virtual maximum as the
//! current size, so that MMTk never stops copying for want of headroom.

use super::Bowline;
use crate::config::{HeapConfig, Zeal};
use mmtk::util::heap::{GCTriggerPolicy, SpaceStats};
use mmtk::{MMTK, Plan};
use std::sync::atomic::{AtomicUsize, Ordering};

const LOG_PAGE: usize = 12;
/// What MMTk sizes its spaces by; more costs start-up time.
const VIRTUAL_MAXIMUM: usize = 64 << 30;

/// Bytes as pages, rounded up.
fn page_limit(bytes: usize) -> usize {
    bytes.div_ceil(1 << LOG_PAGE)
}

/// The policy.
pub(super) struct Trigger {
    /// The hard limit, in pages.
    limit: usize,
    virtual_maximum: usize,
    min_heap: usize,
    nursery: usize,
    growth_percent: usize,
    move_everything: bool,
    /// Zeal wants no minor collections (`inv:zeal.log`).
    always_full: bool,
    /// The size at which to collect, in pages.
    size: AtomicUsize,
    pending: AtomicUsize,
}

impl Trigger {
    pub(super) fn new(config: &HeapConfig) -> Self {
        let limit = page_limit(config.hard_limit());
        let min_heap = page_limit(config.min_heap).min(limit);
        Trigger {
            limit,
            virtual_maximum: page_limit(VIRTUAL_MAXIMUM).max(limit),
            min_heap,
            nursery: page_limit(config.effective_nursery()),
            growth_percent: config.growth_percent,
            move_everything: config.moves_everything(),
            always_full: config.zeal != Zeal::Off,
            size: AtomicUsize::new(min_heap),
            pending: AtomicUsize::new(0),
        }
    }
}

fn is_full(mmtk: &MMTK<Bowline>) -> bool {
    let plan = mmtk.get_plan();
    plan.generational()
        .is_none_or(|g| !g.is_current_gc_nursery())
}

impl GCTriggerPolicy<Bowline> for Trigger {
    fn on_pending_allocation(&self, pages: usize) {
        self.pending.fetch_add(pages, Ordering::Relaxed);
    }

    fn is_gc_required(
        &self,
        space_full: bool,
        space: Option<SpaceStats<Bowline>>,
        plan: &dyn Plan<VM = Bowline>,
    ) -> bool {
        let required = plan.collection_required(space_full, space);
        if required
            && (self.always_full || self.is_heap_full(plan))
            && let Some(generational) = plan.generational()
        {
            generational.force_full_heap_collection();
        }
        required
    }

    fn is_heap_full(&self, plan: &dyn Plan<VM = Bowline>) -> bool {
        plan.get_reserved_pages() > self.size.load(Ordering::Relaxed)
    }

    fn on_gc_release(&self, mmtk: &'static MMTK<Bowline>) {
        if is_full(mmtk) {
            self.size.store(self.limit, Ordering::Relaxed);
        }
    }

    fn on_gc_end(&self, mmtk: &'static MMTK<Bowline>) {
        let pending = self.pending.swap(0, Ordering::Relaxed);
        if !is_full(mmtk) {
            return;
        }
        let live = mmtk.get_plan().get_reserved_pages() + pending;
        let wanted = live.saturating_mul(self.growth_percent) / 100 + self.nursery;
        self.size
            .store(wanted.max(self.min_heap).min(self.limit), Ordering::Relaxed);
    }

    fn get_current_heap_size_in_pages(&self) -> usize {
        if self.move_everything {
            self.virtual_maximum
        } else {
            self.size.load(Ordering::Relaxed)
        }
    }

    fn get_max_heap_size_in_pages(&self) -> usize {
        self.virtual_maximum
    }

    fn can_heap_size_grow(&self) -> bool {
        self.size.load(Ordering::Relaxed) < self.limit
    }
}
