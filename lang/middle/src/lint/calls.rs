//! Calls: what is called, with how many arguments, with which constants; and values that go nowhere.

use bowline_syntax::{Datum, DatumKind, Diagnostic, Span};

use super::kinds::{self, Kind};
use super::known::{Clause, Procedure, Value};
use super::walk::Walk;
use crate::core::Expr;
use crate::expand::is_written;
use crate::lint::Name;

/// "no arguments", "1 argument", "1 to 3 arguments", "at least 2 arguments".
fn arity(clauses: &[Clause]) -> String {
    let one = |clause: &Clause| match clause.max {
        Some(max) if max == clause.min => max.to_string(),
        Some(max) => format!("{} to {max}", clause.min),
        None => format!("at least {}", clause.min),
    };
    let mut counts: Vec<String> = clauses.iter().map(one).collect();
    counts.dedup();
    let ending = if counts == ["1"] || counts == ["at least 1"] {
        ""
    } else {
        "s"
    };
    match counts.as_slice() {
        [zero] if zero == "0" => "no arguments".to_owned(),
        _ => format!("{} argument{ending}", counts.join(" or ")),
    }
}

/// A constant as it is written, if that is short; otherwise what it is.
fn shown(expr: &Expr, kind: Kind) -> String {
    match expr {
        Expr::Const(datum) => match datum.to_string() {
            text if text.chars().count() <= SHORT => text,
            _ => kind.name().to_owned(),
        },
        _ => kind.name().to_owned(),
    }
}

/// A constant is shown up to this many characters.
const SHORT: usize = 30;

/// Procedures of the library that call their first argument with an element of each of the others.
const MAPPING: &[&str] = &[
    "map",
    "for-each",
    "vector-map",
    "vector-for-each",
    "string-map",
    "string-for-each",
];

fn within(inner: Span, outer: Span) -> bool {
    inner.source == outer.source && inner.start >= outer.start && inner.end <= outer.end
}

impl Walk<'_> {
    /// Looks at a call itself, not at what is inside.
    pub(super) fn look_at_call(&mut self, expr: &Expr) {
        let Expr::Call { f, args, span } = expr else {
            return;
        };
        if self.caught || !self.is_written(expr) {
            return;
        }
        match self.value(f) {
            Some(Value::Procedure(procedure)) => {
                let accepted = |clause: &Clause| clause.accepts(args.len());
                if procedure.clauses.iter().any(accepted) {
                    self.look_at_arguments(&procedure, args, *span);
                } else {
                    let got = args.len().to_string();
                    self.wrong_count(&procedure, &got, *span);
                }
            }
            Some(Value::Data(kind)) => self.not_procedure(f, kind, *span),
            None => {}
        }
        if let Expr::Global(id, _) = **f
            && let Some(name) = self.known.in_library(id, "(bowline core)")
            && MAPPING.contains(&name)
            && let [procedure, sequences @ ..] = &args[..]
            && !sequences.is_empty()
        {
            self.passed(procedure, sequences.len(), name, *span);
        }
    }

    /// A procedure is given to one that will call it with so many arguments.
    fn passed(&mut self, procedure: &Expr, count: usize, by: &str, call: Span) {
        let Some(value) = self.value(procedure) else {
            return;
        };
        let span = match procedure.place() {
            span if is_written(span) => span,
            _ => call,
        };
        match value {
            Value::Procedure(known) => {
                if !known.clauses.iter().any(|clause| clause.accepts(count)) {
                    let got = format!("{count} by `{by}`");
                    self.wrong_count(&known, &got, span);
                }
            }
            Value::Data(kind) => {
                let message = format!(
                    "`{by}` calls its first argument, but this is {}",
                    kind.name()
                );
                self.warn(Name::NotProcedure, message, span);
            }
        }
    }

    fn wrong_count(&mut self, procedure: &Procedure, got: &str, span: Span) {
        let who = match &procedure.name {
            Some(name) => format!("`{name}`"),
            None => "this procedure".to_owned(),
        };
        let takes = arity(&procedure.clauses);
        let message = format!("{who} takes {takes}, but is called with {got}");
        let (place, shapes) = (procedure.place, procedure.shapes.join(" or "));
        let found = self.warn(Name::WrongArguments, message, span);
        if !place.is_none() && place != span {
            found
                .secondary
                .push((place, format!("it looks like {shapes}")));
        } else if procedure.name.is_some() && !shapes.is_empty() {
            found.notes.push(format!("it looks like {shapes}"));
        }
    }

    fn not_procedure(&mut self, f: &Expr, kind: Kind, span: Span) {
        let message = format!("what is called here is {}, not a procedure", kind.name());
        let written = f.place();
        let span = match is_written(written) {
            true => written,
            false => span,
        };
        let bound = match f {
            Expr::Local(var, _) => self.notes.vars.get(var).map(|note| note.span),
            _ => None,
        };
        let found = self.warn(Name::NotProcedure, message, span);
        if let Some(bound) = bound {
            found
                .secondary
                .push((bound, format!("it is bound to {} here", kind.name())));
        }
    }

    fn look_at_arguments(&mut self, procedure: &Procedure, args: &[Expr], span: Span) {
        let Some(id) = procedure.primitive else {
            return;
        };
        let prim = self.known.prims.name(id);
        let name = prim.trim_start_matches('%');
        for (index, arg) in args.iter().enumerate() {
            let Some(value) = self.value(arg) else {
                continue;
            };
            if let Some(wanted) = kinds::refused(prim, index, value.kind()) {
                let message = format!(
                    "argument {} of `{name}` must be {wanted}, not {}",
                    index + 1,
                    shown(arg, value.kind())
                );
                let at = match self.is_written(arg) {
                    true => arg.place(),
                    false => span,
                };
                self.warn(Name::WrongType, message, at);
            }
        }
        if let ("apply", [f, fixed @ .., last]) = (prim, args) {
            self.look_at_apply(f, fixed, last, span);
        }
    }

    fn look_at_apply(&mut self, f: &Expr, fixed: &[Expr], last: &Expr, span: Span) {
        let known = match last {
            Expr::Const(Datum {
                kind: DatumKind::List(items),
                ..
            }) => Some(items.len()),
            _ => None,
        };
        let Some(Value::Procedure(procedure)) = self.value(f) else {
            return;
        };
        let count = fixed.len() + known.unwrap_or(0);
        let fits = |clause: &Clause| match known {
            Some(_) => clause.accepts(count),
            None => clause.max.is_none_or(|max| count <= max),
        };
        if !procedure.clauses.iter().any(fits) {
            let least = if known.is_some() { "" } else { "at least " };
            self.wrong_count(&procedure, &format!("{least}{count} by `apply`"), span);
        }
    }

    /// An expression whose value goes nowhere.
    pub(super) fn dropped(&mut self, expr: &Expr) {
        if self.caught || !self.is_written(expr) {
            return;
        }
        let span = expr.place();
        match expr {
            Expr::Call { f, .. } => {
                let Expr::Primitive(id, _) = **f else {
                    return;
                };
                let inside = |found: &Diagnostic| within(found.primary, span);
                if self.found.last().is_some_and(inside) {
                    // The call has a worse fault than that.
                    return;
                }
                let name = self.known.prims.name(id);
                if kinds::only_gives(name) {
                    let name = name.trim_start_matches('%');
                    let message = format!("what this call of `{name}` gives is not used");
                    self.warn(Name::UnusedValue, message, span);
                }
            }
            Expr::Const(datum) => {
                // A string may describe what stands around it; the others are what forms give
                // that have nothing to say.
                if let DatumKind::Number(_)
                | DatumKind::Character(_)
                | DatumKind::Symbol(_)
                | DatumKind::Vector(_)
                | DatumKind::List(_) = datum.kind
                {
                    let message = "this constant is not used".to_owned();
                    self.warn(Name::UnusedValue, message, span);
                }
            }
            Expr::Lambda(_) | Expr::CaseLambda(..) => {
                let message = "this procedure is made and never called".to_owned();
                self.warn(Name::UnusedValue, message, span);
            }
            Expr::Local(..) | Expr::Global(..) | Expr::Primitive(..) => self.mentioned(expr, span),
            _ => {}
        }
    }

    /// A variable that stands where a call was meant, most likely.
    fn mentioned(&mut self, expr: &Expr, span: Span) {
        let name = match expr {
            Expr::Local(var, _) => self.unit.vars.get(var.0 as usize),
            Expr::Global(id, _) => self.known.globals.name(*id),
            _ => None,
        };
        let value = self.value(expr);
        let name = match (name, &value) {
            (Some(name), _) => name.to_string(),
            (None, Some(Value::Procedure(procedure))) => {
                procedure.name.as_deref().unwrap_or("").to_owned()
            }
            _ => return,
        };
        let message = format!("the value of `{name}` is not used");
        let found = self.warn(Name::UnusedValue, message, span);
        if let Some(Value::Procedure(_)) = value {
            found.notes.push(format!("to call it, write ({name})"));
        }
    }
}
