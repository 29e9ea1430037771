//! Stopping the world, letting it go on, and the collector's threads.
//!
//! `inv:collector.panic` A collector thread that panics ends the process with a message: its panic would
//! otherwise leave every other thread waiting for ever.
//!
//! `inv:collector.refused` Where the system refuses memory that MMTk cannot go on without (which `grants` sees to that
//! it hardly does) the process ends with one line and status 2. Nothing allocates on the way: a backtrace would, and
//! would wait for ever for the lock that its own thread holds.

use super::Bowline;
use super::active_plan::context;
use super::policy::Trigger;
use crate::cycle::Pause;
use crate::heap::heap;
use crate::sys;
use crate::thread::{Kind, ThreadBlock, kind};
use crate::watchdog::Watchdog;
use crate::workers::THREAD_NAME;
use mmtk::util::alloc::AllocationError;
use mmtk::util::heap::GCTriggerPolicy;
use mmtk::util::{VMMutatorThread, VMThread, VMWorkerThread};
use mmtk::vm::{Collection, GCThreadContext};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// The collection interface.
pub(crate) struct Stops;

impl Collection<Bowline> for Stops {
    fn stop_all_mutators<F>(_tls: VMWorkerThread, mut visit: F)
    where
        F: FnMut(&'static mut mmtk::Mutator<Bowline>),
    {
        let asked = Instant::now();
        let mut watchdog = Watchdog(heap().config.watchdog);
        let threads = heap().world.stop(&mut watchdog);
        heap().pause_starts(asked, &threads);
        threads.into_iter().for_each(|b| visit(context(b)));
    }

    fn resume_mutators(_tls: VMWorkerThread) {
        let collected = heap().pause_ends();
        let kind = collected.map(|c| c.kind);
        let full = kind == Some(Pause::Full);
        heap().world.resume(full, heap().finalizable());
        if kind == Some(Pause::Begin) {
            heap().finisher.wake();
        }
        if let Some(mut collected) = collected {
            collected.resumed = heap().recorder.now();
            heap().recorder.collected(&collected);
        }
    }

    fn block_for_gc(tls: VMMutatorThread) {
        // A thread that only asks is in no state to wait.
        if kind(tls.0) == Kind::Mutator {
            wait_for_pause(ThreadBlock::of(tls));
        }
    }

    fn spawn_gc_thread(_tls: VMThread, GCThreadContext::Worker(worker): GCThreadContext<Bowline>) {
        heap().workers.give(worker);
    }

    fn out_of_memory(_tls: VMThread, error: AllocationError) {
        // Heap exhaustion is the caller's to handle: the allocation returns nothing. If the system
        // itself refuses pages, MMTk cannot go on (inv:collector.refused).
        if let AllocationError::MmapOutOfMemory = error {
            refused();
        }
    }

    fn vm_live_bytes() -> usize {
        heap().pressure.lasting()
    }

    fn create_gc_trigger() -> Box<dyn GCTriggerPolicy<Bowline>> {
        Box::new(Trigger::new(&heap().config))
    }
}

/// Lets the thread of this block, which is Managed, wait for the end of a pause that was asked for.
pub(crate) fn wait_for_pause(block: &ThreadBlock) {
    let stalled = heap().cycle.stalled.load(Relaxed).then(Instant::now);
    block.waiting(|| heap().world.wait_for_collection(block));
    if let Some(since) = stalled {
        heap().counters.stalled(since.elapsed());
    }
    heap().give_back();
}

/// How MMTk's panics begin where the system has refused it memory.
const REFUSED: &str = "Failed to mmap";

/// Makes a panic on a collector thread end the process (`inv:collector.panic`), and one on any thread for
/// want of memory (`inv:collector.refused`).
pub(crate) fn end_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info
            .payload_as_str()
            .is_some_and(|t| t.starts_with(REFUSED))
        {
            refused();
        }
        if std::thread::current().name() != Some(THREAD_NAME) {
            return before(info);
        }
        sys::die(format_args!("internal error in the collector: {info}"));
    }));
}

/// The system refuses memory that MMTk cannot go on without.
fn refused() -> ! {
    sys::give_up(format_args!(
        "the system refused memory for the heap; see ulimit -d and -v, and vm.overcommit_memory"
    ));
}
