//! Tags of invariants: each is defined once and relied on somewhere.
//!
//! A definition is the tag where a paragraph or an item of a list begins: in the header of a file of
//! Rust (`//!`), in a comment of Scheme (`;;`), in a page of `docs/design`, or, in backticks before
//! its sentence, in the comment of an item of Rust (`///`). Every other mention is a citation. A
//! citation must lead to a definition, and an invariant that nothing cites holds nothing up.
//!
//! This crate's own sources and the page for contributors are not read: they show tags as examples.

use super::{Finding, Source, Tree};
use std::collections::BTreeMap;

const MARK: &str = "inv:";

/// Where a tag stands.
struct Mention<'a> {
    tag: &'a str,
    path: &'a str,
    line: usize,
    defines: bool,
}

fn mentions(tree: &Tree) -> Vec<Mention<'_>> {
    tree.files().filter(|f| is_read(f)).flat_map(file).collect()
}

fn is_read(source: &Source) -> bool {
    let code = [".rs", ".c", ".h", ".scm", ".sld"];
    let code = code.iter().any(|end| source.path.ends_with(end));
    let page = source.path.ends_with(".md")
        && (source.path.starts_with("docs/") || source.path == "ARCHITECTURE.md");
    (code || page) && !source.path.starts_with("xtask/")
}

fn file(source: &Source) -> Vec<Mention<'_>> {
    let mut found = Vec::new();
    let mut opens = true;
    for (i, line) in source.text.lines().enumerate() {
        let prose = prose_of(source, line);
        // An item of a list begins a paragraph.
        let item = prose.and_then(|p| p.strip_prefix("* ").or(p.strip_prefix("- ")));
        let start = match item {
            Some(item) => Some(item),
            None if opens => prose,
            None => None,
        };
        let strict = line.trim_start().starts_with("///");
        let start = start.filter(|p| !strict || (p.starts_with('`') && p.contains("` ")));
        let defined = start.and_then(|p| tag_at(p.trim_start_matches('`')));
        for (nth, tag) in tags_in(line).into_iter().enumerate() {
            found.push(Mention {
                tag,
                path: &source.path,
                line: i + 1,
                defines: nth == 0 && defined == Some(tag),
            });
        }
        opens = prose.is_none_or(str::is_empty);
    }
    found
}

/// The prose of a line that may define a tag, if it is a line of prose.
fn prose_of<'a>(source: &Source, line: &'a str) -> Option<&'a str> {
    let line = line.trim();
    let prose = if source.is_rust() {
        line.strip_prefix("//!").or(line.strip_prefix("///"))?
    } else if source.path.ends_with(".scm") || source.path.ends_with(".sld") {
        line.strip_prefix(";;")?.trim_start_matches(';')
    } else if source.path.starts_with("docs/design/") {
        line
    } else {
        return None;
    };
    Some(prose.trim())
}

/// Every tag of a line.
fn tags_in(line: &str) -> Vec<&str> {
    line.match_indices(MARK)
        .filter(|(at, _)| {
            let before = line[..*at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
        .filter_map(|(at, _)| tag_at(&line[at..]))
        .collect()
}

/// The tag at the beginning of `text`: `inv:` and names joined by dots.
fn tag_at(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(MARK)?;
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
    let name = rest[..end].trim_end_matches(['.', '-', '_']);
    (!name.is_empty()).then(|| &text[..MARK.len() + name.len()])
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for (tag, places) in by_tag(&mentions(tree)) {
        let mut say = |m: &Mention, message: String| {
            found.push(Finding::new(m.path, m.line, message));
        };
        let (defined, cited): (Vec<&Mention>, Vec<&Mention>) =
            places.iter().partition(|m| m.defines);
        match defined.as_slice() {
            [] => cited
                .iter()
                .for_each(|m| say(m, format!("`{tag}` is defined nowhere"))),
            [only] if cited.is_empty() => say(only, format!("nothing relies on `{tag}`")),
            [first, others @ ..] => others.iter().for_each(|m| {
                say(
                    m,
                    format!(
                        "`{tag}` is defined at {}:{} already",
                        first.path, first.line
                    ),
                );
            }),
        }
    }
    found
}

fn by_tag<'a, 'b>(mentions: &'b [Mention<'a>]) -> BTreeMap<&'a str, Vec<&'b Mention<'a>>> {
    let mut tags: BTreeMap<&str, Vec<&Mention>> = BTreeMap::new();
    for mention in mentions {
        tags.entry(mention.tag).or_default().push(mention);
    }
    tags
}

/// A line for each tag: its definition, then its citations.
pub(super) fn index(tree: &Tree) -> Vec<String> {
    let mut lines = Vec::new();
    for (tag, mut places) in by_tag(&mentions(tree)) {
        places.sort_by_key(|m| !m.defines);
        let places: Vec<String> = places
            .iter()
            .map(|m| format!("{}{}:{}", if m.defines { "*" } else { "" }, m.path, m.line))
            .collect();
        lines.push(format!("{tag} {}", places.join(" ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bad, good};
    use super::*;

    const DEFINED: (&str, &str) = ("gc/a.rs", "//! A.\n//!\n//! `inv:a.b` It holds.\n");
    const CITED: (&str, &str) = ("gc/b.rs", "//! B.\n// SAFETY: inv:a.b.\n");

    #[test]
    fn a_tag_is_defined_once_and_cited() {
        good(check, &[DEFINED, CITED]);
        bad(check, &[DEFINED], "gc/a.rs:3: nothing relies on `inv:a.b`");
        bad(check, &[CITED], "gc/b.rs:2: `inv:a.b` is defined nowhere");
        let twin = ("gc/c.rs", "//! `inv:a.b` Again.\n");
        bad(
            check,
            &[DEFINED, CITED, twin],
            "gc/c.rs:1: `inv:a.b` is defined at gc/a.rs:3",
        );
    }

    #[test]
    fn only_the_start_of_a_paragraph_defines() {
        let middle = ("gc/a.rs", "//! A.\n//! `inv:a.b` is relied on.\n");
        bad(check, &[middle], "defined nowhere");
        let item = ("gc/a.rs", "//! A:\n//! * `inv:a.b` It holds.\n");
        good(check, &[item, CITED]);
        let bare = ("gc/a.rs", "//! A.\n//!\n//! inv:a.b: it holds.\n");
        good(check, &[bare, CITED]);
        let scheme = ("lang/a.sld", ";;; A.\n;;; - inv:a.b  It holds.\n(f)\n");
        good(check, &[scheme, CITED]);
        let item = ("gc/a.rs", "/// `inv:a.b` It holds.\nfn f() {}\n");
        good(check, &[item, CITED]);
        let cites = "/// inv:a.b: so this is fine.\n///\n/// `inv:a.b`.\nfn f() {}\n";
        let cites = ("gc/c.rs", cites);
        good(check, &[item, cites]);
        let page = ("docs/design/a.md", "# A\n\n`inv:a.b` It holds.\n");
        good(check, &[page, CITED]);
        let elsewhere = ("docs/adr/0001-a.md", "# A\n\n`inv:a.b` It holds.\n");
        bad(check, &[elsewhere], "defined nowhere");
    }

    #[test]
    fn a_longer_tag_is_another_tag() {
        let longer = ("gc/b.rs", "//! B (`inv:a.b.c`), see (inv:a.b).\n");
        bad(check, &[DEFINED, longer], "`inv:a.b.c` is defined nowhere");
    }

    #[test]
    fn only_sources_and_design_are_read() {
        good(
            check,
            &[
                ("README.md", "`inv:no.such`"),
                ("xtask/src/a.rs", "// inv:no.such"),
            ],
        );
        bad(
            check,
            &[("tests/c/a.c", "/* inv:no.such */")],
            "defined nowhere",
        );
        good(check, &[("gc/a.rs", "//! A word like `xinv:no.such`.")]);
    }

    #[test]
    fn the_index_puts_the_definition_first() {
        let files = [("gc/0.rs", CITED.1), DEFINED];
        assert_eq!(index(&Tree::of(&files)), ["inv:a.b *gc/a.rs:3 gc/0.rs:2"]);
    }
}
