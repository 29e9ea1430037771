//! `cargo xtask docs`: `docs/reference.md`, made of the reference that the prompt shows.
//!
//! The page lists libraries in reading order, in each the sections, and at its end every name by the
//! alphabet. Names that share a text stand in one paragraph. An anchor is the name, with what a link
//! cannot hold written as in `set_21` for `set!`.
//!
//! Absent on purpose: words of its own about any procedure.

use std::fmt::Write;
use std::path::Path;

use crate::reference::{self, Entry, Outcome, Section};

/// The page, from the workspace.
const PAGE: &str = "docs/reference.md";

/// Writes the page, and says whether it could.
pub fn command(root: &Path) -> Result<bool, String> {
    let path = root.join(PAGE);
    std::fs::write(&path, page()).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(true)
}

const INTRODUCTION: &str = "\
# Reference

Every name that a library exports, as `,doc NAME` shows it at the prompt. This page is made by `cargo xtask docs`; its
examples are run by the tests.

In a signature `[x]` may be left out and `x ...` stands for any number of arguments. Words in capitals are the arguments.
An arrow shows what comes back; without one the value is unspecified. An argument of the wrong type, and a wrong number of
arguments, is an error that names the procedure and the argument; only other errors are told here.

";

/// The text of the page.
fn page() -> String {
    let mut out = INTRODUCTION.to_owned();
    let sections = reference::sections();
    for library in libraries(sections) {
        let _ = writeln!(out, "* [`{library}`](#{})", slug(library));
    }
    out += "* [All names](#all-names)\n";
    for library in libraries(sections) {
        let _ = writeln!(out, "\n## {library}");
        for section in sections.iter().filter(|s| s.library == library) {
            push_section(&mut out, section);
        }
    }
    out += "\n## All names\n\n";
    let link = |entry: &Entry| format!("[`{}`](#{})", entry.name, anchor(entry.name));
    let links: Vec<String> = reference::all().iter().map(link).collect();
    for line in links.chunks(4) {
        let _ = writeln!(out, "{}", line.join(" · "));
    }
    out
}

/// The libraries in reading order.
fn libraries(sections: &[Section]) -> Vec<&'static str> {
    let mut libraries: Vec<&str> = Vec::new();
    for section in sections {
        if !libraries.contains(&section.library) {
            libraries.push(section.library);
        }
    }
    libraries
}

fn push_section(out: &mut String, section: &Section) {
    if !section.title.is_empty() {
        let _ = writeln!(out, "\n### {}", section.title);
    }
    if !section.text.is_empty() {
        let _ = writeln!(out, "\n{}", section.text);
    }
    let same = |a: &Entry, b: &Entry| std::ptr::eq(a.text, b.text);
    for block in section.entries.chunk_by(same) {
        push_block(out, block);
    }
}

/// Entries that share a text.
fn push_block(out: &mut String, block: &[Entry]) {
    out.push('\n');
    for entry in block {
        for (i, line) in entry.signature.lines().enumerate() {
            let (call, result) = match line.split_once(" → ") {
                Some((call, result)) => (call, format!(" → {result}")),
                None => (line, String::new()),
            };
            let _ = match i {
                0 => write!(out, "<a id=\"{}\"></a>", anchor(entry.name)),
                _ => Ok(()),
            };
            let _ = writeln!(out, "**{}**{result}\\", code(call));
        }
    }
    let Some(entry) = block.first() else { return };
    let _ = writeln!(out, "{}", entry.text);
    for (i, (expression, outcome)) in entry.examples().enumerate() {
        let lead = if i == 0 { "\n" } else { "" };
        let shown = match outcome {
            Outcome::Values(values) => format!("⇒ {}", code(values)),
            Outcome::Prints(text) => format!("prints {}", code(text)),
            Outcome::Raises(part) => format!("raises an error: … {} …", code(part)),
        };
        let _ = writeln!(out, "{lead}* {} {shown}", code(expression));
    }
}

/// A text as inline code, whatever backquotes it holds.
fn code(text: &str) -> String {
    match text.contains('`') {
        true => format!("`` {text} ``"),
        false => format!("`{text}`"),
    }
}

/// The anchor of a name.
fn anchor(name: &str) -> String {
    let mut anchor = String::new();
    for c in name.chars() {
        match c {
            'a'..='z' | '0'..='9' | '-' => anchor.push(c),
            _ => anchor += &format!("_{:x}", u32::from(c)),
        }
    }
    anchor
}

/// The anchor that a heading gets.
fn slug(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_fresh() {
        let path = crate::root().join(PAGE);
        let text = std::fs::read_to_string(path).expect("the page is there");
        assert!(
            text == page(),
            "{PAGE} is not what the reference says: run `cargo xtask docs`"
        );
    }

    #[test]
    fn anchors_differ_where_names_do() {
        let names = reference::all().iter().map(|entry| anchor(entry.name));
        let anchors: std::collections::BTreeSet<String> = names.collect();
        assert_eq!(anchors.len(), reference::all().len());
        assert_eq!(anchor("set!"), "set_21");
    }

    #[test]
    fn backquotes_stay_what_they_are() {
        assert_eq!(code("`(1 ,x)"), "`` `(1 ,x) ``");
    }
}
