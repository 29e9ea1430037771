//! Scripts that a seed fixes: operations drawn by the weights of a profile.
//!
//! Operation `i` of thread `t` depends on (seed, t, i) alone.

use super::op::{GROUPS, Group, KINDS, Number, Op};
use crate::random::Rng;

/// How many registers a thread has.
pub(super) const REGISTERS: u32 = 24;
/// How many global cells there are.
pub(super) const GLOBALS: u32 = 12;
/// How many handles the threads share.
pub(super) const HANDLES: u32 = 12;
/// How many blocks of C's a thread holds.
pub(super) const BLOCKS: u32 = 6;

/// How often operations of each group come.
pub(super) struct Profile {
    /// Its name.
    pub(super) name: &'static str,
    weights: [usize; GROUPS],
}

/// Every profile. The columns are the groups in their order.
#[rustfmt::skip] // a table
pub(super) const PROFILES: [Profile; 7] = [
    //                             make large weak link drop stack glob coll call pin guard own hand mal chk fill fork thread freeze
    profile("mixed",    [300, 30, 80, 300, 60, 40, 40, 30, 40, 20, 40, 40, 50, 20, 4, 0, 2, 2, 1]),
    profile("graph",    [300, 60, 10, 500, 60, 60, 40, 40,  5,  5,  5,  5,  5,  0, 4, 0, 0, 0, 1]),
    profile("weak",     [200,  5, 250, 250, 80, 10, 20, 40,  5,  5, 120, 60, 60,  0, 6, 0, 0, 0, 1]),
    profile("boundary", [250, 30, 20, 200, 60, 20, 30, 40, 150, 80, 10, 20, 120, 30, 4, 0, 0, 2, 0]),
    profile("memory",   [200, 80, 20, 150, 120, 20, 20, 30, 20, 10, 10, 120, 10, 120, 4, 2, 0, 0, 0]),
    profile("forks",    [250, 20, 60, 200, 60, 30, 40, 30, 40, 20, 40, 40, 40, 20, 4, 0, 15, 0, 1]),
    profile("threads",  [250, 20, 40, 250, 60, 30, 150, 40, 40, 20, 20, 20, 40, 20, 2, 0, 0, 20, 0]),
];

const fn profile(name: &'static str, weights: [usize; GROUPS]) -> Profile {
    Profile { name, weights }
}

/// The profile of this name.
pub(super) fn named(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

fn number(rng: &mut Rng, of: Number) -> u32 {
    match of {
        Number::Within(low, high) => rng.within(low as usize, high as usize) as u32,
        Number::Magnitude(bits) => {
            let bits = rng.below(bits as usize);
            (1 << bits | rng.below(1 << bits)) as u32
        }
    }
}

impl Profile {
    /// One operation, but none of these groups.
    pub(super) fn draw(&self, rng: &mut Rng, without: &[Group]) -> Op {
        let weight = |group: usize| {
            let left_out = without.iter().any(|g| *g as usize == group);
            if left_out { 0 } else { self.weights[group] }
        };
        let rows = || KINDS.iter();
        let of_group = |group: Group| -> usize {
            let same = rows().filter(|row| row.group == group);
            same.map(|row| row.weight).sum()
        };
        let mut drawn = rng.below((0..GROUPS).map(weight).sum());
        let mut group = 0;
        while drawn >= weight(group) {
            drawn -= weight(group);
            group += 1;
        }
        let mut members = rows().filter(|row| row.group as usize == group).peekable();
        let mut drawn = members
            .peek()
            .map_or(0, |row| rng.below(of_group(row.group)));
        let row = members.find(|row| {
            let here = drawn < row.weight;
            drawn = drawn.saturating_sub(row.weight);
            here
        });
        let row = row.unwrap_or(&KINDS[0]);
        let shared = match row.group {
            Group::Global => GLOBALS,
            Group::Handle | Group::Pin => HANDLES,
            Group::Malloc => BLOCKS,
            _ => REGISTERS,
        };
        let op = Op {
            kind: row.kind,
            a: rng.below(REGISTERS as usize) as u32,
            b: rng.below(shared as usize) as u32,
            c: rng.below(REGISTERS as usize) as u32,
            n: number(rng, row.number),
        };
        op.plain()
    }

    /// Operation `index` of a thread.
    pub(super) fn operation(&self, seed: u64, thread: u32, index: u64) -> Op {
        self.draw(&mut Rng::keyed(seed, thread, index), &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gc::op::Kind;

    #[test]
    fn a_seed_fixes_every_operation() {
        let profile = named("mixed").unwrap();
        let of = |seed| -> Vec<Op> { (0..500).map(|i| profile.operation(seed, 0, i)).collect() };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn every_operation_comes_in_some_profile() {
        let mut seen = vec![false; KINDS.len()];
        for profile in &PROFILES {
            (0..20_000).for_each(|i| seen[profile.operation(3, 0, i).kind as usize] = true);
        }
        for (row, seen) in KINDS.iter().zip(seen) {
            assert!(seen, "{:?}", row.kind);
        }
    }

    #[test]
    fn groups_can_be_left_out() {
        let profile = named("forks").unwrap();
        let mut rng = Rng::new(1);
        let forks = (0..5000).filter(|_| profile.draw(&mut rng, &[Group::Fork]).kind == Kind::Fork);
        assert_eq!(forks.count(), 0);
    }
}
