//! What the heap counts.

use crate::cycle::Pause;
use crate::recorder::Reason;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A snapshot of the heap's figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GcStats {
    /// Collections of either kind.
    pub collections: u64,
    /// Minor collections.
    pub minor: u64,
    /// Full collections.
    pub major: u64,
    /// Those of them that were marked while the program ran, with two pauses each.
    pub concurrent: u64,
    /// Those of them, where collections are marked while the program runs, that were done with the world
    /// stopped because memory would not have lasted.
    pub fallbacks: u64,
    /// How often threads that allocate were kept waiting for the end of the marking.
    pub stalls: u64,
    /// How long they waited, in all.
    pub stalled_ns: u64,
    /// How long was marked while the program ran.
    pub marking_ns: u64,
    /// Collections during which some thread had an active call frame.
    pub in_foreign_calls: u64,
    /// Objects that were moved.
    pub moved_objects: u64,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Distinct objects that calls and counted pins held in place at the last collection.
    pub pinned_objects: u64,
    /// Bytes of the objects that are pinned now: see [`crate::Mutator::stats`].
    pub pinned_bytes_now: u64,
    /// Words of root stacks that the last collection looked at.
    pub stack_words: u64,
    /// Words of large old objects that the last collection looked at because their chunk was changed.
    pub chunk_words: u64,
    /// Bytes of the heap in use, free lines in used blocks included.
    pub heap_bytes: u64,
    /// Bytes of the heap that were given back to the system, in all.
    pub returned_bytes: u64,
    /// Bytes of C memory in use: `client_bytes` by its older name.
    pub static_bytes: u64,
    /// Bytes of C memory in use, as the region counts them; 0 if degraded.
    pub client_bytes: u64,
    /// Bytes that the runtime itself uses in the region; 0 if degraded.
    pub runtime_bytes: u64,
    /// Bytes outside the region that were declared: by finalizers, and by owners if degraded.
    pub declared_bytes: u64,
    /// Whether `malloc` is somebody else's, so that only declared bytes count.
    pub degraded: bool,
    /// Collections that C's memory was the reason for.
    pub pressure_collections: u64,
    /// How often C's `malloc` waited for a collection because the limit was near.
    pub pressure_waits: u64,
    /// How often C's `malloc` was refused memory because of the limit.
    pub pressure_refusals: u64,
    /// The longest pause, from the request to stop until the threads go on.
    pub max_pause_ns: u64,
    /// The sum of all pauses.
    pub total_pause_ns: u64,
    /// How long the last pause waited until every thread had stopped.
    pub last_stop_ns: u64,
    /// The longest such wait.
    pub max_stop_ns: u64,
}

/// The counters behind [`GcStats`], written by one collector thread while the world is stopped, but for the
/// stalls.
#[derive(Default)]
pub(crate) struct Counters {
    minor: AtomicU64,
    major: AtomicU64,
    concurrent: AtomicU64,
    fallbacks: AtomicU64,
    stalls: AtomicU64,
    stalled_ns: AtomicU64,
    marking_ns: AtomicU64,
    in_foreign_calls: AtomicU64,
    moved_objects: AtomicU64,
    moved_bytes: AtomicU64,
    pinned_objects: AtomicU64,
    /// Of the last collection, like the next.
    stack_words: AtomicU64,
    chunk_words: AtomicU64,
    max_pause_ns: AtomicU64,
    total_pause_ns: AtomicU64,
    last_stop_ns: AtomicU64,
    max_stop_ns: AtomicU64,
}

/// One pause, as it began.
pub(crate) struct Started {
    pub(crate) pause: Pause,
    pub(crate) asked: Instant,
    pub(crate) stopped: Instant,
    pub(crate) in_foreign_call: bool,
    pub(crate) pinned: u64,
    pub(crate) threads: u64,
    pub(crate) reason: Reason,
    pub(crate) heap_bytes: u64,
    pub(crate) outside: u64,
}

/// What one collection adds to the counters.
pub(crate) struct Ended {
    pub(crate) moved_objects: u64,
    pub(crate) moved_bytes: u64,
    /// In nanoseconds.
    pub(crate) pause: u64,
}

/// A time in nanoseconds.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Counters {
    /// Notes that a collection begins to look for roots.
    pub(crate) fn starts(&self) {
        self.stack_words.store(0, Ordering::Relaxed);
        self.chunk_words.store(0, Ordering::Relaxed);
    }

    /// Counts words of a thread's stack, and of chunks, that the collection looks at.
    pub(crate) fn looked_at(&self, stack: u64, chunks: u64) {
        self.stack_words.fetch_add(stack, Ordering::Relaxed);
        self.chunk_words.fetch_add(chunks, Ordering::Relaxed);
    }

    /// Counts a pause that ends now, and returns its nanoseconds.
    pub(crate) fn paused(&self, started: &Started) -> u64 {
        let pause = nanos(started.asked.elapsed());
        let stop = nanos(started.stopped - started.asked);
        self.last_stop_ns.store(stop, Ordering::Relaxed);
        self.max_stop_ns.fetch_max(stop, Ordering::Relaxed);
        self.max_pause_ns.fetch_max(pause, Ordering::Relaxed);
        self.total_pause_ns.fetch_add(pause, Ordering::Relaxed);
        pause
    }

    /// Counts a collection that ends now. `moved` is what the workers have moved since the start; `in_call`
    /// says whether a foreign call was active when it began, if it began with another pause.
    pub(crate) fn ended(&self, started: &Started, in_call: bool, moved: (u64, u64)) -> Ended {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        match started.pause {
            Pause::Minor => count(&self.minor),
            _ => count(&self.major),
        };
        if started.pause == Pause::End {
            count(&self.concurrent);
        }
        if started.in_foreign_call || in_call {
            count(&self.in_foreign_calls);
        }
        self.pinned_objects.store(started.pinned, Ordering::Relaxed);
        let bytes_before = self.moved_bytes.swap(moved.1, Ordering::Relaxed);
        let before = self.moved_objects.swap(moved.0, Ordering::Relaxed);
        Ended {
            moved_objects: moved.0 - before,
            moved_bytes: moved.1 - bytes_before,
            pause: self.paused(started),
        }
    }

    /// Counts time of marking, and returns its nanoseconds.
    pub(crate) fn marked(&self, time: Duration) -> u64 {
        let time = nanos(time);
        self.marking_ns.fetch_add(time, Ordering::Relaxed);
        time
    }

    /// Counts a full collection that memory was too short for to be marked beside the program.
    pub(crate) fn fell_back(&self) {
        self.fallbacks.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a wait for the end of the marking.
    pub(crate) fn stalled(&self, time: Duration) {
        self.stalls.fetch_add(1, Ordering::Relaxed);
        self.stalled_ns.fetch_add(nanos(time), Ordering::Relaxed);
    }

    /// How many collections of the whole heap had one pause.
    pub(crate) fn whole(&self) -> u64 {
        self.major.load(Ordering::Relaxed) - self.concurrent.load(Ordering::Relaxed)
    }

    /// How many collections of either kind there were.
    pub(crate) fn collections(&self) -> u64 {
        self.minor.load(Ordering::Relaxed) + self.major.load(Ordering::Relaxed)
    }

    /// The figures that are counted; the others are 0.
    pub(crate) fn snapshot(&self) -> GcStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (minor, major) = (load(&self.minor), load(&self.major));
        GcStats {
            collections: minor + major,
            minor,
            major,
            concurrent: load(&self.concurrent),
            fallbacks: load(&self.fallbacks),
            stalls: load(&self.stalls),
            stalled_ns: load(&self.stalled_ns),
            marking_ns: load(&self.marking_ns),
            in_foreign_calls: load(&self.in_foreign_calls),
            moved_objects: load(&self.moved_objects),
            moved_bytes: load(&self.moved_bytes),
            pinned_objects: load(&self.pinned_objects),
            stack_words: load(&self.stack_words),
            chunk_words: load(&self.chunk_words),
            max_pause_ns: load(&self.max_pause_ns),
            total_pause_ns: load(&self.total_pause_ns),
            last_stop_ns: load(&self.last_stop_ns),
            max_stop_ns: load(&self.max_stop_ns),
            ..GcStats::default()
        }
    }
}
