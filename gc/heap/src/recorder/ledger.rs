//! Sums over all collections.

use super::collected::{Collected, ms};
use super::histogram::Histogram;
use crate::cycle::Pause;
use std::fmt;

/// The pauses of one kind of collection, or of all.
#[derive(Default)]
pub(super) struct Pauses {
    pub(super) count: u64,
    pub(super) total: u64,
    pub(super) max: u64,
    pub(super) stop: u64,
    pub(super) spread: Histogram,
}

impl Pauses {
    fn add(&mut self, c: &Collected) {
        self.count += 1;
        self.total += c.pause;
        self.max = self.max.max(c.pause);
        self.stop += c.stop();
        self.spread.add(c.pause);
    }
}

/// What the collections so far come to.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) all: Pauses,
    pub(super) minor: Pauses,
    pub(super) full: Pauses,
    pub(super) initial_mark: Pauses,
    pub(super) final_mark: Pauses,
    /// Pages that came into use between collections, as bytes.
    pub(super) allocated: u64,
    /// Those of them before minor collections, and what these moved.
    pub(super) young: u64,
    pub(super) survived: u64,
    /// The heap after the last collection.
    pub(super) left: u64,
    pub(super) peak_heap: u64,
}

impl Ledger {
    pub(super) fn add(&mut self, c: &Collected) {
        self.all.add(c);
        let fresh = c.heap.before.saturating_sub(self.left);
        self.allocated += fresh;
        match c.kind {
            Pause::Minor => {
                self.minor.add(c);
                self.young += fresh;
                self.survived += c.moved_bytes;
            }
            Pause::Full => self.full.add(c),
            Pause::Begin => self.initial_mark.add(c),
            Pause::End => self.final_mark.add(c),
        }
        self.left = c.heap.after;
        self.peak_heap = self.peak_heap.max(c.heap.before);
    }

    /// How many collections have ended.
    pub(super) fn collections(&self) -> u64 {
        self.all.count - self.initial_mark.count
    }

    /// The last line of `--gc-log`, after `wall` nanoseconds.
    pub(super) fn last_line(&self, wall: u64) -> impl fmt::Display {
        let share = self.all.total as f64 * 100.0 / wall.max(1) as f64;
        let beside = match self.final_mark.count {
            0 => String::new(),
            n => format!(", {n} marked beside"),
        };
        format!(
            "gc: {} collections ({} minor, {} full{beside}) in {:.3} s, paused {:.3} ms ({share:.1} %), longest {:.3} ms, \
             median {:.3} ms, stop {:.3} ms",
            self.collections(),
            self.minor.count,
            self.full.count,
            wall as f64 / 1e9,
            ms(self.all.total),
            ms(self.all.max),
            ms(self.all.spread.quantile(50)),
            ms(self.all.stop),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::collected::Change;
    use super::*;

    #[test]
    fn what_comes_into_use_between_collections_was_allocated() {
        let mut ledger = Ledger::default();
        let c = |kind, before, after, moved_bytes, pause| Collected {
            kind,
            heap: Change { before, after },
            moved_bytes,
            pause,
            ..Collected::default()
        };
        ledger.add(&c(Pause::Minor, 100, 30, 20, 5));
        ledger.add(&c(Pause::Minor, 130, 40, 10, 7));
        ledger.add(&c(Pause::Full, 50, 10, 99, 50));
        assert_eq!(
            (ledger.allocated, ledger.young, ledger.survived),
            (210, 200, 30)
        );
        assert_eq!((ledger.peak_heap, ledger.left), (130, 10));
        let kinds = (ledger.all.count, ledger.minor.count, ledger.full.count);
        assert_eq!(kinds, (3, 2, 1));
        assert_eq!(
            (ledger.all.total, ledger.minor.max, ledger.full.max),
            (62, 7, 50)
        );
        assert_eq!(
            ledger.last_line(1_000_000_000).to_string(),
            "gc: 3 collections (2 minor, 1 full) in 1.000 s, paused 0.000 ms (0.0 %), longest 0.000 ms, \
             median 0.000 ms, stop 0.000 ms"
        );
    }

    #[test]
    fn two_pauses_are_one_collection() {
        let mut ledger = Ledger::default();
        let c = |kind, before, after| Collected {
            kind,
            heap: Change { before, after },
            pause: 3_000_000,
            ..Collected::default()
        };
        ledger.add(&c(Pause::Begin, 100, 100));
        ledger.add(&c(Pause::End, 120, 30));
        ledger.add(&c(Pause::Full, 40, 20));
        assert_eq!((ledger.collections(), ledger.all.count), (2, 3));
        assert_eq!((ledger.allocated, ledger.left), (130, 20));
        assert_eq!((ledger.initial_mark.count, ledger.final_mark.count), (1, 1));
        let line = ledger.last_line(90_000_000).to_string();
        assert!(
            line.starts_with("gc: 2 collections (0 minor, 1 full, 1 marked beside) in 0.090 s, paused 9.000 ms (10.0 %)"),
            "{line}"
        );
    }
}
