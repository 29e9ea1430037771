//! Decisions: `docs/adr/NNNN-title.md`, numbered from 1 without gap or repetition, each with its
//! context, its choice and what was rejected.

use super::{Finding, Source, Tree};

const FOLDER: &str = "docs/adr";
const SECTIONS: [&str; 3] = ["## Context", "## Choice", "## Rejected"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut expected = 1;
    for file in tree.below(FOLDER) {
        let Some(number) = number(file) else {
            let message = "a decision is named NNNN-title.md, in small letters, digits and hyphens";
            found.push(Finding::new(&file.path, 0, message));
            continue;
        };
        if number != expected {
            let message = format!("is number {number:04}, but {expected:04} comes next");
            found.push(Finding::new(&file.path, 0, message));
        }
        expected = number + 1;
        found.extend(sections(file));
    }
    found
}

fn number(file: &Source) -> Option<u32> {
    let name = file.path.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let (digits, title) = name.strip_suffix(".md")?.split_once('-')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = digits.len() == 4 && !title.is_empty() && title.chars().all(plain);
    good.then(|| digits.parse().ok())?
}

fn sections(file: &Source) -> Vec<Finding> {
    let missing = SECTIONS.iter().filter(|section| {
        let mut lines = file.text.lines();
        !lines.any(|line| line.starts_with(**section))
    });
    missing
        .map(|section| Finding::new(&file.path, 0, format!("has no section `{section}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::check;

    const PAGE: &str = "# Title\n## Context\n## Choice\n## Rejected, and why\n";

    #[test]
    fn numbers_have_no_gap_and_no_twin() {
        let one = ("docs/adr/0001-a.md", PAGE);
        good(check, &[one, ("docs/adr/0002-b-2.md", PAGE)]);
        bad(
            check,
            &[one, ("docs/adr/0003-c.md", PAGE)],
            "is number 0003, but 0002",
        );
        bad(
            check,
            &[one, ("docs/adr/0001-b.md", PAGE)],
            "is number 0001, but 0002",
        );
        bad(
            check,
            &[("docs/adr/notes.md", PAGE)],
            "is named NNNN-title.md",
        );
        bad(
            check,
            &[one, ("docs/adr/2-b.md", PAGE)],
            "is named NNNN-title.md",
        );
    }

    #[test]
    fn a_decision_has_its_three_parts() {
        let page = PAGE.replace("## Rejected", "## Others");
        bad(
            check,
            &[("docs/adr/0001-a.md", &page)],
            "no section `## Rejected`",
        );
    }
}
