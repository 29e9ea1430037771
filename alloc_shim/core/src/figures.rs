//! Figures: what the allocator has done, in numbers.
//!
//! Counters are bumped on slow paths alone and ordered with nothing.

use crate::account::CLASSES;
use core::sync::atomic::{AtomicUsize, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Counter(AtomicUsize::new(0))
    }

    /// Counts one.
    #[inline]
    pub fn bump(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The same where one thread at a time counts: no locked instruction.
    #[inline]
    pub(crate) fn bump_alone(&self) {
        let count = self.0.load(Ordering::Relaxed);
        self.0.store(count + 1, Ordering::Relaxed);
    }

    /// Counts several. Nothing is written for none.
    #[inline]
    pub fn add(&self, n: usize) {
        if n > 0 {
            self.0.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// How many so far.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What has happened since the process began.
#[derive(Debug, Default)]
pub struct Counters {
    /// Spans taken.
    pub takes: Counter,
    /// Spans given back.
    pub gives: Counter,
    /// Bytes whose memory was given back to the system.
    pub purged: Counter,
    /// Calls into the system to make memory usable.
    pub commits: Counter,
    /// Calls into the system to give memory back.
    pub purges: Counter,
    /// Requests that the system, the region or the pressure hook refused.
    pub refusals: Counter,
    /// Heaps made.
    pub heaps_created: Counter,
    /// Heaps whose thread ended.
    pub heaps_orphaned: Counter,
    /// Heaps that a later thread took over.
    pub heaps_adopted: Counter,
    /// Blocks that another thread than their heap's freed, or a handler, as far as heaps have collected them.
    pub remote_frees: Counter,
    /// Allocations inside a signal handler that interrupted the allocator, and after the end of a thread.
    pub nested: Counter,
    /// Pointers that came in and belong to another allocator.
    pub foreign_frees: Counter,
}

impl Counters {
    /// Nothing has happened yet.
    pub const fn new() -> Self {
        Counters {
            takes: Counter::new(),
            gives: Counter::new(),
            purged: Counter::new(),
            commits: Counter::new(),
            purges: Counter::new(),
            refusals: Counter::new(),
            heaps_created: Counter::new(),
            heaps_orphaned: Counter::new(),
            heaps_adopted: Counter::new(),
            remote_frees: Counter::new(),
            nested: Counter::new(),
            foreign_frees: Counter::new(),
        }
    }
}

/// The state of an allocator at one moment. Sizes are bytes; arrays are by [`Class`](crate::Class).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Address space of the region.
    pub reserved: usize,
    /// The most that the client may hold; `usize::MAX`: there is no limit.
    pub limit: usize,
    /// How much of it was made usable, side tables included.
    pub committed: usize,
    /// What users hold.
    pub live: [usize; CLASSES],
    /// The most that they ever held.
    pub peak: [usize; CLASSES],
    /// Free spans that still have memory.
    pub dirty: usize,
    /// Free spans without memory.
    pub clean: usize,
    /// Free spans of both kinds, a number.
    pub free_spans: usize,
    /// See [`Counters`] for these.
    pub takes: usize,
    /// Spans given back.
    pub gives: usize,
    /// Bytes whose memory was given back to the system.
    pub purged: usize,
    /// Calls into the system to make memory usable.
    pub commits: usize,
    /// Calls into the system to give memory back.
    pub purges: usize,
    /// Requests refused.
    pub refusals: usize,
    /// Heaps made.
    pub heaps_created: usize,
    /// Heaps whose thread ended.
    pub heaps_orphaned: usize,
    /// Heaps that a later thread took over.
    pub heaps_adopted: usize,
    /// Blocks freed by other threads.
    pub remote_frees: usize,
    /// Allocations from borrowed heaps.
    pub nested: usize,
    /// Pointers of another allocator.
    pub foreign_frees: usize,
}

impl Figures {
    /// The counters' part; the rest is zero.
    pub fn of(counters: &Counters) -> Self {
        Figures {
            takes: counters.takes.get(),
            gives: counters.gives.get(),
            purged: counters.purged.get(),
            commits: counters.commits.get(),
            purges: counters.purges.get(),
            refusals: counters.refusals.get(),
            heaps_created: counters.heaps_created.get(),
            heaps_orphaned: counters.heaps_orphaned.get(),
            heaps_adopted: counters.heaps_adopted.get(),
            remote_frees: counters.remote_frees.get(),
            nested: counters.nested.get(),
            foreign_frees: counters.foreign_frees.get(),
            ..Figures::default()
        }
    }
}
