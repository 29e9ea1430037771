//! Procedures: formals, `lambda`, `named-lambda`, `case-lambda`.

use bowline_syntax::{Diagnostic, Span, Symbol};

use super::form::Form;
use super::notes::VarKind;
use super::{Cx, Result};
use crate::core::{Expr, Lambda, VarId};
use crate::env::Binding;
use crate::scope::Scope;
use crate::special::Special;
use crate::stx::{Ident, Stx, View};

/// A list of formals, bound to nothing yet.
pub(super) struct Formals {
    pub(super) params: Vec<Ident>,
    pub(super) rest: Option<Ident>,
}

impl Formals {
    /// The error that an identifier stands twice, with the place where it stands first.
    fn bound_before(&self, ident: &Ident, error: Box<Diagnostic>) -> Box<Diagnostic> {
        let first = self.params.iter().find(|other| other.name == ident.name);
        match first {
            Some(first) if first.span != ident.span => {
                Box::new(error.with_secondary(first.span, "it is bound here first"))
            }
            _ => error,
        }
    }
}

/// Formals bound to variables.
pub(super) struct Params {
    pub(super) params: Vec<VarId>,
    pub(super) rest: Option<VarId>,
}

impl Cx<'_> {
    pub(super) fn formals(&mut self, stx: &Stx, form: &Form<'_>) -> Result<Formals> {
        let (items, rest) = match stx.view(&mut self.ex.scopes) {
            View::Identifier => (Vec::new(), stx.as_identifier()),
            View::List(items) => (items, None),
            View::Improper(items, tail) => match tail.as_identifier() {
                Some(rest) => (items, Some(rest)),
                None => return form.bad_at("a parameter must be an identifier", &tail),
            },
            _ => return form.bad_at("the formals must be identifiers", stx),
        };
        let mut params = Vec::with_capacity(items.len());
        for item in items {
            match item.as_identifier() {
                Some(ident) => params.push(ident),
                None => return form.bad_at("a parameter must be an identifier", &item),
            }
        }
        Ok(Formals { params, rest })
    }

    /// Runs `body` and forgets the local bindings it made (inv:middle.local-life).
    pub(super) fn with_locals<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let mark = self.ex.env.mark();
        let frame = self.frame;
        let result = body(self);
        self.frame = frame;
        self.ex.env.release(mark);
        result
    }

    /// Binds an identifier, in this scope too, to a new variable.
    pub(super) fn bind_variable(&mut self, ident: &Ident, scope: Scope) -> Result<VarId> {
        let var = self.fresh_var(ident.name.clone());
        self.note_variable(ident, var, VarKind::Local);
        let scopes = self.ex.scopes.add(ident.scopes, scope);
        let ident = Ident {
            scopes,
            ..ident.clone()
        };
        if self
            .ex
            .env
            .bind(&ident, Binding::Local(var), &self.ex.scopes)
        {
            return Ok(var);
        }
        let message = format!("`{}` is bound twice by the same form", ident.name);
        Err(Box::new(Diagnostic::error(message, ident.span)))
    }

    pub(super) fn bind_formals(&mut self, formals: &Formals, scope: Scope) -> Result<Params> {
        let mut params = Vec::with_capacity(formals.params.len());
        for ident in &formals.params {
            let bound = self.bind_variable(ident, scope);
            params.push(bound.map_err(|error| formals.bound_before(ident, error))?);
        }
        let rest = match &formals.rest {
            Some(ident) => {
                let bound = self.bind_variable(ident, scope);
                Some(bound.map_err(|error| formals.bound_before(ident, error))?)
            }
            None => None,
        };
        let bound = Params { params, rest };
        self.note_params(&bound);
        Ok(bound)
    }

    /// A procedure from its formals and body.
    pub(super) fn procedure(
        &mut self,
        formals: &Stx,
        body: &[Stx],
        form: &Form<'_>,
        name: Option<Symbol>,
    ) -> Result<Lambda> {
        let formals = self.formals(formals, form)?;
        // Where it is called at once, its parameters become a `let`.
        let vars = formals.params.len();
        self.binding(vars, form.span(), |cx| {
            cx.procedure_body(&formals, body, form, name)
        })
    }

    fn procedure_body(
        &mut self,
        formals: &Formals,
        body: &[Stx],
        form: &Form<'_>,
        name: Option<Symbol>,
    ) -> Result<Lambda> {
        self.with_locals(|cx| {
            let empty = formals.params.is_empty() && formals.rest.is_none();
            let scope = cx.ex.scopes.fresh();
            let bound = cx.bind_formals(formals, scope)?;
            let body = if empty {
                cx.expand_body(body.to_vec(), form, false)?
            } else {
                let body = cx.scoped(body, scope);
                cx.expand_body(body, form, true)?
            };
            Ok(Lambda {
                name,
                params: bound.params,
                rest: bound.rest,
                body,
                span: form.span(),
            })
        })
    }

    pub(super) fn lambda(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [formals, body @ ..] = &form.parts[..] else {
            return form.bad("the formals are missing");
        };
        let lambda = self.procedure(formals, body, form, form.hint.clone())?;
        Ok(Expr::Lambda(Box::new(lambda)))
    }

    pub(super) fn named_lambda(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [header, body @ ..] = &form.parts[..] else {
            return form.bad("the name is missing");
        };
        let Some((name, formals)) = self.header(header) else {
            return form.bad_at("it begins with (NAME . FORMALS)", header);
        };
        let lambda = self.procedure(&formals, body, form, Some(name.name))?;
        Ok(Expr::Lambda(Box::new(lambda)))
    }

    /// The name and the formals of `(NAME . FORMALS)`.
    pub(super) fn header(&mut self, header: &Stx) -> Option<(Ident, Stx)> {
        let span = header.span();
        let (items, tail) = match header.view(&mut self.ex.scopes) {
            View::List(items) => (items, None),
            View::Improper(items, tail) => (items, Some(tail)),
            _ => return None,
        };
        let name = items.first()?.as_identifier()?;
        let formals = items[1..].to_vec();
        let formals = match tail {
            None => Stx::list(formals, span),
            Some(tail) => Stx::with_tail(formals, tail, span, &mut self.ex.scopes),
        };
        Some((name, formals))
    }

    pub(super) fn case_lambda(&mut self, form: &Form<'_>) -> Result<Expr> {
        let mut clauses = Vec::with_capacity(form.parts.len());
        for clause in &form.parts {
            let parts = self.items(clause);
            let Some([formals, body @ ..]) = parts.as_deref() else {
                return form.bad_at("a clause is (FORMALS BODY ...)", clause);
            };
            let mut lambda = self.procedure(formals, body, form, form.hint.clone())?;
            lambda.span = clause.span();
            clauses.push(lambda);
        }
        if clauses.is_empty() {
            return form.bad("it has no clause");
        }
        Ok(Expr::CaseLambda(clauses, form.span()))
    }

    /// A procedure without parameters around an expanded expression.
    pub(super) fn thunk(body: Expr, span: Span) -> Expr {
        Expr::lambda(Vec::new(), body, span)
    }

    /// A procedure without parameters around a body.
    pub(super) fn body_thunk(&mut self, body: &[Stx], form: &Form<'_>) -> Result<Expr> {
        let body = self.with_locals(|cx| cx.expand_body(body.to_vec(), form, false))?;
        Ok(Self::thunk(body, form.span()))
    }

    /// The name of a form, as a symbol for variables that it makes.
    pub(super) fn form_symbol(special: Special) -> Symbol {
        Symbol::new(special.name())
    }
}
