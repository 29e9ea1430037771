//! Scheme programs: Bowline's virtual machine against Chez Scheme.
//!
//! The programs are portable R7RS. Chez 9.5 knows no `(scheme base)`, so it gets the same text with
//! its own library imported instead, compiled ahead as one whole program at optimize-level 2 (safe
//! code); what is timed is the run of the compiled file. Bowline compiles from source each time, and
//! that is part of its time beyond what the empty program takes.

use super::{Course, Entrant, build, missed, output_of, target_directory};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAMS: &str = "xtask/programs/scheme";
const EMPTY: &str = "empty";

/// Names under which Chez is installed.
const CHEZ: [&str; 3] = ["chezscheme", "chez", "scheme"];

/// The race over every program whose name contains `only`.
pub(super) fn course(root: &Path, scratch: &Path, only: &str) -> Result<Course, String> {
    let programs = programs(root, only)?;
    let mut missing = Vec::new();
    let mut entrants = vec![bowline(root, &programs)?];
    match chez(root, scratch, &programs) {
        Ok(entrant) => entrants.push(entrant),
        Err(why) => missing.push(missed("chez", &why)),
    }
    Ok(Course {
        about: "Scheme programs (`xtask/programs/scheme`), from source text to printed result.",
        programs,
        entrants,
        missing,
        pairs: vec![(
            "ctak",
            "ctak-plain",
            "The same program with and without a continuation captured at every call.",
        )],
        compared: str::to_string,
    })
}

/// The names of the programs, the empty one first.
fn programs(root: &Path, only: &str) -> Result<Vec<String>, String> {
    let folder = root.join(PROGRAMS);
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".scm").map(str::to_string))
        .filter(|name| name != EMPTY && name.contains(only))
        .collect();
    if names.is_empty() {
        return Err(format!("no program in {PROGRAMS} has `{only}` in its name"));
    }
    names.sort();
    names.insert(0, EMPTY.to_string());
    Ok(names)
}

fn source(root: &Path, program: &str) -> PathBuf {
    root.join(PROGRAMS).join(format!("{program}.scm"))
}

/// A path as an argument of a command.
pub(super) fn argument(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn bowline(root: &Path, programs: &[String]) -> Result<Entrant, String> {
    build(root, &["--bin", "bowline"])?;
    let binary = target_directory(root)?.join("release/bowline");
    let version = output_of(Command::new(&binary).arg("--version"))?;
    let command = |program: &String| {
        vec![
            argument(&binary),
            "run".to_string(),
            argument(&source(root, program)),
        ]
    };
    Ok(Entrant {
        name: "bowline",
        version,
        how: "`bowline run PROGRAM`, virtual machine, compiles from source at each run".to_string(),
        commands: programs.iter().map(command).collect(),
    })
}

/// Chez Scheme with these programs compiled, or why it cannot take part.
fn chez(root: &Path, scratch: &Path, programs: &[String]) -> Result<Entrant, String> {
    let mut texts = Vec::new();
    for program in programs {
        texts.push((program.clone(), read(&source(root, program))?));
    }
    let how = "`compile-program` at optimize-level 2, then `scheme --program PROGRAM.so`";
    compiled_by_chez(scratch, how, &texts)
}

/// A source as text.
pub(super) fn read(source: &Path) -> Result<String, String> {
    std::fs::read_to_string(source).map_err(|e| format!("{}: {e}", source.display()))
}

/// Chez Scheme with these names and texts of programs compiled, or why it cannot take part.
pub(super) fn compiled_by_chez(
    scratch: &Path,
    how: &str,
    programs: &[(String, String)],
) -> Result<Entrant, String> {
    let (name, version) = find_chez()?;
    let mut commands = Vec::new();
    for (program, text) in programs {
        let compiled = compile(name, scratch, program, text)?;
        commands.push(vec![
            name.to_string(),
            "--program".to_string(),
            argument(&compiled),
        ]);
    }
    Ok(Entrant {
        name: "chez",
        version: format!("Chez Scheme {version}"),
        how: how.to_string(),
        commands,
    })
}

/// The command that starts Chez here, and its version.
fn find_chez() -> Result<(&'static str, String), String> {
    for name in CHEZ {
        let script = "(display (scheme-version))";
        if let Ok(said) = evaluate(name, script)
            && let Some(version) = said.strip_prefix("Chez Scheme Version ")
        {
            return Ok((name, version.to_string()));
        }
    }
    Err(format!("not on this machine (tried {})", CHEZ.join(", ")))
}

/// Compiles a portable program for Chez and returns the compiled file.
fn compile(chez: &str, scratch: &Path, program: &str, text: &str) -> Result<PathBuf, String> {
    let own = scratch.join(format!("{program}.ss"));
    let compiled = scratch.join(format!("{program}.so"));
    std::fs::write(&own, with_chez_import(text)?).map_err(|e| format!("{}: {e}", own.display()))?;
    // Without the second expression Chez would exit with success after an error.
    let script = format!(
        "(optimize-level 2) (base-exception-handler (lambda (c) (display-condition c) (exit 1))) \
         (compile-program {:?} {:?})",
        argument(&own),
        argument(&compiled)
    );
    evaluate(chez, &script)?;
    Ok(compiled)
}

/// The program with Chez's own library in place of the ones that R7RS names.
fn with_chez_import(text: &str) -> Result<String, String> {
    let mut replaced = 0;
    let lines: Vec<&str> = text
        .lines()
        .map(|line| {
            if line.starts_with("(import ") {
                replaced += 1;
                "(import (chezscheme))"
            } else {
                line
            }
        })
        .collect();
    match replaced {
        1 => Ok(lines.join("\n") + "\n"),
        n => Err(format!(
            "a program for Chez has one line of imports, not {n}"
        )),
    }
}

fn evaluate(chez: &str, script: &str) -> Result<String, String> {
    use std::io::Write;
    let mut child = Command::new(chez)
        .arg("-q")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{chez}: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let written = stdin.write_all(script.as_bytes());
        written.map_err(|e| format!("{chez}: {e}"))?;
    }
    let output = child
        .wait_with_output()
        .map_err(|e| format!("{chez}: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_string();
    if output.status.success() {
        Ok(said)
    } else {
        Err(format!("{chez}: {}: {said}", output.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    #[test]
    fn only_the_import_is_replaced() {
        let text = ";; c\n(import (scheme base) (scheme write))\n(display 1)\n";
        let expected = ";; c\n(import (chezscheme))\n(display 1)\n";
        assert_eq!(with_chez_import(text).unwrap(), expected);
        assert!(with_chez_import("(display 1)\n").is_err());
    }

    #[test]
    fn every_program_is_found_and_can_be_given_to_chez() {
        let names = programs(&root(), "").unwrap();
        assert_eq!(names[0], EMPTY);
        assert!(names.len() > 8, "{names:?}");
        for name in &names {
            let text = std::fs::read_to_string(source(&root(), name)).unwrap();
            with_chez_import(&text).unwrap();
        }
    }

    #[test]
    fn a_peer_that_is_not_there_is_told() {
        let why = evaluate("no-such-chez", "1").unwrap_err();
        assert!(
            missed("chez", &why).starts_with("chez: no-such-chez: "),
            "{why}"
        );
    }

    #[test]
    fn some_programs_can_be_chosen() {
        assert_eq!(
            programs(&root(), "ctak").unwrap(),
            ["empty", "ctak", "ctak-plain"]
        );
        assert!(programs(&root(), "no-such").is_err());
    }
}
