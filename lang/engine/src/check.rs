//! Checking texts without running them: everything that is wrong with one, and what the lints say.
//!
//! A comment `; bowline: allow NAME ...` silences warnings of these names on its own line, or, where
//! it stands alone, on the next line that is no comment. Findings in a file that the text includes
//! are its findings; of libraries that it imports only the errors are told.
//!
//! When the text cannot be read whole, what the rest says of names is not told: they may be bound
//! in the part that is lost.
//!
//! Absent on purpose: a heap. Nothing is run, so none is started.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use bowline_middle::lint::{Name, warning};
use bowline_middle::{Expander, Findings};
use bowline_syntax::{Datum, Diagnostic, Format, SourceId, SourceMap, Span};

use crate::libraries;
use crate::loader::Loader;
use crate::session::primitive_info;

/// What came of checking a file.
#[derive(Clone, Default, Debug)]
pub struct Checked {
    /// The findings, to be shown.
    pub text: String,
    /// How many errors are among them.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
}

/// Checks the program, or the libraries, in a file; `-` is the standard input. Warnings with one of
/// the names in `allowed` are left out.
///
/// Needs a stack of [`bowline_middle::STACK_BYTES`].
pub fn check_file(file: &Path, allowed: &[Name], format: Format) -> Checked {
    let mut loader = Loader::new();
    let read = match file == Path::new("-") {
        true => read_input(&loader),
        false => {
            loader.directories = libraries::search_path(file);
            loader.read(file)
        }
    };
    match read {
        Ok((source, text)) => check(loader, source, &text, allowed, format),
        Err(message) => Checked {
            text: format.remark(&message),
            errors: 1,
            warnings: 0,
        },
    }
}

/// Checks a text that stands nowhere, under this name; see [`check_file`].
pub fn check_text(name: &str, text: &str, allowed: &[Name], format: Format) -> Checked {
    let loader = Loader::new();
    let source = loader.sources.borrow_mut().add(name, text);
    check(loader, source, text, allowed, format)
}

fn read_input(loader: &Loader) -> Result<(SourceId, String), String> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| format!("cannot read the standard input: {error}"))?;
    let id = loader.sources.borrow_mut().add("<stdin>", text.as_str());
    Ok((id, text))
}

fn check(
    mut loader: Loader,
    source: SourceId,
    text: &str,
    allowed: &[Name],
    format: Format,
) -> Checked {
    let (forms, faults) = bowline_syntax::read_all(source, text);
    let mut expander = Expander::new(primitive_info(&bowline_runtime::primitives()));
    let expansions = Rc::clone(expander.expansions());
    loader.sources.borrow_mut().set_expansions(expansions);
    let mut findings = expander.check(&forms, &mut loader);
    if !faults.is_empty() {
        merge(&mut findings, &forms, faults);
    }
    let sources = loader.sources.borrow();
    silence(&mut findings.warnings, source, allowed, &sources);
    for found in &mut findings.warnings {
        leave_library(found, &sources);
    }
    let mut all = findings.errors;
    let errors = all.len();
    all.append(&mut findings.warnings);
    // The file's own findings come first, each text's in order.
    let own = |found: &Diagnostic| found.primary.source != source;
    all.sort_by_key(|found| (own(found), found.primary.source.0, found.primary.start));
    Checked {
        text: format.text(&all, &sources),
        errors,
        warnings: all.len() - errors,
    }
}

/// Adds what the reader found, and takes away what may only follow from it.
fn merge(findings: &mut Findings, forms: &[Datum], faults: Vec<Diagnostic>) {
    let whole = |error: &Diagnostic| {
        let around = |form: &&Datum| within(error.primary, form.span);
        let form = forms.iter().find(around);
        form.is_none_or(|form| !faults.iter().any(|fault| within(fault.primary, form.span)))
    };
    findings.errors.retain(|error| {
        let read = faults.contains(error);
        !read && error.code.is_none() && whole(error)
    });
    findings.errors.extend(faults);
    findings.warnings.clear();
}

/// Of a place in the standard library only what is said of it is told.
fn leave_library(found: &mut Diagnostic, sources: &SourceMap) {
    let places = std::mem::take(&mut found.secondary);
    for (span, label) in places {
        match sources.is_library(span.source) {
            true => found.notes.push(label),
            false => found.secondary.push((span, label)),
        }
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.source == outer.source && inner.start >= outer.start && inner.start < outer.end
}

/// Takes the warnings away that nobody wants, and adds one for each name in a comment that is none.
fn silence(
    warnings: &mut Vec<Diagnostic>,
    source: SourceId,
    allowed: &[Name],
    sources: &SourceMap,
) {
    let mut comments: HashMap<SourceId, Comments> = HashMap::new();
    let own = comments
        .entry(source)
        .or_insert_with(|| Comments::of(source, sources));
    warnings.append(&mut own.unknown);
    warnings.retain(|found| {
        if allowed.iter().any(|name| found.code == Some(name.as_str())) {
            return false;
        }
        let id = found.primary.source;
        let comments = comments
            .entry(id)
            .or_insert_with(|| Comments::of(id, sources));
        let line = sources
            .location(found.primary)
            .map_or(0, |place| place.line);
        let names = comments.lines.get(&line);
        !names.is_some_and(|names| names.iter().any(|name| found.code == Some(name.as_str())))
    });
}

/// The warnings that comments of a text allow, by line.
#[derive(Default)]
struct Comments {
    lines: HashMap<u32, Vec<Name>>,
    unknown: Vec<Diagnostic>,
}

const WORDS: &str = "bowline: allow ";

impl Comments {
    fn of(source: SourceId, sources: &SourceMap) -> Self {
        let mut comments = Comments::default();
        let mut waiting: Vec<Name> = Vec::new();
        let mut start = 0;
        for (line, text) in (1..).zip(sources.text(source).split_inclusive('\n')) {
            let code = text.trim_start();
            let alone = code.starts_with(';');
            let mut names = Vec::new();
            if let Some(at) = comment(text) {
                comments.names(&text[at..], source, start + at, &mut names);
            }
            if alone || code.is_empty() {
                waiting.append(&mut names);
            } else {
                names.append(&mut waiting);
                if !names.is_empty() {
                    comments.lines.insert(line, names);
                }
            }
            start += text.len();
        }
        comments
    }

    /// Takes the names that begin a text, which stands at this offset.
    fn names(&mut self, text: &str, source: SourceId, start: usize, names: &mut Vec<Name>) {
        let mut at = 0;
        for word in text.split([' ', ',', '\t', '\r', '\n']) {
            if let Some(name) = Name::ALL.iter().find(|name| name.as_str() == word) {
                names.push(*name);
            } else if !word.is_empty() {
                let offset = (start + at) as u32;
                let span = Span::new(source, offset, offset + word.len() as u32);
                let message = format!("there is no warning named `{word}`");
                let known: Vec<_> = Name::ALL.iter().map(|name| name.as_str()).collect();
                let found = warning(Name::UnknownWarning, message, span)
                    .with_note(format!("the warnings are {}", known.join(", ")));
                self.unknown.push(found);
            }
            at += word.len() + 1;
        }
    }
}

/// Where the names begin, if a line has a comment that allows something. A semicolon behind an odd
/// number of quotes stands in a string.
fn comment(line: &str) -> Option<usize> {
    let at = line.find(WORDS)?;
    let before = &line[..at];
    let semicolon = before.trim_end().trim_end_matches(';');
    let quotes = semicolon.matches('"').count();
    let is_comment = semicolon.len() < before.trim_end().len() && quotes.is_multiple_of(2);
    is_comment.then_some(at + WORDS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> (Vec<(u32, Vec<Name>)>, usize) {
        let mut sources = SourceMap::new();
        let id = sources.add("t.scm", text);
        let comments = Comments::of(id, &sources);
        let mut lines: Vec<_> = comments.lines.into_iter().collect();
        lines.sort_by_key(|(line, _)| *line);
        (lines, comments.unknown.len())
    }

    #[test]
    fn a_comment_allows_on_its_line_or_the_next_one_with_code() {
        let text = "(a) ; bowline: allow unused-value\n\
                    ;; bowline: allow wrong-type, shadowed\n\
                    ; why\n\
                    \n\
                    (b)\n\
                    (c \"; bowline: allow redefined\")\n\
                    bowline: allow redefined\n";
        let allowed = [
            (1, vec![Name::UnusedValue]),
            (5, vec![Name::WrongType, Name::Shadowed]),
        ];
        assert_eq!(lines(text), (allowed.to_vec(), 0));
    }

    #[test]
    fn a_name_that_is_none_is_told() {
        assert_eq!(lines("; bowline: allow bogus\n(a)\n"), (Vec::new(), 1));
    }
}
