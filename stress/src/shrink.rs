//! Makes a failing plan smaller, by trying: fewer steps, fewer threads, fewer kinds of steps.
//!
//! A smaller plan is taken when it still fails in the same way. How threads interleave is not
//! planned, so each is tried a few times; a plan that fails once in a hundred runs is left as it
//! is. Absent on purpose: leaving out single steps, since a plan is a function and not a list.

use std::time::Instant;

use crate::plan::Plan;

/// How often a smaller plan is tried before it is given up.
const TRIES: u32 = 2;

/// What one run of a plan that failed tells: how far the furthest thread came.
pub(crate) type Failed = Option<u64>;

/// The plan so far and how it is tried.
struct Search<F> {
    plan: Plan,
    deadline: Instant,
    run: F,
}

impl<F: FnMut(&Plan) -> Failed> Search<F> {
    /// Takes the candidate if it fails too; with fewer steps still if it failed early.
    fn attempt(&mut self, candidate: Plan) -> bool {
        for _ in 0..TRIES {
            if Instant::now() >= self.deadline {
                return false;
            }
            if let Some(furthest) = (self.run)(&candidate) {
                self.plan = candidate;
                self.plan.steps = self.plan.steps.min(furthest + 1);
                return true;
            }
        }
        false
    }

    fn fewer_steps(&mut self) {
        while self.plan.steps > 1 {
            let steps = self.plan.steps / 2;
            if !self.attempt(Plan {
                steps,
                ..self.plan.clone()
            }) {
                break;
            }
        }
    }

    /// Leaves out halves of the threads, quarters, and at last single ones.
    fn fewer_threads(&mut self) {
        let mut part = self.plan.threads.len() / 2;
        while part > 0 {
            let mut at = 0;
            while at < self.plan.threads.len() && self.plan.threads.len() > 1 {
                let mut threads = self.plan.threads.clone();
                let end = (at + part).min(threads.len());
                threads.drain(at..end);
                let some = !threads.is_empty();
                // Where it fails without them, the next ones stand in their place.
                if !some
                    || !self.attempt(Plan {
                        threads,
                        ..self.plan.clone()
                    })
                {
                    at += part;
                }
            }
            part /= 2;
        }
    }

    fn fewer_kinds(&mut self) {
        for kind in self.plan.kinds.clone() {
            let mut kinds = self.plan.kinds.clone();
            kinds.retain(|other| *other != kind);
            self.attempt(Plan {
                kinds,
                ..self.plan.clone()
            });
        }
    }
}

/// The smallest plan found until the deadline. `run` runs one and says how far it came if it
/// failed in the way that is looked for.
pub(crate) fn shrink(
    plan: Plan,
    furthest: u64,
    deadline: Instant,
    run: impl FnMut(&Plan) -> Failed,
) -> Plan {
    let mut search = Search {
        plan: plan.clone(),
        deadline,
        run,
    };
    let steps = plan.steps.min(furthest + 1);
    search.attempt(Plan { steps, ..plan });
    search.fewer_threads();
    search.fewer_kinds();
    search.fewer_steps();
    search.fewer_threads();
    search.plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{KINDS, Kind};
    use std::time::Duration;

    fn plan() -> Plan {
        Plan {
            seed: 1,
            threads: (0..8).collect(),
            steps: 32_768,
            kinds: KINDS.iter().map(|(kind, _)| *kind).collect(),
            max_memory: 1 << 20,
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn only_what_is_needed_is_left() {
        let fails = |plan: &Plan| {
            let threads = plan.threads.contains(&2) && plan.threads.contains(&7);
            let failed = threads && plan.has(Kind::Realloc) && plan.steps > 100;
            failed.then_some(plan.steps - 1)
        };
        let small = shrink(plan(), 20_000, soon(), fails);
        assert_eq!(small.threads, [2, 7]);
        assert_eq!(small.kinds, [Kind::Realloc]);
        assert!((101..=200).contains(&small.steps), "{} steps", small.steps);
    }

    #[test]
    fn what_fails_always_becomes_one_step_of_one_thread() {
        let small = shrink(plan(), 100, soon(), |_| Some(0));
        assert_eq!((small.threads.len(), small.steps), (1, 1));
        assert!(small.kinds.is_empty());
    }

    #[test]
    fn what_does_not_fail_again_and_what_comes_too_late_stay() {
        assert_eq!(shrink(plan(), 5, soon(), |_| None), plan());
        assert_eq!(shrink(plan(), 5, Instant::now(), |_| Some(0)), plan());
    }
}
