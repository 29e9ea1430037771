//! Open forms: what the reader's stack holds.
//!
//! A list inside the tail of a dotted list, `(a . (b . (c)))`, does not get a frame of its own: its
//! elements go straight into the outer list, and its parenthesis is only counted. That keeps
//! inv:syntax.improper without copying each tail into its front.

use crate::datum::{Datum, DatumKind};
use crate::fault::Fault;
use crate::number::Number;
use crate::span::Span;

pub(super) struct Frame {
    pub(super) kind: FrameKind,
    /// The token that opened it.
    pub(super) span: Span,
    /// How many parts have been read into it, labels written out.
    pub(super) weight: u64,
}

pub(super) enum FrameKind {
    List(ListFrame),
    Vector(Vec<Datum>),
    Bytes(Vec<u8>),
    /// `'` and its kin: the name of the form.
    Prefix(&'static str),
    /// `#;`.
    Comment,
    /// `#N=`.
    Label(u32),
}

/// Where a list stands with its dot.
#[derive(Copy, Clone, Default)]
enum Dot {
    /// No dot yet.
    #[default]
    None,
    /// The dot at this place waits for its datum.
    Waiting(Span),
    /// The dot at this place has its datum; only a parenthesis may follow.
    Done(Span),
}

/// A parenthesis that stands directly behind a dot.
struct Tail {
    opening: Span,
    /// The dot before it.
    dot: Span,
    /// How many elements the list had when it opened.
    length: usize,
}

#[derive(Default)]
pub(super) struct ListFrame {
    items: Vec<Datum>,
    dot: Dot,
    tail: Option<Box<Datum>>,
    tails: Vec<Tail>,
}

impl ListFrame {
    /// Takes an opening parenthesis behind a dot for the continuation of this list.
    pub(super) fn continue_in_tail(&mut self, opening: Span) -> bool {
        let Dot::Waiting(dot) = self.dot else {
            return false;
        };
        let length = self.items.len();
        self.tails.push(Tail {
            opening,
            dot,
            length,
        });
        self.dot = Dot::None;
        true
    }

    /// Takes the parenthesis that closes such a continuation.
    pub(super) fn leave_tail(&mut self) -> bool {
        let tail = self.tails.pop();
        if let Some(tail) = &tail {
            self.dot = Dot::Done(tail.dot);
        }
        tail.is_some()
    }

    /// Takes a dot.
    pub(super) fn dot(&mut self, span: Span) -> Result<(), Fault> {
        let front = self.tails.last().map_or(0, |tail| tail.length);
        match self.dot {
            Dot::Waiting(first) | Dot::Done(first) => Err(Fault::DotExtra(first)),
            Dot::None if self.items.len() == front => Err(Fault::DotFirst),
            Dot::None => {
                self.dot = Dot::Waiting(span);
                Ok(())
            }
        }
    }

    /// The dot that still has no datum, which is forgotten.
    pub(super) fn take_waiting_dot(&mut self) -> Option<Span> {
        let Dot::Waiting(dot) = self.dot else {
            return None;
        };
        self.dot = Dot::None;
        Some(dot)
    }

    fn add(&mut self, datum: Datum) -> Result<(), Fault> {
        match self.dot {
            Dot::None => self.items.push(datum),
            Dot::Waiting(dot) => {
                self.tail = Some(Box::new(datum));
                self.dot = Dot::Done(dot);
            }
            Dot::Done(dot) => return Err(Fault::DotExtra(dot)),
        }
        Ok(())
    }
}

impl Frame {
    /// Whether it waits for one datum rather than for a parenthesis.
    pub(super) fn is_prefix(&self) -> bool {
        matches!(
            self.kind,
            FrameKind::Prefix(_) | FrameKind::Comment | FrameKind::Label(_)
        )
    }

    /// The last opening token that has not been closed.
    pub(super) fn innermost_opening(&self) -> Span {
        match &self.kind {
            FrameKind::List(list) => list.tails.last().map_or(self.span, |tail| tail.opening),
            _ => self.span,
        }
    }

    /// Adds an element. Only frames that wait for a parenthesis take any.
    pub(super) fn add(&mut self, datum: Datum) -> Result<(), Fault> {
        match &mut self.kind {
            FrameKind::List(list) => list.add(datum)?,
            FrameKind::Vector(items) => items.push(datum),
            FrameKind::Bytes(bytes) => match &datum.kind {
                DatumKind::Number(Number::Fixnum(n)) if (0..256).contains(n) => {
                    bytes.push(*n as u8)
                }
                _ => return Err(Fault::NotAByte),
            },
            FrameKind::Prefix(_) | FrameKind::Comment | FrameKind::Label(_) => {}
        }
        Ok(())
    }

    /// How many elements must be copied from its tail to its front: there are any only when the
    /// tail is a list behind a label or a prefix.
    pub(super) fn elements_in_tail(&self) -> usize {
        let FrameKind::List(list) = &self.kind else {
            return 0;
        };
        match list.tail.as_ref().map(|tail| &tail.kind) {
            Some(DatumKind::List(items) | DatumKind::Improper(items, _)) => items.len(),
            _ => 0,
        }
    }

    /// Forgets its tail.
    pub(super) fn drop_tail(&mut self) {
        if let FrameKind::List(list) = &mut self.kind {
            list.tail = None;
        }
    }

    /// The datum it holds.
    pub(super) fn finish(self) -> DatumKind {
        match self.kind {
            FrameKind::List(list) => match list.tail {
                None => DatumKind::List(list.items.into()),
                Some(tail) => Datum::list_with_tail(list.items, *tail, self.span)
                    .kind
                    .clone(),
            },
            FrameKind::Vector(items) => DatumKind::Vector(items.into()),
            FrameKind::Bytes(bytes) => DatumKind::Bytevector(bytes.into()),
            FrameKind::Prefix(_) | FrameKind::Comment | FrameKind::Label(_) => {
                DatumKind::Unspecified
            }
        }
    }
}
