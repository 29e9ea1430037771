//! Golden texts: a source, the data in it and the diagnostics about it, in one file.
//!
//! `tests/golden/reader/*.txt` hold an introduction (ignored but for lines `setting: NAME`), then the sections
//! `==== source`, `==== data` and `==== diagnostics`. `BLESS=1 cargo test -p bowline-syntax golden`
//! rewrites the last two; the change is then reviewed as a diff.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use bowline_syntax::{Reader, SourceMap, render};

const SOURCE: &str = "==== source\n";
const DATA: &str = "==== data\n";
const DIAGNOSTICS: &str = "==== diagnostics\n";

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reader");
    let entries = fs::read_dir(&folder).expect("the golden folder is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    files.sort();
    files
}

/// The whole file as it ought to be.
fn expected(file: &str) -> String {
    let (introduction, rest) = file.split_once(SOURCE).expect("a source section");
    let (source, _) = rest.split_once(DATA).unwrap_or((rest, ""));
    let setting = |name| {
        introduction
            .lines()
            .any(|line| line.strip_prefix("setting: ") == Some(name))
    };
    let mut sources = SourceMap::new();
    let id = sources.add("input.scm", source);
    let mut reader = Reader::new(id, source).fold_case(setting("fold-case"));
    if setting("keep-cycles") {
        reader = reader.keep_cycles();
    }
    let (data, diagnostics) = reader.read_to_end();
    let mut out = format!("{introduction}{SOURCE}{source}{DATA}");
    for datum in &data {
        writeln!(out, "{datum}").expect("writing to a string");
    }
    out.push_str(DIAGNOSTICS);
    out.push_str(&render(&diagnostics, &sources, false));
    out
}

#[test]
fn golden() {
    let files = files();
    assert!(files.len() > 30, "the golden texts are missing");
    let bless = std::env::var_os("BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for path in files {
        let file = fs::read_to_string(&path).expect("a golden text is UTF-8");
        let expected = expected(&file);
        if expected == file {
            continue;
        }
        if bless {
            fs::write(&path, expected).expect("the golden text is writable");
        } else {
            wrong.push(format!("{}:\n{expected}", path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "golden texts differ; run with BLESS=1 and review\n{}",
        wrong.join("\n")
    );
}
