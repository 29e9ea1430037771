//! Checking of what is known to be in order, and of what is not a program at all.
//!
//! The warnings themselves have cases, `lang/check-*.txt`.

use std::path::{Path, PathBuf};

use bowline_engine::{Format, check_file, check_text};
use bowline_tests::case::Case;
use bowline_tests::scratch::Scratch;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the workspace lies above").into()
}

/// Runs `body` on a thread with the stack that the expander may need.
fn deep(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(bowline_middle::STACK_BYTES);
    let done = thread.spawn(body).expect("a thread can be had").join();
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

/// The files below a folder whose names end so.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("its entries, too").path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|e| e == ending) {
            found.push(path);
        }
    }
    found.sort();
}

fn cases() -> Vec<(PathBuf, Case)> {
    let mut found = Vec::new();
    files(&root().join("tests/lang"), "txt", &mut found);
    let parse = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).expect("a case can be read");
        let case = Case::parse(&text).expect("a case is well formed");
        (file, case)
    };
    found.into_iter().map(parse).collect()
}

#[test]
fn the_standard_library_and_the_examples_are_clean() {
    deep(|| {
        let mut all = Vec::new();
        files(&root().join("lang/engine/scheme"), "sld", &mut all);
        files(&root().join("examples"), "scm", &mut all);
        assert!(all.len() > 20, "{all:?}");
        for file in all {
            let checked = check_file(&file, &[], Format::Plain);
            assert_eq!(checked.text, "", "{}", file.display());
        }
    });
}

/// What runs to its end and catches nothing has no call that must fail, and hides no variable.
#[test]
fn programs_that_succeed_have_no_call_that_must_fail() {
    const MUST_FAIL: [&str; 4] = [
        "wrong-arguments",
        "wrong-type",
        "not-a-procedure",
        "shadowed",
    ];
    deep(|| {
        let mut looked_at = 0;
        for (file, case) in cases() {
            let catches = ["guard", "with-exception-handler", "define-syntax"];
            let plain = case.dump.is_none() && case.check.is_none() && case.exit == 0;
            if !plain || catches.iter().any(|word| case.source.contains(word)) {
                continue;
            }
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let scratch = Scratch::new(&format!("check-{name}")).expect("a folder");
            case.lay_out(scratch.path()).expect("files can be written");
            let main = scratch.path().join("main.scm");
            let checked = check_file(&main, &[], Format::Json);
            assert_eq!(checked.errors, 0, "{name}: {}", checked.text);
            for line in checked.text.lines() {
                let finding: Value = serde_json::from_str(line).expect("it is JSON");
                let code = finding["code"].as_str().unwrap_or("");
                assert!(!MUST_FAIL.contains(&code), "{name}: {line}");
            }
            looked_at += 1;
        }
        assert!(looked_at > 50, "{looked_at}");
    });
}

/// Pieces of programs: what stands between blanks, and each parenthesis and quote by itself.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in text.chars() {
        let alone = c.is_whitespace() || "()'\"`,;#.".contains(c);
        if alone {
            pieces.push(c.to_string());
            pieces.push(String::new());
        } else if let Some(last) = pieces.last_mut() {
            last.push(c);
        }
    }
    pieces
}

/// Whatever becomes of a program, checking it ends, and says of every finding where it is.
#[test]
fn mangled_programs_are_checked() {
    deep(|| {
        let keep = |case: &Case| case.source.len() < 1500;
        let texts: Vec<Vec<String>> = cases()
            .into_iter()
            .filter(|(_, case)| keep(case))
            .map(|(_, case)| pieces(&case.source))
            .collect();
        let edits = prop::collection::vec((any::<u16>(), any::<u16>(), 0..4u8), 1..8);
        let strategy = (0..texts.len(), edits);
        let mut runner = TestRunner::new(Config {
            cases: 300,
            failure_persistence: None,
            ..Config::default()
        });
        let outcome = runner.run(&strategy, |(which, edits)| {
            let mut pieces = texts[which].clone();
            for (at, other, what) in edits {
                let (at, other) = (at as usize % pieces.len(), other as usize % pieces.len());
                match what {
                    0 => pieces[at].clear(),
                    1 => pieces.swap(at, other),
                    2 => pieces[at] = pieces[other].clone(),
                    _ => pieces.insert(at, pieces[other].clone()),
                }
            }
            let text = pieces.concat();
            let checked = check_text("mangled.scm", &text, &[], Format::Json);
            let lines: Vec<&str> = checked.text.lines().collect();
            prop_assert_eq!(lines.len(), checked.errors + checked.warnings);
            for line in lines {
                let finding: Value = serde_json::from_str(line).expect("it is JSON");
                let (start, end) = (finding["start"].as_u64(), finding["end"].as_u64());
                prop_assert!(start.is_some() && start <= end, "{}\n{}", line, text);
            }
            Ok(())
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    });
}
