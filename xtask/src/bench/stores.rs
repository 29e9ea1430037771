//! Random stores into old vectors: what the write barrier and remembering cost, against the Boehm collector,
//! which has neither and marks everything in each collection.
//!
//! Both make ten million stores into vectors of 2 KiB or 1 MiB, 1 MiB in all, which have survived a collection:
//! of small numbers, of fresh pairs (160 MB of allocation) and of one old pair. In the last program a
//! pair goes into one of 64 vectors of 1 MiB after each hundred pairs of garbage, so that few of their
//! words change between two collections.

use super::heap::checksum;
use super::{Course, peers};
use std::path::Path;

const EXAMPLE: &str = "random_stores";
const SOURCE_C: &str = "xtask/programs/heap/random_stores.c";

/// The programs: name, and what is stored, bytes of a vector, stores, MiB of vectors, pairs of garbage.
const PROGRAMS: [(&str, [&str; 5]); 8] = [
    ("nothing", ["fixnums", "1048576", "0", "1", "0"]),
    ("fixnums, 2 KiB", ["fixnums", "2048", "10000000", "1", "0"]),
    (
        "fixnums, 1 MiB",
        ["fixnums", "1048576", "10000000", "1", "0"],
    ),
    (
        "fresh pairs, 2 KiB",
        ["pairs", "2048", "10000000", "1", "0"],
    ),
    (
        "fresh pairs, 1 MiB",
        ["pairs", "1048576", "10000000", "1", "0"],
    ),
    ("an old pair, 2 KiB", ["old", "2048", "10000000", "1", "0"]),
    (
        "an old pair, 1 MiB",
        ["old", "1048576", "10000000", "1", "0"],
    ),
    (
        "few, 64 of 1 MiB",
        ["pairs", "1048576", "100000", "64", "100"],
    ),
];

/// The race over all programs.
pub(super) fn course(root: &Path, scratch: &Path) -> Result<Course, String> {
    let mut missing = Vec::new();
    let mut entrants = vec![peers::heap_example(root, EXAMPLE, commands)?];
    let found = [("bdwgc", peers::bdwgc(root, scratch, SOURCE_C, commands))];
    entrants.extend(peers::present(found, &mut missing));
    Ok(Course {
        about: "Ten million random stores into old vectors, 1 MiB in all: of small numbers, of fresh pairs \
                (160 MB of allocation), of one old pair. The last program makes a hundred thousand stores of \
                pairs into 64 vectors of 1 MiB, with a hundred pairs of garbage before each.",
        programs: PROGRAMS.iter().map(|(name, _)| name.to_string()).collect(),
        entrants,
        missing,
        pairs: Vec::new(),
        compared: checksum,
    })
}

/// The command of each program.
fn commands(binary: &str) -> Vec<Vec<String>> {
    let command = |(_, words): &(&str, [&str; 5])| {
        let words = words.iter().map(|word| word.to_string());
        std::iter::once(binary.to_string()).chain(words).collect()
    };
    PROGRAMS.iter().map(command).collect()
}
