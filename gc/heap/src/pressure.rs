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
//! The last sixteenth of the limit is for small requests: libc itself makes some and ends the process
//! when they fail, such as registering a thread's destructors.
//!
//! A collection is a minor one if the death of all young owners would bring the total well below the
//! size; otherwise a full one.
//!
//! Reading order: this, then `beside`: the size under the plan `latency`; `ceiling`: what finalizers need of the
//! limit; `reason`: why a collection is due; `hook`: what C's `malloc` and the heap's threads ask; `reentry`, which
//! keeps that from asking itself; `reserve`: what is there for who is told of a full heap; and `lowered`: the limit
//! where the system gives less.
//!
//! Absent on purpose: reservations. Several threads that ask at one moment may together pass the limit by
//! what they asked for.

mod beside;
mod ceiling;
mod cramped;
mod hook;
mod lowered;
mod reason;
mod reentry;
mod reserve;
#[cfg(test)]
mod tests;

use crate::c_memory::CMemory;
use crate::config::{HeapConfig, HeapError, Zeal};
use crate::recorder::Reason;
use crate::surplus::Quota;
use beside::Beside;
use ceiling::Ceiling;
use cramped::{Cramped, LEAST_ROOM};
use lowered::Limit;
use reserve::Reserve;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The fewest bytes of young owners that are a reason for a minor collection: fewer than the region keeps of
/// what was freed, so that a loop uses the memory of its dead owners again and the system is not asked.
const YOUNG_OWNERS: usize = 24 << 20;
/// What a minor collection must promise when a full one could not raise the size.
const LEAST_GAIN: usize = 1 << 20;
/// The part of the size by which what is resident may pass it, so that a size that goes up and down gives nothing back.
const SLACK: usize = 8;
/// What a full collection at one stop gives back at most, and one whose pause is to be short: about 20 ms and 1 ms.
const MOST_BY_FULL: usize = 128 << 20;
const MOST_BY_SHORT: usize = 8 << 20;
/// Less than whoever takes memory takes of it, and more than a request is rounded up by: a block of MMTk's.
const LEAST_GROWTH: usize = 32 << 10;
/// The largest request that is small: what the region takes for a page of small blocks.
const SMALL: usize = 64 << 10;

/// The accounts and the marks, in bytes.
pub(crate) struct Pressure {
    pub(crate) memory: CMemory,
    limit: Limit,
    min_heap: usize,
    nursery: usize,
    growth_percent: usize,
    /// Under zeal: a collection at every so many runs of the hook.
    every: Option<u64>,
    runs: AtomicU64,
    /// Threads of the heap's own that have been started and that it does not know yet.
    starting: AtomicUsize,
    /// Collections are marked beside the program.
    marks_beside: bool,
    size: AtomicUsize,
    /// What the size would be if they were not.
    target: AtomicUsize,
    beside: Beside,
    /// What may stay resident unasked: the largest size of late. Half of what is above it goes with each full collection.
    resident: AtomicUsize,
    /// The heap's pages when they were last looked at.
    heap: AtomicUsize,
    /// The heap's pages when the region's mark was last set.
    marked: AtomicUsize,
    /// The heap's pages, and the lasting bytes outside, when the size was last set.
    heap_then: AtomicUsize,
    lasting_then: AtomicUsize,
    declared: AtomicUsize,
    /// Of owners that died: not given back yet.
    dead: AtomicUsize,
    /// Of what finalizers wait for.
    ready: AtomicUsize,
    /// Of what was made since the last collection and a death would give back.
    young: AtomicUsize,
    /// The total that the last full collection has left, if another was due at once; 0 otherwise.
    vain: AtomicUsize,
    /// Wanted by whoever asked for the collection.
    pending: AtomicUsize,
    /// A collection was asked for because of the total or of young owners and has not ended.
    asked: AtomicBool,
    /// It is for C's memory.
    for_c: AtomicBool,
    cramped: Cramped,
    ceiling: Ceiling,
    reserve: Reserve,
    /// Zeal wants a collection at the next poll.
    due: AtomicBool,
    /// Threads that wait in the hook.
    waiting: AtomicUsize,
    /// Threads that allocate from MMTk.
    allocating: AtomicUsize,
    collections: AtomicU64,
    waits: AtomicU64,
    refusals: AtomicU64,
}

/// A thread that starts.
pub(crate) struct Starting(&'static Pressure);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.starting.fetch_sub(1, Relaxed);
    }
}

impl Pressure {
    pub(crate) fn new(config: &HeapConfig) -> Self {
        let limit = config.hard_limit();
        let min_heap = config.min_heap.min(limit);
        Pressure {
            memory: CMemory::find(),
            limit: Limit::new(limit),
            min_heap,
            nursery: config.effective_nursery(),
            growth_percent: config.growth_percent,
            every: match config.zeal {
                Zeal::Malloc(n) => Some(n),
                _ => None,
            },
            runs: AtomicU64::new(0),
            starting: AtomicUsize::new(0),
            marks_beside: config.marks_beside(),
            size: AtomicUsize::new(min_heap >> u32::from(config.marks_beside())),
            target: AtomicUsize::new(min_heap),
            beside: Beside::new(min_heap / 2),
            resident: AtomicUsize::new(min_heap),
            heap: AtomicUsize::new(0),
            marked: AtomicUsize::new(0),
            heap_then: AtomicUsize::new(0),
            lasting_then: AtomicUsize::new(0),
            declared: AtomicUsize::new(0),
            dead: AtomicUsize::new(0),
            ready: AtomicUsize::new(0),
            young: AtomicUsize::new(0),
            vain: AtomicUsize::new(0),
            pending: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            for_c: AtomicBool::new(false),
            cramped: Cramped::default(),
            ceiling: Ceiling::new(limit),
            reserve: Reserve::none(limit),
            due: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            allocating: AtomicUsize::new(0),
            collections: AtomicU64::new(0),
            waits: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
        }
    }

    /// Refuses zeal that could never act.
    pub(crate) fn check(&self) -> Result<(), HeapError> {
        if self.every.is_some() && self.memory.is_degraded() {
            return Err(HeapError::BadConfig(
                "zeal \"malloc:N\" needs Bowline's malloc, and this process has another".into(),
            ));
        }
        Ok(())
    }

    /// Lets C's `malloc` ask, now that there is a collector.
    pub(crate) fn watch(&self) {
        // What the process held before is no growth.
        self.lasting_then.store(self.lasting(), Relaxed);
        self.set_mark();
        self.memory.watch(hook::hook);
    }

    /// This process is a forked child: the threads that asked and waited are not in it.
    pub(crate) fn forked(&self) {
        self.waiting.store(0, Relaxed);
        self.starting.store(0, Relaxed);
        self.allocating.store(0, Relaxed);
        self.asked.store(false, Relaxed);
        hook::forked();
    }

    /// A thread of the heap's own is about to be started. What it does before the guard is dropped is nobody's who could
    /// be asked about memory: libc ends the process when it has none for a thread's first destructor.
    pub(crate) fn thread_starts(&'static self) -> Starting {
        self.starting.fetch_add(1, Relaxed);
        Starting(self)
    }

    // The accounts.

    /// The bytes outside the heap that live.
    pub(crate) fn outside(&self) -> usize {
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

    /// By how much the total without what waits for finalizers, and `bytes` more, passes the size.
    fn excess(&self, bytes: usize) -> usize {
        let lasting = self.heap.load(Relaxed) + self.lasting();
        let size = self.size.load(Relaxed).min(self.ceiling());
        let size = size.max(self.reserve.floor());
        lasting.saturating_add(bytes).saturating_sub(size)
    }

    /// Whether a collection is due before there are `bytes` more.
    fn is_over(&self, bytes: usize) -> bool {
        self.excess(bytes) > 0 || self.beyond_limit(bytes) > 0
    }

    /// Whether the young owners hold so much that a minor collection is due.
    pub(crate) fn is_young_full(&self) -> bool {
        let most = YOUNG_OWNERS
            .max(self.nursery)
            .max(self.size.load(Relaxed) / 8);
        self.young.load(Relaxed) > most.min(self.limit() / 2)
    }

    /// Whether the collection that is due must be a full one, done at one stop.
    fn wants_full(&self, bytes: usize) -> bool {
        if self.marks_beside {
            return self.beyond_limit(bytes) > 0;
        }
        // A full collection may raise the size, but not beyond the limit.
        let margin = match self.size.load(Relaxed) {
            size if size < self.limit() => size / 8,
            _ => LEAST_GAIN,
        };
        let size_needs = self.excess(bytes).saturating_add(margin);
        let young = self.young.load(Relaxed);
        self.is_over(bytes) && size_needs.max(self.beyond_limit(bytes)) > young
    }

    /// Whether more was taken since the last full collection than the `bytes` that somebody has asked for in vain.
    pub(crate) fn has_grown(&self, bytes: usize) -> bool {
        let then = self.heap_then.load(Relaxed) + self.lasting_then.load(Relaxed);
        let now = self.heap.load(Relaxed) + self.lasting();
        now > then.saturating_add(bytes) + LEAST_GROWTH
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
        let size = self.size.load(Relaxed).min(self.ceiling()) + self.ready.load(Relaxed);
        let others = heap + self.declared.load(Relaxed) + self.nursery;
        let least = size.min(self.for_large());
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

    /// Whether the collection that is about to begin, because of `reason`, must be full.
    pub(crate) fn choose(&self, reason: Reason) -> bool {
        if reason != Reason::Nursery {
            self.on_its_way(reason, 0);
        }
        self.cramped.begins(reason == Reason::Limit);
        self.wants_full(0)
    }

    /// While a full collection ends the size is the limit.
    pub(crate) fn full_ends(&self) {
        self.spare_nothing();
        self.size.store(self.limit(), Relaxed);
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
        let room = self.limit().saturating_sub(self.total());
        self.cramped.ends(full, room < self.limit() / LEAST_ROOM);
        if full {
            let total = heap + self.lasting() + pending;
            let (found, floating) = self.beside.take_found(heap);
            let live = found + self.lasting() + pending;
            self.spare(total);
            let wanted = live.saturating_mul(self.growth_percent) / 100 + floating + self.nursery;
            let target = wanted.max(self.min_heap).min(self.limit());
            self.target.store(target, Relaxed);
            let begin = match self.marks_beside {
                true => self.begin_at(live + floating, total, target.min(self.ceiling())),
                false => target,
            };
            self.size.store(begin, Relaxed);
            let late = self.resident.load(Relaxed);
            let late = late - late.saturating_sub(target) / 2;
            self.resident.store(target.max(late), Relaxed);
            self.heap_then.store(heap, Relaxed);
            self.lasting_then.store(self.lasting(), Relaxed);
            let vain = if self.is_over(0) { self.total() } else { 0 };
            self.vain.store(vain, Relaxed);
        }
        self.set_mark();
    }

    /// Whether a collection would leave what the last full one has left: too much, and there is hardly more or less.
    fn is_in_vain(&self) -> bool {
        let vain = self.vain.load(Relaxed);
        vain > 0 && self.total().abs_diff(vain) < LEAST_GAIN
    }

    /// What a collection that ends may give back to the system: what the heap can hardly need before the next
    /// full one. `asked` says that the program asked for this one.
    pub(crate) fn surplus(&self, full: bool, asked: bool) -> Quota {
        let size = match asked && full {
            true => self.target.load(Relaxed),
            false => self.resident.load(Relaxed),
        };
        Quota {
            keep: size.saturating_sub(self.total()) + size / SLACK + self.nursery,
            most: match (full, asked) {
                (true, true) => usize::MAX,
                (true, false) if !self.marks_beside => MOST_BY_FULL,
                _ => MOST_BY_SHORT,
            },
        }
    }

    /// Whether no thread waits in the hook.
    pub(crate) fn nobody_waits(&self) -> bool {
        self.waiting.load(Relaxed) == 0
    }

    /// Counts the collection that ends if it was for C's memory.
    pub(crate) fn count_collection(&self) {
        self.asked.store(false, Relaxed);
        if self.for_c.swap(false, Relaxed) {
            self.collections.fetch_add(1, Relaxed);
        }
    }

    /// The size at which to collect, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size.load(Relaxed)
    }

    /// Whether the size may still become larger. Beyond the limit it is of no use that it may: what waits
    /// for finalizers keeps the total there, and another collection would change nothing.
    pub(crate) fn can_grow(&self) -> bool {
        self.size.load(Relaxed) < self.limit() && self.beyond_limit(0) == 0
    }

    /// Runs `f`, which allocates from MMTk and may have it collect.
    pub(crate) fn while_allocating<R>(&self, f: impl FnOnce() -> R) -> R {
        self.allocating.fetch_add(1, Relaxed);
        let result = f();
        self.allocating.fetch_sub(1, Relaxed);
        result
    }

    /// Whether a thread of the heap's is about to collect, or does, for an object's sake.
    ///
    /// MMTk gives up on an object after some collections in vain. One that is asked for from outside
    /// starts its count anew, so threads of C's that ask again and again would keep it from the end.
    fn heap_collects(&self) -> bool {
        self.allocating.load(Relaxed) > 0
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
        self.expect_less(bytes);
    }

    /// Whether dead owners' memory is to be given back.
    #[inline]
    pub(crate) fn has_dead(&self) -> bool {
        self.dead.load(Relaxed) > 0
    }

    /// What dead owners had was given back: so many bytes, of which `declared` were no memory of the region's.
    pub(crate) fn gave_back(&self, bytes: usize, declared: usize) {
        let declared = if self.memory.is_degraded() {
            bytes
        } else {
            declared
        };
        self.declared.fetch_sub(declared, Relaxed);
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
}
