//! Text tests: each file under `cases` holds cases, each a name, a stage, a source and what that
//! stage makes of it. `BLESS=1` writes what came out in place of what was expected.
//!
//! ```text
//! ==== name of the case
//! stage: core | letrec | assign | optimize | contify | ir | eval | error | repl
//! SOURCE
//! ----
//! EXPECTED
//! ```
//!
//! Lines `file NAME: TEXT` and `library NAME: TEXT` before the source give the loader something to
//! load. Everything runs on one thread with the stack that deep input needs.

mod eval;
mod session;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

struct Case {
    name: String,
    stage: String,
    settings: Vec<String>,
    source: String,
    expected: String,
}

fn parse(text: &str, path: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    for chunk in text.split("==== ").skip(1) {
        let (name, rest) = chunk.split_once('\n').expect("a case has a name line");
        let (head, expected) = rest
            .split_once("\n----\n")
            .unwrap_or_else(|| panic!("{}: {name}: no ---- line", path.display()));
        let mut lines = head.lines();
        let stage = lines.next().and_then(|line| line.strip_prefix("stage: "));
        let stage = stage.unwrap_or_else(|| panic!("{}: {name}: no stage", path.display()));
        let mut settings = Vec::new();
        let mut source = String::new();
        for line in lines {
            if source.is_empty() && (line.starts_with("file ") || line.starts_with("library ")) {
                settings.push(line.to_owned());
            } else {
                source.push_str(line);
                source.push('\n');
            }
        }
        cases.push(Case {
            name: name.to_owned(),
            stage: stage.to_owned(),
            settings,
            source,
            expected: expected.trim_end().to_owned(),
        });
    }
    cases
}

fn print(cases: &[(Case, String)]) -> String {
    let mut out = String::new();
    for (case, actual) in cases {
        let _ = writeln!(out, "==== {}\nstage: {}", case.name, case.stage);
        for line in &case.settings {
            let _ = writeln!(out, "{line}");
        }
        let _ = writeln!(out, "{}----\n{}\n", case.source, actual.trim_end());
    }
    out
}

/// Runs the cases of one file; gives what differs.
fn run_file(path: &Path, bless: bool) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a case file can be read");
    let mut failures = Vec::new();
    let mut done = Vec::new();
    for case in parse(&text, path) {
        let actual = session::run(&case.stage, &case.settings, &case.source);
        let actual = actual.trim_end().to_owned();
        if actual != case.expected {
            failures.push(format!(
                "{}: {}\n--- expected\n{}\n--- got\n{}\n",
                path.display(),
                case.name,
                case.expected,
                actual
            ));
        }
        done.push((case, actual));
    }
    if bless {
        std::fs::write(path, print(&done)).expect("a case file can be written");
        failures.clear();
    }
    failures
}

fn run_all() -> bool {
    let bless = std::env::var_os("BLESS").is_some();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text/cases");
    let entries = std::fs::read_dir(directory).expect("the cases are there");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let failures: Vec<String> = paths
        .iter()
        .flat_map(|path| run_file(path, bless))
        .collect();
    for failure in &failures {
        eprintln!("{failure}");
    }
    eprintln!("{} files, {} failures", paths.len(), failures.len());
    failures.is_empty()
}

fn main() -> std::process::ExitCode {
    // As far as libtest's own options are given by tools that list tests, there are none to list.
    if std::env::args().any(|arg| arg == "--list") {
        return std::process::ExitCode::SUCCESS;
    }
    let thread = std::thread::Builder::new().stack_size(bowline_middle::STACK_BYTES);
    let passed = thread.spawn(run_all).expect("a thread can be made").join();
    match passed {
        Ok(true) => std::process::ExitCode::SUCCESS,
        _ => std::process::ExitCode::FAILURE,
    }
}
