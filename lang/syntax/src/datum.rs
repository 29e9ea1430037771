//! Data: what the reader makes of text and the expander takes apart.
//!
//! Cloning a datum shares its parts. Equality is `equal?` over immutable data and does not look at
//! spans; numbers compare as `eqv?` does.
//!
//! `inv:syntax.depth` No operation of this crate recurses on the nesting of a datum: dropping,
//! comparing, printing and reading keep their own stacks, so a million parentheses cost memory and
//! never the machine stack. Cloning is shallow.
//!
//! `inv:syntax.improper` The tail of an `Improper` is neither a list nor an improper list (those
//! are merged into their front), and its front is not empty.
//!
//! Absent on purpose: mutation and cycles. A datum label that closes a cycle is kept as a
//! `Labelled`/`Reference` pair for whoever builds heap data from it.

use std::fmt;
use std::rc::Rc;

use crate::number::Number;
use crate::printer;
use crate::span::Span;
use crate::symbol::Symbol;

/// A piece of data with the place it was read from.
#[derive(Clone)]
pub struct Datum {
    /// What it is.
    pub kind: DatumKind,
    /// Where it stands.
    pub span: Span,
}

/// What a datum is.
#[derive(Clone, PartialEq, Debug)]
pub enum DatumKind {
    /// `#t` or `#f`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// A character.
    Character(char),
    /// A string literal.
    String(Rc<str>),
    /// A symbol.
    Symbol(Symbol),
    /// `#u8(…)`.
    Bytevector(Rc<[u8]>),
    /// A proper list; the empty list is the one without elements.
    List(Rc<[Datum]>),
    /// A dotted list: the elements before the dot, and what follows it (inv:syntax.improper).
    Improper(Rc<[Datum]>, Rc<Datum>),
    /// `#(…)`.
    Vector(Rc<[Datum]>),
    /// `#N=…` around a datum that contains `#N#`. Only a reader that keeps cycles makes it.
    Labelled(u32, Rc<Datum>),
    /// `#N#` inside, or after, the datum that `#N=` stands before. Only a reader that keeps cycles
    /// makes it.
    Reference(u32),
    /// The end-of-file object, `#!eof`.
    Eof,
    /// The value of expressions that have none, `#!unspecified`.
    Unspecified,
    /// What an omitted optional argument is bound to, `#!default`.
    Default,
}

impl DatumKind {
    fn is_compound(&self) -> bool {
        matches!(
            self,
            Self::List(_) | Self::Improper(..) | Self::Vector(_) | Self::Labelled(..)
        )
    }
}

impl Datum {
    /// A datum of this kind at this place.
    pub fn new(kind: DatumKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// A symbol.
    pub fn symbol(name: &str, span: Span) -> Self {
        Self::new(DatumKind::Symbol(Symbol::new(name)), span)
    }

    /// A proper list.
    pub fn list(items: impl Into<Rc<[Datum]>>, span: Span) -> Self {
        Self::new(DatumKind::List(items.into()), span)
    }

    /// The list of `items` with `tail` behind the dot: proper or improper as the tail says.
    pub fn list_with_tail(mut items: Vec<Datum>, tail: Datum, span: Span) -> Self {
        if items.is_empty() {
            return tail;
        }
        let kind = match &tail.kind {
            DatumKind::List(more) => {
                items.extend(more.iter().cloned());
                DatumKind::List(items.into())
            }
            DatumKind::Improper(more, last) => {
                items.extend(more.iter().cloned());
                DatumKind::Improper(items.into(), Rc::clone(last))
            }
            _ => DatumKind::Improper(items.into(), Rc::new(tail)),
        };
        Self::new(kind, span)
    }

    /// The symbol, if it is one.
    pub fn as_symbol(&self) -> Option<&Symbol> {
        match &self.kind {
            DatumKind::Symbol(symbol) => Some(symbol),
            _ => None,
        }
    }

    /// The elements, if it is a proper list.
    pub fn as_list(&self) -> Option<&[Datum]> {
        match &self.kind {
            DatumKind::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether it is the symbol `name`.
    pub fn is_symbol(&self, name: &str) -> bool {
        self.as_symbol().is_some_and(|symbol| symbol == name)
    }

    /// Whether it is the empty list.
    pub fn is_null(&self) -> bool {
        self.as_list().is_some_and(<[Datum]>::is_empty)
    }
}

/// Moves the compound parts of `kind` onto `stack` if nobody else holds them, leaving atoms in
/// their places, so that the shell can be dropped without recursion.
fn unlink(kind: &mut DatumKind, stack: &mut Vec<DatumKind>) {
    let mut take = |datum: &mut Datum| {
        if datum.kind.is_compound() {
            stack.push(std::mem::replace(&mut datum.kind, DatumKind::Unspecified));
        }
    };
    match kind {
        DatumKind::List(items) | DatumKind::Vector(items) => {
            if let Some(items) = Rc::get_mut(items) {
                items.iter_mut().for_each(take);
            }
        }
        DatumKind::Improper(items, tail) => {
            if let Some(items) = Rc::get_mut(items) {
                items.iter_mut().for_each(&mut take);
            }
            if let Some(tail) = Rc::get_mut(tail) {
                take(tail);
            }
        }
        DatumKind::Labelled(_, datum) => {
            if let Some(datum) = Rc::get_mut(datum) {
                take(datum);
            }
        }
        _ => {}
    }
}

/// Keeps inv:syntax.depth for the drop that the compiler would write recursively.
impl Drop for Datum {
    fn drop(&mut self) {
        if !self.kind.is_compound() {
            return;
        }
        let mut stack = Vec::new();
        unlink(&mut self.kind, &mut stack);
        while let Some(mut kind) = stack.pop() {
            unlink(&mut kind, &mut stack);
        }
    }
}

/// `equal?`, with its own stack (inv:syntax.depth).
impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        let mut stack = vec![(self, other)];
        while let Some((a, b)) = stack.pop() {
            let (a_items, b_items) = match (&a.kind, &b.kind) {
                (DatumKind::List(a), DatumKind::List(b))
                | (DatumKind::Vector(a), DatumKind::Vector(b)) => (a, b),
                (DatumKind::Improper(a, a_tail), DatumKind::Improper(b, b_tail)) => {
                    stack.push((a_tail, b_tail));
                    (a, b)
                }
                (DatumKind::Labelled(a, a_datum), DatumKind::Labelled(b, b_datum)) => {
                    if a != b {
                        return false;
                    }
                    stack.push((a_datum, b_datum));
                    continue;
                }
                (a, b) if a.is_compound() || b.is_compound() => return false,
                (a, b) if a == b => continue,
                _ => return false,
            };
            if Rc::ptr_eq(a_items, b_items) {
                continue;
            }
            if a_items.len() != b_items.len() {
                return false;
            }
            stack.extend(a_items.iter().zip(b_items.iter()));
        }
        true
    }
}

/// The text that `write` prints.
impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printer::write(self))
    }
}

/// The text that `write` prints, and the place. Not the derived form, which would recurse.
impl fmt::Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span {
            source, start, end, ..
        } = self.span;
        write!(f, "{self} @{}:{start}..{end}", source.0)
    }
}
