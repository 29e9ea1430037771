//! What the sources must look like, checked by `cargo xtask tidy` and by a test of this crate.
//!
//! A check is a function from a [`Tree`] to [`Finding`]s. It reads no files itself, so its tests
//! hand it a good tree and a bad one: a check that finds nothing in a bad sample checks nothing.
//!
//! Sources are read as token trees, not as text, wherever the question is about code: a word in a
//! comment or a string is never taken for code, and code inside a macro is seen.

mod adr;
mod code;
mod crates;
mod docs;
mod entries;
mod headers;
mod ledger;
mod picture;
mod roots;
mod tags;
mod tokens;
mod tree;

use std::fmt;
use std::io::Write;
use std::path::Path;
pub use tree::{Source, Tree};

/// Something that breaks a rule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// The file, relative to the workspace, with `/` between its parts.
    pub path: String,
    /// The line, or 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Finding {
            path: path.to_string(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// Everything that is wrong with the workspace at `root`, in the order of its files.
pub fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let tree = Tree::load(root)?;
    let packages = picture::packages(root)?;
    let mut findings = Vec::new();
    for part in [
        headers::check(&tree),
        code::check(&tree),
        roots::check(&tree),
        tags::check(&tree),
        picture::check(&tree, &packages),
        ledger::check(&tree),
        entries::check(&tree),
        adr::check(&tree),
        docs::check(&tree),
    ] {
        findings.extend(part);
    }
    findings.sort();
    Ok(findings)
}

/// The command: prints what is wrong and says whether nothing is.
pub fn command(root: &Path, bless: bool, tags: bool) -> Result<bool, String> {
    let mut out = std::io::stdout().lock();
    let mut say = |line: &str| writeln!(out, "{line}").map_err(|e| e.to_string());
    if tags {
        for line in tags::index(&Tree::load(root)?) {
            say(&line)?;
        }
        return Ok(true);
    }
    if bless {
        for line in ledger::bless(root, &Tree::load(root)?)? {
            say(&line)?;
        }
    }
    let findings = check(root)?;
    for finding in &findings {
        say(&finding.to_string())?;
    }
    if findings.is_empty() {
        say("tidy: nothing to mend")?;
    } else {
        say(&format!("tidy: {} to mend", findings.len()))?;
    }
    Ok(findings.is_empty())
}

#[cfg(test)]
mod samples {
    //! What the tests of the checks share.

    use super::{Finding, Tree};

    /// The messages that a check has for a tree of these files.
    pub(super) fn messages(
        check: impl Fn(&Tree) -> Vec<Finding>,
        files: &[(&str, &str)],
    ) -> Vec<String> {
        check(&Tree::of(files))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// The check finds nothing in these files.
    #[track_caller]
    pub(super) fn good(check: impl Fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) {
        assert_eq!(messages(check, files), Vec::<String>::new());
    }

    /// The check finds one thing in these files, and its text contains `expected`.
    #[track_caller]
    pub(super) fn bad(
        check: impl Fn(&Tree) -> Vec<Finding>,
        files: &[(&str, &str)],
        expected: &str,
    ) {
        let found = messages(check, files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{found:?}");
    }
}
