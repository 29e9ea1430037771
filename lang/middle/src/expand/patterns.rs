//! The patterns of `match`: what they look like, and what is wrong with those that are none.
//!
//! A pattern is `_`, a variable, a literal, `'DATUM`, `(CONSTRUCTOR PATTERN …)`, `(cons PATTERN PATTERN)` or
//! `(list PATTERN …)`. What a constructor's name means is its binding, so it may be imported under another one;
//! `cons` and `list` mean the procedures of the library. A quoted list is taken apart as if it were written with
//! `cons`, so it counts among pairs and the empty list.
//!
//! Absent on purpose: patterns for any number of parts, and alternatives.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, Diagnostic, Span};

use super::datatype::{Constructor, Datatype};
use super::suggest::nearest;
use super::{Cx, Result};
use crate::env::{Binding, Resolution};
use crate::special::Special;
use crate::stx::{Ident, Stx, View};

const SHAPES: &str = "a pattern is _, a variable, a literal, 'DATUM, (CONSTRUCTOR PATTERN ...), \
                      (cons PATTERN PATTERN) or (list PATTERN ...)";

/// A pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) node: Node,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum Node {
    /// `_`
    Any,
    /// A variable: its place among the clause's.
    Variable(usize),
    /// Something of this kind whose parts match these patterns.
    Made(Head, Vec<Pattern>),
}

/// What a value begins with.
#[derive(Clone, Debug)]
pub(super) enum Head {
    Constructor(Rc<Constructor>),
    Pair,
    /// A constant, and its text.
    Literal(Datum, Rc<str>),
}

impl Head {
    fn literal(datum: Datum) -> Head {
        let text = datum.to_string();
        Head::Literal(datum, text.into())
    }

    /// The empty list.
    pub(super) fn nil() -> Head {
        Head::literal(Datum::list(Vec::new(), Span::NONE))
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Head::Literal(datum, _) if datum.is_null())
    }

    /// How many parts it has.
    pub(super) fn parts(&self) -> usize {
        match self {
            Head::Constructor(constructor) => constructor.shape().fields.len(),
            Head::Pair => 2,
            Head::Literal(..) => 0,
        }
    }

    pub(super) fn datatype(&self) -> Option<&Rc<Datatype>> {
        match self {
            Head::Constructor(constructor) => Some(&constructor.datatype),
            _ => None,
        }
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        match (self, other) {
            (Head::Constructor(a), Head::Constructor(b)) => {
                Rc::ptr_eq(&a.datatype, &b.datatype) && a.index == b.index
            }
            (Head::Pair, Head::Pair) => true,
            (Head::Literal(_, a), Head::Literal(_, b)) => a == b,
            _ => false,
        }
    }
}

impl Pattern {
    fn made(head: Head, parts: Vec<Pattern>, span: Span) -> Pattern {
        let node = Node::Made(head, parts);
        Pattern { node, span }
    }

    /// How many patterns it consists of.
    pub(super) fn size(&self) -> usize {
        match &self.node {
            Node::Made(_, parts) => 1 + parts.iter().map(Pattern::size).sum::<usize>(),
            _ => 1,
        }
    }

    /// The pattern for exactly this datum. Lists are taken apart from their ends.
    fn of_datum(datum: &Datum, span: Span) -> Pattern {
        let (items, tail) = match &datum.kind {
            DatumKind::List(items) if !items.is_empty() => (items, None),
            DatumKind::Improper(items, tail) => (items, Some(&**tail)),
            _ => return Pattern::made(Head::literal(datum.clone()), Vec::new(), span),
        };
        let end = match tail {
            Some(tail) => Pattern::of_datum(tail, span),
            None => Pattern::made(Head::nil(), Vec::new(), span),
        };
        let join = |rest, item| {
            let parts = vec![Pattern::of_datum(item, span), rest];
            Pattern::made(Head::Pair, parts, span)
        };
        items.iter().rev().fold(end, join)
    }
}

fn wrong<T>(message: String, span: Span) -> Result<T> {
    Err(Box::new(Diagnostic::error(message, span).with_note(SHAPES)))
}

impl Cx<'_> {
    /// The pattern that this is. Its variables are added to those of the clause.
    pub(super) fn pattern(&mut self, stx: &Stx, vars: &mut Vec<Ident>) -> Result<Pattern> {
        let span = stx.span();
        match stx.view(&mut self.ex.scopes) {
            View::Identifier => match stx.as_identifier() {
                Some(ident) => self.name_pattern(stx, ident, vars),
                None => wrong("this is no pattern".to_owned(), span),
            },
            View::Atom | View::Vector(_) => Ok(Pattern::of_datum(&stx.to_acyclic()?, span)),
            View::Improper(..) => wrong("a dotted list is no pattern".to_owned(), span),
            View::List(items) if items.is_empty() => {
                wrong("() is no pattern: the empty list is '()".to_owned(), span)
            }
            View::List(items) => self.nested(span, |cx| cx.list_pattern(stx, &items, vars)),
        }
    }

    /// A name that stands alone.
    fn name_pattern(&mut self, stx: &Stx, ident: Ident, vars: &mut Vec<Ident>) -> Result<Pattern> {
        let span = stx.span();
        let (name, scopes) = (&ident.name, ident.scopes);
        let bound = match self.ex.env.peek(name, scopes, &self.ex.scopes) {
            Resolution::Bound(binding) => Some(binding),
            _ => None,
        };
        if self.is_auxiliary(stx, Special::Underscore) {
            let node = Node::Any;
            return Ok(Pattern { node, span });
        }
        if let Some(constructor) = self.constructor(bound) {
            let fields = constructor.shape().fields.iter();
            let words = std::iter::once(name.as_str()).chain(fields.map(|f| f.name.as_str()));
            let shape = words.collect::<Vec<_>>().join(" ");
            return wrong(
                format!("`{name}` is a constructor: its pattern is ({shape})"),
                span,
            );
        }
        match bound {
            Some(Binding::Special(Special::Else)) => {
                return wrong(
                    "`else` is no pattern: `_` matches anything".to_owned(),
                    span,
                );
            }
            Some(Binding::Special(special)) if special.is_auxiliary() => {
                return wrong(format!("`{name}` is no pattern"), span);
            }
            _ => {}
        }
        let same = |other: &&Ident| other.name == *name && other.scopes == scopes;
        if let Some(first) = vars.iter().find(same) {
            let message = format!("`{name}` stands twice in this pattern");
            let error = Diagnostic::error(message, span);
            return Err(Box::new(
                error.with_secondary(first.span, "it is bound here first"),
            ));
        }
        vars.push(ident);
        let node = Node::Variable(vars.len() - 1);
        Ok(Pattern { node, span })
    }

    fn list_pattern(&mut self, stx: &Stx, items: &[Stx], vars: &mut Vec<Ident>) -> Result<Pattern> {
        let (span, args) = (stx.span(), &items[1..]);
        let Some(ident) = items[0].as_identifier() else {
            return wrong(
                "a pattern in parentheses begins with a name".to_owned(),
                span,
            );
        };
        let binding = self.resolve(&ident)?;
        if let Some(constructor) = self.constructor(binding) {
            let fields = constructor.shape().fields.len();
            check_count(&ident, &constructor, fields, args.len(), span)?;
            let parts = self.all_patterns(args, vars)?;
            return Ok(Pattern::made(Head::Constructor(constructor), parts, span));
        }
        let primitive = match binding {
            Some(Binding::Primitive(id)) => self.ex.prims.name(id),
            Some(Binding::Special(Special::Quote)) => "quote",
            _ => "",
        };
        match (primitive, args) {
            ("quote", [datum]) => {
                datum.count(&self.ex.effort, span)?;
                let datum = datum.to_acyclic()?;
                self.chain(datum.as_list().map_or(1, <[_]>::len), span, |_| {
                    Ok(Pattern::of_datum(&datum, span))
                })
            }
            ("quote", _) => wrong("`quote` takes one datum".to_owned(), span),
            ("cons", [_, _]) => {
                let parts = self.all_patterns(args, vars)?;
                Ok(Pattern::made(Head::Pair, parts, span))
            }
            ("cons", _) => wrong(format!("`cons` has 2 parts, not {}", args.len()), span),
            ("list", _) => self.chain(args.len(), span, |cx| {
                let end = Pattern::made(Head::nil(), Vec::new(), span);
                let items = cx.all_patterns(args, vars)?;
                let join = |rest, item| Pattern::made(Head::Pair, vec![item, rest], span);
                Ok(items.into_iter().rev().fold(end, join))
            }),
            _ => Err(self.no_constructor(&ident)),
        }
    }

    fn all_patterns(&mut self, items: &[Stx], vars: &mut Vec<Ident>) -> Result<Vec<Pattern>> {
        let pattern = |item| self.pattern(item, vars);
        items.iter().map(pattern).collect()
    }

    /// The error that the head of a pattern is no constructor.
    fn no_constructor(&self, ident: &Ident) -> Box<Diagnostic> {
        let message = format!("`{}` is no constructor", ident.name);
        let error = Diagnostic::error(message, ident.span);
        let global = self.ex.constructors.values();
        let known = global.chain(self.unit.constructors.values());
        let names: Vec<&str> = known.map(|c| c.shape().name.as_str()).collect();
        Box::new(match nearest(ident.name.as_str(), names) {
            Some(near) => error.with_note(format!("did you mean `{near}`?")),
            None => error.with_note(SHAPES),
        })
    }
}

fn check_count(
    ident: &Ident,
    constructor: &Constructor,
    fields: usize,
    got: usize,
    span: Span,
) -> Result<()> {
    if got == fields {
        return Ok(());
    }
    let fields = match fields {
        0 => "no fields".to_owned(),
        1 => "1 field".to_owned(),
        _ => format!("{fields} fields"),
    };
    let message = format!("`{}` has {fields}, not {got}", ident.name);
    let error = Diagnostic::error(message, span);
    let place = constructor.shape().span;
    Err(Box::new(match place.is_none() {
        true => error,
        false => error.with_secondary(place, "it is defined here"),
    }))
}

/// Looks for constructors of two datatypes where one value is looked at: these patterns are what the clauses
/// want of it.
pub(super) fn check_column(column: &[&Pattern]) -> Result<()> {
    let mut first: Option<(&Rc<Datatype>, Span)> = None;
    let mut parts: Vec<(&Head, Vec<Vec<&Pattern>>)> = Vec::new();
    for pattern in column {
        let Node::Made(head, inner) = &pattern.node else {
            continue;
        };
        match (head.datatype(), first) {
            (Some(datatype), None) => first = Some((datatype, pattern.span)),
            (Some(datatype), Some((known, place))) if !Rc::ptr_eq(datatype, known) => {
                return Err(two_datatypes(datatype, known, pattern.span, place));
            }
            _ => {}
        }
        if inner.is_empty() {
            continue;
        }
        let at = match parts.iter().position(|(known, _)| *known == head) {
            Some(at) => at,
            None => {
                parts.push((head, vec![Vec::new(); inner.len()]));
                parts.len() - 1
            }
        };
        for (column, pattern) in parts[at].1.iter_mut().zip(inner) {
            column.push(pattern);
        }
    }
    let mut columns = parts.iter().flat_map(|(_, columns)| columns);
    columns.try_for_each(|column| check_column(column))
}

fn two_datatypes(
    datatype: &Datatype,
    known: &Datatype,
    span: Span,
    first: Span,
) -> Box<Diagnostic> {
    let message = match datatype.name == known.name {
        true => format!("this is a constructor of another `{}`", datatype.name),
        false => format!(
            "this is a constructor of `{}`, where a clause before has one of `{}`",
            datatype.name, known.name
        ),
    };
    let error = Diagnostic::error(message, span).with_secondary(first, "it stands here");
    Box::new(error.with_note(format!(
        "`{}?` and `{}?` tell such values apart",
        known.name, datatype.name
    )))
}
