//! The table of `docs/safety.md` against the trials: every row names a trial of its number, and every trial stands in the row
//! of its number.
//!
//! Absent on purpose: whether the words of a row say what its trials do. A reader sees both.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cases;

/// Nothing, or what is wrong with the table.
pub(crate) fn check() -> Result<(), String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/safety.md");
    let text =
        std::fs::read_to_string(&page).map_err(|error| format!("docs/safety.md: {error}"))?;
    let (named, mut wrong) = rows(&text);
    let made: BTreeSet<String> = cases().map(|case| case.name.to_owned()).collect();
    wrong.extend(
        named
            .difference(&made)
            .map(|name| format!("there is no trial `{name}`")),
    );
    wrong.extend(
        made.difference(&named)
            .map(|name| format!("no row of its number names the trial `{name}`")),
    );
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("docs/safety.md: {}", wrong.join("\n"))),
    }
}

/// The trials that rows name, and what is wrong with rows: `| E12 | … | … | `e12_name`, … |`.
fn rows(text: &str) -> (BTreeSet<String>, Vec<String>) {
    let (mut named, mut wrong, mut last) = (BTreeSet::new(), Vec::new(), 0);
    for row in text.lines().filter_map(|line| line.strip_prefix("| E")) {
        let mut cells = row.split(" | ");
        let number: u32 = cells.next().and_then(|cell| cell.parse().ok()).unwrap_or(0);
        if number <= last {
            wrong.push(format!("the row E{number} stands behind E{last}"));
        }
        last = number;
        let prefix = format!("e{number:02}_");
        let trials = cells.last().unwrap_or("");
        let quoted = trials.split('`').skip(1).step_by(2);
        let own: Vec<&str> = quoted.filter(|name| name.starts_with(&prefix)).collect();
        if own.is_empty() {
            wrong.push(format!(
                "the row E{number} names no trial that begins with {prefix}"
            ));
        }
        named.extend(own.into_iter().map(str::to_owned));
    }
    (named, wrong)
}
