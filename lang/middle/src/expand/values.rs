//! Several values: `let-values`, `let*-values`.
//!
//! They become nested `call-with-values`. The variables of `let-values` are bound before the body
//! is looked at and after all initial values are expanded, so no temporaries are needed.

use bowline_syntax::Span;

use super::form::Form;
use super::lambda::{Formals, Params};
use super::{Cx, Result};
use crate::core::{Expr, Lambda};
use crate::scope::Scope;
use crate::stx::{Ident, Stx};

/// Whether an expression certainly gives one value.
fn is_single(init: &Expr) -> bool {
    matches!(
        init,
        Expr::Const(_)
            | Expr::Local(..)
            | Expr::Global(..)
            | Expr::Primitive(..)
            | Expr::Lambda(_)
            | Expr::CaseLambda(..)
    )
}

impl Cx<'_> {
    fn value_bindings(&mut self, form: &Form<'_>) -> Result<Vec<(Formals, Stx)>> {
        let Some(first) = form.parts.first() else {
            return form.bad("the bindings are missing");
        };
        let Some(items) = self.items(first) else {
            return form.bad_at("the bindings must be a list", first);
        };
        let mut bindings = Vec::with_capacity(items.len());
        for item in items {
            let parts = self.items(&item);
            let Some([formals, init]) = parts.as_deref() else {
                return form.bad_at("a binding is (FORMALS INIT)", &item);
            };
            bindings.push((self.formals(formals, form)?, init.clone()));
        }
        Ok(bindings)
    }

    /// Gives the values of `init` to the parameters for the length of `body`.
    pub(super) fn receive(
        &mut self,
        init: Expr,
        bound: Params,
        body: Expr,
        span: Span,
    ) -> Result<Expr> {
        if let ([var], None) = (&bound.params[..], bound.rest)
            && is_single(&init)
        {
            return Ok(Expr::bind(*var, init, body));
        }
        let consumer = Expr::Lambda(Box::new(Lambda {
            name: None,
            params: bound.params,
            rest: bound.rest,
            body,
            span,
        }));
        let args = vec![Self::thunk(init, span), consumer];
        self.call_primitive("call-with-values", args, span)
    }

    pub(super) fn let_values(&mut self, form: &Form<'_>) -> Result<Expr> {
        let bindings = self.value_bindings(form)?;
        let span = form.span();
        self.chain(2 * bindings.len(), span, |cx| {
            let mut inits = Vec::with_capacity(bindings.len());
            for (_, init) in &bindings {
                inits.push(cx.expand(init)?);
            }
            cx.with_locals(|cx| {
                let scope = cx.ex.scopes.fresh();
                let mut bound = Vec::with_capacity(bindings.len());
                for (formals, _) in &bindings {
                    bound.push(cx.bind_formals(formals, scope)?);
                }
                let body = cx.scoped(&form.parts[1..], scope);
                let mut body = cx.expand_body(body, form, true)?;
                for (init, bound) in inits.into_iter().zip(bound).rev() {
                    body = cx.receive(init, bound, body, span)?;
                }
                Ok(body)
            })
        })
    }

    pub(super) fn let_star_values(&mut self, form: &Form<'_>) -> Result<Expr> {
        let bindings = self.value_bindings(form)?;
        let span = form.span();
        self.chain(2 * bindings.len(), span, |cx| {
            cx.with_locals(|cx| {
                let mut scopes: Vec<Scope> = Vec::new();
                let mut done = Vec::with_capacity(bindings.len());
                for (formals, init) in bindings {
                    let add = |stx: Stx, &s: &Scope| stx.add_scope(s, &mut cx.ex.scopes);
                    let init = scopes.iter().fold(init, add);
                    let init = cx.expand(&init)?;
                    let mut place = |ident: Ident| {
                        let add = |set, &s: &Scope| cx.ex.scopes.add(set, s);
                        let scopes = scopes.iter().fold(ident.scopes, add);
                        Ident { scopes, ..ident }
                    };
                    let formals = Formals {
                        params: formals.params.into_iter().map(&mut place).collect(),
                        rest: formals.rest.map(place),
                    };
                    let scope = cx.ex.scopes.fresh();
                    done.push((init, cx.bind_formals(&formals, scope)?));
                    scopes.push(scope);
                }
                let mut body = form.parts[1..].to_vec();
                for &scope in &scopes {
                    body = cx.scoped(&body, scope);
                }
                let mut body = cx.expand_body(body, form, !scopes.is_empty())?;
                for (init, bound) in done.into_iter().rev() {
                    body = cx.receive(init, bound, body, span)?;
                }
                Ok(body)
            })
        })
    }
}
