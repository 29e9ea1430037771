//! Binary trees: the heap through its Rust API, against the Boehm collector, OCaml and Chez Scheme.
//!
//! All do the same work: a stretch tree, one tree that is kept, and ever fewer but deeper
//! trees, two words to a node; each prints how many nodes it counted, and the counts must agree.
//! Start-up is measured with the shallowest trees that the program knows.

use super::scheme::{compiled_by_chez, read};
use super::{Course, Entrant, peers};
use std::path::Path;

const DEPTHS: [&str; 3] = ["4", "16", "18"];
const EXAMPLE: &str = "binary_trees";
const SOURCE_C: &str = "xtask/programs/heap/binary_trees.c";
const SOURCE_ML: &str = "xtask/programs/heap/binary_trees.ml";
const SOURCE_SCHEME: &str = "xtask/programs/scheme/binary-trees.scm";

/// The race over all depths.
pub(super) fn course(root: &Path, scratch: &Path) -> Result<Course, String> {
    let mut missing = Vec::new();
    let mut entrants = vec![peers::heap_example(root, EXAMPLE, commands)?];
    let found = [
        ("bdwgc", peers::bdwgc(root, scratch, SOURCE_C, commands)),
        ("ocaml", ocaml(root, scratch)),
        ("chez", chez(root, scratch)),
    ];
    entrants.extend(peers::present(found, &mut missing));
    Ok(Course {
        about: "Binary trees of two-word nodes by depth: allocation, tracing and copying. The program that \
                does nothing is the one with trees of depth 4.",
        programs: DEPTHS.iter().map(|d| format!("depth {d}")).collect(),
        entrants,
        missing,
        pairs: Vec::new(),
        compared: checksum,
    })
}

/// What entrants must agree on: the number after the word `checksum`.
pub(super) fn checksum(output: &str) -> String {
    let mut words = output.split(|c: char| !c.is_alphanumeric());
    words.find(|word| *word == "checksum");
    words
        .find(|word| !word.is_empty())
        .unwrap_or_default()
        .to_string()
}

/// The command of each depth.
fn commands(binary: &str) -> Vec<Vec<String>> {
    let command = |depth: &&str| vec![binary.to_string(), depth.to_string()];
    DEPTHS.iter().map(command).collect()
}

fn ocaml(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let flags = ["-O3", "-unsafe", "-inline", "100"];
    peers::ocaml(root, scratch, &[SOURCE_ML], &flags, commands)
}

fn chez(root: &Path, scratch: &Path) -> Result<Entrant, String> {
    let text = read(&root.join(SOURCE_SCHEME))?;
    let mut programs = Vec::new();
    for depth in DEPTHS {
        programs.push((format!("binary-trees-{depth}"), with_depth(&text, depth)?));
    }
    let how = format!("`{SOURCE_SCHEME}`, `compile-program` at optimize-level 2");
    compiled_by_chez(scratch, &how, &programs)
}

/// The program with another depth.
fn with_depth(text: &str, depth: &str) -> Result<String, String> {
    let (before, rest) = text
        .split_once("(run 18)")
        .ok_or_else(|| format!("{SOURCE_SCHEME} has no (run 18)"))?;
    Ok(format!("{before}(run {depth}){rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_found_among_other_words() {
        assert_eq!(checksum("checksum 42\n"), "42");
        assert_eq!(checksum("depth 18: 0.5 s, checksum=42\n"), "42");
        assert_eq!(checksum("nothing"), "");
    }

    #[test]
    fn the_scheme_program_takes_a_depth() {
        let source = crate::root().join(SOURCE_SCHEME);
        let text = std::fs::read_to_string(source).unwrap();
        assert!(with_depth(&text, "4").unwrap().contains("(run 4)"));
        assert!(with_depth("(run 17)", "4").is_err());
    }
}
