//! Whether a text is a whole entry, and how far the next line of one that is not is indented.
//!
//! Absent on purpose: what is wrong with a text. One that more text cannot mend is complete, and
//! evaluating it tells.

use bowline_syntax::{Piece, PieceKind, Reader, SourceId, pieces};

/// How much of an entry a text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Nothing but white space and comments.
    Empty,
    /// It can be submitted.
    Complete,
    /// A form is still open.
    Incomplete {
        /// The column of the next line, from 0.
        indent: usize,
    },
}

/// Whether `text` is an entry. Nothing is evaluated, and what is bound makes no difference.
pub fn entry(text: &str) -> Entry {
    if text.trim_start().starts_with(',') {
        return Entry::Complete;
    }
    let mut seen = false;
    for datum in Reader::new(SourceId::NONE, text).keep_cycles() {
        match datum {
            Ok(_) => seen = true,
            Err(error) if error.is_incomplete() => {
                let indent = indentation(text);
                return Entry::Incomplete { indent };
            }
            Err(_) => return Entry::Complete,
        }
    }
    if seen { Entry::Complete } else { Entry::Empty }
}

/// The columns between two places where a tab may end.
const TAB: usize = 8;
/// How far a body stands to the right of the form that it is the body of.
const BODY: usize = 2;

/// A list that is still open.
struct List {
    /// The column of its first element, or where it would be.
    inner: usize,
    /// The column of its parenthesis.
    column: usize,
    /// Whether it is data: a vector, or quoted.
    data: bool,
    elements: usize,
    /// Whether it begins with the name of a form with a body.
    body: bool,
    /// Whether it begins with a name.
    named: bool,
    /// The column of the second element, if it stands on the line of the first.
    operand: Option<usize>,
    /// The column of the last element that begins a line.
    line: Option<usize>,
}

impl List {
    fn indentation(&self) -> usize {
        match (self.line, self.operand) {
            _ if self.elements == 0 || self.data => self.line.unwrap_or(self.inner),
            (Some(column), _) => column,
            _ if self.body => self.column + BODY,
            (None, Some(column)) => column,
            (None, None) if self.named => self.column + BODY,
            (None, None) => self.inner,
        }
    }
}

/// Where the line after `text` begins: the elements of a list stand below each other, and a body
/// to the right of its form. Within a string or a comment everything is as it is typed.
fn indentation(text: &str) -> usize {
    let mut lists: Vec<List> = Vec::new();
    let (mut column, mut begins_line) = (0, true);
    // Where the marks before an element begin, and whether the last of them quotes it.
    let (mut marked, mut quoted) = (None, false);
    for Piece { range, kind, open } in pieces(text) {
        let piece = &text[range];
        match kind {
            PieceKind::Space | PieceKind::Comment if open => return 0,
            PieceKind::Space | PieceKind::Comment => {}
            PieceKind::Mark => {
                marked = marked.or(Some(column));
                quoted = matches!(piece, "'" | "`");
            }
            PieceKind::Close => _ = lists.pop(),
            _ if open => return 0,
            _ => {
                if let Some(list) = lists.last_mut() {
                    element(list, piece, kind, marked.unwrap_or(column), begins_line);
                }
                if kind == PieceKind::Open {
                    let data = quoted || piece.len() > 1 || lists.last().is_some_and(|l| l.data);
                    lists.push(opened(column, piece, data));
                }
            }
        }
        // A comment takes no element's place, and a mark begins the element that follows it.
        match kind {
            PieceKind::Space | PieceKind::Comment => begins_line |= piece.contains('\n'),
            PieceKind::Mark => {}
            _ => (begins_line, marked, quoted) = (false, None, false),
        }
        column = advance(column, piece);
    }
    lists.last().map_or(0, List::indentation)
}

fn opened(column: usize, piece: &str, data: bool) -> List {
    List {
        inner: column + piece.len(),
        column,
        data,
        elements: 0,
        body: false,
        named: false,
        operand: None,
        line: None,
    }
}

/// Takes note of an element of `list` that begins here.
fn element(list: &mut List, piece: &str, kind: PieceKind, column: usize, begins_line: bool) {
    let is_name = kind == PieceKind::Symbol;
    match list.elements {
        0 => {
            list.inner = column;
            list.named = is_name;
            list.body = is_name && has_body(piece);
        }
        1 if !begins_line => list.operand = Some(column),
        _ => {}
    }
    if begins_line && list.elements > 0 {
        list.line = Some(column);
    }
    list.elements += 1;
}

/// Whether a form of this name is read as having a body, by what it is called.
fn has_body(name: &str) -> bool {
    const BEGINNINGS: [&str; 6] = ["define", "let", "with-", "call-with-", "lambda", "syntax-"];
    const NAMES: [&str; 10] = [
        "begin",
        "case",
        "case-lambda",
        "do",
        "guard",
        "library",
        "parameterize",
        "unless",
        "when",
        "er-macro-transformer",
    ];
    BEGINNINGS.iter().any(|start| name.starts_with(start)) || NAMES.contains(&name)
}

/// The column after `piece`.
fn advance(column: usize, piece: &str) -> usize {
    let (column, rest) = match piece.rfind('\n') {
        Some(end) => (0, &piece[end + 1..]),
        None => (column, piece),
    };
    rest.chars().fold(column, |column, c| match c {
        '\t' => (column / TAB + 1) * TAB,
        _ => column + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::{Entry, entry};

    #[test]
    fn whole_and_empty_and_broken_texts() {
        for (text, wanted) in [
            ("", Entry::Empty),
            (" ; only a comment\n", Entry::Empty),
            ("(+ 1 2)", Entry::Complete),
            ("1 2", Entry::Complete),
            ("(+ 1 2))", Entry::Complete),
            (",doc car", Entry::Complete),
            ("#<no>", Entry::Complete),
        ] {
            assert_eq!(entry(text), wanted, "{text:?}");
        }
    }

    /// Each text ends with a line of dots that show where the next line begins.
    #[test]
    fn lines_are_indented_as_a_reader_expects() {
        for text in [
            "(define (f x)\n..",
            "(define (f x)\n  (g x)\n..",
            "(define (f x)\n    (odd x)\n....",
            "(let ((a 1)\n......",
            "(let ((a 1)\n      (b 2))\n..",
            "(let loop ((i 0))\n..",
            "(list 1 2\n......",
            "(list\n..",
            "((a b)\n.",
            "(\n.",
            "(if (a)\n....",
            "(cond ((a) b)\n......",
            "(cond\n..",
            "(cond\n  ((a) b)\n..",
            "'(a b\n..",
            "(list\n  'a\n..",
            "#(1 2\n..",
            "(list 'a\n......",
            "(list ;; why\n..",
            "(f \"a\n",
            "#| a\n",
            "(f #| a\n",
            "(a) (b c\n.......",
            "(when x\n..",
            "(define-record-type point\n..",
            "(with-exception-handler\n..",
            "\t(list 1\n..............",
            "(f '(1\n.....",
        ] {
            let (text, dots) = text.rsplit_once('\n').expect("two lines");
            let indent = dots.len();
            assert_eq!(entry(text), Entry::Incomplete { indent }, "{text}");
        }
    }
}
