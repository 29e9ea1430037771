//! `cond`, `and`, `or`, `when`, `unless`.

use bowline_syntax::{Span, Symbol};

use super::form::Form;
use super::{Cx, Result};
use crate::core::Expr;
use crate::special::Special;
use crate::stx::Stx;

impl Cx<'_> {
    pub(super) fn and(&mut self, form: &Form<'_>) -> Result<Expr> {
        let span = form.span();
        self.chain(form.parts.len(), span, |cx| {
            let mut tests = cx.expand_all(&form.parts)?;
            let Some(last) = tests.pop() else {
                return Ok(Expr::boolean(true, span));
            };
            let join = |rest, test| Expr::conditional(test, rest, Expr::boolean(false, span));
            Ok(tests.into_iter().rev().fold(last, join))
        })
    }

    pub(super) fn or(&mut self, form: &Form<'_>) -> Result<Expr> {
        let span = form.span();
        self.chain(form.parts.len(), span, |cx| {
            let mut tests = cx.expand_all(&form.parts)?;
            let Some(last) = tests.pop() else {
                return Ok(Expr::boolean(false, span));
            };
            let join = |rest, test| cx.either(test, rest, span);
            Ok(tests.into_iter().rev().fold(last, join))
        })
    }

    /// `test` if it is true, otherwise `rest`.
    pub(super) fn either(&mut self, test: Expr, rest: Expr, span: Span) -> Expr {
        let var = self.fresh_var(Symbol::new("t"));
        let value = || Expr::Local(var, span);
        Expr::bind(var, test, Expr::conditional(value(), value(), rest))
    }

    pub(super) fn when(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [test, body @ ..] = &form.parts[..] else {
            return form.bad("the test is missing");
        };
        if body.is_empty() {
            return form.bad("it has no expression after the test");
        }
        let test = self.expand(test)?;
        let body = self.sequence(body, form.span())?;
        let nothing = Expr::unspecified(form.span());
        Ok(match form.special {
            Special::When => Expr::conditional(test, body, nothing),
            _ => Expr::conditional(test, nothing, body),
        })
    }

    pub(super) fn cond(&mut self, form: &Form<'_>) -> Result<Expr> {
        if form.parts.is_empty() {
            return form.bad("it has no clause");
        }
        let nothing = Expr::unspecified(form.span());
        self.cond_clauses(form, &form.parts, nothing)
    }

    /// Clauses of `cond`, and what happens when none applies. (Also those of `guard`.)
    pub(super) fn cond_clauses(
        &mut self,
        form: &Form<'_>,
        clauses: &[Stx],
        otherwise: Expr,
    ) -> Result<Expr> {
        self.chain(clauses.len(), form.span(), |cx| {
            let mut expanded = Vec::with_capacity(clauses.len());
            let mut rest = otherwise;
            for (index, clause) in clauses.iter().enumerate() {
                let last = index + 1 == clauses.len();
                match cx.cond_clause(form, clause, last)? {
                    Clause::Else(body) => rest = body,
                    clause => expanded.push(clause),
                }
            }
            for clause in expanded.into_iter().rev() {
                rest = cx.join_clause(clause, rest, form.span());
            }
            Ok(rest)
        })
    }

    fn cond_clause(&mut self, form: &Form<'_>, clause: &Stx, last: bool) -> Result<Clause> {
        let parts = self.items(clause);
        let Some([test, body @ ..]) = parts.as_deref() else {
            return form.bad_at("a clause is (TEST EXPRESSION ...)", clause);
        };
        if self.is_auxiliary(test, Special::Else) {
            if !last {
                return form.bad_at("`else` must be the last clause", clause);
            }
            if body.is_empty() {
                return form.bad_at("the `else` clause is empty", clause);
            }
            return Ok(Clause::Else(self.sequence(body, clause.span())?));
        }
        let test = self.expand(test)?;
        match body {
            [] => Ok(Clause::Test(test)),
            [arrow, receiver @ ..] if self.is_auxiliary(arrow, Special::Arrow) => {
                let [receiver] = receiver else {
                    return form.bad_at("one expression must follow `=>`", clause);
                };
                let receiver = self.expand(receiver)?;
                Ok(Clause::Receive(test, receiver, clause.span()))
            }
            body => Ok(Clause::Body(test, self.sequence(body, clause.span())?)),
        }
    }

    fn join_clause(&mut self, clause: Clause, rest: Expr, span: Span) -> Expr {
        match clause {
            Clause::Else(body) => body,
            Clause::Test(test) => self.either(test, rest, span),
            Clause::Body(test, body) => Expr::conditional(test, body, rest),
            Clause::Receive(test, receiver, span) => {
                let var = self.fresh_var(Symbol::new("t"));
                let value = || Expr::Local(var, span);
                let call = Expr::call(receiver, vec![value()], span);
                Expr::bind(var, test, Expr::conditional(value(), call, rest))
            }
        }
    }

    /// Whether the last clause is an `else` clause.
    pub(super) fn has_else(&mut self, clauses: &[Stx]) -> bool {
        let head = clauses
            .last()
            .and_then(|last| last.head(&mut self.ex.scopes));
        head.is_some_and(|head| self.is_auxiliary(&head, Special::Else))
    }
}

enum Clause {
    Else(Expr),
    Test(Expr),
    Body(Expr, Expr),
    Receive(Expr, Expr, Span),
}
