//! What may stand where the cursor is: completions of a word, the signature of the form around it,
//! and what each name is.
//!
//! Nothing here evaluates or changes anything, whatever the text is.
//!
//! Absent on purpose: knowledge of variables that are local to the text being typed.

use std::ops::Range;
use std::path::Path;

use bowline_middle::BoundTo;
use bowline_syntax::{Piece, PieceKind, pieces};

use super::command;
use super::{Interaction, Token, TokenClass, token};

/// Something that a word may be completed to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Candidate {
    /// The whole word.
    pub text: String,
    /// What it is: "syntax", "procedure (scheme base)", "yours".
    pub about: String,
}

/// Procedures and forms that take the name of a file.
const TAKE_FILES: &[&str] = &[
    "load",
    "include",
    "include-ci",
    "include-library-declarations",
    "open-input-file",
    "open-output-file",
    "open-binary-input-file",
    "open-binary-output-file",
    "call-with-input-file",
    "call-with-output-file",
    "with-input-from-file",
    "with-output-to-file",
    "file-exists?",
    "delete-file",
];

/// The names of import sets that are no libraries.
const IMPORT_WORDS: &[&str] = &["only", "except", "prefix", "rename"];

/// A list that is open at the cursor.
struct Open<'t> {
    /// Where its parenthesis is.
    at: usize,
    /// Its first element, if that is a name.
    head: Option<&'t str>,
    /// Whether anything stands in it.
    begun: bool,
    /// Whether it is data.
    quoted: bool,
}

/// The lists that are open at the end of a text, outermost first, and its last piece.
fn open_lists(text: &str) -> (Vec<Open<'_>>, Option<Piece>) {
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut mark = None;
    let all = pieces(text);
    for piece in &all {
        let said = &text[piece.range.clone()];
        if matches!(piece.kind, PieceKind::Space | PieceKind::Comment) {
            continue;
        }
        if piece.kind == PieceKind::Mark {
            mark = Some(said);
            continue;
        }
        let quoted = matches!(mark.take(), Some("'" | "`")) || said.starts_with('#');
        if piece.kind == PieceKind::Close {
            open.pop();
            continue;
        }
        if let Some(list) = open.last_mut()
            && !std::mem::replace(&mut list.begun, true)
            && piece.kind == PieceKind::Symbol
        {
            list.head = Some(said);
        }
        if piece.kind == PieceKind::Open {
            let quoted = quoted || open.last().is_some_and(|list| list.quoted);
            open.push(Open {
                at: piece.range.start,
                head: None,
                begun: false,
                quoted,
            });
        }
    }
    (open, all.into_iter().next_back())
}

impl Interaction {
    /// Where the word before byte `at` begins, and what it may be completed to, sorted.
    pub fn complete(&self, line: &str, at: usize) -> (usize, Vec<Candidate>) {
        let at = line.floor_char_boundary(at);
        let text = &line[..at];
        let (start, mut found) = match text.trim_start().strip_prefix(',') {
            Some(command) => self.complete_command(text, command),
            None => self.complete_form(text),
        };
        found.sort();
        found.dedup();
        (start, found)
    }

    fn complete_command(&self, text: &str, command: &str) -> (usize, Vec<Candidate>) {
        let Some((name, argument)) = command.split_once(char::is_whitespace) else {
            let start = text.len() - command.len() - 1;
            return (start, command::candidates(command));
        };
        if command::find(name).is_some_and(|command| command.takes_file()) {
            let path = argument.trim_start();
            return (text.len() - path.len(), files(path));
        }
        let (start, found) = if command::find(name).is_some_and(|found| found.name == "import") {
            self.complete_form(&format!("(import {argument}"))
        } else {
            return shifted(self.complete_form(argument), text.len() - argument.len());
        };
        let skipped = "(import ".len();
        (start + text.len() - argument.len() - skipped, found)
    }

    fn complete_form(&self, text: &str) -> (usize, Vec<Candidate>) {
        let (open, last) = open_lists(text);
        let Some(last) = last else {
            return (text.len(), Vec::new());
        };
        let start = last.range.start;
        if last.kind == PieceKind::String && last.open {
            let takes_file = open
                .last()
                .and_then(|list| list.head)
                .is_some_and(|head| TAKE_FILES.contains(&head));
            let path = text.get(start + 1..).unwrap_or("");
            let found = if takes_file { files(path) } else { Vec::new() };
            return (start + 1, found);
        }
        if let Some(found) = self.complete_library(text, &open) {
            return found;
        }
        match last.kind {
            PieceKind::Symbol | PieceKind::Number => (start, self.names(&text[last.range])),
            _ => (text.len(), Vec::new()),
        }
    }

    /// The next part of a library's name inside an `import`.
    fn complete_library(&self, text: &str, open: &[Open<'_>]) -> Option<(usize, Vec<Candidate>)> {
        let outer = open.iter().rposition(|list| list.head == Some("import"))?;
        let list = open.last().filter(|_| open.len() > outer + 1)?;
        if list.head.is_some_and(|head| IMPORT_WORDS.contains(&head)) {
            return None;
        }
        let inner = text.get(list.at + 1..)?;
        let start = inner.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (before, word) = inner.split_at(start);
        let before: Vec<&str> = before.split_whitespace().collect();
        let next = |library: &str| {
            let parts: Vec<&str> = library.trim_matches(['(', ')']).split(' ').collect();
            let part = parts.get(before.len())?;
            let fits = parts.starts_with(&before) && part.starts_with(word);
            fits.then(|| Candidate {
                text: (*part).to_string(),
                about: format!("library {library}"),
            })
        };
        let libraries = self.session.expander.library_names(&self.session.loader);
        let mut found: Vec<Candidate> = Vec::new();
        for candidate in libraries.iter().filter_map(|library| next(library)) {
            match found.iter_mut().find(|other| other.text == candidate.text) {
                Some(other) => other.about = "libraries".to_string(),
                None => found.push(candidate),
            }
        }
        Some((list.at + 1 + start, found))
    }

    /// The names with a meaning here that begin so.
    fn names(&self, word: &str) -> Vec<Candidate> {
        let all = self.session.expander.all_bound(self.env);
        let fitting = all
            .iter()
            .filter(|bound| bound.name.as_str().starts_with(word) && self.has_meaning(bound));
        fitting
            .map(|bound| Candidate {
                text: bound.name.to_string(),
                about: self.kind(bound),
            })
            .collect()
    }

    /// The signature of the innermost form around byte `at` whose head is known here.
    pub fn hint(&self, line: &str, at: usize) -> Option<String> {
        let text = &line[..line.floor_char_boundary(at)];
        let text = match text.trim_start().strip_prefix(',') {
            Some(command) => command.split_once(char::is_whitespace)?.1,
            None => text,
        };
        let (open, _) = open_lists(text);
        let calls = open.iter().rev().skip_while(|list| list.quoted);
        let mut heads = calls.filter_map(|list| list.head);
        heads.find_map(|head| {
            let bound = self.session.expander.bound(self.env, head)?;
            let signature = self.signature(&bound)?;
            signature.lines().next().map(str::to_string)
        })
    }

    /// The text in pieces that may be coloured.
    pub fn tokens(&self, text: &str) -> Vec<Token> {
        token::tokens(text, |name| {
            match self.session.expander.bound(self.env, name) {
                Some(bound) if !self.has_meaning(&bound) => TokenClass::Name,
                Some(bound) => match bound.meaning {
                    BoundTo::Syntax | BoundTo::Macro => TokenClass::Keyword,
                    BoundTo::Variable(_) | BoundTo::Primitive(_) => TokenClass::Bound,
                },
                None => TokenClass::Name,
            }
        })
    }
}

fn shifted<T>((start, found): (usize, T), by: usize) -> (usize, T) {
    (start + by, found)
}

/// The files whose paths begin so.
fn files(path: &str) -> Vec<Candidate> {
    let name: Range<usize> = path.rfind('/').map_or(0, |at| at + 1)..path.len();
    let folder = match &path[..name.start] {
        "" => Path::new("."),
        folder => Path::new(folder),
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let wanted = &path[name.clone()];
    let candidate = |entry: std::fs::DirEntry| {
        let found = entry.file_name().into_string().ok()?;
        let hidden = found.starts_with('.') && !wanted.starts_with('.');
        if hidden || !found.starts_with(wanted) {
            return None;
        }
        let is_folder = entry.path().is_dir();
        let end = if is_folder { "/" } else { "" };
        Some(Candidate {
            text: format!("{}{found}{end}", &path[..name.start]),
            about: if is_folder { "folder" } else { "file" }.to_string(),
        })
    };
    entries.filter_map(|entry| candidate(entry.ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::open_lists;

    fn heads(text: &str) -> Vec<String> {
        let (open, _) = open_lists(text);
        let shown = |list: &super::Open<'_>| {
            let quote = if list.quoted { "'" } else { "" };
            format!("{quote}{}", list.head.unwrap_or("-"))
        };
        open.iter().map(shown).collect()
    }

    #[test]
    fn open_lists_are_known_by_their_heads() {
        assert_eq!(heads("(map (lambda (x) (car "), ["map", "lambda", "car"]);
        assert_eq!(heads("(let ((a 1) (b "), ["let", "-", "b"]);
        assert_eq!(heads("(f '(a (b"), ["f", "'a", "'b"]);
        assert_eq!(heads("(f \"(\" ; (\n #(1"), ["f", "'-"]);
        assert!(heads(") (a)").is_empty());
    }
}
