//! What one collection was: the facts, and the line that `--gc-log` prints of it.
//!
//! The facts are words, put aside while the world is stopped; the line is made of them when it has gone on
//! (`inv:recorder.late`).

use crate::cycle::Pause;
use std::fmt;

/// Why a collection was started. Whoever asks first is the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Reason {
    /// Nobody said.
    #[default]
    Unknown = 0,
    /// The bytes between two minor collections were allocated.
    Nursery = 1,
    /// What lives, the heap's and C's, has grown to the size at which to collect.
    Heap = 2,
    /// The same, and C's memory grew more than the heap.
    CMemory = 3,
    /// C's memory did so, and it was found inside C's `malloc`.
    Malloc = 4,
    /// The hard limit is reached.
    Limit = 5,
    /// Young objects own much memory of C's.
    Owners = 6,
    /// The program asked.
    Asked = 7,
    /// Zeal.
    Zeal = 8,
}

impl Reason {
    const ALL: [Reason; 9] = [
        Reason::Unknown,
        Reason::Nursery,
        Reason::Heap,
        Reason::CMemory,
        Reason::Malloc,
        Reason::Limit,
        Reason::Owners,
        Reason::Asked,
        Reason::Zeal,
    ];

    pub(super) fn from_number(n: u8) -> Reason {
        Reason::ALL.get(usize::from(n)).copied().unwrap_or_default()
    }

    /// What people are told.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Unknown => "unknown",
            Reason::Nursery => "nursery full",
            Reason::Heap => "heap full",
            Reason::CMemory => "C memory",
            Reason::Malloc => "C's malloc",
            Reason::Limit => "limit",
            Reason::Owners => "young owners",
            Reason::Asked => "asked",
            Reason::Zeal => "zeal",
        }
    }
}

/// A number before a collection and after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Change {
    pub(crate) before: u64,
    pub(crate) after: u64,
}

/// One collection, or the pause that it begins with. Times are nanoseconds since the heap was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Collected {
    pub(crate) number: u64,
    pub(crate) kind: Pause,
    pub(crate) reason: Reason,
    /// The threads are asked to stop; they have; they are about to go on; they have been told to.
    pub(crate) asked: u64,
    pub(crate) stopped: u64,
    pub(crate) done: u64,
    pub(crate) resumed: u64,
    /// The pause, as `GcStats` counts it.
    pub(crate) pause: u64,
    /// Bytes of the heap in use.
    pub(crate) heap: Change,
    /// Bytes of C's that live.
    pub(crate) outside: Change,
    pub(crate) moved_objects: u64,
    pub(crate) moved_bytes: u64,
    pub(crate) pinned: u64,
    pub(crate) threads: u64,
    pub(crate) in_foreign_call: bool,
    /// How long was marked while the program ran, if this ends it.
    pub(crate) marking: u64,
}

impl Collected {
    /// What people call the pause.
    pub(crate) fn kind(&self) -> &'static str {
        match self.kind {
            Pause::Minor => "minor",
            Pause::Full => "full",
            Pause::Begin => "initial mark",
            Pause::End => "final mark",
        }
    }

    /// From the request to stop until the threads had.
    pub(crate) fn stop(&self) -> u64 {
        self.stopped.saturating_sub(self.asked)
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Nanoseconds as milliseconds.
pub(super) fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// The line of `--gc-log`, without its end.
impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "gc {} @{:.3} s: {} ({}), heap {:.2} -> {:.2} MiB, C {:.2} -> {:.2} MiB, moved {} objects \
             {:.1} KiB, pinned {}, pause {:.3} ms, stop {:.3} ms, threads {}",
            self.number,
            self.asked as f64 / 1e9,
            self.kind(),
            self.reason.name(),
            mib(self.heap.before),
            mib(self.heap.after),
            mib(self.outside.before),
            mib(self.outside.after),
            self.moved_objects,
            self.moved_bytes as f64 / 1024.0,
            self.pinned,
            ms(self.pause),
            ms(self.stop()),
            self.threads,
        )?;
        if self.kind == Pause::End {
            write!(f, ", marked for {:.3} ms", ms(self.marking))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_found_by_number_and_have_names_of_their_own() {
        let mut names = Vec::new();
        for reason in Reason::ALL {
            assert_eq!(Reason::from_number(reason as u8), reason);
            names.push(reason.name());
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        assert_eq!(Reason::from_number(200), Reason::Unknown);
    }

    #[test]
    fn a_line_gives_its_units() {
        let line = Collected {
            number: 12,
            reason: Reason::Nursery,
            asked: 1_234_000_000,
            stopped: 1_234_021_000,
            pause: 1_500_000,
            heap: Change {
                before: 24 << 20,
                after: 8 << 20,
            },
            outside: Change {
                before: 3 << 20,
                after: 3 << 19,
            },
            moved_objects: 1203,
            moved_bytes: 49_254,
            pinned: 2,
            threads: 1,
            ..Collected::default()
        };
        assert_eq!(
            line.to_string(),
            "gc 12 @1.234 s: minor (nursery full), heap 24.00 -> 8.00 MiB, C 3.00 -> 1.50 MiB, moved 1203 \
             objects 48.1 KiB, pinned 2, pause 1.500 ms, stop 0.021 ms, threads 1"
        );
        let line = Collected {
            kind: Pause::End,
            marking: 7_250_000,
            ..Collected::default()
        };
        let line = line.to_string();
        assert!(line.contains(": final mark (unknown), heap"), "{line}");
        assert!(line.ends_with("threads 0, marked for 7.250 ms"), "{line}");
    }
}
