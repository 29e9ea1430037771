//! Syntax: data whose identifiers carry sets of scopes.
//!
//! Data from the reader stays as it is, wrapped together with the one set that all its identifiers
//! share; adding a scope changes that set and touches nothing else. Only what a macro puts together
//! from different sources is a node with syntax inside, and there too an added scope waits at the
//! top until somebody looks inside.
//!
//! inv:middle.stx-tail — the tail of a made `Improper` is neither a list nor improper.
//!
//! Absent on purpose: properties, phases, and removing scopes from anything but one identifier.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Diagnostic, Span, Symbol, check_unquoted};

use crate::effort::Effort;
use crate::scope::{Scope, ScopeSet, Scopes};

/// A piece of syntax.
#[derive(Clone)]
pub(crate) struct Stx {
    node: Node,
    /// What every identifier inside has beside its own scopes.
    scopes: ScopeSet,
}

#[derive(Clone)]
enum Node {
    Datum(Datum),
    Identifier(Symbol, Span),
    List(Rc<[Stx]>, Span),
    Improper(Rc<[Stx]>, Rc<Stx>, Span),
    Vector(Rc<[Stx]>, Span),
}

/// The shape of a piece of syntax, with its parts ready for use.
pub(crate) enum View {
    /// An identifier.
    Identifier,
    /// A proper list.
    List(Vec<Stx>),
    /// A dotted list: what stands before the dot and what follows it.
    Improper(Vec<Stx>, Stx),
    /// A vector.
    Vector(Vec<Stx>),
    /// Anything else.
    Atom,
}

/// An identifier by itself.
#[derive(Clone)]
pub(crate) struct Ident {
    pub(crate) name: Symbol,
    pub(crate) scopes: ScopeSet,
    pub(crate) span: Span,
}

impl Stx {
    /// Data from the reader in this set of scopes.
    pub(crate) fn new(datum: Datum, scopes: ScopeSet) -> Self {
        Self {
            node: Node::Datum(datum),
            scopes,
        }
    }

    pub(crate) fn identifier(name: Symbol, scopes: ScopeSet, span: Span) -> Self {
        Self {
            node: Node::Identifier(name, span),
            scopes,
        }
    }

    pub(crate) fn list(items: impl Into<Rc<[Stx]>>, span: Span) -> Self {
        Self {
            node: Node::List(items.into(), span),
            scopes: ScopeSet::EMPTY,
        }
    }

    pub(crate) fn vector(items: impl Into<Rc<[Stx]>>, span: Span) -> Self {
        Self {
            node: Node::Vector(items.into(), span),
            scopes: ScopeSet::EMPTY,
        }
    }

    /// `items` with `tail` behind the dot; what the tail brings along is merged
    /// (inv:middle.stx-tail).
    pub(crate) fn with_tail(
        mut items: Vec<Stx>,
        tail: Stx,
        span: Span,
        scopes: &mut Scopes,
    ) -> Self {
        if items.is_empty() {
            return tail;
        }
        let (node, no_scopes) = match tail.view(scopes) {
            View::List(more) => {
                items.extend(more);
                (Node::List(items.into(), span), ScopeSet::EMPTY)
            }
            View::Improper(more, last) => {
                items.extend(more);
                let node = Node::Improper(items.into(), Rc::new(last), span);
                (node, ScopeSet::EMPTY)
            }
            _ => {
                let node = Node::Improper(items.into(), Rc::new(tail), span);
                (node, ScopeSet::EMPTY)
            }
        };
        Self {
            node,
            scopes: no_scopes,
        }
    }

    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        match &self.node {
            Node::Datum(datum) => datum.span,
            Node::Identifier(_, span)
            | Node::List(_, span)
            | Node::Improper(_, _, span)
            | Node::Vector(_, span) => *span,
        }
    }

    /// The name, if it is an identifier.
    pub(crate) fn name(&self) -> Option<&Symbol> {
        match &self.node {
            Node::Datum(datum) => datum.as_symbol(),
            Node::Identifier(name, _) => Some(name),
            _ => None,
        }
    }

    /// Its scopes: all of an identifier's; those that wait at the top of anything else.
    pub(crate) fn scopes(&self) -> ScopeSet {
        self.scopes
    }

    /// Name, scopes and place, if it is an identifier.
    pub(crate) fn as_identifier(&self) -> Option<Ident> {
        self.name().map(|name| Ident {
            name: name.clone(),
            scopes: self.scopes,
            span: self.span(),
        })
    }

    /// The same with one more scope on everything inside.
    pub(crate) fn add_scope(mut self, scope: Scope, scopes: &mut Scopes) -> Self {
        self.scopes = scopes.add(self.scopes, scope);
        self
    }

    fn pushed(&self, more: ScopeSet, scopes: &mut Scopes) -> Self {
        Self {
            node: self.node.clone(),
            scopes: scopes.union(self.scopes, more),
        }
    }

    fn wrap_all(&self, items: &[Datum]) -> Vec<Stx> {
        let wrap = |datum: &Datum| Stx::new(datum.clone(), self.scopes);
        items.iter().map(wrap).collect()
    }

    fn push_all(&self, items: &[Stx], scopes: &mut Scopes) -> Vec<Stx> {
        items
            .iter()
            .map(|item| item.pushed(self.scopes, scopes))
            .collect()
    }

    /// Its shape and parts.
    pub(crate) fn view(&self, scopes: &mut Scopes) -> View {
        match &self.node {
            Node::Identifier(..) => View::Identifier,
            Node::List(items, _) => View::List(self.push_all(items, scopes)),
            Node::Improper(items, tail, _) => View::Improper(
                self.push_all(items, scopes),
                tail.pushed(self.scopes, scopes),
            ),
            Node::Vector(items, _) => View::Vector(self.push_all(items, scopes)),
            Node::Datum(datum) => match &datum.kind {
                DatumKind::Symbol(_) => View::Identifier,
                DatumKind::List(items) => View::List(self.wrap_all(items)),
                DatumKind::Improper(items, tail) => {
                    let tail = Stx::new((**tail).clone(), self.scopes);
                    View::Improper(self.wrap_all(items), tail)
                }
                DatumKind::Vector(items) => View::Vector(self.wrap_all(items)),
                _ => View::Atom,
            },
        }
    }

    /// Its elements, if it is a proper list.
    pub(crate) fn items(&self, scopes: &mut Scopes) -> Option<Vec<Stx>> {
        match self.view(scopes) {
            View::List(items) => Some(items),
            _ => None,
        }
    }

    /// The first element of a list or dotted list.
    pub(crate) fn head(&self, scopes: &mut Scopes) -> Option<Stx> {
        match &self.node {
            Node::Datum(datum) => match &datum.kind {
                DatumKind::List(items) => items.first(),
                DatumKind::Improper(items, _) => items.first(),
                _ => None,
            }
            .map(|datum| Stx::new(datum.clone(), self.scopes)),
            Node::List(items, _) | Node::Improper(items, ..) => {
                items.first().map(|item| item.pushed(self.scopes, scopes))
            }
            _ => None,
        }
    }

    /// The bare data, scopes forgotten.
    pub(crate) fn to_datum(&self) -> Datum {
        let strip = |items: &[Stx]| items.iter().map(Stx::to_datum).collect::<Vec<_>>();
        match &self.node {
            Node::Datum(datum) => datum.clone(),
            Node::Identifier(name, span) => Datum::new(DatumKind::Symbol(name.clone()), *span),
            Node::List(items, span) => Datum::list(strip(items), *span),
            Node::Vector(items, span) => Datum::new(DatumKind::Vector(strip(items).into()), *span),
            Node::Improper(items, tail, span) => {
                Datum::list_with_tail(strip(items), tail.to_datum(), *span)
            }
        }
    }

    /// Counts its parts; what macros put together may have more of them than anything can hold.
    pub(crate) fn count(&self, effort: &Effort, span: Span) -> Result<(), Box<Diagnostic>> {
        effort.part(|| "this datum".to_string(), span)?;
        match &self.node {
            Node::Datum(_) | Node::Identifier(..) => Ok(()),
            Node::List(items, _) | Node::Vector(items, _) => {
                items.iter().try_for_each(|item| item.count(effort, span))
            }
            Node::Improper(items, tail, _) => {
                items.iter().try_for_each(|item| item.count(effort, span))?;
                tail.count(effort, span)
            }
        }
    }

    /// The bare data, scopes forgotten, of what is not quoted: it must not contain itself
    /// (inv:syntax.cycle).
    pub(crate) fn to_acyclic(&self) -> Result<Datum, Box<Diagnostic>> {
        let datum = self.to_datum();
        match check_unquoted(&datum) {
            Some(error) => Err(Box::new(error)),
            None => Ok(datum),
        }
    }

    /// The datum, if it came from the reader as it is or is an atom.
    pub(crate) fn as_raw(&self) -> Option<&Datum> {
        match &self.node {
            Node::Datum(datum) => Some(datum),
            _ => None,
        }
    }

    /// The text of a string literal.
    pub(crate) fn as_string(&self) -> Option<&Rc<str>> {
        match &self.as_raw()?.kind {
            DatumKind::String(text) => Some(text),
            _ => None,
        }
    }
}
