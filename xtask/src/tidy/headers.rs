//! Every file of Rust opens with `//!` and fits the wall of 600 lines.
//!
//! A file that is nothing but one table may be longer; its header says so by beginning with
//! `//! Table of`.

use super::{Finding, Source, Tree};

/// The most lines that a file may have.
const WALL: usize = 600;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(file).collect()
}

fn file(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    let first = source.text.lines().next().unwrap_or_default();
    let said = first.strip_prefix("//!").unwrap_or_default().trim();
    if said.is_empty() {
        let message =
            "open the file with `//!`: its purpose, its invariants, what is absent on purpose";
        found.push(Finding::new(&source.path, 1, message));
    }
    let lines = source.text.lines().count();
    if lines > WALL && !said.starts_with("Table of") {
        let message = format!("{lines} lines: split it, {WALL} is the wall");
        found.push(Finding::new(&source.path, 0, message));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::check;

    #[test]
    fn a_header_is_wanted() {
        good(
            check,
            &[("gc/a.rs", "//! What it is.\n"), ("b.md", "no rust")],
        );
        bad(check, &[("gc/a.rs", "use x;\n//! late\n")], "open the file");
        bad(
            check,
            &[("gc/a.rs", "//!\n//! Second line.\n")],
            "open the file",
        );
        bad(check, &[("gc/a.rs", "")], "open the file");
    }

    #[test]
    fn long_files_are_told_from_tables() {
        let long = |first: &str, lines: usize| format!("{first}\n{}", "x\n".repeat(lines - 1));
        good(check, &[("a.rs", &long("//! Fits.", 600))]);
        bad(check, &[("a.rs", &long("//! Too long.", 601))], "601 lines");
        good(check, &[("a.rs", &long("//! Table of error names.", 900))]);
    }
}
