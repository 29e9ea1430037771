//! All that is known of a process when it ends.

use super::track::Shares;
use crate::owners::Owner;
use crate::stats::GcStats;

/// The pauses of some collections, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PauseFigures {
    /// How many there were.
    pub count: u64,
    /// Their sum.
    pub total: u64,
    /// The longest.
    pub max: u64,
    /// Half of them are no longer. An eighth above the truth at most, as is `p99`.
    pub median: u64,
    /// 99 of 100 are no longer.
    pub p99: u64,
    /// What it took until the threads had stopped, in all.
    pub stop: u64,
}

/// One thread.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ThreadFigures {
    /// Its name.
    pub name: String,
    /// What its time was spent on.
    pub shares: Shares,
}

/// One foreign function, or what it calls back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CalleeFigures {
    /// The function's name.
    pub name: String,
    /// Whether these are its callbacks.
    pub callback: bool,
    /// How often it was called.
    pub calls: u64,
    /// Nanoseconds, what it called back included.
    pub total: u64,
    /// The longest.
    pub max: u64,
}

/// What the process took from the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Processor time in the process's own code, in nanoseconds.
    pub user: u64,
    /// And in the system for it.
    pub system: u64,
    /// The most memory that was resident, in bytes.
    pub resident: u64,
}

/// All figures. Bytes are bytes, times are nanoseconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Since the heap was started.
    pub wall: u64,
    /// What the process took.
    pub usage: Usage,
    /// The heap's own figures.
    pub gc: GcStats,
    /// Pauses of all collections.
    pub pauses: PauseFigures,
    /// Of the minor ones.
    pub minor: PauseFigures,
    /// Of the full ones.
    pub full: PauseFigures,
    /// Of those that begin a collection which is marked beside the program.
    pub initial_mark: PauseFigures,
    /// Of those that end one.
    pub final_mark: PauseFigures,
    /// Bytes of the heap that were allocated, by pages.
    pub allocated: u64,
    /// Those of them before minor collections.
    pub young: u64,
    /// What minor collections found alive and moved.
    pub survived: u64,
    /// The most that the heap took.
    pub peak_heap: u64,
    /// The most that C held.
    pub peak_client: u64,
    /// The most that the runtime held besides the heap.
    pub peak_runtime: u64,
    /// Finalizers that were taken to be run.
    pub finalizers: u64,
    /// Counted pins that were made.
    pub pins_made: u64,
    /// And that are held.
    pub pins: u64,
    /// Objects that own C memory.
    pub owners: u64,
    /// What they and finalizers hold, by what and where they are, most bytes first.
    pub held: Vec<Owner>,
    /// What others count: `handles`.
    pub gauges: Vec<(&'static str, u64)>,
    /// The threads, those that have ended first.
    pub threads: Vec<ThreadFigures>,
    /// The foreign functions that were called, those that took longest first.
    pub callees: Vec<CalleeFigures>,
}
