//! The ledger of `unsafe` blocks: `xtask/unsafe-ledger.toml`, one number for each crate, which only
//! falls.
//!
//! A crate with more blocks than the ledger allows is a finding, and so is one with fewer: the lower
//! number is written down (`cargo xtask tidy --bless`) so that it cannot creep up again. Blessing
//! never raises a number; a crate that truly needs more says so by a change of the ledger that a
//! reviewer sees.

use super::crates::CRATES;
use super::{Finding, Tree, tokens};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const LEDGER: &str = "xtask/unsafe-ledger.toml";

#[derive(Deserialize, Serialize, Default)]
struct Ledger {
    blocks: BTreeMap<String, usize>,
}

fn ledger(tree: &Tree) -> Result<Ledger, String> {
    match tree.file(LEDGER) {
        Some(file) => toml::from_str(&file.text).map_err(|e| e.to_string()),
        None => Ok(Ledger::default()),
    }
}

/// The blocks that each crate has now, its tests and examples included.
fn counts(tree: &Tree) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for krate in CRATES {
        let sources = tree.below(krate.folder).filter(|f| f.is_rust());
        let blocks: usize = sources
            .filter_map(|f| tokens::parse(&f.text).ok())
            .map(|stream| tokens::unsafe_uses(stream).blocks.len())
            .sum();
        if blocks > 0 {
            counts.insert(krate.package.to_string(), blocks);
        }
    }
    counts
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let ledger = match ledger(tree) {
        Ok(ledger) => ledger.blocks,
        Err(message) => return vec![Finding::new(LEDGER, 0, message)],
    };
    let counts = counts(tree);
    let packages = CRATES.iter().map(|c| c.package);
    let mut found: Vec<Finding> = packages
        .filter_map(|package| {
            let now = counts.get(package).copied().unwrap_or(0);
            let allowed = ledger.get(package).copied().unwrap_or(0);
            compare(package, now, allowed)
        })
        .collect();
    for package in ledger.keys() {
        if !CRATES.iter().any(|c| c.package == package) {
            let message = format!("`{package}` is no crate of the table");
            found.push(Finding::new(LEDGER, 0, message));
        }
    }
    found
}

fn compare(package: &str, now: usize, allowed: usize) -> Option<Finding> {
    let message = match now.cmp(&allowed) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Greater => {
            format!("`{package}` has {now} unsafe blocks, the ledger allows {allowed}")
        }
        std::cmp::Ordering::Less => format!(
            "`{package}` has {now} unsafe blocks, fewer than the {allowed} allowed: \
             write it down with `cargo xtask tidy --bless`"
        ),
    };
    Some(Finding::new(LEDGER, 0, message))
}

/// The ledger's text after blessing, and a line for each number that fell.
fn blessed(tree: &Tree) -> Result<(String, Vec<String>), String> {
    let old = ledger(tree)?;
    let counts = counts(tree);
    let mut new = Ledger::default();
    let mut said = Vec::new();
    for (package, allowed) in old.blocks {
        let now = counts.get(&package).copied().unwrap_or(0);
        if now < allowed {
            said.push(format!("{package}: {allowed} -> {now}"));
        }
        if now.min(allowed) > 0 {
            new.blocks.insert(package, now.min(allowed));
        }
    }
    let comments = tree.file(LEDGER).map_or("", |file| file.text.as_str());
    let comments = comments.lines().take_while(|line| line.starts_with('#'));
    let mut text: String = comments.map(|line| format!("{line}\n")).collect();
    text += &toml::to_string(&new).map_err(|e| e.to_string())?;
    Ok((text, said))
}

/// Writes the lower numbers down and says which fell.
pub(super) fn bless(root: &Path, tree: &Tree) -> Result<Vec<String>, String> {
    let (text, said) = blessed(tree)?;
    if !said.is_empty() {
        std::fs::write(root.join(LEDGER), text).map_err(|e| format!("{LEDGER}: {e}"))?;
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::*;

    const TWO: (&str, &str) = (
        "gc/heap/src/a.rs",
        "fn f() { unsafe { a() } unsafe { b() } }",
    );

    #[test]
    fn the_count_must_be_what_the_ledger_says() {
        good(check, &[TWO, (LEDGER, "[blocks]\nbowline-gc = 2\n")]);
        bad(
            check,
            &[TWO, (LEDGER, "[blocks]\nbowline-gc = 1\n")],
            "has 2 unsafe blocks, the ledger allows 1",
        );
        bad(
            check,
            &[TWO, (LEDGER, "[blocks]\nbowline-gc = 3\n")],
            "fewer than the 3 allowed",
        );
        bad(check, &[TWO], "the ledger allows 0");
    }

    #[test]
    fn a_ledger_that_names_no_crate_or_reads_badly_is_told() {
        bad(
            check,
            &[(LEDGER, "[blocks]\ngone = 1\n")],
            "`gone` is no crate",
        );
        bad(
            check,
            &[(LEDGER, "[blocks]\nbowline-gc = \"two\"\n")],
            "unsafe-ledger.toml",
        );
    }

    #[test]
    fn blessing_lowers_and_never_raises() {
        let text = "# Kept.\n[blocks]\nbowline-ffi = 4\nbowline-gc = 1\n";
        let one = ("ffi_boundary/core/src/a.rs", "fn f() { unsafe { a() } }");
        let (text, said) = blessed(&Tree::of(&[TWO, one, (LEDGER, text)])).unwrap();
        assert_eq!(text, "# Kept.\n[blocks]\nbowline-ffi = 1\nbowline-gc = 1\n");
        assert_eq!(said, ["bowline-ffi: 4 -> 1"]);
    }
}
