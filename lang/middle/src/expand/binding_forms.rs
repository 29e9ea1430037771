//! `let`, named `let`, `let*`, `letrec` and `letrec*`.

use super::form::Form;
use super::lambda::Params;
use super::{Cx, Result, bad_form};
use crate::core::{Expr, Lambda, VarId};
use crate::scope::Scope;
use crate::stx::{Ident, Stx};

impl Cx<'_> {
    /// Identifier and initial value of each `(VARIABLE INIT)`.
    pub(super) fn bindings(&mut self, stx: &Stx, form: &Form<'_>) -> Result<Vec<(Ident, Stx)>> {
        let Some(items) = self.items(stx) else {
            return form.bad_at("the bindings must be a list", stx);
        };
        let mut bindings = Vec::with_capacity(items.len());
        for item in items {
            let parts = self.items(&item);
            let Some([name, init]) = parts.as_deref() else {
                let error = *bad_form(form.special, "a binding is (VARIABLE INIT)", item.span());
                let alone = item.as_identifier().is_some();
                return Err(Box::new(match alone {
                    true => error.with_note(
                        "one pair of parentheses goes around each binding, and one around them all",
                    ),
                    false => error,
                }));
            };
            let Some(ident) = name.as_identifier() else {
                return form.bad_at("a variable must be an identifier", name);
            };
            bindings.push((ident, init.clone()));
        }
        Ok(bindings)
    }

    pub(super) fn let_form(&mut self, form: &Form<'_>) -> Result<Expr> {
        let Some(first) = form.parts.first() else {
            return form.bad("the bindings are missing");
        };
        if let Some(name) = first.as_identifier() {
            return self.named_let(form, &name);
        }
        let bindings = self.bindings(first, form)?;
        self.binding(bindings.len(), form.span(), |cx| {
            cx.let_body(form, &bindings)
        })
    }

    fn let_body(&mut self, form: &Form<'_>, bindings: &[(Ident, Stx)]) -> Result<Expr> {
        let mut inits = Vec::with_capacity(bindings.len());
        for (ident, init) in bindings {
            inits.push(self.expand_named(init, &ident.name)?);
        }
        let body = &form.parts[1..];
        self.with_locals(|cx| {
            if bindings.is_empty() {
                return cx.expand_body(body.to_vec(), form, false);
            }
            let scope = cx.ex.scopes.fresh();
            let vars = cx.bind_variables(bindings, scope)?;
            let body = cx.scoped(body, scope);
            let body = Box::new(cx.expand_body(body, form, true)?);
            Ok(Expr::Let { vars, inits, body })
        })
    }

    fn bind_variables(&mut self, bindings: &[(Ident, Stx)], scope: Scope) -> Result<Vec<VarId>> {
        let bind = |(ident, _): &(Ident, Stx)| self.bind_variable(ident, scope);
        bindings.iter().map(bind).collect()
    }

    fn named_let(&mut self, form: &Form<'_>, name: &Ident) -> Result<Expr> {
        let [_, bindings, body @ ..] = &form.parts[..] else {
            return form.bad("the bindings are missing");
        };
        let bindings = self.bindings(bindings, form)?;
        self.binding(bindings.len(), form.span(), |cx| {
            cx.named_let_body(form, name, &bindings, body)
        })
    }

    fn named_let_body(
        &mut self,
        form: &Form<'_>,
        name: &Ident,
        bindings: &[(Ident, Stx)],
        body: &[Stx],
    ) -> Result<Expr> {
        let mut inits = Vec::with_capacity(bindings.len());
        for (ident, init) in bindings {
            inits.push(self.expand_named(init, &ident.name)?);
        }
        self.with_locals(|cx| {
            let outer = cx.ex.scopes.fresh();
            let var = cx.bind_variable(name, outer)?;
            let inner = cx.ex.scopes.fresh();
            let mut params = Vec::with_capacity(bindings.len());
            for (ident, _) in bindings {
                let scopes = cx.ex.scopes.add(ident.scopes, outer);
                let ident = Ident {
                    scopes,
                    ..ident.clone()
                };
                params.push(cx.bind_variable(&ident, inner)?);
            }
            let rest = None;
            let bound = Params { params, rest };
            cx.note_params(&bound);
            let body = cx.scoped(body, outer);
            let body = cx.scoped(&body, inner);
            let body = cx.expand_body(body, form, true)?;
            let lambda = Lambda {
                name: Some(name.name.clone()),
                params: bound.params,
                rest,
                body,
                span: form.span(),
            };
            Ok(Self::looping(var, lambda, inits))
        })
    }

    /// A procedure bound to `var`, which it sees, and called.
    pub(super) fn looping(var: VarId, lambda: Lambda, inits: Vec<Expr>) -> Expr {
        let span = lambda.span;
        let call = Expr::call(Expr::Local(var, span), inits, span);
        Expr::Letrec {
            vars: vec![var],
            inits: vec![Expr::Lambda(Box::new(lambda))],
            body: Box::new(call),
        }
    }

    pub(super) fn let_star(&mut self, form: &Form<'_>) -> Result<Expr> {
        let Some(first) = form.parts.first() else {
            return form.bad("the bindings are missing");
        };
        let bindings = self.bindings(first, form)?;
        self.chain(bindings.len(), form.span(), |cx| {
            cx.with_locals(|cx| cx.let_star_body(form, &bindings))
        })
    }

    fn let_star_body(&mut self, form: &Form<'_>, bindings: &[(Ident, Stx)]) -> Result<Expr> {
        let mut set = Vec::with_capacity(bindings.len());
        let mut bound = Vec::with_capacity(bindings.len());
        for (ident, init) in bindings {
            let init = self.scoped_by(init, &set);
            let init = self.expand_named(&init, &ident.name)?;
            let scopes = set
                .iter()
                .fold(ident.scopes, |s, &x| self.ex.scopes.add(s, x));
            let scope = self.ex.scopes.fresh();
            let ident = Ident {
                scopes,
                ..ident.clone()
            };
            bound.push((self.bind_variable(&ident, scope)?, init));
            set.push(scope);
        }
        let mut body = form.parts[1..].to_vec();
        for stx in &mut body {
            *stx = self.scoped_by(stx, &set);
        }
        let body = self.expand_body(body, form, !set.is_empty())?;
        let nest = |body, (var, init)| Expr::bind(var, init, body);
        Ok(bound.into_iter().rev().fold(body, nest))
    }

    fn scoped_by(&mut self, stx: &Stx, scopes: &[Scope]) -> Stx {
        let add = |stx: Stx, &scope: &_| stx.add_scope(scope, &mut self.ex.scopes);
        scopes.iter().fold(stx.clone(), add)
    }

    pub(super) fn letrec(&mut self, form: &Form<'_>) -> Result<Expr> {
        let Some(first) = form.parts.first() else {
            return form.bad("the bindings are missing");
        };
        let bindings = self.bindings(first, form)?;
        self.binding(bindings.len(), form.span(), |cx| {
            cx.letrec_body(form, &bindings)
        })
    }

    fn letrec_body(&mut self, form: &Form<'_>, bindings: &[(Ident, Stx)]) -> Result<Expr> {
        let body = &form.parts[1..];
        self.with_locals(|cx| {
            if bindings.is_empty() {
                return cx.expand_body(body.to_vec(), form, false);
            }
            let scope = cx.ex.scopes.fresh();
            let vars = cx.bind_variables(bindings, scope)?;
            let mut inits = Vec::with_capacity(bindings.len());
            for (ident, init) in bindings {
                let init = cx.add_scope(init.clone(), scope);
                inits.push(cx.expand_named(&init, &ident.name)?);
            }
            let body = cx.scoped(body, scope);
            let body = Box::new(cx.expand_body(body, form, true)?);
            Ok(Expr::Letrec { vars, inits, body })
        })
    }
}
