//! What the threads of a torture run do: a function of the seed, the thread and the step.
//!
//! A plan is not stored but computed: step `i` of thread `t` is drawn from a generator keyed by
//! (seed, t, i). Leaving out threads, later steps or a kind of step leaves every other step as it
//! was, which is what shrinking a failure needs. How the threads interleave is the system's choice
//! and no part of a plan.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::random::{Rng, derive};
use crate::raw::Call;

/// How many blocks a thread holds at most.
pub(crate) const SLOTS: usize = 1024;

/// How many places there are where threads leave blocks for each other.
pub(crate) const BOXES: usize = 64;

/// How many steps a phase has.
pub(crate) const PHASE: u64 = 2048;

/// A kind of step that can be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Calls that name an alignment.
    Aligned,
    /// `calloc`, with a look whether all is zero.
    Calloc,
    /// `realloc` and `reallocarray`.
    Realloc,
    /// Blocks handed from thread to thread.
    Handover,
    /// Blocks of megabytes.
    Large,
    /// Threads that come and go, and free in their last destructors.
    Churn,
    /// Forks whose children check and use what they inherit.
    Fork,
    /// Signal handlers that allocate.
    Signals,
    /// Requests that cannot be granted, and `errno` after them.
    Errno,
    /// `malloc_trim`.
    Trim,
}

/// Every kind with its name, in the order of their bits.
pub(crate) const KINDS: [(Kind, &str); 10] = [
    (Kind::Aligned, "aligned"),
    (Kind::Calloc, "calloc"),
    (Kind::Realloc, "realloc"),
    (Kind::Handover, "handover"),
    (Kind::Large, "large"),
    (Kind::Churn, "churn"),
    (Kind::Fork, "fork"),
    (Kind::Signals, "signals"),
    (Kind::Errno, "errno"),
    (Kind::Trim, "trim"),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(KINDS[*self as usize].1)
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = KINDS.iter().find(|(_, name)| *name == text);
        found.map(|(kind, _)| *kind).ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|(_, name)| *name).collect();
            format!("no kind of step is called `{text}`: {}", names.join(", "))
        })
    }
}

/// What is planned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// Where everything is drawn from.
    pub(crate) seed: u64,
    /// The threads that take part, by number.
    pub(crate) threads: Vec<u32>,
    /// How many steps each does.
    pub(crate) steps: u64,
    /// The kinds of steps that take part.
    pub(crate) kinds: Vec<Kind>,
    /// The bytes that all threads together hold at most.
    pub(crate) max_memory: u64,
}

/// What a run does for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Small blocks come and go.
    Small,
    /// Sizes of all magnitudes.
    Mixed,
    /// Sizes beside powers of two and the steps between them.
    Edges,
    /// Kilobytes to megabytes.
    Large,
    /// More and more is held.
    Grow,
    /// Nearly all is given back.
    Drain,
    /// Every second block of a row goes and larger ones come.
    Comb,
    /// What one thread takes another gives back.
    Relay,
}

/// The phases as often as they are drawn. Small blocks are what most programs use most.
const PHASES: [Phase; 10] = [
    Phase::Small,
    Phase::Small,
    Phase::Mixed,
    Phase::Edges,
    Phase::Large,
    Phase::Grow,
    Phase::Drain,
    Phase::Comb,
    Phase::Relay,
    Phase::Relay,
];

/// A request that no malloc can grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Impossible {
    Ask(Call),
    /// `realloc` of the block in a slot to this size.
    Resize(usize, usize),
}

/// One step of one thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Nothing: the kind of step drawn is left out.
    Rest,
    /// Fill a slot, after freeing what is in it.
    Take { slot: usize, call: Call },
    /// Free what is in a slot.
    Drop { slot: usize },
    /// `realloc`, or `reallocarray` with elements of this size.
    Resize {
        slot: usize,
        size: usize,
        element: Option<usize>,
    },
    /// Look whether the contents are as they were left.
    Look { slot: usize },
    /// Exchange the block in a slot for what lies in a box.
    Pass { slot: usize, at: usize },
    /// Ask for what cannot be had.
    Refused(Impossible),
    /// A thread that lives for these many blocks, half of which it frees in its last destructor.
    Churn { blocks: usize },
    /// A fork.
    Fork,
    /// `malloc_trim`.
    Trim,
}

/// Out of 10,000 steps: take, drop, resize, look, pass, refused, churn, fork, trim.
const fn weights(phase: Phase) -> [usize; 9] {
    match phase {
        Phase::Small => [4600, 3000, 900, 500, 900, 60, 25, 8, 7],
        Phase::Mixed | Phase::Edges => [4205, 2900, 1500, 500, 800, 70, 15, 3, 7],
        Phase::Large => [3307, 3000, 2400, 500, 700, 60, 20, 3, 10],
        Phase::Grow => [7910, 600, 800, 300, 300, 60, 20, 3, 7],
        Phase::Drain => [612, 7900, 500, 500, 400, 60, 10, 3, 15],
        Phase::Comb => [5010, 4000, 500, 400, 0, 60, 20, 3, 7],
        Phase::Relay => [3000, 2000, 500, 500, 3900, 60, 25, 8, 7],
    }
}

impl Plan {
    /// The phase that a step belongs to; all threads go through the same ones.
    pub(crate) fn phase(&self, index: u64) -> Phase {
        let mut rng = Rng::new(derive(self.seed, u64::MAX - index / PHASE));
        PHASES[rng.below(PHASES.len())]
    }

    /// Whether steps of this kind take part.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The most that one thread holds.
    pub(crate) fn share(&self) -> usize {
        (self.max_memory / self.threads.len().max(1) as u64) as usize
    }

    /// What this thread does at this step.
    pub(crate) fn step(&self, thread: u32, index: u64) -> Step {
        let phase = self.phase(index);
        let mut rng = Rng::keyed(self.seed, thread, index);
        let slot = match phase {
            Phase::Comb => (index % PHASE) as usize % SLOTS,
            _ => rng.below(SLOTS),
        };
        let drawn = match phase {
            Phase::Comb => comb(index),
            _ => None,
        };
        let kind = drawn.unwrap_or_else(|| pick(&weights(phase), rng.below(10_000)));
        let large = self.has(Kind::Large);
        match kind {
            0 => Step::Take {
                slot,
                call: self.call(&mut rng, phase),
            },
            1 => Step::Drop { slot },
            2 if self.has(Kind::Realloc) => Step::Resize {
                slot,
                size: size(&mut rng, phase, large).max(1),
                element: rng.once_in(6).then(|| 1 << rng.below(6)),
            },
            3 => Step::Look { slot },
            4 if self.has(Kind::Handover) => Step::Pass {
                slot,
                at: rng.below(BOXES),
            },
            5 if self.has(Kind::Errno) => Step::Refused(impossible(&mut rng, slot)),
            6 if self.has(Kind::Churn) => Step::Churn {
                blocks: rng.within(1, 200),
            },
            7 if self.has(Kind::Fork) => Step::Fork,
            8 if self.has(Kind::Trim) => Step::Trim,
            _ => Step::Rest,
        }
    }

    fn call(&self, rng: &mut Rng, phase: Phase) -> Call {
        let size = size(rng, phase, self.has(Kind::Large));
        let most = if rng.once_in(50) { 20 } else { 13 };
        let align = 1_usize << rng.within(3, most);
        let plain = Call::Malloc { size };
        let aligned = match rng.below(4) {
            0 => Call::Memalign { align, size },
            // C17 wants a multiple of the alignment no more, but older mallocs refuse others.
            1 => Call::AlignedAlloc {
                align,
                size: size.next_multiple_of(align),
            },
            _ => Call::PosixMemalign { align, size },
        };
        let element = 1 << rng.below(6);
        match rng.below(100) {
            0..60 => plain,
            60..80 if self.has(Kind::Calloc) => Call::Calloc {
                count: size.div_ceil(element),
                size: element,
            },
            80..96 if self.has(Kind::Aligned) => aligned,
            96 if self.has(Kind::Aligned) => Call::Valloc { size },
            97 if self.has(Kind::Aligned) => Call::Pvalloc { size },
            98..100 => Call::New { size },
            _ => plain,
        }
    }
}

/// What a comb does at this step: fill the row, take out every second, fill the gaps with more.
const fn comb(index: u64) -> Option<usize> {
    let at = index % PHASE;
    match at / SLOTS as u64 {
        0 => Some(0),
        _ if at.is_multiple_of(2) => Some(1),
        _ => None,
    }
}

fn pick(weights: &[usize], mut drawn: usize) -> usize {
    for (kind, &weight) in weights.iter().enumerate() {
        if drawn < weight {
            return kind;
        }
        drawn -= weight;
    }
    weights.len()
}

/// A size beside a power of two, a quarter step above one, or beside either.
fn edge(rng: &mut Rng, most: usize) -> usize {
    let power = 1_usize << rng.within(3, most);
    let step = power + power / 4 * rng.below(4);
    let beside = [0, 1, 7, 8, 15, 16, 17][rng.below(7)];
    if rng.once_in(2) {
        step + beside
    } else {
        step.saturating_sub(beside)
    }
}

/// A size whose magnitude is drawn first, so that every magnitude is as frequent.
fn magnitude(rng: &mut Rng, low: usize, high: usize) -> usize {
    let bits = rng.within(low, high);
    (1 << bits) | rng.below(1 << bits)
}

fn size(rng: &mut Rng, phase: Phase, large: bool) -> usize {
    match phase {
        _ if rng.once_in(400) => 0,
        Phase::Small | Phase::Comb if rng.once_in(4) => rng.within(1, 1024),
        Phase::Small | Phase::Comb => rng.within(1, 128),
        Phase::Large if large && rng.once_in(200) => magnitude(rng, 22, 25),
        Phase::Large if large && rng.once_in(20) => magnitude(rng, 17, 21),
        Phase::Large if large => magnitude(rng, 12, 16),
        Phase::Edges => edge(rng, if large { 20 } else { 16 }),
        Phase::Mixed if large && rng.once_in(50) => magnitude(rng, 16, 22),
        Phase::Mixed | Phase::Large => magnitude(rng, 3, 15),
        Phase::Grow | Phase::Drain => magnitude(rng, 4, 13),
        Phase::Relay => magnitude(rng, 4, 11),
    }
}

fn impossible(rng: &mut Rng, slot: usize) -> Impossible {
    let over = usize::MAX / 2 + 1 + rng.below(1 << 20);
    let huge = usize::MAX - rng.below(1 << 16);
    let half = 1_usize << 33;
    match rng.below(8) {
        0 => Impossible::Ask(Call::Malloc { size: over }),
        1 => Impossible::Ask(Call::Malloc { size: huge }),
        2 => Impossible::Ask(Call::Calloc {
            count: half,
            size: half,
        }),
        3 => Impossible::Ask(Call::Calloc {
            count: 1,
            size: over,
        }),
        4 => Impossible::Ask(Call::PosixMemalign {
            align: 4096,
            size: huge,
        }),
        5 => Impossible::Ask(Call::Memalign {
            align: 64,
            size: over,
        }),
        6 => Impossible::Resize(slot, huge),
        _ => Impossible::Resize(slot, over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        Plan {
            seed,
            threads: vec![0, 1, 2],
            steps: 60 * PHASE,
            kinds: KINDS.iter().map(|(kind, _)| *kind).collect(),
            max_memory: 1 << 28,
        }
    }

    #[test]
    fn a_seed_fixes_every_step_and_another_changes_them() {
        let steps = |plan: &Plan, thread| -> Vec<Step> {
            (0..plan.steps).map(|i| plan.step(thread, i)).collect()
        };
        assert_eq!(steps(&plan(1), 0), steps(&plan(1), 0));
        assert_ne!(steps(&plan(1), 0), steps(&plan(2), 0));
        assert_ne!(steps(&plan(1), 0), steps(&plan(1), 1));
    }

    #[test]
    fn leaving_out_leaves_the_rest_as_it_was() {
        let whole = plan(3);
        let part = Plan {
            threads: vec![1],
            steps: 5000,
            kinds: KINDS
                .iter()
                .map(|(kind, _)| *kind)
                .filter(|kind| *kind != Kind::Realloc)
                .collect(),
            ..plan(3)
        };
        for i in 0..part.steps {
            match (whole.step(1, i), part.step(1, i)) {
                (Step::Resize { .. }, other) => assert_eq!(other, Step::Rest),
                (one, other) => assert_eq!(one, other, "step {i}"),
            }
        }
    }

    #[test]
    fn every_phase_and_every_step_happens() {
        let plan = plan(4);
        let mut phases = Vec::new();
        let mut kinds = Vec::new();
        for i in 0..plan.steps {
            let phase = plan.phase(i);
            if !phases.contains(&phase) {
                phases.push(phase);
            }
            let kind = std::mem::discriminant(&plan.step(0, i));
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        assert_eq!(phases.len(), 8);
        // All but `Rest`: nothing is left out of this plan.
        assert_eq!(kinds.len(), 9);
    }

    #[test]
    fn weights_are_whole() {
        for phase in PHASES {
            assert_eq!(weights(phase).iter().sum::<usize>(), 10_000, "{phase:?}");
        }
    }

    #[test]
    fn kinds_are_read_as_they_are_shown() {
        for (i, (kind, name)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, i);
            assert_eq!(name.parse::<Kind>(), Ok(*kind));
        }
        let error = "knots".parse::<Kind>().unwrap_err();
        assert!(error.starts_with("no kind of step is called `knots`: aligned, calloc"));
    }
}
