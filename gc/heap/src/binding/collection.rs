//! Stopping the world, letting it go on, and the collector's threads.
//!
//! `inv:collector.panic` A collector thread that panics ends the process with a message: its panic would
//! otherwise leave every other thread waiting for ever.
//!
//! `inv:collector.refused` Where the system refuses memory that MMTk cannot go on without (which `grants` sees to that
//! it hardly does) the process ends with one line and status 2. There is no backtrace on the way: it would allocate, and
//! would wait for ever for the lock that its own thread holds. MMTk itself allocates a little before, for the memory map
//! that it prints; where that is refused, too, the process ends by Rust's line and SIGABRT.

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
        let mut watchdog = Watchdog {
            of: "collection",
            patience: heap().config.watchdog,
        };
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

/// How MMTk's panics begin where the system has refused it memory; but not if they speak of the other.
const REFUSED: &str = "Failed to mmap";
const CONFLICT: &str = "already mapped";

/// Whether a panic, in this file and with this text, is MMTk's for want of memory. Others may fail to map
/// something, too, and handle that. MMTk's folder is the registry's (`mmtk-0.1.2`), a vendored one (`mmtk`) or a
/// repository's (`mmtk-core`).
fn is_refusal(file: &str, text: &str) -> bool {
    file.contains("/mmtk") && text.starts_with(REFUSED) && !text.contains(CONFLICT)
}

/// Makes a panic on a collector thread end the process (`inv:collector.panic`), and one on any thread for
/// want of memory (`inv:collector.refused`).
pub(crate) fn end_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let (Some(location), Some(text)) = (info.location(), info.payload_as_str())
            && is_refusal(location.file(), text)
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

#[cfg(test)]
mod tests {
    use super::is_refusal;

    #[test]
    fn a_refusal_is_the_collectors_and_for_want_of_memory() {
        let mmtk = "/home/me/.cargo/registry/src/index/mmtk-0.33.0/src/util/raw_memory_freelist.rs";
        assert!(is_refusal(
            mmtk,
            "Failed to mmap memory for RawMemoryFreeList"
        ));
        assert!(is_refusal(
            "vendor/mmtk/src/util/raw_memory_freelist.rs",
            "Failed to mmap memory for RawMemoryFreeList"
        ));
        assert!(!is_refusal(
            mmtk,
            "Failed to mmap, the address is already mapped."
        ));
        assert!(!is_refusal(mmtk, "index out of bounds"));
        assert!(!is_refusal(
            "src/main.rs",
            "Failed to mmap file: no such device"
        ));
    }
}
