//! The process's heap.
//!
//! MMTk allows one instance per process and calls back without a context, so the heap is the one
//! process-wide static of this crate. It is made in two steps: what the callbacks of MMTk's own start
//! need, then the engine.

use crate::alloc::Bump;
use crate::ambiguous;
use crate::binding::{self, Bowline, ObjectWords};
use crate::boot::Boot;
use crate::config::{HeapConfig, HeapError, Plan, Zeal};
use crate::cycle::Cycle;
use crate::ends;
use crate::finalize::Bell;
use crate::finisher::Finisher;
use crate::fork::{self, Forks};
use crate::grants::Grants;
use crate::membarrier;
use crate::mutator::Mutator;
use crate::owners::Owners;
use crate::pins::Pins;
use crate::pressure::Pressure;
use crate::recorder::{Reason, Recorder};
use crate::refusals::Refusals;
use crate::remember::Chunks;
use crate::roots::{Global, Globals, RootSource, Sources};
use crate::sites::Sites;
use crate::stack::RootStack;
use crate::stats::{Counters, GcStats};
use crate::surplus::Surplus;
use crate::sync::lock;
use crate::sys::{self, Access};
use crate::thread::{ThreadBlock, managed_here, quietly, requester};
use crate::verify::Census;
use crate::weak::{View, Weak};
use crate::workers::Workers;
use crate::world::World;
use crate::zeal::Log;
use bowline_layout::{Addr, Value};
use mmtk::util::alloc::{AllocatorInfo, BumpPointer};
use mmtk::util::options::{GCTriggerSelector, NurserySize, PlanSelector};
use mmtk::vm::ObjectModel;
use mmtk::{AllocationSemantics, BarrierSelector, MMTK, MMTKBuilder};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// The nursery that MMTk never goes below, in bytes.
const LEAST_NURSERY: usize = 64 << 10;

static HEAP: OnceLock<Heap> = OnceLock::new();

/// The heap, for code that runs only when there is one.
#[inline(always)]
pub(crate) fn heap() -> &'static Heap {
    HEAP.get().expect("the heap is started")
}

/// The engine, for code that runs only when there is one.
#[inline(always)]
pub(crate) fn engine() -> &'static Engine {
    heap().engine.get().expect("the engine is started")
}

/// MMTk, and what was asked of it once.
pub(crate) struct Engine {
    pub(crate) mmtk: &'static MMTK<Bowline>,
    /// Where the unlog bits of address 0 would be: one bit per word of heap.
    pub(crate) unlog_bits: usize,
    /// Whether a minor collection looks at young objects alone.
    pub(crate) generational: bool,
    /// Where a context has its bump pointer.
    bump_offset: usize,
}

/// The process's heap.
pub struct Heap {
    pub(crate) config: HeapConfig,
    /// The hard limit in bytes.
    pub(crate) limit: usize,
    engine: OnceLock<Engine>,
    pub(crate) world: World<ThreadBlock>,
    /// Under which a thread has something for the system to call at its end.
    pub(crate) ends: libc::pthread_key_t,
    pub(crate) boot: Boot,
    pub(crate) chunks: Chunks,
    pub(crate) pins: Pins,
    pub(crate) sites: Sites,
    pub(crate) pressure: Pressure,
    pub(crate) grants: Grants,
    pub(crate) surplus: Surplus,
    pub(crate) recorder: Recorder,
    pub(crate) owners: Mutex<Owners>,
    pub(crate) forks: Forks,
    pub(crate) refusals: Refusals,
    pub(crate) globals: Globals,
    pub(crate) sources: Sources,
    pub(crate) weak: Mutex<Weak>,
    /// Finalizers that wait to be run.
    finalizers: AtomicUsize,
    pub(crate) bell: Bell,
    pub(crate) workers: Workers,
    pub(crate) cycle: Cycle,
    pub(crate) finisher: Finisher,
    pub(crate) counters: Counters,
    pub(crate) log: Log,
    /// The kinds of the language's objects, by name.
    pub(crate) kinds: OnceLock<&'static [crate::safe::KindInfo]>,
}

/// Starts the process's heap.
pub fn start(mut config: HeapConfig) -> Result<&'static Heap, HeapError> {
    config.check()?;
    // Asked once: files are read to answer.
    config.workers = Some(config.effective_workers());
    config.limit = Some(config.hard_limit());
    if HEAP.get().is_some() {
        return Err(HeapError::AlreadyStarted);
    }
    let pressure = Pressure::new(&config);
    pressure.check()?;
    let recorder = Recorder::new(&config.recording)?;
    let heap = Heap {
        limit: config.hard_limit(),
        engine: OnceLock::new(),
        world: World::new(membarrier::for_heap(&config)),
        ends: ends::watch()?,
        boot: Boot::new()?,
        chunks: Chunks::new()?,
        pins: Pins::default(),
        sites: Sites::default(),
        pressure,
        grants: Grants::default(),
        surplus: Surplus::default(),
        recorder,
        owners: Mutex::default(),
        forks: Forks::new(),
        refusals: Refusals::new(config.refusal),
        globals: Globals::default(),
        sources: Sources::default(),
        weak: Mutex::default(),
        finalizers: AtomicUsize::new(0),
        bell: Bell::default(),
        workers: Workers::default(),
        cycle: Cycle::default(),
        finisher: Finisher::default(),
        counters: Counters::default(),
        log: Log::default(),
        kinds: OnceLock::new(),
        config,
    };
    if HEAP.set(heap).is_err() {
        return Err(HeapError::AlreadyStarted);
    }
    let heap = crate::heap::heap();
    binding::end_on_panic();
    let engine = Engine::start(heap)?;
    let mmtk = engine.mmtk;
    if heap.engine.set(engine).is_err() {
        return Err(HeapError::AlreadyStarted);
    }
    let hired = heap.workers.hire(heap.config.effective_workers());
    hired.map_err(|e| HeapError::NoThread(e.to_string()))?;
    mmtk::memory_manager::initialize_collection(mmtk, mmtk::util::VMThread::UNINITIALIZED);
    ambiguous::watch(heap)?;
    if heap.config.marks_beside() {
        let hired = heap.finisher.hire(heap);
        hired.map_err(|e| HeapError::NoThread(e.to_string()))?;
    }
    fork::watch()?;
    heap.pressure.watch();
    heap.recorder.watch(heap)?;
    Ok(heap)
}

/// The options that MMTk is started with. They are set as values: MMTk compiles regular expressions to
/// read them from text, which takes longer than all else that is done here.
fn options(config: &HeapConfig) -> MMTKBuilder {
    let mut builder = MMTKBuilder::new_no_env_vars();
    let options = &mut builder.options;
    let moves = config.moves_everything();
    let taken = [
        options.plan.set(match config.plan {
            Plan::Throughput | Plan::CompactTest => PlanSelector::StickyImmix,
            Plan::Latency => PlanSelector::ConcurrentImmix,
            Plan::Immix => PlanSelector::Immix,
        }),
        options.gc_trigger.set(GCTriggerSelector::Delegated),
        options.threads.set(config.effective_workers()),
        // The program needs the others.
        options
            .concurrent_threads
            .set(config.effective_workers().div_ceil(2)),
        options
            .concurrent_immix_disable_concurrent_marking
            .set(!config.marks_beside()),
        options.nursery.set(NurserySize::Bounded {
            min: LEAST_NURSERY,
            max: config.effective_nursery(),
        }),
        // Either one alone moves nothing.
        options.immix_always_defrag.set(moves),
        options.immix_defrag_every_block.set(moves),
    ];
    if taken.contains(&false) {
        sys::die(format_args!("MMTk refuses its options: {config:?}"));
    }
    builder
}

impl Engine {
    fn start(heap: &Heap) -> Result<Engine, HeapError> {
        let builder = options(&heap.config);
        let mmtk: &'static MMTK<Bowline> =
            Box::leak(mmtk::memory_manager::mmtk_init::<Bowline>(&builder));
        let constraints = mmtk.get_plan().constraints();
        debug_assert!(constraints.max_non_los_default_alloc_bytes >= crate::alloc::MAX_SMALL);
        let selector =
            mmtk::memory_manager::get_allocator_mapping(mmtk, AllocationSemantics::Default);
        let AllocatorInfo::BumpPointer {
            bump_pointer_offset,
        } = AllocatorInfo::new::<Bowline>(selector)
        else {
            return Err(HeapError::BadConfig(
                "the plan does not allocate by bumping".into(),
            ));
        };
        let spec = ObjectWords::GLOBAL_LOG_BIT_SPEC;
        let engine = Engine {
            mmtk,
            unlog_bits: spec.extract_side_spec().get_starting_address().as_usize(),
            generational: constraints.generational,
            bump_offset: bump_pointer_offset,
        };
        engine.answer_logged(heap.boot.range())?;
        if constraints.barrier == BarrierSelector::NoBarrier {
            engine.answer_logged(binding::heap_range())?;
        }
        Ok(engine)
    }

    /// Lets the inlined barrier read "already logged" in this range, which MMTk keeps no unlog bits
    /// for.
    fn answer_logged(&self, (start, bytes): (usize, usize)) -> Result<(), HeapError> {
        // SAFETY: MMTk has reserved these addresses and uses none of them.
        let mapped =
            unsafe { sys::map_over(self.unlog_bits + (start >> 6), bytes >> 6, Access::Read) };
        if mapped {
            Ok(())
        } else {
            Err(HeapError::NoMemory("the barrier's table"))
        }
    }
}

impl Heap {
    /// The heap, if it was started.
    pub fn get() -> Option<&'static Heap> {
        HEAP.get().filter(|heap| heap.engine.get().is_some())
    }

    /// Makes the calling thread a mutator, in Managed, after any collection under way. Dropping the
    /// mutator detaches the thread, and so does the thread's end if it was not dropped. Its roots and call
    /// frames are gone then; what it has pinned by count stays pinned.
    ///
    /// A thread may attach again inside a foreign call, as a callback of C's does that does not know who called.
    /// One that is Managed gets an error: as its first mutator waits for nobody, the second would wait for the
    /// first for ever. The others are about memory.
    pub fn try_attach(&'static self) -> Result<Box<Mutator>, HeapError> {
        self.must_be_whole();
        if managed_here().is_some() {
            return Err(HeapError::AlreadyManaged);
        }
        self.attach_with(self.new_stack()?)
    }

    /// The root stack of a thread that will attach.
    pub(crate) fn new_stack(&self) -> Result<RootStack, HeapError> {
        if self.refuses() {
            return Err(HeapError::NoMemory("a root stack"));
        }
        RootStack::new(self.config.root_stack)
    }

    /// Attaches the calling thread, which is not Managed, with this root stack.
    pub(crate) fn attach_with(&'static self, stack: RootStack) -> Result<Box<Mutator>, HeapError> {
        let track = quietly(|| self.recorder.attach());
        let block: &'static ThreadBlock = Box::leak(Box::new(ThreadBlock::new(stack, track)));
        let engine = engine();
        quietly(|| {
            self.world.attach(block, || {
                let context = mmtk::memory_manager::bind_mutator(engine.mmtk, block.tls());
                block.mmtk.set(Box::into_raw(context));
            });
            self.enter_thread(block);
        });
        let bump = if self.config.zeal == Zeal::Off && !self.refusals.are_wanted() {
            let context: *mut u8 = block.mmtk.get().cast();
            let bump: *mut BumpPointer = context.wrapping_add(engine.bump_offset).cast();
            NonNull::new(bump).map(Bump::new)
        } else {
            None
        };
        let mut mutator = Mutator::new(self, block, bump.unwrap_or_else(Bump::full));
        mutator.anchor()?;
        Ok(mutator)
    }

    /// [`Heap::try_attach`], which ends the process with a message if that fails.
    pub fn attach(&'static self) -> Box<Mutator> {
        self.try_attach()
            .unwrap_or_else(|e| sys::die(format_args!("cannot attach a thread: {e}")))
    }

    /// Ends what [`Heap::attach`] began.
    pub(crate) fn detach(&self, block: &'static ThreadBlock) {
        quietly(|| {
            // The thread may be in Native: its mutator was dropped there, or the thread ends there.
            if !block.is_managed() && self.world.leave_native(block) {
                self.world.wait_to_leave(block);
            }
            self.world.detach(block, || self.unbind(block));
            block.leave_thread();
            if let Some(track) = &block.track {
                self.recorder.detach(track);
            }
        });
        free(block);
    }

    /// Gives up the block of a thread that a forked child does not have.
    pub(crate) fn bury(&self, block: &'static ThreadBlock) {
        self.unbind(block);
        free(block);
    }

    /// Takes over what the block's thread has allocated and noted. Nobody collects meanwhile.
    fn unbind(&self, block: &'static ThreadBlock) {
        self.log.absorb(block);
        self.pins.add_made(block.pins_made());
        self.chunks.adopt(&block.dirty);
        // SAFETY: made at attach and freed after this; its thread does not use it any more.
        let context = unsafe { &mut *block.mmtk.get() };
        mmtk::memory_manager::destroy_mutator(context);
    }

    /// The most memory, in bytes, that live objects and what counts with them may take.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Keeps `bytes` of the limit back from now on, a quarter of it at most, for [`Heap::lend_reserve`].
    pub fn keep_reserve(&self, bytes: usize) {
        self.pressure.keep_reserve(bytes);
    }

    /// Somebody reacts to a full heap: lets as much be allocated as was kept back, until
    /// [`Heap::take_reserve_back`]. Each call lends it anew.
    pub fn lend_reserve(&self) {
        self.pressure.lend_reserve(binding::heap_bytes());
    }

    /// Whoever reacted has done so. What was allocated meanwhile stays until it is collected; beyond the limit
    /// nothing more is.
    pub fn take_reserve_back(&self) {
        self.pressure.take_reserve_back();
    }

    /// The configuration.
    pub fn config(&self) -> &HeapConfig {
        &self.config
    }

    /// Whether `v` is an object of the boot heap: never moved, never collected, and, if it is a pair,
    /// not to be changed.
    #[inline(always)]
    pub fn in_boot_heap(&self, v: Value) -> bool {
        v.is_pointer() && self.boot.contains(v.addr())
    }

    /// Asks for a collection and does not wait for it; nothing happens if one is under way, or if there is
    /// nobody to collect. Any thread may call this, attached or not.
    pub fn request_collection(&self) {
        quietly(|| self.request(false, Reason::Asked));
    }

    /// Asks for a collection and does not wait for it. Returns false if one is under way or there is
    /// nobody to ask.
    pub(crate) fn request(&self, full: bool, reason: Reason) -> bool {
        // inv:zeal.log wants every collection full.
        let full = full || self.config.zeal != Zeal::Off;
        // MMTk takes no request while the world is stopped.
        self.world.unless_stopped(|| {
            // inv:fork.alone
            if !self.wake() {
                return false;
            }
            self.recorder.because(reason);
            let mmtk = engine().mmtk;
            if self.config.marks_beside() && !full {
                self.cycle.wanted.store(true, Ordering::Relaxed);
                mmtk::memory_manager::gc_poll(mmtk, requester());
            } else {
                mmtk.handle_user_collection_request(requester(), true, full);
            }
            true
        })
    }

    // Roots.

    /// A global cell that holds `v`. The calling thread is Managed, here and in the other three.
    pub fn new_global(&self, v: Value) -> Global {
        self.globals.add(v)
    }

    /// What `global` holds.
    pub fn global(&self, global: &Global) -> Value {
        self.globals.get(global)
    }

    /// Makes `global` hold `v`.
    pub fn set_global(&self, global: &Global, v: Value) {
        self.globals.set(global, v);
    }

    /// Gives `global` back.
    pub fn drop_global(&self, global: Global) {
        self.globals.remove(global);
    }

    /// Scans `source` at every collection from now on.
    pub fn register_roots(&self, source: Box<dyn RootSource>) {
        self.sources.add(source);
    }

    /// Calls `f` with the address of each word that is a root and belongs to no thread.
    pub(crate) fn each_root_word(&self, f: &mut dyn FnMut(Addr)) {
        self.globals.each_word(f);
        self.sources.each_word(f);
        self.boot.each_word(f);
    }

    // Weak things.

    /// Calls `f` with each weak word of the registered tables.
    pub(crate) fn each_weak_word(&self, f: &mut dyn FnMut(&mut Value)) {
        self.sources.each_weak(f);
    }

    pub(crate) fn with_weak<R>(&self, f: impl FnOnce(&mut Weak) -> R) -> R {
        f(&mut lock(&self.weak))
    }

    /// Takes the weak objects away that the collector threads have scanned.
    pub(crate) fn take_weak(&self) -> Vec<Addr> {
        self.workers.take_weak()
    }

    /// One round of weak processing; see `weak`.
    pub(crate) fn weak_round(
        &self,
        found: Vec<Addr>,
        trace: &mut dyn FnMut(Value) -> Value,
    ) -> bool {
        let minor = is_minor();
        let again = self.with_weak(|weak| weak.round(minor, found, &self.sources, trace));
        if !again {
            self.pins.settle_promoted(minor);
            let died = lock(&self.owners).settle(View { minor });
            self.pressure.died(died);
            let (waiting, bytes) = self.with_weak(Weak::take_made_ready);
            self.pressure.made_ready(bytes);
            self.finalizers.store(waiting, Ordering::SeqCst);
            if waiting > 0 {
                self.bell.ring();
            }
        }
        again
    }

    /// Whether finalizers wait to be run: see [`Mutator::next_finalizable`]. A load.
    #[inline(always)]
    pub fn finalizable(&self) -> bool {
        self.finalizers_waiting() > 0
    }

    /// How many finalizers wait to be taken.
    pub fn finalizers_waiting(&self) -> usize {
        self.finalizers.load(Ordering::Relaxed)
    }

    pub(crate) fn finalizers_left(&self, count: usize) {
        self.finalizers.store(count, Ordering::Relaxed);
    }

    /// How many counted pins were made.
    pub fn pins_made(&self) -> u64 {
        self.world.with_members(|threads| {
            self.pins.made() + threads.iter().map(|b| b.pins_made()).sum::<u64>()
        })
    }

    /// How many objects were promoted that could have moved.
    pub fn promoted(&self) -> u64 {
        self.pins.promoted()
    }

    // Collections.

    /// How many collections there were: while this stays the same, so do all addresses, a
    /// [`Heap::freeze`] apart.
    #[inline]
    pub fn collections(&self) -> u64 {
        self.counters.collections()
    }

    /// How many collections of the whole heap there were that had one pause: each has freed all that was
    /// garbage when it was asked for.
    pub(crate) fn whole(&self) -> u64 {
        self.counters.whole()
    }

    /// Under zeal: overwrites what has died or moved.
    pub(crate) fn settle_log(&self, threads: &[&'static ThreadBlock], census: &Census) {
        if self.config.zeal != Zeal::Off {
            threads.iter().for_each(|block| self.log.absorb(block));
            self.log.settle(census);
        }
    }

    /// The heap's figures. `pinned_bytes_now` covers the counted pins: see [`Mutator::stats`]. The
    /// calling thread is Managed.
    pub fn stats(&self) -> GcStats {
        GcStats {
            pinned_bytes_now: self.pins.bytes(),
            ..self.figures()
        }
    }

    /// The figures that any thread may ask for at any time: all but `pinned_bytes_now`.
    pub(crate) fn figures(&self) -> GcStats {
        let mut stats = GcStats {
            heap_bytes: used_bytes(),
            ..self.counters.snapshot()
        };
        self.pressure.fill(&mut stats);
        stats.returned_bytes = self.surplus.given();
        stats
    }
}

/// Frees a block that nobody knows any more, and its context.
fn free(block: &'static ThreadBlock) {
    let context = block.mmtk.get();
    let block: *const ThreadBlock = block;
    // SAFETY: made by Box::leak at attach.
    drop(unsafe { Box::from_raw(block.cast_mut()) });
    // SAFETY: made by Box::into_raw at attach; MMTk has let go of it.
    drop(unsafe { Box::from_raw(context) });
}

/// Bytes of the heap in use.
pub(crate) fn used_bytes() -> u64 {
    mmtk::memory_manager::used_bytes(engine().mmtk) as u64
}

/// Whether the collection under way, or the last one, is a minor one.
pub(crate) fn is_minor() -> bool {
    let plan = engine().mmtk.get_plan();
    plan.generational()
        .is_some_and(|g| g.is_current_gc_nursery())
}
