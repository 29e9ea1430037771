//! Sums over all collections.

use super::collected::{Collected, ms};
use super::histogram::Histogram;
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
        if c.full {
            self.full.add(c);
        } else {
            self.minor.add(c);
            self.young += fresh;
            self.survived += c.moved_bytes;
        }
        self.left = c.heap.after;
        self.peak_heap = self.peak_heap.max(c.heap.before);
    }

    /// The last line of `--gc-log`, after `wall` nanoseconds.
    pub(super) fn last_line(&self, wall: u64) -> impl fmt::Display {
        let share = self.all.total as f64 * 100.0 / wall.max(1) as f64;
        format!(
            "gc: {} collections ({} minor, {} full) in {:.3} s, paused {:.3} ms ({share:.1} %), longest {:.3} ms, median \
             {:.3} ms, stop {:.3} ms",
            self.all.count,
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
        let c = |full, before, after, moved_bytes, pause| Collected {
            full,
            heap: Change { before, after },
            moved_bytes,
            pause,
            ..Collected::default()
        };
        ledger.add(&c(false, 100, 30, 20, 5));
        ledger.add(&c(false, 130, 40, 10, 7));
        ledger.add(&c(true, 50, 10, 99, 50));
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
}
