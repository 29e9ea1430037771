//! Makes a failing script short: leaves out kinds of operations, registers and runs of lines, long ones
//! first, then makes numbers smaller, as long as it fails in the same way (Zeller and Hildebrandt: Simplifying and Isolating
//! Failure-Inducing Input, 2002, without its first half: what fails first is cut off behind already).

use super::draw::REGISTERS;
use super::op::{KINDS, Kind};
use super::script::Line;

struct Search<F> {
    lines: Vec<Line>,
    /// How many more scripts to try.
    left: u64,
    fails: F,
}

impl<F: FnMut(&[Line]) -> bool> Search<F> {
    fn attempt(&mut self, candidate: Vec<Line>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let taken = (self.fails)(&candidate);
        if taken {
            self.lines = candidate;
        }
        taken
    }

    /// Leaves out all lines that are `of` a sort, for each sort.
    fn without_sorts<T: PartialEq + Copy>(&mut self, sorts: &[T], of: impl Fn(&Line, T) -> bool) {
        for sort in sorts {
            let mut candidate = self.lines.clone();
            candidate.retain(|line| !of(line, *sort));
            if candidate.len() < self.lines.len() {
                self.attempt(candidate);
            }
        }
    }

    /// Leaves out runs of this many lines, the last first. Returns whether any could be.
    fn without(&mut self, length: usize) -> bool {
        let mut shorter = false;
        let mut end = self.lines.len();
        while end > 0 {
            let start = end.saturating_sub(length);
            let mut candidate = self.lines.clone();
            candidate.drain(start..end);
            shorter |= self.attempt(candidate);
            end = start;
        }
        shorter
    }

    fn smaller_numbers(&mut self) {
        for i in 0..self.lines.len() {
            let mut keep = 0;
            // The smallest that does, by halves.
            while self.lines[i].1.n > keep {
                let n = self.lines[i].1.n;
                let mut candidate = self.lines.clone();
                candidate[i].1.n = keep + (n - keep) / 2;
                let middle = candidate[i].1.n;
                if !self.attempt(candidate) {
                    keep = middle + 1;
                }
                if self.left == 0 {
                    return;
                }
            }
        }
    }
}

/// The shortest script found among so many. `fails` runs one and says whether it failed in the way that is
/// looked for.
pub(super) fn shrink(lines: Vec<Line>, left: u64, fails: impl FnMut(&[Line]) -> bool) -> Vec<Line> {
    let mut search = Search { lines, left, fails };
    let kinds: Vec<Kind> = KINDS.iter().map(|row| row.kind).collect();
    let registers: Vec<u32> = (0..REGISTERS).collect();
    search.without_sorts(&kinds, |(_, op), kind| op.kind == kind);
    search.without_sorts(&registers, |(_, op), r| {
        [op.a, op.b, op.c].contains(&r) && r > 0
    });
    let mut length = search.lines.len().div_ceil(2);
    while length > 1 {
        search.without(length);
        length = length
            .div_ceil(2)
            .min(search.lines.len().div_ceil(2))
            .max(1);
    }
    while search.without(1) && search.left > 0 {}
    search.smaller_numbers();
    search.lines
}

#[cfg(test)]
mod tests {
    use super::super::op::Op;
    use super::*;

    fn lines() -> Vec<Line> {
        let op = |n| Op {
            n,
            ..Op::of(Kind::Garbage)
        };
        (0..1000).map(|n| (0, op(n))).collect()
    }

    #[test]
    fn what_is_needed_is_left_and_made_small() {
        let mut runs = 0;
        let short = shrink(lines(), 1000, |lines| {
            runs += 1;
            let has =
                |least: u32, most: u32| lines.iter().any(|(_, op)| (least..most).contains(&op.n));
            has(5, 17) && has(700, 1000)
        });
        let numbers: Vec<u32> = short.iter().map(|(_, op)| op.n).collect();
        assert_eq!(numbers.len(), 2, "{numbers:?} after {runs} runs");
        assert!(
            numbers.contains(&5) && numbers.contains(&700),
            "{numbers:?}"
        );
    }

    #[test]
    fn no_more_scripts_are_tried_than_may_be() {
        assert_eq!(shrink(lines(), 0, |_| true), lines());
        let mut runs = 0;
        shrink(lines(), 10, |_| {
            runs += 1;
            false
        });
        assert_eq!(runs, 10);
    }
}
