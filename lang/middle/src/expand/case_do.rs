//! `case` and `do`.

use bowline_syntax::{Datum, DatumKind, Number, Span, Symbol};

use super::form::Form;
use super::{Cx, Result};
use crate::core::{Expr, Lambda, VarId};
use crate::fx::FxHashMap;
use crate::special::Special;
use crate::stx::{Ident, Stx};

/// Up to this many data of a clause are compared one by one.
const COMPARED_SINGLY: usize = 4;

/// Whether `eq?` tells this datum from all others.
pub(super) fn is_eq_comparable(datum: &Datum) -> bool {
    match &datum.kind {
        DatumKind::Boolean(_) | DatumKind::Character(_) | DatumKind::Symbol(_) => true,
        DatumKind::Number(Number::Fixnum(n)) => (-(1 << 61)..1 << 61).contains(n),
        _ => datum.is_null(),
    }
}

struct DoVar {
    ident: Ident,
    init: Stx,
    step: Option<Stx>,
}

impl Cx<'_> {
    pub(super) fn case(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [key, clauses @ ..] = &form.parts[..] else {
            return form.bad("the key is missing");
        };
        let key = self.expand(key)?;
        let var = self.fresh_var(Symbol::new("key"));
        let body = self.chain(clauses.len(), form.span(), |cx| {
            cx.case_clauses(form, clauses, var)
        })?;
        Ok(Expr::bind(var, key, body))
    }

    fn case_clauses(&mut self, form: &Form<'_>, clauses: &[Stx], var: VarId) -> Result<Expr> {
        let mut expanded = Vec::with_capacity(clauses.len());
        let mut rest = Expr::unspecified(form.span());
        let mut seen = FxHashMap::default();
        for (index, clause) in clauses.iter().enumerate() {
            let parts = self.items(clause);
            let Some([data, body @ ..]) = parts.as_deref() else {
                return form.bad_at("a clause is ((DATUM ...) EXPRESSION ...)", clause);
            };
            if body.is_empty() {
                return form.bad_at("the clause has no expression", clause);
            }
            let is_else = self.is_auxiliary(data, Special::Else);
            if is_else && index + 1 < clauses.len() {
                return form.bad_at("`else` must be the last clause", clause);
            }
            let data = if is_else {
                Some(Vec::new())
            } else {
                self.items(data)
            };
            let Some(data) = data else {
                return form.bad_at("a clause is ((DATUM ...) EXPRESSION ...)", clause);
            };
            let body = self.case_body(form, clause, body, var)?;
            if is_else {
                rest = body;
            } else {
                let data: Vec<_> = data.iter().map(Stx::to_acyclic).collect::<Result<_>>()?;
                for datum in &data {
                    self.note_case_key(&mut seen, datum);
                }
                expanded.push((self.case_test(data, var, clause.span())?, body));
            }
        }
        let join = |rest, (test, body)| Expr::conditional(test, body, rest);
        Ok(expanded.into_iter().rev().fold(rest, join))
    }

    fn case_body(
        &mut self,
        form: &Form<'_>,
        clause: &Stx,
        body: &[Stx],
        var: VarId,
    ) -> Result<Expr> {
        if !self.is_auxiliary(&body[0], Special::Arrow) {
            return self.sequence(body, clause.span());
        }
        let [_, receiver] = body else {
            return form.bad_at("one expression must follow `=>`", clause);
        };
        let receiver = self.expand(receiver)?;
        let key = Expr::Local(var, clause.span());
        Ok(Expr::call(receiver, vec![key], clause.span()))
    }

    /// Whether the key is one of these data.
    fn case_test(&mut self, data: Vec<Datum>, var: VarId, span: Span) -> Result<Expr> {
        let key = Expr::Local(var, span);
        if data.len() > COMPARED_SINGLY {
            let list = Expr::Const(Datum::list(data, span));
            return self.call_primitive("memv", vec![key, list], span);
        }
        let mut test = None;
        for datum in data.into_iter().rev() {
            let name = if is_eq_comparable(&datum) {
                "eq?"
            } else {
                "eqv?"
            };
            let one = self.call_primitive(name, vec![key.clone(), Expr::Const(datum)], span)?;
            test = Some(match test {
                None => one,
                Some(rest) => Expr::conditional(one, Expr::boolean(true, span), rest),
            });
        }
        Ok(test.unwrap_or_else(|| Expr::boolean(false, span)))
    }

    pub(super) fn do_loop(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [vars, exit, commands @ ..] = &form.parts[..] else {
            return form.bad("the variables or the test are missing");
        };
        let vars = self.do_vars(vars, form)?;
        let exit_parts = self.items(exit);
        let Some([test, results @ ..]) = exit_parts.as_deref() else {
            return form.bad_at("the test is (TEST EXPRESSION ...)", exit);
        };
        let mut inits = Vec::with_capacity(vars.len());
        for var in &vars {
            inits.push(self.expand_named(&var.init, &var.ident.name)?);
        }
        let span = form.span();
        let name = Self::form_symbol(Special::Do);
        let label = self.fresh_var(name.clone());
        self.with_locals(|cx| {
            let scope = cx.ex.scopes.fresh();
            let mut params = Vec::with_capacity(vars.len());
            for var in &vars {
                params.push(cx.bind_variable(&var.ident, scope)?);
            }
            let test = cx.add_scope(test.clone(), scope);
            let test = cx.expand(&test)?;
            let results = cx.scoped(results, scope);
            let results = cx.sequence(&results, span)?;
            let commands = cx.scoped(commands, scope);
            let mut turn = cx.expand_all(&commands)?;
            let mut steps = Vec::with_capacity(vars.len());
            for (var, &param) in vars.iter().zip(&params) {
                steps.push(match &var.step {
                    None => Expr::Local(param, var.ident.span),
                    Some(step) => {
                        let step = cx.add_scope(step.clone(), scope);
                        cx.expand_named(&step, &var.ident.name)?
                    }
                });
            }
            turn.push(Expr::call(Expr::Local(label, span), steps, span));
            let body = Expr::conditional(test, results, Expr::seq(turn, span));
            let lambda = Lambda {
                name: Some(name),
                params,
                rest: None,
                body,
                span,
            };
            Ok(Self::looping(label, lambda, inits))
        })
    }

    fn do_vars(&mut self, stx: &Stx, form: &Form<'_>) -> Result<Vec<DoVar>> {
        let Some(items) = self.items(stx) else {
            return form.bad_at("the variables must be a list", stx);
        };
        let mut vars = Vec::with_capacity(items.len());
        for item in items {
            let parts = self.items(&item);
            let (name, init, step) = match parts.as_deref() {
                Some([name, init]) => (name, init, None),
                Some([name, init, step]) => (name, init, Some(step.clone())),
                _ => return form.bad_at("a variable is (VARIABLE INIT [STEP])", &item),
            };
            let Some(ident) = name.as_identifier() else {
                return form.bad_at("a variable must be an identifier", name);
            };
            vars.push(DoVar {
                ident,
                init: init.clone(),
                step,
            });
        }
        Ok(vars)
    }
}
