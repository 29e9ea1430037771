//! How much memory there is, the heap's and C's together, and what is done when it is too much.
//!
//! Four accounts make the *total*: the heap's pages; C's bytes, which the region counts; bytes that were
//! declared because nobody counts them; less what has died and is about to be given back. Two marks
//! judge it:
//!
//! * the *size*: when the total reaches it, collect. After a full collection it becomes
//!   `live × growth + nursery`, at least the minimum and at most the limit. Bytes that wait for a
//!   finalizer are not held against it: collecting again would not bring them back.
//! * the *limit* (`--heap`): what the total may not pass. Memory of the runtime's own is not part of it.
//!
//! The last sixteenth of the limit is for small requests. Libc itself makes some that may not fail: a thread
//! whose destructors it cannot register, it ends the process for.
//!
//! A collection is a minor one if the death of all young owners would bring the total well below the
//! size; otherwise a full one.
//!
//! C's `malloc` runs [`hook`] when it takes memory from the region and C's bytes may have crossed the
//! size: the region compares with a *mark* that is lower than the size by what the heap may grow
//! unseen, and the hook computes exactly. What it does depends on who asks:
//!
//! ```text
//!   a thread of the collector's, or inside this module ─▶ go on
//!   Managed                                            ─▶ go on; the thread's next poll sees to it
//!   Native, or not attached:
//!        below the size                                ─▶ go on
//!        below the limit                               ─▶ ask for a collection, go on
//!        beyond                                        ─▶ wait for a minor one if that may do, then for
//!                                                         a full one; still beyond: refuse (ENOMEM).
//!                                                         Refuse at once if there was a full one just
//!                                                         now and no thread was Managed since
//! ```
//!
//! `inv:pressure.wait` Who waits in the hook holds no lock of the heap's and is not Managed, and the
//! collector needs nothing of C's: no thread of the collector's asks. So the collection that it waits
//! for can run. One thing could keep it from starting, a Managed thread that waits for a lock of
//! C's which the waiting thread holds; therefore a wait for the world to stop is bounded by
//! [`PATIENCE`], after which the allocation is refused.
//!
//! Several threads that ask at one moment may together pass the limit by what they asked for.
//!
//! Absent on purpose: waiting for finalizers, which may want a lock that the waiting thread holds.

use crate::alloc::OutOfMemory;
use crate::c_memory::CMemory;
use crate::config::{HeapConfig, Zeal};
use crate::heap::{Heap, engine};
use crate::mutator::Mutator;
use crate::thread::{Whereabouts, quietly, requester, whereabouts};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a thread that C's `malloc` keeps waiting waits for the world to stop.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a full collection is recent if no thread was Managed since.
const RECENT: Duration = Duration::from_millis(100);
/// The fewest bytes of young owners that are a reason for a minor collection.
const YOUNG_OWNERS: usize = 32 << 20;

/// The largest request that is small: what the region takes for a page of small blocks.
const SMALL: usize = 64 << 10;

/// The hook's answers.
const GO_ON: u32 = 0;
const REFUSE: u32 = 1;

/// The accounts and the marks, in bytes.
pub(crate) struct Pressure {
    pub(crate) memory: CMemory,
    limit: usize,
    min_heap: usize,
    nursery: usize,
    growth_percent: usize,
    /// Under zeal: a collection at every so many runs of the hook.
    every: Option<u64>,
    runs: AtomicU64,
    /// The threads of the collector have all started.
    armed: AtomicBool,
    size: AtomicUsize,
    /// The heap's pages when they were last looked at.
    heap: AtomicUsize,
    /// The heap's pages when the region's mark was last set.
    marked: AtomicUsize,
    declared: AtomicUsize,
    /// Of owners that died: not given back yet.
    dead: AtomicUsize,
    /// Of what finalizers wait for.
    ready: AtomicUsize,
    /// Of what was made since the last collection and a death would give back.
    young: AtomicUsize,
    /// Wanted by whoever asked for the collection.
    pending: AtomicUsize,
    /// A collection was asked for because of C's memory and has not ended.
    asked: AtomicBool,
    /// Zeal wants a collection at the next poll.
    due: AtomicBool,
    /// Threads that wait in the hook.
    waiting: AtomicUsize,
    collections: AtomicU64,
    waits: AtomicU64,
    refusals: AtomicU64,
}

impl Pressure {
    pub(crate) fn new(config: &HeapConfig) -> Self {
        let limit = config.hard_limit();
        let min_heap = config.min_heap.min(limit);
        Pressure {
            memory: CMemory::find(),
            limit,
            min_heap,
            nursery: config.effective_nursery(),
            growth_percent: config.growth_percent,
            every: match config.zeal {
                Zeal::Malloc(n) => Some(n),
                _ => None,
            },
            runs: AtomicU64::new(0),
            armed: AtomicBool::new(false),
            size: AtomicUsize::new(min_heap),
            heap: AtomicUsize::new(0),
            marked: AtomicUsize::new(0),
            declared: AtomicUsize::new(0),
            dead: AtomicUsize::new(0),
            ready: AtomicUsize::new(0),
            young: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            due: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            collections: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
        }
    }

    /// Lets C's `malloc` ask, now that there is a collector.
    pub(crate) fn watch(&self) {
        self.set_mark();
        self.memory.watch(hook);
    }

    /// The threads of the collector have all started.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Relaxed);
    }

    // The accounts.

    /// The bytes outside the heap that live.
    fn outside(&self) -> usize {
        let bytes = self.memory.client_bytes() + self.declared.load(Relaxed);
        bytes.saturating_sub(self.dead.load(Relaxed))
    }

    /// Those of them that another collection would have to bring back.
    pub(crate) fn lasting(&self) -> usize {
        self.outside().saturating_sub(self.ready.load(Relaxed))
    }

    fn total(&self) -> usize {
        self.heap.load(Relaxed) + self.outside()
    }

    /// By how much the total, and `bytes` more, passes the limit.
    fn beyond_limit(&self, bytes: usize) -> usize {
        let reserve = if bytes > SMALL { self.limit / 16 } else { 0 };
        let wanted = self.total().saturating_add(bytes);
        wanted.saturating_sub(self.limit - reserve)
    }

    /// By how much the total without what waits for finalizers, and `bytes` more, passes the size.
    fn excess(&self, bytes: usize) -> usize {
        let lasting = self.heap.load(Relaxed) + self.lasting();
        let size = self.size.load(Relaxed);
        lasting.saturating_add(bytes).saturating_sub(size)
    }

    /// Whether a collection is due before there are `bytes` more.
    fn is_over(&self, bytes: usize) -> bool {
        self.excess(bytes) > 0 || self.beyond_limit(bytes) > 0
    }

    /// Whether the young owners hold so much that a minor collection is due.
    pub(crate) fn is_young_full(&self) -> bool {
        let most = YOUNG_OWNERS
            .max(2 * self.nursery)
            .max(self.size.load(Relaxed) / 8);
        self.young.load(Relaxed) > most.min(self.limit / 2)
    }

    /// Whether the collection that is due must be a full one.
    fn wants_full(&self, bytes: usize) -> bool {
        let margin = self.size.load(Relaxed) / 8;
        let size_needs = self.excess(bytes).saturating_add(margin);
        let young = self.young.load(Relaxed);
        self.is_over(bytes) && size_needs.max(self.beyond_limit(bytes)) > young
    }

    /// Tells the region when to run the hook.
    fn set_mark(&self) {
        let heap = self.heap.load(Relaxed);
        self.marked.store(heap, Relaxed);
        let dead = self.dead.load(Relaxed);
        // What is dead is to be given back soon, and zeal wants to be asked always.
        if dead > 0 || self.every.is_some() {
            return self.memory.set_mark(0);
        }
        let size = self.size.load(Relaxed) + self.ready.load(Relaxed);
        let others = heap + self.declared.load(Relaxed) + self.nursery;
        let least = size.min(self.limit - self.limit / 16);
        self.memory.set_mark(least.saturating_sub(others));
    }

    /// Notes the heap's pages, as bytes, and returns whether a collection is due for the total.
    pub(crate) fn poll(&self, heap: usize) -> bool {
        self.heap.store(heap, Relaxed);
        if heap.abs_diff(self.marked.load(Relaxed)) > self.nursery / 2 {
            self.set_mark();
        }
        self.is_over(0)
    }

    /// Whether the collection that [`Pressure::poll`] wants must be full. Notes if it is for C's
    /// memory.
    pub(crate) fn choose(&self) -> bool {
        if self.heap.load(Relaxed) <= self.size.load(Relaxed) && self.is_over(0) {
            self.asked.store(true, Relaxed);
        }
        self.wants_full(0)
    }

    /// While a full collection ends the size is the limit.
    pub(crate) fn full_ends(&self) {
        self.size.store(self.limit, Relaxed);
    }

    /// What the heap wants besides what lives, once this collection has ended.
    pub(crate) fn want(&self, bytes: usize) {
        self.pending.fetch_add(bytes, Relaxed);
    }

    /// Sets the size when a collection has left `heap` bytes of pages in use.
    pub(crate) fn ended(&self, heap: usize, full: bool) {
        self.heap.store(heap, Relaxed);
        self.young.store(0, Relaxed);
        let pending = self.pending.swap(0, Relaxed);
        if full {
            let live = heap + self.lasting() + pending;
            let wanted = live.saturating_mul(self.growth_percent) / 100 + self.nursery;
            self.size
                .store(wanted.max(self.min_heap).min(self.limit), Relaxed);
        }
        self.set_mark();
    }

    /// Whether no thread waits in the hook.
    pub(crate) fn nobody_waits(&self) -> bool {
        self.waiting.load(Relaxed) == 0
    }

    /// Counts the collection that ends if it was for C's memory.
    pub(crate) fn count_collection(&self) {
        if self.asked.swap(false, Relaxed) {
            self.collections.fetch_add(1, Relaxed);
        }
    }

    /// The size at which to collect, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size.load(Relaxed)
    }

    /// Whether the size may still become larger.
    pub(crate) fn can_grow(&self) -> bool {
        self.size.load(Relaxed) < self.limit
    }

    // What owners and finalizers tell.

    /// An owner of `bytes` was made; `counted` says whether the region counts them.
    pub(crate) fn owner_made(&self, bytes: usize, counted: bool) {
        self.young.fetch_add(bytes, Relaxed);
        if !counted {
            self.declare(bytes);
        }
    }

    /// Bytes that nobody counts came to be.
    pub(crate) fn declare(&self, bytes: usize) {
        self.declared.fetch_add(bytes, Relaxed);
        self.set_mark();
    }

    /// Bytes that nobody counts are gone, or soon will be.
    pub(crate) fn undeclare(&self, bytes: usize) {
        self.declared.fetch_sub(bytes, Relaxed);
        self.set_mark();
    }

    /// Owners of `bytes` have died.
    pub(crate) fn died(&self, bytes: usize) {
        self.dead.fetch_add(bytes, Relaxed);
    }

    /// Finalizers wait that are about `bytes`.
    pub(crate) fn made_ready(&self, bytes: usize) {
        self.ready.fetch_add(bytes, Relaxed);
    }

    /// The runtime has taken a finalizer that is about `bytes`.
    pub(crate) fn taken(&self, bytes: usize) {
        self.ready.fetch_sub(bytes, Relaxed);
    }

    /// Whether dead owners' memory is to be given back.
    #[inline]
    pub(crate) fn has_dead(&self) -> bool {
        self.dead.load(Relaxed) > 0
    }

    /// Memory of dead owners was given back.
    pub(crate) fn gave_back(&self, bytes: usize) {
        if self.memory.is_degraded() {
            self.declared.fetch_sub(bytes, Relaxed);
        }
        self.dead.fetch_sub(bytes, Relaxed);
        self.set_mark();
    }

    /// Fills in the figures.
    pub(crate) fn fill(&self, stats: &mut crate::GcStats) {
        stats.client_bytes = self.memory.client_bytes() as u64;
        stats.static_bytes = stats.client_bytes;
        stats.runtime_bytes = self.memory.runtime_bytes() as u64;
        stats.declared_bytes = self.declared.load(Relaxed) as u64;
        stats.degraded = self.memory.is_degraded();
        stats.pressure_collections = self.collections.load(Relaxed);
        stats.pressure_waits = self.waits.load(Relaxed);
        stats.pressure_refusals = self.refusals.load(Relaxed);
    }

    /// Under zeal: whether this run of the hook is an Nth.
    fn is_nth_run(&self) -> bool {
        self.every
            .is_some_and(|n| (self.runs.fetch_add(1, Relaxed) + 1).is_multiple_of(n))
    }
}

// What is asked inside C's malloc.

/// Runs inside C's `malloc` before it takes `bytes` from the region.
extern "C" fn hook(bytes: usize) -> u32 {
    let Some(heap) = Heap::get() else {
        return GO_ON;
    };
    let pressure = &heap.pressure;
    match whereabouts() {
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
        // This may be a thread of the collector's that has just begun.
        Whereabouts::Unknown if !pressure.armed.load(Relaxed) => GO_ON,
        Whereabouts::Native | Whereabouts::Unknown => quietly(|| asked_outside(heap, bytes)),
    }
}

/// The hook on a thread that is not Managed.
fn asked_outside(heap: &Heap, bytes: usize) -> u32 {
    let pressure = &heap.pressure;
    heap.give_back();
    if pressure.is_nth_run() {
        wait(heap, true);
    }
    if bytes > pressure.limit {
        return refuse(pressure);
    }
    if !pressure.is_over(bytes) {
        return GO_ON;
    }
    if pressure.beyond_limit(bytes) == 0 {
        ask(heap, pressure.wants_full(bytes));
        return GO_ON;
    }
    // Who is refused and tries again at once must not pay for a collection each time.
    if heap.world.is_settled(RECENT) {
        return refuse(pressure);
    }
    pressure.waits.fetch_add(1, Relaxed);
    for full in [false, true] {
        if !full && pressure.wants_full(bytes) {
            continue;
        }
        pressure.want(bytes);
        if !wait(heap, full) {
            break;
        }
        if pressure.beyond_limit(bytes) == 0 {
            return GO_ON;
        }
    }
    refuse(pressure)
}

fn refuse(pressure: &Pressure) -> u32 {
    pressure.refusals.fetch_add(1, Relaxed);
    REFUSE
}

/// Asks for a collection and goes on.
fn ask(heap: &Heap, full: bool) {
    let pressure = &heap.pressure;
    if !pressure.asked.swap(true, Relaxed) && !heap.request(full) {
        pressure.asked.store(false, Relaxed);
    }
}

/// Waits for the end of a collection that begins now (`inv:pressure.wait`). Returns whether there was
/// one.
fn wait(heap: &Heap, full: bool) -> bool {
    let pressure = &heap.pressure;
    let deadline = Instant::now() + PATIENCE;
    pressure.waiting.fetch_add(1, Relaxed);
    let majors = heap.majors();
    let mut done = false;
    // A minor collection may have been on its way already.
    for _ in 0..3 {
        pressure.asked.store(true, Relaxed);
        done = heap.world.wait_from_outside(deadline, || {
            let mmtk = engine().mmtk;
            mmtk.handle_user_collection_request(requester(), true, full);
        });
        if !done || !full || heap.majors() > majors {
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
        if bytes > pressure.limit {
            return failed;
        }
        let young = pressure.is_young_full();
        for full in [false, true] {
            let wanted = pressure.is_over(bytes) || (young && !full);
            if !wanted || (!full && pressure.wants_full(bytes)) {
                continue;
            }
            pressure.asked.store(true, Relaxed);
            pressure.want(bytes);
            self.request(full);
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
            self.request(true);
        }
        // A poll has nothing to refuse: whoever wants more finds out.
        let _ = self.poll_pressure(0);
    }
}
