//! Replay files: all that is needed to run a failing plan once more.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::recorder::MOST_THREADS;

/// The version of the format that this program writes and reads.
const VERSION: u32 = 1;

/// A failure that can be tried again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    version: u32,
    /// The part of the suite.
    suite: String,
    /// The malloc: a file, `glibc`, or nothing for Bowline's own.
    pub(crate) against: Option<String>,
    /// What to do.
    pub(crate) plan: Plan,
    /// How it ended.
    pub(crate) verdict: String,
    /// What was seen.
    pub(crate) seen: String,
    /// How often it failed when it was run as written here.
    pub(crate) reproduced: String,
}

/// Why a file is no replay.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NoReplay {
    /// It cannot be read.
    NoFile(String),
    /// It is not what this program writes.
    Malformed(String),
    /// It is of another version.
    Version(u32),
    /// It is for another part of the suite.
    Suite(String),
    /// Its threads are none, twice there, or too many.
    Threads,
    /// It has no steps.
    Steps,
}

impl fmt::Display for NoReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile(error) => f.write_str(error),
            Self::Malformed(error) => write!(f, "no replay file: {error}"),
            Self::Version(version) => {
                write!(
                    f,
                    "a replay of version {version}; this program reads {VERSION}"
                )
            }
            Self::Suite(suite) => write!(f, "a replay for `{suite}`, not for `malloc`"),
            Self::Threads => write!(
                f,
                "the threads must be different numbers below {MOST_THREADS}, at least one"
            ),
            Self::Steps => f.write_str("there are no steps"),
        }
    }
}

/// The most bytes of a replay file: far more than there can be.
const MOST: u64 = 64 << 20;

/// The text of a replay file.
pub(crate) fn text_of(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    let read = file.take(MOST + 1).read_to_string(&mut text);
    // What goes on for ever may be no text, and is cut off within a letter.
    match read {
        Ok(bytes) if bytes as u64 <= MOST => Ok(text),
        Ok(_) => Err(format!("no replay file: more than {} MiB", MOST >> 20)),
        Err(e) => Err(e.to_string()),
    }
}

impl Replay {
    /// A failure of this plan.
    pub(crate) fn new(
        against: Option<String>,
        plan: Plan,
        verdict: &str,
        seen: &str,
        reproduced: String,
    ) -> Self {
        Self {
            version: VERSION,
            suite: "malloc".into(),
            against,
            plan,
            verdict: verdict.to_lowercase(),
            seen: seen.into(),
            reproduced,
        }
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        std::fs::write(path, text + "\n")
    }

    /// Reads one and looks whether it makes sense.
    pub(crate) fn read(path: &Path) -> Result<Self, NoReplay> {
        let text = text_of(path).map_err(NoReplay::NoFile)?;
        let replay: Self =
            serde_json::from_str(&text).map_err(|e| NoReplay::Malformed(e.to_string()))?;
        if replay.version != VERSION {
            return Err(NoReplay::Version(replay.version));
        }
        if replay.suite != "malloc" {
            return Err(NoReplay::Suite(replay.suite));
        }
        let mut threads = replay.plan.threads.clone();
        threads.sort_unstable();
        threads.dedup();
        let valid = threads.len() == replay.plan.threads.len()
            && threads
                .last()
                .is_some_and(|last| (*last as usize) < MOST_THREADS);
        if !valid {
            return Err(NoReplay::Threads);
        }
        if replay.plan.steps == 0 {
            return Err(NoReplay::Steps);
        }
        Ok(replay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Kind;

    fn replay() -> Replay {
        let plan = Plan {
            seed: u64::MAX,
            threads: vec![0, 3],
            steps: 77,
            kinds: vec![Kind::Aligned, Kind::Fork],
            max_memory: 1 << 28,
        };
        let seen = "malloc(8) gave 0x8, no multiple of 16";
        Replay::new(Some("glibc".into()), plan, "BROKEN", seen, "3 of 3".into())
    }

    fn read(text: &str) -> Result<Replay, NoReplay> {
        let name = format!("bowline-replay-{}-{:x}", std::process::id(), {
            text.bytes()
                .fold(7_u64, |h, b| h.wrapping_mul(31) + u64::from(b))
        });
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        let read = Replay::read(&path);
        std::fs::remove_file(path).unwrap();
        read
    }

    #[test]
    fn what_is_written_is_read() {
        let text = serde_json::to_string(&replay()).unwrap();
        assert_eq!(read(&text), Ok(replay()));
    }

    #[test]
    fn what_is_no_replay_is_told() {
        let text = serde_json::to_string(&replay()).unwrap();
        #[rustfmt::skip] // a table
        let cases = [
            ("\"version\":1", "\"version\":9", "a replay of version 9; this program reads 1"),
            ("\"suite\":\"malloc\"", "\"suite\":\"gc\"", "a replay for `gc`, not for `malloc`"),
            ("[0,3]", "[]", "the threads must be different numbers below 64, at least one"),
            ("[0,3]", "[3,3]", "the threads must be different numbers below 64, at least one"),
            ("[0,3]", "[64]", "the threads must be different numbers below 64, at least one"),
            ("\"steps\":77", "\"steps\":0", "there are no steps"),
        ];
        for (part, other, told) in cases {
            let changed = text.replace(part, other);
            assert_ne!(changed, text);
            assert_eq!(read(&changed).unwrap_err().to_string(), told);
        }
        let told = read("{}").unwrap_err().to_string();
        assert!(told.starts_with("no replay file: missing field"), "{told}");
        let told = Replay::read(Path::new("/no/such")).unwrap_err().to_string();
        assert!(told.starts_with("No such file"), "{told}");
        let told = Replay::read(Path::new("/dev/zero"))
            .unwrap_err()
            .to_string();
        assert_eq!(told, "no replay file: more than 64 MiB");
    }
}
