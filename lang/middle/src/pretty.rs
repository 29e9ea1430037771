//! Nested lists of words as indented text: what the printers of core and IR share.
//!
//! A list that fits the line is printed flat; one that does not keeps its first words on the line
//! and gives every other its own.
//!
//! Absent on purpose: comments and any knowledge of what is printed.

/// Lines are broken before this column where that can be done.
const WIDTH: usize = 90;

/// Text with structure.
#[derive(Clone, Debug)]
pub(crate) enum Doc {
    /// A word.
    Word(String),
    /// A parenthesised list; the first `keep` items stay on one line.
    List {
        items: Vec<Doc>,
        keep: usize,
        width: usize,
    },
}

impl Doc {
    /// A word.
    pub(crate) fn word(text: impl Into<String>) -> Self {
        Self::Word(text.into())
    }

    /// A list whose first `keep` items stay on the first line.
    pub(crate) fn list(keep: usize, items: Vec<Doc>) -> Self {
        let inner: usize = items.iter().map(Doc::width).sum();
        let width = inner + items.len().saturating_sub(1) + 2;
        Self::List { items, keep, width }
    }

    /// A form: a keyword and its parts, the first of which stay on the line with it.
    pub(crate) fn form(head: &str, kept: usize, parts: impl IntoIterator<Item = Doc>) -> Self {
        let mut items = vec![Self::word(head)];
        items.extend(parts);
        Self::list(kept + 1, items)
    }

    fn width(&self) -> usize {
        match self {
            Self::Word(text) => text.chars().count(),
            Self::List { width, .. } => *width,
        }
    }

    /// The text, beginning at column `indent`.
    pub(crate) fn render(&self, indent: usize) -> String {
        let mut out = String::new();
        self.write(indent, &mut out);
        out
    }

    fn write(&self, column: usize, out: &mut String) {
        match self {
            Self::Word(text) => out.push_str(text),
            Self::List { items, width, .. } if column + width <= WIDTH => {
                out.push('(');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(' ');
                    }
                    item.write(0, out);
                }
                out.push(')');
            }
            Self::List { items, keep, .. } => Self::write_broken(items, *keep, column, out),
        }
    }

    fn write_broken(items: &[Doc], keep: usize, column: usize, out: &mut String) {
        out.push('(');
        // A list of lists (bindings, clauses) aligns under its first element.
        let inner = column + if keep == 0 { 1 } else { 2 };
        let mut at = column + 1;
        for (index, item) in items.iter().enumerate() {
            if index > 0 && index < keep.max(1) {
                out.push(' ');
                at += 1;
            } else if index > 0 {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', inner));
                at = inner;
            }
            item.write(at, out);
            at += item.width();
        }
        out.push(')');
    }
}
