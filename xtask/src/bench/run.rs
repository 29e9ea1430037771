//! One program run once: what it printed and what it cost.
//!
//! The shell's `time` measures: it counts the whole process, its threads included, in milliseconds,
//! and it needs neither a dependency nor `unsafe`.

use std::path::Path;
use std::process::Command;

/// The longest that a program may run, in seconds.
const PATIENCE: &str = "300";

const SCRIPT: &str = r#"
export LC_ALL=C
TIMEFORMAT='%3R %3U %3S'
out=$1; shift
time timeout "$PATIENCE" "$@" >"$out" 2>"$out.err" </dev/null
"#;

/// What a run cost, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Cost {
    /// From start to end.
    pub(super) wall: f64,
    /// User and system time of the whole process.
    pub(super) cpu: f64,
}

/// Runs a command and returns its cost and its output, or why it failed.
pub(super) fn run(command: &[String], scratch: &Path) -> Result<(Cost, String), String> {
    let out = scratch.join("output");
    let shell = Command::new("bash")
        .args(["-c", SCRIPT, "bench"])
        .arg(&out)
        .args(command)
        .env("PATIENCE", PATIENCE)
        .output()
        .map_err(|e| format!("bash: {e}"))?;
    let read = |path: &Path| std::fs::read(path).unwrap_or_default();
    if !shell.status.success() {
        let err = read(&out.with_extension("err"));
        let err = String::from_utf8_lossy(&err);
        let first = err.lines().next().unwrap_or_default();
        return Err(match shell.status.code() {
            Some(124) => format!("no end within {PATIENCE} s"),
            _ => format!("{}: {first}", shell.status),
        });
    }
    let cost = cost(&String::from_utf8_lossy(&shell.stderr));
    let cost = cost.ok_or("bash: `time` said nothing that reads as a time")?;
    Ok((cost, String::from_utf8_lossy(&read(&out)).into_owned()))
}

/// Reads the last line of what `time` says: real, user and system time in seconds.
fn cost(said: &str) -> Option<Cost> {
    let line = said.lines().rev().find(|l| !l.trim().is_empty())?;
    let numbers: Vec<f64> = line
        .split_whitespace()
        .map(|word| word.parse().ok())
        .collect::<Option<_>>()?;
    match numbers[..] {
        [real, user, system] => Some(Cost {
            wall: real * 1e3,
            cpu: (user + system) * 1e3,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::with_scratch;
    use super::*;

    fn shell(script: &str) -> Result<(Cost, String), String> {
        let command = ["sh", "-c", script].map(str::to_string);
        with_scratch(|scratch| run(&command, scratch))
    }

    #[test]
    fn times_are_read() {
        assert_eq!(
            cost("noise\n0.250 0.125 0.500\n"),
            Some(Cost {
                wall: 250.0,
                cpu: 625.0
            })
        );
        assert_eq!(cost("0.250 0.200\n"), None);
        assert_eq!(cost("a b c\n"), None);
        assert_eq!(cost(""), None);
    }

    #[test]
    fn output_and_cost_come_back() {
        let (cost, out) = shell("echo yes; echo no >&2; sleep 0.05").unwrap();
        assert_eq!(out, "yes\n");
        assert!(cost.wall >= 50.0, "{cost:?}");
    }

    #[test]
    fn a_failure_tells_its_first_line() {
        let failed = shell("echo sorry >&2; echo more >&2; exit 3").unwrap_err();
        assert!(
            failed.contains('3') && failed.ends_with("sorry"),
            "{failed}"
        );
    }
}
