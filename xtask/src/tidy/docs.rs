//! Pages that can go stale: links must lead somewhere, files that are named must exist, and the
//! Scheme of the README must be run by a test.

use super::{Finding, Source, Tree};

/// Where programs lie that tests run.
const RUN: [&str; 2] = ["tests", "examples"];

/// Endings by which a word in backticks is known for a file's path.
const ENDINGS: [&str; 5] = [".rs", ".scm", ".c", ".md", ".toml"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let pages = tree.files().filter(|f| f.path.ends_with(".md"));
    let mut found: Vec<Finding> = pages.flat_map(|page| page_of(tree, page)).collect();
    if let Some(readme) = tree.file("README.md") {
        found.extend(examples(tree, readme));
    }
    found
}

fn page_of(tree: &Tree, page: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    for (i, line) in page.text.lines().enumerate() {
        for link in between(line, "](", ")") {
            let target = link.split('#').next().unwrap_or_default();
            let elsewhere = link.contains("://") || target.is_empty();
            if !elsewhere && !exists(tree, &joined(folder, target)) {
                let message = format!("the link to {link} leads nowhere");
                found.push(Finding::new(&page.path, i + 1, message));
            }
        }
        for word in between(line, "`", "`") {
            let path = word.contains('/') && !word.contains(|c: char| " *<…(".contains(c));
            let named = path && ENDINGS.iter().any(|end| word.ends_with(end));
            let pattern = word.contains("NNNN") || word.contains("YYYY");
            if named && !pattern && !exists(tree, word) {
                let message = format!("there is no `{word}`");
                found.push(Finding::new(&page.path, i + 1, message));
            }
        }
    }
    found
}

/// The parts of a line that stand between these marks.
fn between<'a>(line: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some((_, after)) = rest.split_once(open) {
        let Some((part, behind)) = after.split_once(close) else {
            break;
        };
        parts.push(part);
        rest = behind;
    }
    parts
}

/// A path relative to a folder, without `..`.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn exists(tree: &Tree, path: &str) -> bool {
    tree.file(path).is_some() || tree.below(path).next().is_some()
}

/// Blocks of Scheme in the README that no program under test contains.
fn examples(tree: &Tree, readme: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (i, line) in readme.text.lines().enumerate() {
        match &mut block {
            None if line == "```scheme" => block = Some((i + 1, String::new())),
            Some((start, text)) if line == "```" => {
                let mut programs = RUN.iter().flat_map(|folder| tree.below(folder));
                if !programs.any(|program| program.text.contains(text.as_str())) {
                    let message =
                        "no program under tests or examples has this text, so nothing runs it";
                    found.push(Finding::new(&readme.path, *start, message));
                }
                block = None;
            }
            Some((_, text)) => *text += &format!("{line}\n"),
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::check;

    #[test]
    fn links_lead_somewhere() {
        let files = [
            ("docs/adr/0001-a.md", "[up](../../README.md)"),
            ("docs/b.md", ""),
        ];
        let readme = "[a](docs/adr), [b](docs/b.md#part), [c](#here), [d](https://example.org/x)";
        good(check, &[files[0], files[1], ("README.md", readme)]);
        bad(
            check,
            &[("README.md", "\nsee [a](docs/gone.md)")],
            "README.md:2: the link to docs/gone.md",
        );
        bad(
            check,
            &[("docs/a.md", "[b](b.md)"), ("b.md", "")],
            "the link to b.md",
        );
    }

    #[test]
    fn files_that_are_named_exist() {
        let page = "`gc/a.rs`, `header.rs`, `docs/adr/NNNN-title.md`, `a/*.rs` and `x/y`";
        good(check, &[("A.md", page), ("gc/a.rs", "")]);
        bad(check, &[("A.md", page)], "A.md:1: there is no `gc/a.rs`");
    }

    #[test]
    fn the_readme_s_programs_are_run() {
        let readme = (
            "README.md",
            "Text.\n```scheme\n(f)\n(g)\n```\n```\nno scheme\n```\n",
        );
        good(
            check,
            &[
                readme,
                ("tests/lang/readme.txt", ";; c\n(f)\n(g)\n;=== stdout\n"),
            ],
        );
        bad(
            check,
            &[readme, ("tests/lang/readme.txt", "(f)\n")],
            "README.md:2: no program",
        );
        bad(
            check,
            &[readme, ("docs/a.txt", "(f)\n(g)\n")],
            "README.md:2: no program",
        );
    }
}
