//! Tokens to data.
//!
//! The reader keeps its own stack of open forms (inv:syntax.depth) and goes on after an error with
//! a placeholder, so that one reading finds all errors; a datum with an error in it is not returned.
//! The work is linear in the text: the tail of a dotted list is read into its front instead of
//! being copied there, and what datum labels may multiply is bounded by [`LABEL_LIMIT`].
//!
//! Datum labels share the parts they name. A label inside its own datum is an error unless the
//! reader was told to keep cycles; then it stays in the data as `Labelled` and `Reference`.

mod frame;
mod labels;

use crate::datum::{Datum, DatumKind};
use crate::diagnostic::Diagnostic;
use crate::fault::Fault;
use crate::lexer::{Lexer, Token, TokenKind};
use crate::span::{SourceId, Span};

use frame::{Frame, FrameKind, ListFrame};
use labels::Labels;

/// After so many errors the rest of a text is not worth reading.
const ERROR_LIMIT: usize = 100;

/// Why there is no datum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// The text ends inside a datum: more text may complete it.
    Incomplete(Diagnostic),
    /// The text is wrong whatever follows.
    Invalid(Diagnostic),
}

impl ReadError {
    /// Whether more text may help.
    pub fn is_incomplete(&self) -> bool {
        matches!(self, Self::Incomplete(_))
    }

    /// What to tell the user.
    pub fn diagnostic(&self) -> &Diagnostic {
        match self {
            Self::Incomplete(diagnostic) | Self::Invalid(diagnostic) => diagnostic,
        }
    }

    /// What to tell the user, owned.
    pub fn into_diagnostic(self) -> Diagnostic {
        match self {
            Self::Incomplete(diagnostic) | Self::Invalid(diagnostic) => diagnostic,
        }
    }
}

/// A datum and how many parts it has when every label is written out.
struct Part {
    datum: Datum,
    weight: u64,
    /// It stands for something that has been complained about.
    placeholder: bool,
}

impl Part {
    fn placeholder(span: Span) -> Self {
        Self {
            datum: Datum::new(DatumKind::Unspecified, span),
            weight: 1,
            placeholder: true,
        }
    }
}

/// Reads data one after another from a text.
pub struct Reader<'a> {
    lexer: Lexer<'a>,
    frames: Vec<Frame>,
    labels: Labels,
    faults: Vec<(Fault, Span)>,
    /// The first opening parenthesis in column 1 while something was open: where a missing one
    /// shows.
    suspect: Option<Span>,
    keep_cycles: bool,
}

/// Everything in a text: the data without errors, cycles kept, and the errors.
pub fn read_all(source: SourceId, text: &str) -> (Vec<Datum>, Vec<Diagnostic>) {
    Reader::new(source, text).keep_cycles().read_to_end()
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of `text`, whose spans will name `source`.
    pub fn new(source: SourceId, text: &'a str) -> Self {
        Self::with_limit(source, text, u32::MAX as usize)
    }

    /// A reader that refuses a text of more than `limit` bytes.
    fn with_limit(source: SourceId, text: &'a str, limit: usize) -> Self {
        let fits = text.len() <= limit;
        let mut reader = Self {
            lexer: Lexer::new(source, if fits { text } else { "" }),
            frames: Vec::new(),
            labels: Labels::default(),
            faults: Vec::new(),
            suspect: None,
            keep_cycles: false,
        };
        if !fits {
            reader.fault(Fault::TooLong, Span::new(source, 0, 0));
        }
        reader
    }

    /// The same reader with names folded to lower case, or not, until a directive says otherwise.
    #[must_use]
    pub fn fold_case(mut self, fold: bool) -> Self {
        self.lexer.fold = fold;
        self
    }

    /// The same reader with cyclic labels kept in the data.
    #[must_use]
    pub fn keep_cycles(mut self) -> Self {
        self.keep_cycles = true;
        self
    }

    /// Whether names are folded now; a port remembers it from one `read` to the next.
    pub fn is_folding(&self) -> bool {
        self.lexer.fold
    }

    /// The offset of the first byte behind what has been read.
    pub fn offset(&self) -> usize {
        self.lexer.offset()
    }

    /// Everything that is left: the data without errors, and the errors.
    pub fn read_to_end(mut self) -> (Vec<Datum>, Vec<Diagnostic>) {
        let (mut data, mut faults) = (Vec::new(), Vec::new());
        loop {
            let datum = self.next_datum();
            let clean = self.faults.is_empty();
            faults.append(&mut self.faults);
            if faults.len() > ERROR_LIMIT {
                let at = faults[ERROR_LIMIT].1;
                faults.truncate(ERROR_LIMIT);
                faults.push((Fault::TooMany(ERROR_LIMIT), at));
                break;
            }
            match datum {
                Some(datum) if clean => data.push(datum),
                Some(_) => {}
                None if clean => break,
                None => {}
            }
        }
        let diagnostics = faults.iter().map(|(fault, span)| fault.diagnostic(*span));
        (data, diagnostics.collect())
    }

    fn fault(&mut self, fault: Fault, span: Span) {
        self.faults.push((fault, span));
        if self.faults.len() > ERROR_LIMIT {
            self.frames.clear();
            self.lexer.stop();
        }
    }

    /// Reads up to the end of one datum, or of a faulty stretch outside any, or of the text.
    fn next_datum(&mut self) -> Option<Datum> {
        self.labels = Labels::default();
        self.suspect = None;
        loop {
            let token = self.lexer.next_token();
            if let Some((fault, span)) = token.fault.clone() {
                self.fault(fault, span);
            }
            if matches!(token.kind, TokenKind::End) {
                self.end_of_text();
                return None;
            }
            if let Some(part) = self.take(token) {
                return Some(part.datum);
            }
            if self.frames.is_empty() && !self.faults.is_empty() {
                return None;
            }
        }
    }

    /// Handles one token; a datum comes back when it completes one outside any other.
    fn take(&mut self, token: Token) -> Option<Part> {
        let span = token.span;
        match token.kind {
            TokenKind::Open => self.open_list(span),
            TokenKind::OpenVector => self.push(FrameKind::Vector(Vec::new()), span),
            TokenKind::OpenBytes => self.push(FrameKind::Bytes(Vec::new()), span),
            TokenKind::Prefix(name) => self.push(FrameKind::Prefix(name), span),
            TokenKind::DatumComment => self.push(FrameKind::Comment, span),
            TokenKind::Label(label) => self.define(label, span),
            TokenKind::Dot => self.dot(span),
            TokenKind::Close => return self.close(span),
            TokenKind::Reference(label) => {
                let part = self.refer(label, span);
                return self.deliver(part);
            }
            TokenKind::Atom(kind) => {
                return self.deliver(Part {
                    datum: Datum::new(kind, span),
                    weight: 1,
                    placeholder: token.fault.is_some(),
                });
            }
            TokenKind::End => {}
        }
        None
    }

    fn push(&mut self, kind: FrameKind, span: Span) {
        self.frames.push(Frame {
            kind,
            span,
            weight: 1,
        });
    }

    fn open_list(&mut self, span: Span) {
        if self.suspect.is_none() && !self.frames.is_empty() && self.lexer.begins_line(span) {
            self.suspect = Some(span);
        }
        if let Some(Frame {
            kind: FrameKind::List(list),
            ..
        }) = self.frames.last_mut()
            && list.continue_in_tail(span)
        {
            return;
        }
        self.push(FrameKind::List(ListFrame::default()), span);
    }

    fn dot(&mut self, span: Span) {
        let result = match self.frames.last_mut().map(|frame| &mut frame.kind) {
            Some(FrameKind::List(list)) => list.dot(span),
            _ => Err(Fault::DotOutsideList),
        };
        if let Err(fault) = result {
            self.fault(fault, span);
        }
    }

    fn define(&mut self, label: u32, span: Span) {
        if let Err(fault) = self.labels.open(label, span) {
            self.fault(fault, span);
        }
        self.push(FrameKind::Label(label), span);
    }

    fn refer(&mut self, label: u32, span: Span) -> Part {
        let mut enclosing = self
            .frames
            .iter()
            .rev()
            .map_while(|frame| match frame.kind {
                FrameKind::Label(outer) => Some(outer),
                _ => None,
            });
        let result = if enclosing.any(|outer| outer == label) {
            Err(Fault::LabelOfItself(label))
        } else {
            self.labels.refer(label, self.keep_cycles)
        };
        match result {
            Ok((kind, weight)) => Part {
                datum: Datum::new(kind, span),
                weight,
                placeholder: false,
            },
            Err(fault) => {
                self.fault(fault, span);
                Part::placeholder(span)
            }
        }
    }

    /// `)`: completes the innermost open form, after complaining about prefixes that wait for a
    /// datum.
    fn close(&mut self, span: Span) -> Option<Part> {
        let waiting = self.frames.iter().rev();
        let waiting = waiting.take_while(|frame| frame.is_prefix()).count();
        if waiting > 0 {
            let innermost = self.frames[self.frames.len() - 1].span;
            let prefix = self.lexer.text_of(innermost).to_owned();
            self.fault(Fault::NoDatum(prefix), innermost);
            // Whatever waited for the datum of the prefix gets a placeholder.
            self.frames
                .truncate(self.frames.len().saturating_sub(waiting));
            self.deliver(Part::placeholder(span));
        }
        let Some(mut frame) = self.frames.pop() else {
            self.fault(Fault::UnexpectedClose, span);
            return None;
        };
        if let FrameKind::List(list) = &mut frame.kind {
            if let Some(dot) = list.take_waiting_dot() {
                self.fault(Fault::DotLast, dot);
            }
            if list.leave_tail() {
                self.frames.push(frame);
                return None;
            }
        }
        let whole = frame.span.to(span);
        let weight = frame.weight;
        match self.labels.spend(frame.elements_in_tail() as u64) {
            Ok(true) => {}
            Ok(false) => frame.drop_tail(),
            Err(fault) => {
                frame.drop_tail();
                self.fault(fault, whole);
            }
        }
        let kind = frame.finish();
        self.deliver(Part {
            datum: Datum::new(kind, whole),
            weight,
            placeholder: false,
        })
    }

    /// Hands a complete datum to whatever waits for it.
    fn deliver(&mut self, mut part: Part) -> Option<Part> {
        loop {
            let Some(frame) = self.frames.last_mut() else {
                return Some(part);
            };
            if !frame.is_prefix() {
                frame.weight = frame.weight.saturating_add(part.weight);
                let span = part.datum.span;
                if let Err(fault) = frame.add(part.datum)
                    && !part.placeholder
                {
                    self.fault(fault, span);
                }
                return None;
            }
            let span = frame.span;
            match frame.kind {
                FrameKind::Prefix(name) => {
                    let whole = span.to(part.datum.span);
                    part.datum = Datum::list([Datum::symbol(name, span), part.datum], whole);
                    part.weight = part.weight.saturating_add(2);
                }
                FrameKind::Label(label) => {
                    part.datum = self.labels.close(label, part.datum, part.weight, span);
                }
                _ => {
                    self.frames.pop();
                    return None;
                }
            }
            self.frames.pop();
        }
    }

    /// Complains about what is still open, once.
    fn end_of_text(&mut self) {
        let reported = self.faults.iter().any(|(fault, _)| fault.is_incomplete());
        if !reported && let Some(prefix) = self.frames.last() {
            let innermost = self.frames.iter().rev().find(|frame| !frame.is_prefix());
            let opening = innermost.unwrap_or(prefix).innermost_opening();
            let text = self.lexer.text_of(opening).to_owned();
            let fault = match innermost {
                None => Fault::DatumMissing(text),
                Some(_) => Fault::Unclosed {
                    opening: text,
                    outermost: Some(self.frames[0].span).filter(|&outer| outer != opening),
                    suspect: self.suspect.filter(|suspect| suspect.start > opening.start),
                },
            };
            self.fault(fault, opening);
        }
        self.frames.clear();
    }
}

/// One datum, or what is wrong with it, at a time. When a datum is both wrong and incomplete it
/// counts as incomplete, so that all of it is consumed before its error is reported.
impl Iterator for Reader<'_> {
    type Item = Result<Datum, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let datum = self.next_datum();
        let faults = std::mem::take(&mut self.faults);
        let incomplete = faults.iter().find(|(fault, _)| fault.is_incomplete());
        if let Some((fault, span)) = incomplete {
            return Some(Err(ReadError::Incomplete(fault.diagnostic(*span))));
        }
        if let Some((fault, span)) = faults.first() {
            return Some(Err(ReadError::Invalid(fault.diagnostic(*span))));
        }
        datum.map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::Reader;
    use crate::span::SourceId;

    #[test]
    fn a_text_that_offsets_cannot_address_is_refused() {
        let read = |limit| Reader::with_limit(SourceId(0), "(ab)", limit).read_to_end();
        assert_eq!(read(4).0.len(), 1);
        let (data, diagnostics) = read(3);
        assert!(data.is_empty() && diagnostics.len() == 1);
        assert_eq!(
            diagnostics[0].message,
            "a source may not be longer than 4 GiB"
        );
    }
}
