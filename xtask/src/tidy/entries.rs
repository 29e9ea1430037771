//! What may lie at the top of the workspace.

use super::{Finding, Tree};
use std::collections::BTreeSet;

const FOLDERS: [&str; 11] = [
    ".cargo",
    ".ci",
    "alloc_shim",
    "docs",
    "examples",
    "ffi_boundary",
    "gc",
    "lang",
    "stress",
    "tests",
    "xtask",
];

const FILES: [&str; 14] = [
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut strangers = BTreeSet::new();
    for file in tree.files() {
        match file.path.split_once('/') {
            Some((folder, _)) if !FOLDERS.contains(&folder) => strangers.insert(folder),
            None if !FILES.contains(&file.path.as_str()) => strangers.insert(&file.path),
            _ => false,
        };
    }
    let message = "has no place at the top of the workspace";
    strangers
        .into_iter()
        .map(|name| Finding::new(name, 0, message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::check;

    #[test]
    fn strangers_at_the_top_are_told_once() {
        good(
            check,
            &[("gc/heap/x.rs", ""), ("README.md", ""), (".ci/run", "")],
        );
        bad(
            check,
            &[("scripts/a.sh", ""), ("scripts/b.sh", "")],
            "scripts: has no place",
        );
        bad(check, &[("notes.txt", "")], "notes.txt: has no place");
    }
}
