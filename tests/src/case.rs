//! One test case as text: settings, source and what is expected, in one file.
//!
//! ```text
//! ;; What the case shows.
//! ;! args: one two
//! (import (scheme base) (scheme write))
//! (display "hello")
//! ;=== file lib/extra.sld
//! (define-library (lib extra) …)
//! ;=== stdout
//! hello
//! ```
//!
//! The source is everything before the first `;===` line, so a line number in a report is the line
//! of the case file. Settings stand in `;!` lines of the source:
//!
//! | setting | meaning | left out |
//! |---|---|---|
//! | `args: A B` | arguments of the program | none |
//! | `flags: --heap=16m` | flags before the file | none |
//! | `check: FLAGS` | `check FLAGS` instead of `run`, in the plain mode only | `run` |
//! | `dump: STAGE` | `dump --stage=STAGE` instead of `run` | `run` |
//! | `exit: N` | the expected status | 0 |
//! | `modes: plain zeal` | the modes that the case runs in | all |
//!
//! Sections: `file NAME` lies beside the program; `stdin` is fed to it; `stdout` and `stderr` are
//! expected exactly, but for newlines at the end, and expected empty when left out; with `has` after
//! the name every line must occur, in this order, and other text may stand between.
//!
//! [`Case::with_results`] changes nothing but `exit`, `stdout` and `stderr`.

use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::process::Outcome;

/// What is expected of one output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// This text and nothing else.
    Exactly(String),
    /// Each of these lines' texts, in order.
    Has(Vec<String>),
}

impl Expected {
    /// Why `actual` is not what is expected, if it is not.
    pub fn complaint(&self, name: &str, actual: &str) -> Option<String> {
        match self {
            Expected::Exactly(text) if same_text(text, actual) => None,
            Expected::Exactly(text) => Some(format!(
                "{name} differs; expected:\n{}\ngot:\n{}\n",
                text.trim_end_matches('\n'),
                actual.trim_end_matches('\n')
            )),
            Expected::Has(parts) => {
                let mut rest = actual;
                for part in parts {
                    match rest.find(part.as_str()) {
                        Some(at) => rest = &rest[at + part.len()..],
                        None => return Some(format!("{name} lacks `{part}`; got:\n{actual}\n")),
                    }
                }
                None
            }
        }
    }
}

fn same_text(a: &str, b: &str) -> bool {
    a.trim_end_matches('\n') == b.trim_end_matches('\n')
}

/// One case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// The program, settings included.
    pub source: String,
    /// Arguments of the program.
    pub args: Vec<String>,
    /// Flags before the file.
    pub flags: Vec<String>,
    /// The flags of `check`, if the program is to be checked and not run.
    pub check: Option<Vec<String>>,
    /// The stage to dump, if the program is not to be run.
    pub dump: Option<String>,
    /// The expected status.
    pub exit: i32,
    /// The modes that it runs in; empty means all.
    pub modes: Vec<String>,
    /// Files beside the program: name and text.
    pub files: Vec<(String, String)>,
    /// What is fed to the program.
    pub stdin: String,
    /// The expected output.
    pub stdout: Expected,
    /// The expected diagnostics.
    pub stderr: Expected,
}

impl Case {
    /// Reads a case; `Err` says which line is wrong.
    pub fn parse(text: &str) -> Result<Case, String> {
        let mut case = Case {
            source: String::new(),
            args: Vec::new(),
            flags: Vec::new(),
            check: None,
            dump: None,
            exit: 0,
            modes: Vec::new(),
            files: Vec::new(),
            stdin: String::new(),
            stdout: Expected::Exactly(String::new()),
            stderr: Expected::Exactly(String::new()),
        };
        let (source, sections) = split(text);
        for line in source.lines().filter_map(|line| line.strip_prefix(";! ")) {
            case.set(line)?;
        }
        case.source = source;
        for (heading, body) in sections {
            case.section(&heading, body)?;
        }
        if case.check.is_some() {
            case.modes = vec!["plain".to_owned()];
        }
        Ok(case)
    }

    fn set(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| format!("a setting without a colon: {line}"))?;
        let words = || value.split_whitespace().map(str::to_owned).collect();
        match name {
            "args" => self.args = words(),
            "flags" => self.flags = words(),
            "modes" => self.modes = words(),
            "check" => self.check = Some(words()),
            "dump" => self.dump = Some(value.trim().to_owned()),
            "exit" => {
                self.exit = value
                    .trim()
                    .parse()
                    .map_err(|_| format!("no exit status: {line}"))?;
            }
            _ => return Err(format!("unknown setting: {line}")),
        }
        Ok(())
    }

    fn section(&mut self, heading: &str, body: String) -> Result<(), String> {
        let has = || Expected::Has(body.lines().map(str::to_owned).collect());
        match heading {
            "stdin" => self.stdin = body,
            "stdout" => self.stdout = Expected::Exactly(body),
            "stderr" => self.stderr = Expected::Exactly(body),
            "stdout has" => self.stdout = has(),
            "stderr has" => self.stderr = has(),
            _ => match heading.strip_prefix("file ") {
                Some(name) => self.files.push((name.to_owned(), body)),
                None => return Err(format!("unknown section: {heading}")),
            },
        }
        Ok(())
    }

    /// Writes the program, as `main.scm`, and the files beside it into a folder.
    pub fn lay_out(&self, folder: &Path) -> io::Result<()> {
        std::fs::write(folder.join("main.scm"), &self.source)?;
        for (name, body) in &self.files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, body)?;
        }
        Ok(())
    }

    /// What is wrong with what the program did; nothing if that is as expected.
    pub fn complaints(&self, outcome: &Outcome) -> Vec<String> {
        let mut complaints = Vec::new();
        if outcome.exit != Some(self.exit) {
            let ending = outcome.ending();
            complaints.push(format!("expected status {}, got {ending}", self.exit));
        }
        complaints.extend(self.stdout.complaint("stdout", &outcome.stdout));
        complaints.extend(self.stderr.complaint("stderr", &outcome.stderr));
        complaints
    }

    /// The text of this case when these results are right.
    pub fn with_results(&self, text: &str, exit: i32, stdout: &str, stderr: &str) -> String {
        let (source, sections) = split(text);
        let mut out = with_exit(&source, exit);
        for (heading, body) in &sections {
            if heading != "stdout" && heading != "stderr" {
                push_section(&mut out, heading, body);
            }
        }
        for (name, expected, actual) in [
            ("stdout", &self.stdout, stdout),
            ("stderr", &self.stderr, stderr),
        ] {
            if matches!(expected, Expected::Exactly(_)) && !actual.trim().is_empty() {
                push_section(&mut out, name, actual);
            }
        }
        out
    }
}

/// The source and the sections after it.
fn split(text: &str) -> (String, Vec<(String, String)>) {
    let mut source = String::new();
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(heading) = line.strip_prefix(";=== ") {
            sections.push((heading.trim().to_owned(), String::new()));
        } else if let Some((_, body)) = sections.last_mut() {
            body.push_str(line);
        } else {
            source.push_str(line);
        }
    }
    (source, sections)
}

fn with_exit(source: &str, exit: i32) -> String {
    let setting = format!(";! exit: {exit}\n");
    let mut lines: Vec<&str> = source.split_inclusive('\n').collect();
    let old = lines.iter().position(|line| line.starts_with(";! exit:"));
    match old {
        Some(at) => lines[at] = &setting,
        None if exit == 0 => {}
        None => {
            let code = lines.iter().position(|line| !line.starts_with(";"));
            lines.insert(code.unwrap_or(0), &setting);
        }
    }
    lines.concat()
}

fn push_section(out: &mut String, heading: &str, body: &str) {
    let body = body.trim_end_matches('\n');
    // Writing to a string cannot fail.
    let _ = writeln!(out, ";=== {heading}\n{body}");
}

#[cfg(test)]
mod tests {
    use super::{Case, Expected};
    use crate::process::Outcome;
    use crate::scratch::Scratch;

    const TEXT: &str = "\
;; Shows it.
;! args: a b
;! exit: 3
(body)
;=== file x.sld
(x)
;=== stderr has
one
two
;=== stdout
1
2
";

    #[test]
    fn parts_are_found() {
        let case = Case::parse(TEXT).expect("well formed");
        assert_eq!(case.args, ["a", "b"]);
        assert_eq!(case.exit, 3);
        assert_eq!(case.files, [("x.sld".to_owned(), "(x)\n".to_owned())]);
        assert!(case.source.ends_with("(body)\n"));
        assert_eq!(case.stdout.complaint("stdout", "1\n2"), None);
        assert!(case.stdout.complaint("stdout", "1\n3\n").is_some());
    }

    #[test]
    fn files_lie_beside_the_program() {
        let case = Case::parse("(body)\n;=== file lib/x.sld\n(x)\n").expect("well formed");
        let folder = Scratch::new("case").expect("a folder");
        case.lay_out(folder.path()).expect("written");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).ok();
        assert_eq!(read("main.scm").as_deref(), Some("(body)\n"));
        assert_eq!(read("lib/x.sld").as_deref(), Some("(x)\n"));
    }

    #[test]
    fn every_difference_is_told() {
        let case = Case::parse(TEXT).expect("well formed");
        let mut outcome = Outcome {
            exit: Some(3),
            signal: None,
            stdout: "1\n2\n".to_owned(),
            stderr: "one, two".to_owned(),
            timed_out: false,
        };
        assert!(case.complaints(&outcome).is_empty());
        outcome.exit = None;
        outcome.signal = Some(11);
        outcome.stdout.clear();
        outcome.stderr.clear();
        let told = case.complaints(&outcome);
        assert_eq!(told[0], "expected status 3, got signal 11");
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn has_wants_the_order() {
        let has = Expected::Has(vec!["one".to_owned(), "two".to_owned()]);
        assert_eq!(has.complaint("stderr", "x one y two z"), None);
        assert!(has.complaint("stderr", "two one").is_some());
    }

    #[test]
    fn blessing_keeps_the_rest() {
        let case = Case::parse(TEXT).expect("well formed");
        assert_eq!(case.with_results(TEXT, 3, "1\n2\n", "junk"), TEXT);
        let blessed = case.with_results(TEXT, 0, "5", "junk");
        assert!(blessed.contains(";! exit: 0\n") && blessed.contains(";=== stdout\n5\n"));
    }

    #[test]
    fn bad_text_is_refused() {
        assert!(Case::parse(";! what: 1\n").is_err());
        assert!(Case::parse(";! exit: x\n").is_err());
        assert!(Case::parse(";=== nowhere\n").is_err());
    }
}
