//! `guard`, `parameterize`, `delay`, `delay-force`: calls of procedures that the library supplies.
//!
//! inv:expand.support — these procedures are primitives or exports of the library
//! `(bowline support)`, looked for in this order when a form first needs one:
//!
//! * `(%with-guard THUNK HANDLER)` calls the thunk; what it raises is given to the handler, called
//!   with the object in the continuation and dynamic environment of the `guard`.
//! * `(%with-guard-reraise THUNK HANDLER)`: the same for a handler that takes the object and a
//!   procedure of no arguments, which raises it again where it was raised (`raise-continuable`).
//! * `(%with-parameters PARAMETERS VALUES THUNK)` calls the thunk with the parameters (a list)
//!   bound to the values (a list), converted.
//!
//! Promises are made by the primitive `(%make-promise DONE? VALUE-OR-THUNK)`.

use std::rc::Rc;

use bowline_syntax::Symbol;

use super::form::Form;
use super::lambda::Formals;
use super::{Cx, Result, error};
use crate::core::{Expr, Lambda};
use crate::env::Binding;
use crate::special::Special;
use crate::stx::{Ident, Stx};

const SUPPORT: &str = "(bowline support)";

impl Cx<'_> {
    /// A procedure of inv:expand.support.
    fn support(&mut self, name: &str, form: &Form<'_>) -> Result<Expr> {
        let span = form.span();
        if let Some(id) = self.ex.prims.find(name) {
            return Ok(Expr::Primitive(id, span));
        }
        let exports = self.library_exports(&Rc::from(SUPPORT), span)?;
        match exports.get(&Symbol::new(name)) {
            Some(Binding::Global(id)) => Ok(Expr::Global(*id, span)),
            Some(Binding::Primitive(id)) => Ok(Expr::Primitive(*id, span)),
            _ => Err(error(
                format!(
                    "`{}` needs `{name}`, which {SUPPORT} does not export",
                    form.special.name()
                ),
                span,
            )),
        }
    }

    pub(super) fn guard(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [header, body @ ..] = &form.parts[..] else {
            return form.bad("the variable is missing");
        };
        let header_parts = self.items(header);
        let Some([variable, clauses @ ..]) = header_parts.as_deref() else {
            return form.bad_at("it begins with (VARIABLE CLAUSE ...)", header);
        };
        let Some(ident) = variable.as_identifier() else {
            return form.bad_at("the variable must be an identifier", variable);
        };
        let thunk = self.body_thunk(body, form)?;
        let complete = self.has_else(clauses);
        let handler = self.guard_handler(form, &ident, clauses, complete)?;
        let name = if complete {
            "%with-guard"
        } else {
            "%with-guard-reraise"
        };
        let f = self.support(name, form)?;
        Ok(Expr::call(f, vec![thunk, handler], form.span()))
    }

    fn guard_handler(
        &mut self,
        form: &Form<'_>,
        ident: &Ident,
        clauses: &[Stx],
        complete: bool,
    ) -> Result<Expr> {
        let span = form.span();
        self.with_locals(|cx| {
            let scope = cx.ex.scopes.fresh();
            let formals = Formals {
                params: vec![ident.clone()],
                rest: None,
            };
            let mut params = cx.bind_formals(&formals, scope)?.params;
            let mut otherwise = Expr::unspecified(span);
            if !complete {
                let reraise = cx.fresh_var(Symbol::new("reraise"));
                params.push(reraise);
                otherwise = Expr::call(Expr::Local(reraise, span), Vec::new(), span);
            }
            let clauses = cx.scoped(clauses, scope);
            let body = cx.cond_clauses(form, &clauses, otherwise)?;
            Ok(Expr::Lambda(Box::new(Lambda {
                name: Some(Self::form_symbol(Special::Guard)),
                params,
                rest: None,
                body,
                span,
            })))
        })
    }

    pub(super) fn parameterize(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [bindings, body @ ..] = &form.parts[..] else {
            return form.bad("the bindings are missing");
        };
        let Some(items) = self.items(bindings) else {
            return form.bad_at("the bindings must be a list", bindings);
        };
        let (mut params, mut values) = (Vec::new(), Vec::new());
        for item in &items {
            let parts = self.items(item);
            let Some([param, value]) = parts.as_deref() else {
                return form.bad_at("a binding is (PARAMETER VALUE)", item);
            };
            params.push(self.expand(param)?);
            values.push(self.expand(value)?);
        }
        if items.is_empty() {
            return self.with_locals(|cx| cx.expand_body(body.to_vec(), form, false));
        }
        let span = form.span();
        let thunk = self.body_thunk(body, form)?;
        let params = self.call_primitive("list", params, span)?;
        let values = self.call_primitive("list", values, span)?;
        let f = self.support("%with-parameters", form)?;
        Ok(Expr::call(f, vec![params, values, thunk], span))
    }

    pub(super) fn delay(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [expression] = &form.parts[..] else {
            return form.bad("it takes one expression");
        };
        let span = form.span();
        let mut value = self.expand(expression)?;
        if form.special == Special::Delay {
            let done = Expr::boolean(true, span);
            value = self.call_primitive("%make-promise", vec![done, value], span)?;
        }
        let pending = vec![Expr::boolean(false, span), Self::thunk(value, span)];
        self.call_primitive("%make-promise", pending, span)
    }
}
