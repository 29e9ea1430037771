//! `match`: what a value is made of decides which clause is taken.
//!
//! Clauses are tried in order, each from left to right, by the primitives `%data?` and `%data-ref`, `pair?`, `car`
//! and `cdr`, and a comparison for each constant. A clause that can fail at several places has the clauses behind
//! it in a procedure without parameters, which passes make a part of the code around. When none is left the
//! primitive `%no-match` raises an error with the value.
//!
//! inv:match.once — a part of the value is fetched once in a clause, and no clause is there twice.
//!
//! Absent on purpose: trees of decisions, in which a clause would be reached on many ways.

use bowline_syntax::{Datum, DatumKind, Span, Symbol};

use super::case_do::is_eq_comparable;
use super::datatype::integer;
use super::form::Form;
use super::lambda::Params;
use super::notes::is_written;
use super::patterns::{Head, Node, Pattern, check_column};
use super::{Cx, Result, usefulness};
use crate::core::{Expr, VarId};
use crate::fx::FxHashSet;
use crate::lint::{self, Name};
use crate::special::Special;
use crate::stx::{Ident, Stx};

/// A clause, taken apart.
struct Clause<'s> {
    pattern: Pattern,
    vars: Vec<Ident>,
    guard: Option<Stx>,
    body: Vec<Stx>,
    whole: &'s Stx,
}

/// A step on the way to a clause's body.
enum Step {
    /// If this is false the clause does not apply.
    Test(Expr),
    Bind(VarId, Expr),
}

impl Cx<'_> {
    pub(super) fn match_form(&mut self, form: &Form<'_>) -> Result<Expr> {
        let [subject, clauses @ ..] = &form.parts[..] else {
            return form.bad("the expression is missing");
        };
        if clauses.is_empty() {
            return form.bad("it has no clause");
        }
        let place = subject.span();
        let mut subject = self.expand(subject)?;
        let subject_vars = self.subject_vars(&mut subject);
        let clauses = clauses.iter().map(|clause| self.match_clause(clause, form));
        let clauses = clauses.collect::<Result<Vec<_>>>()?;
        let column: Vec<&Pattern> = clauses.iter().map(|clause| &clause.pattern).collect();
        check_column(&column)?;
        self.note_match(form, &clauses, self.list_length(&subject));
        let size: usize = column.iter().map(|pattern| pattern.size()).sum();
        let var = self.fresh_var(Symbol::new("value"));
        let body = self.chain(size + clauses.len(), form.span(), |cx| {
            let mut taken = Vec::with_capacity(clauses.len());
            for clause in &clauses {
                taken.push(cx.match_body(clause, var, &subject_vars, form)?);
            }
            let value = vec![Expr::Local(var, place)];
            let nothing = cx.call_primitive("%no-match", value, place)?;
            let mut rest = nothing;
            for (index, (steps, guard, body)) in taken.into_iter().enumerate().rev() {
                let last = index + 1 == clauses.len();
                rest = cx.join_steps(steps, guard, body, rest, last, form.span());
            }
            Ok(rest)
        })?;
        Ok(Expr::bind(var, subject, body))
    }

    /// The local variables that are mentioned in what is matched, if notes are made.
    fn subject_vars(&self, subject: &mut Expr) -> FxHashSet<VarId> {
        let mut vars = FxHashSet::default();
        if self.unit.notes.is_some() {
            locals(subject, &mut vars);
        }
        vars
    }

    /// How many elements what is matched has, if it is a call of `list`.
    fn list_length(&self, subject: &Expr) -> Option<usize> {
        match subject {
            Expr::Call { f, args, .. } => match **f {
                Expr::Primitive(id, _) if self.ex.prims.name(id) == "list" => Some(args.len()),
                _ => None,
            },
            _ => None,
        }
    }

    fn match_clause<'s>(&mut self, clause: &'s Stx, form: &Form<'_>) -> Result<Clause<'s>> {
        let parts = self.items(clause);
        let Some([pattern, body @ ..]) = parts.as_deref() else {
            return form.bad_at("a clause is (PATTERN [(where TEST)] BODY ...)", clause);
        };
        let mut vars = Vec::new();
        let pattern = self.pattern(pattern, &mut vars)?;
        let (guard, body) = match body {
            [first, rest @ ..] if self.is_where(first) => match self.items(first).as_deref() {
                Some([_, test]) => (Some(test.clone()), rest),
                _ => return form.bad_at("a guard is (where TEST)", first),
            },
            body => (None, body),
        };
        if body.is_empty() {
            return form.bad_at("the clause has no expression", clause);
        }
        Ok(Clause {
            pattern,
            vars,
            guard,
            body: body.to_vec(),
            whole: clause,
        })
    }

    fn is_where(&mut self, stx: &Stx) -> bool {
        let head = stx.head(&mut self.ex.scopes);
        head.is_some_and(|head| self.is_auxiliary(&head, Special::Where))
    }

    /// The steps to a clause's body, its guard and the body itself.
    fn match_body(
        &mut self,
        clause: &Clause<'_>,
        value: VarId,
        subject: &FxHashSet<VarId>,
        form: &Form<'_>,
    ) -> Result<(Vec<Step>, Option<Expr>, Expr)> {
        self.with_locals(|cx| {
            let scope = cx.ex.scopes.fresh();
            let mut params = Vec::with_capacity(clause.vars.len());
            for ident in &clause.vars {
                params.push(cx.bind_variable(ident, scope)?);
            }
            let bound = Params { params, rest: None };
            cx.note_params(&bound);
            cx.note_made_of(&bound, subject);
            let mut steps = Vec::new();
            cx.match_steps(&clause.pattern, value, &bound.params, &mut steps)?;
            let guard = match &clause.guard {
                None => None,
                Some(guard) => {
                    let guard = cx.add_scope(guard.clone(), scope);
                    Some(cx.expand(&guard)?)
                }
            };
            let body = cx.scoped(&clause.body, scope);
            let around = Form {
                special: form.special,
                whole: clause.whole,
                parts: Vec::new(),
                hint: None,
            };
            let body = cx.expand_body(body, &around, true)?;
            Ok((steps, guard, body))
        })
    }

    /// The steps by which a value is found to match.
    fn match_steps(
        &mut self,
        pattern: &Pattern,
        value: VarId,
        vars: &[VarId],
        steps: &mut Vec<Step>,
    ) -> Result<()> {
        let span = pattern.span;
        let (head, parts) = match &pattern.node {
            Node::Any => return Ok(()),
            Node::Variable(index) => {
                steps.push(Step::Bind(vars[*index], Expr::Local(value, span)));
                return Ok(());
            }
            Node::Made(head, parts) => (head, parts),
        };
        steps.push(Step::Test(self.match_test(head, value, span)?));
        for (index, part) in parts.iter().enumerate() {
            let var = match &part.node {
                Node::Any => continue,
                Node::Variable(index) => vars[*index],
                Node::Made(..) => self.fresh_var(Symbol::new("part")),
            };
            let fetched = self.match_part(head, index, value, span)?;
            steps.push(Step::Bind(var, fetched));
            if matches!(part.node, Node::Made(..)) {
                self.match_steps(part, var, vars, steps)?;
            }
        }
        Ok(())
    }

    /// Whether a value begins with this head.
    fn match_test(&self, head: &Head, value: VarId, span: Span) -> Result<Expr> {
        let value = Expr::Local(value, span);
        match head {
            Head::Constructor(constructor) => {
                self.call_primitive("%data?", vec![value, constructor.number(span)], span)
            }
            Head::Pair => self.call_primitive("pair?", vec![value], span),
            Head::Literal(datum, _) if datum.is_null() => {
                self.call_primitive("null?", vec![value], span)
            }
            Head::Literal(datum, _) => {
                let same = comparison(datum);
                self.call_primitive(same, vec![value, Expr::Const(datum.clone())], span)
            }
        }
    }

    /// A part of a value that begins with this head.
    fn match_part(&self, head: &Head, index: usize, value: VarId, span: Span) -> Result<Expr> {
        let value = Expr::Local(value, span);
        match head {
            Head::Constructor(constructor) => {
                let args = vec![value, constructor.number(span), integer(index, span)];
                self.call_primitive("%data-ref", args, span)
            }
            _ => {
                let fetch = if index == 0 { "car" } else { "cdr" };
                self.call_primitive(fetch, vec![value], span)
            }
        }
    }

    /// A clause in front of the others. Only what the last one leaves, a mere call, may stand at several places
    /// (inv:match.once).
    fn join_steps(
        &mut self,
        steps: Vec<Step>,
        guard: Option<Expr>,
        body: Expr,
        mut rest: Expr,
        last: bool,
        span: Span,
    ) -> Expr {
        let tests = steps.iter().filter(|step| matches!(step, Step::Test(_)));
        let failures = tests.count() + usize::from(guard.is_some());
        let next = (failures > 1 && !last).then(|| self.fresh_var(Symbol::new("next")));
        let mut otherwise = || match next {
            Some(next) => Expr::call(Expr::Local(next, span), Vec::new(), span),
            None if last => rest.clone(),
            None => std::mem::replace(&mut rest, Expr::Unassigned),
        };
        let taken = match guard {
            Some(guard) => Expr::conditional(guard, body, otherwise()),
            None => body,
        };
        let join = |inner, step| match step {
            Step::Test(test) => Expr::conditional(test, inner, otherwise()),
            Step::Bind(var, init) => Expr::bind(var, init, inner),
        };
        let body = steps.into_iter().rev().fold(taken, join);
        match next {
            None => body,
            Some(next) => Expr::Letrec {
                vars: vec![next],
                inits: vec![Self::thunk(rest, span)],
                body: Box::new(body),
            },
        }
    }

    /// Warns of values that no clause takes, and of clauses that take none.
    fn note_match(&mut self, form: &Form<'_>, clauses: &[Clause<'_>], list: Option<usize>) {
        let head = form.whole.head(&mut self.ex.scopes);
        let place = head.map_or(form.span(), |head| head.span());
        let Some(notes) = &mut self.unit.notes else {
            return;
        };
        let mut before: Vec<&Pattern> = Vec::new();
        for clause in clauses {
            let span = clause.pattern.span;
            if is_written(span) && usefulness::is_useless(&before, &clause.pattern) {
                let message =
                    "this clause is never taken: those before it take all that it matches";
                let mut found = lint::warning(Name::Unreachable, message, span);
                let alone = |&&one: &&&Pattern| usefulness::is_useless(&[one], &clause.pattern);
                if let Some(one) = before.iter().find(alone) {
                    found = found.with_secondary(one.span, "this one does");
                }
                notes.found.push(found);
            }
            if clause.guard.is_none() {
                before.push(&clause.pattern);
            }
        }
        if !is_written(form.span()) {
            return;
        }
        if let Some(witness) = usefulness::missing(&before, list) {
            let message = match witness.text().as_str() {
                "_" => "this `match` has no clause for values that none of them names".to_owned(),
                text => format!("this `match` has no clause for {text}"),
            };
            let mut found = lint::warning(Name::IncompleteMatch, message, place);
            if clauses.iter().any(|clause| clause.guard.is_some()) {
                found = found.with_note("a clause with a guard may leave what it matches");
            }
            notes.found.push(found);
        }
    }
}

fn locals(expr: &mut Expr, found: &mut FxHashSet<VarId>) {
    if let Expr::Local(var, _) = expr {
        found.insert(*var);
    }
    expr.children_mut(|child| locals(child, found));
}

/// The name of the primitive that compares with a constant.
fn comparison(datum: &Datum) -> &'static str {
    match &datum.kind {
        _ if is_eq_comparable(datum) => "eq?",
        DatumKind::Number(_) => "eqv?",
        _ => "equal?",
    }
}
