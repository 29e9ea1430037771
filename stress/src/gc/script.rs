//! What a run is to do: a heap, threads, and operations, drawn from a seed or written down.

use std::time::Duration;

use bowline_gc::{HeapConfig, Plan, Zeal};
use serde::{Deserialize, Serialize};

use super::draw::{self, PROFILES, Profile};
use super::fault::Plant;
use super::op::Op;
use crate::recorder::MOST_THREADS;

/// The root stack of a thread, in bytes: half a million words.
const ROOT_STACK: usize = 4 << 20;

/// The heap that a run has, and what its operations are drawn by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    pub(super) plan: String,
    /// The hard limit, in bytes.
    pub(super) heap: u64,
    /// In bytes.
    pub(super) nursery: u64,
    /// Collector threads.
    pub(super) workers: usize,
    pub(super) zeal: String,
    pub(super) verify: bool,
    pub(super) profile: String,
}

impl Setup {
    /// What to start the heap with.
    pub(super) fn config(&self) -> Result<HeapConfig, String> {
        let plan: Plan = self.plan.parse().map_err(|e| format!("{e}"))?;
        let zeal: Zeal = self.zeal.parse().map_err(|e| format!("{e}"))?;
        Ok(HeapConfig {
            plan,
            limit: Some(self.heap as usize),
            min_heap: (self.heap as usize / 4).min(16 << 20),
            nursery: self.nursery as usize,
            workers: Some(self.workers),
            zeal,
            verify: self.verify,
            root_stack: ROOT_STACK,
            ..HeapConfig::default()
        })
    }

    /// The profile.
    pub(super) fn profile(&self) -> Result<&'static Profile, String> {
        draw::named(&self.profile).ok_or_else(|| no_profile(&self.profile))
    }
}

/// What is said of a profile that there is not.
pub(super) fn no_profile(name: &str) -> String {
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    format!("no profile is called `{name}`: {}", names.join(", "))
}

/// Where operations come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    /// Drawn, so many for each thread, in no fixed order.
    Drawn { seed: u64, steps: u64 },
    /// These, in this order: `THREAD: OPERATION`.
    Script(Vec<String>),
}

/// All that a run needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Program {
    pub(super) setup: Setup,
    pub(super) threads: u32,
    pub(super) source: Source,
    /// A fault of the torture's own to be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) plant: Option<String>,
    pub(super) limit_ms: u64,
}

/// One operation of a script, and who does it.
pub(super) type Line = (u32, Op);

impl Program {
    /// How long the run goes on at most.
    pub(super) fn limit(&self) -> Duration {
        Duration::from_millis(self.limit_ms)
    }

    /// The fault to be found, if there is one.
    pub(super) fn plant(&self) -> Result<Option<Plant>, String> {
        self.plant.as_deref().map(str::parse).transpose()
    }

    /// The lines of a script; nothing for a run that is drawn.
    pub(super) fn lines(&self) -> Result<Option<Vec<Line>>, String> {
        let Source::Script(lines) = &self.source else {
            return Ok(None);
        };
        lines
            .iter()
            .map(|line| read(line))
            .collect::<Result<Vec<Line>, _>>()
            .map(Some)
    }

    /// Whether it makes sense.
    pub(super) fn check(&self) -> Result<(), String> {
        self.setup.config()?.check().map_err(|e| e.to_string())?;
        self.setup.profile()?;
        self.plant()?;
        if self.threads == 0 || self.threads as usize > MOST_THREADS {
            return Err(format!("the threads must be 1 to {MOST_THREADS}"));
        }
        let lines = self.lines()?.unwrap_or_default();
        match lines.iter().find(|(thread, _)| *thread >= self.threads) {
            Some((thread, op)) => Err(format!("`{thread}: {op}`: there is no thread {thread}")),
            None => Ok(()),
        }
    }

    /// The same heap and threads with these operations.
    pub(super) fn with(&self, lines: &[Line]) -> Program {
        let text = |(thread, op): &Line| format!("{thread}: {op}");
        Program {
            source: Source::Script(lines.iter().map(text).collect()),
            ..self.clone()
        }
    }
}

fn read(line: &str) -> Result<Line, String> {
    let parts = line.split_once(": ");
    let number = parts.and_then(|(thread, op)| Some((thread.parse().ok()?, op)));
    let (thread, op) = number.ok_or_else(|| format!("`{line}` is not THREAD: OPERATION"))?;
    Ok((thread, op.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn program() -> Program {
        Program {
            setup: Setup {
                plan: "throughput".into(),
                heap: 32 << 20,
                nursery: 1 << 20,
                workers: 1,
                zeal: "off".into(),
                verify: true,
                profile: "mixed".into(),
            },
            threads: 2,
            source: Source::Script(vec!["0: poll".into(), "1: drop r3".into()]),
            plant: None,
            limit_ms: 1000,
        }
    }

    #[test]
    fn scripts_are_read_as_they_are_written() {
        let program = program();
        assert_eq!(program.check(), Ok(()));
        let lines = program.lines().unwrap().unwrap();
        assert_eq!(program.with(&lines), program);
        let text = serde_json::to_string(&program).unwrap();
        assert_eq!(serde_json::from_str::<Program>(&text).unwrap(), program);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let told = |change: fn(&mut Program)| {
            let mut changed = program();
            change(&mut changed);
            changed.check().unwrap_err()
        };
        assert!(told(|p| p.setup.plan = "slow".into()).contains("there is no plan \"slow\""));
        assert!(told(|p| p.setup.zeal = "much".into()).starts_with("zeal is"));
        assert!(
            told(|p| p.setup.profile = "x".into()).starts_with("no profile is called `x`: mixed")
        );
        assert_eq!(told(|p| p.threads = 0), "the threads must be 1 to 64");
        assert_eq!(
            told(|p| p.threads = 1),
            "`1: drop r3`: there is no thread 1"
        );
        let script = |p: &mut Program, line: &str| p.source = Source::Script(vec![line.into()]);
        let mut changed = program();
        script(&mut changed, "poll");
        assert_eq!(
            changed.check().unwrap_err(),
            "`poll` is not THREAD: OPERATION"
        );
        script(&mut changed, "0: knit");
        assert_eq!(changed.check().unwrap_err(), "`knit` is no operation");
    }
}
