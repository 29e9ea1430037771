//! Bodies of procedures and binding forms: definitions, then expressions; both may be mixed.

use bowline_syntax::{Datum, DatumKind, Number, Span, Symbol};

use super::definitions::{Item, Place, Scan};
use super::form::{Form, of_form};
use super::{Cx, Result};
use crate::core::{Expr, Lambda, VarId};
use crate::env::Binding;
use crate::stx::Stx;

/// The definitions of a body so far, in order.
#[derive(Default)]
struct Defined {
    vars: Vec<VarId>,
    inits: Vec<Expr>,
}

impl Defined {
    fn push(&mut self, var: VarId, init: Expr) {
        self.vars.push(var);
        self.inits.push(init);
    }
}

impl Cx<'_> {
    /// Expands the body of `form`. `outer` says that its forms carry a scope of the form's own
    /// (inv:expand.edges). The caller forgets the local bindings.
    pub(super) fn expand_body(
        &mut self,
        forms: Vec<Stx>,
        form: &Form<'_>,
        outer: bool,
    ) -> Result<Expr> {
        if forms.is_empty() {
            return form.bad("its body is empty");
        }
        if let [only] = &forms[..]
            && !self.may_define(only)?
        {
            self.note_body();
            return self.expand(only);
        }
        let forms = if outer {
            forms
        } else {
            let scope = self.ex.scopes.fresh();
            self.scoped(&forms, scope)
        };
        self.frame = self.fresh_frame();
        let mut scan = Scan::new(false, self.frame, forms);
        scan.around = self.note_body();
        while let Some(stx) = scan.queue.pop() {
            let span = stx.span();
            let outcome = self.scan_form(&mut scan, stx.clone());
            let outcome = outcome.map_err(|error| of_form(error, &stx));
            if let Err(error) = outcome {
                self.definition_failed(&stx);
                let nothing = self.recovered(Err(error), span)?;
                scan.items.push(Item::Nothing(nothing));
            }
        }
        self.finish_body(scan.items, form)
    }

    /// Whether a form may turn out to be a definition.
    fn may_define(&mut self, stx: &Stx) -> Result<bool> {
        Ok(match self.head_binding(stx)? {
            Some(Binding::Macro(_)) => true,
            Some(Binding::Special(special)) => special.is_definition() || special.is_spliced(),
            _ => false,
        })
    }

    fn finish_body(&mut self, items: Vec<Item>, form: &Form<'_>) -> Result<Expr> {
        let last_definition = items
            .iter()
            .rposition(|item| !matches!(item, Item::Expr(_) | Item::Nothing(_)));
        let expressions = last_definition.map_or(0, |last| last + 1);
        if expressions == items.len() {
            return form.bad("its body does not end with an expression");
        }
        let vars = items[..expressions].iter().map(Item::vars).sum();
        self.binding(vars, form.span(), |cx| {
            cx.defined_body(items, expressions, form)
        })
    }

    /// A body whose expressions begin at this index.
    fn defined_body(
        &mut self,
        items: Vec<Item>,
        expressions: usize,
        form: &Form<'_>,
    ) -> Result<Expr> {
        let mut defined = Defined::default();
        let mut body = Vec::with_capacity(items.len() - expressions);
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Item::Expr(stx) if index >= expressions => body.push(self.expand(&stx)?),
                Item::Nothing(nothing) if index >= expressions => body.push(nothing),
                Item::Nothing(_) => {}
                Item::Expr(stx) | Item::Export(stx) => {
                    // Between definitions: a definition of nothing, for its effect.
                    let span = stx.span();
                    let value = self.expand(&stx)?;
                    let effect = Expr::Seq(vec![value, Expr::unspecified(span)]);
                    defined.push(self.fresh_var(Symbol::new("_")), effect);
                }
                Item::Define {
                    place,
                    name,
                    rhs,
                    whole,
                } => {
                    let init = self.define_rhs(&name, rhs, &whole);
                    let init = self.recovered(init, whole.span())?;
                    if let Place::Local(var) = place {
                        defined.push(var, init);
                    }
                }
                Item::Values {
                    places,
                    rest,
                    init,
                    span,
                } => self.local_values(&mut defined, places, rest, &init, span)?,
            }
        }
        let body = Expr::seq(body, form.span());
        if defined.vars.is_empty() {
            return Ok(body);
        }
        Ok(Expr::Letrec {
            vars: defined.vars,
            inits: defined.inits,
            body: Box::new(body),
        })
    }

    /// Local `define-values`: all values in a vector, then a variable for each.
    fn local_values(
        &mut self,
        defined: &mut Defined,
        places: Vec<(Place, Symbol)>,
        rest: Option<(Place, Symbol)>,
        init: &Stx,
        span: Span,
    ) -> Result<()> {
        let init = self.expand(init)?;
        let params: Vec<VarId> = places
            .iter()
            .map(|(_, name)| self.fresh_var(name.clone()))
            .collect();
        let rest_param = rest.as_ref().map(|(_, name)| self.fresh_var(name.clone()));
        let all = params.iter().copied().chain(rest_param);
        let all = all.map(|var| Expr::Local(var, span)).collect();
        let consumer = Expr::Lambda(Box::new(Lambda {
            name: None,
            params,
            rest: rest_param,
            body: self.call_primitive("vector", all, span)?,
            span,
        }));
        let args = vec![Self::thunk(init, span), consumer];
        let values = self.fresh_var(Symbol::new("values"));
        defined.push(values, self.call_primitive("call-with-values", args, span)?);
        for (index, (place, _)) in places.into_iter().chain(rest).enumerate() {
            let index = DatumKind::Number(Number::Fixnum(index as i64));
            let args = vec![
                Expr::Local(values, span),
                Expr::Const(Datum::new(index, span)),
            ];
            if let Place::Local(var) = place {
                defined.push(var, self.call_primitive("vector-ref", args, span)?);
            }
        }
        Ok(())
    }
}
