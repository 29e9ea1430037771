//! `quasiquote`, nested, in lists and vectors.
//!
//! Parts without an unquote stay constants. Runs of elements become calls of `list` of bounded
//! length, joined by `append`, so that a long template makes neither deep nor wide core.

use bowline_syntax::{Datum, Span};

use super::form::Form;
use super::{Cx, Result, error};
use crate::core::Expr;
use crate::special::Special;
use crate::stx::{Stx, View};

/// The longest argument list made here.
const RUN: usize = 64;

/// A template's element: what to evaluate, or a constant.
enum Part {
    Constant(Datum),
    Value(Expr),
    Splice(Expr),
}

impl Cx<'_> {
    pub(super) fn quasiquote(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [template] = &form.parts[..] else {
            return form.bad("it takes one template");
        };
        Ok(match self.quasi(template, 0, form.span())? {
            Part::Constant(datum) => Expr::Const(datum),
            Part::Value(expr) => expr,
            Part::Splice(_) => {
                return form.bad_at(
                    "`unquote-splicing` must stand in a list or vector",
                    template,
                );
            }
        })
    }

    /// The operand of `(KEYWORD OPERAND)` in a list of two, or the error that it has not one.
    fn quasi_operator(&mut self, items: &[Stx]) -> Option<Special> {
        let head = items.first()?;
        head.name()?;
        if items.len() != 2 {
            return None;
        }
        [
            Special::Unquote,
            Special::UnquoteSplicing,
            Special::Quasiquote,
        ]
        .into_iter()
        .find(|&special| self.is_auxiliary(head, special))
    }

    fn quasi(&mut self, stx: &Stx, level: u32, span: Span) -> Result<Part> {
        self.count(stx.span())?;
        match stx.view(&mut self.ex.scopes) {
            View::Identifier | View::Atom => Ok(Part::Constant(stx.to_acyclic()?)),
            View::List(items) => self.nested(stx.span(), |cx| match cx.quasi_operator(&items) {
                Some(special) => cx.quasi_keyword(special, stx, &items, level, span),
                None => cx.quasi_list(stx, &items, None, level, span),
            }),
            View::Improper(items, tail) => self.nested(stx.span(), |cx| {
                cx.quasi_list(stx, &items, Some(&tail), level, span)
            }),
            View::Vector(items) => self.nested(stx.span(), |cx| {
                match cx.quasi_list(stx, &items, None, level, span)? {
                    Part::Constant(_) => Ok(Part::Constant(stx.to_datum())),
                    Part::Value(list) | Part::Splice(list) => {
                        let vector = cx.call_primitive("list->vector", vec![list], span)?;
                        Ok(Part::Value(vector))
                    }
                }
            }),
        }
    }

    fn quasi_keyword(
        &mut self,
        special: Special,
        stx: &Stx,
        items: &[Stx],
        level: u32,
        span: Span,
    ) -> Result<Part> {
        let inner = match special {
            Special::Quasiquote => level + 1,
            _ if level > 0 => level - 1,
            Special::Unquote => return Ok(Part::Value(self.expand(&items[1])?)),
            _ => return Ok(Part::Splice(self.expand(&items[1])?)),
        };
        self.quasi_list_at(stx, items, inner, span)
    }

    /// `(KEYWORD OPERAND)` kept as data, the operand at another level.
    fn quasi_list_at(&mut self, stx: &Stx, items: &[Stx], level: u32, span: Span) -> Result<Part> {
        let head = Part::Constant(items[0].to_datum());
        let operand = self.quasi(&items[1], level, span)?;
        self.build(stx, vec![head, operand], None, span)
    }

    fn quasi_list(
        &mut self,
        stx: &Stx,
        items: &[Stx],
        tail: Option<&Stx>,
        level: u32,
        span: Span,
    ) -> Result<Part> {
        let mut items = items;
        let mut end = match tail {
            Some(tail) => Some(self.quasi(tail, level, span)?),
            None => None,
        };
        // (a . ,b) reads as (a unquote b).
        if tail.is_none()
            && let [front @ .., keyword, operand] = items
            && !front.is_empty()
            && let pair = [keyword.clone(), operand.clone()]
            && let Some(special) = self.quasi_operator(&pair)
        {
            end = Some(self.quasi_keyword(special, stx, &pair, level, span)?);
            items = front;
        }
        let mut parts = Vec::with_capacity(items.len());
        for item in items {
            parts.push(self.quasi(item, level, span)?);
        }
        self.build(stx, parts, end, span)
    }

    fn build(
        &mut self,
        stx: &Stx,
        mut parts: Vec<Part>,
        tail: Option<Part>,
        span: Span,
    ) -> Result<Part> {
        let constant = |part: &Part| matches!(part, Part::Constant(_));
        if parts.iter().all(constant) && tail.as_ref().is_none_or(constant) {
            return Ok(Part::Constant(stx.to_datum()));
        }
        // The end of the list: constants at the end and the tail, if that is constant, too.
        let mut rest = match tail {
            Some(Part::Splice(_)) => {
                return Err(error(
                    "`unquote-splicing` cannot stand behind a dot",
                    stx.span(),
                ));
            }
            Some(Part::Value(tail)) => tail,
            other => {
                let mut data = Vec::new();
                while let Some(Part::Constant(datum)) = parts.last() {
                    data.push(datum.clone());
                    parts.pop();
                }
                data.reverse();
                Expr::Const(match other {
                    Some(Part::Constant(tail)) => Datum::list_with_tail(data, tail, span),
                    _ => Datum::list(data, span),
                })
            }
        };
        while let Some(part) = parts.pop() {
            rest = match part {
                Part::Splice(list) => {
                    if is_null(&rest) {
                        // The last list may be shared: `append` would not copy it either.
                        list
                    } else {
                        self.call_primitive("append", vec![list, rest], span)?
                    }
                }
                part => {
                    let mut run = vec![part];
                    while run.len() < RUN
                        && parts
                            .last()
                            .is_some_and(|part| !matches!(part, Part::Splice(_)))
                    {
                        run.extend(parts.pop());
                    }
                    self.prepend(run, rest, span)?
                }
            };
        }
        Ok(Part::Value(rest))
    }

    /// The elements of `run`, which is in reverse order, in front of `rest`.
    fn prepend(&mut self, run: Vec<Part>, rest: Expr, span: Span) -> Result<Expr> {
        let value = |part| match part {
            Part::Constant(datum) => Expr::Const(datum),
            Part::Value(expr) | Part::Splice(expr) => expr,
        };
        let mut items: Vec<Expr> = run.into_iter().map(value).collect();
        if is_null(&rest) {
            items.reverse();
            return self.call_primitive("list", items, span);
        }
        if items.len() > 4 {
            items.reverse();
            let list = self.call_primitive("list", items, span)?;
            return self.call_primitive("append", vec![list, rest], span);
        }
        let mut list = rest;
        for item in items {
            list = self.call_primitive("cons", vec![item, list], span)?;
        }
        Ok(list)
    }
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Const(datum) if datum.is_null())
}
