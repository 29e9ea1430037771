//! Tests of conditionals: those that always come out true, and those that were made just before.

use std::fmt::Write;

use bowline_syntax::{Datum, DatumKind};

use super::kinds;
use super::known::Value;
use super::walk::Walk;
use crate::core::Expr;
use crate::fx::FxHashMap;
use crate::lint::Name;

/// Looks at a conditional: at its test, and, where it is the first of a chain, at all the tests of
/// the chain.
pub(super) fn look(walk: &mut Walk<'_>, expr: &mut Expr) {
    let Expr::If(test, _, other) = expr else {
        return;
    };
    constant(walk, test);
    if !walk.in_chain {
        repeated(walk, test, other);
    }
}

fn constant(walk: &mut Walk<'_>, test: &Expr) {
    if !walk.is_written(test) {
        return;
    }
    let span = test.place();
    match test {
        // `#t` and `#f` are meant.
        Expr::Const(datum) => {
            let what = match &datum.kind {
                DatumKind::Boolean(_) | DatumKind::Unspecified => return,
                DatumKind::List(items) if items.is_empty() => "the empty list",
                _ => "this constant",
            };
            let message = format!("{what} counts as true here: only #f is false");
            walk.warn(Name::ConstantTest, message, span);
        }
        Expr::Lambda(_) | Expr::CaseLambda(..) => {
            let message = "a procedure counts as true here: it is not called".to_owned();
            walk.warn(Name::ConstantTest, message, span);
        }
        Expr::Global(..) | Expr::Primitive(..) => {
            if let Some(Value::Procedure(procedure)) = walk.value(test) {
                let name = procedure.name.as_deref().unwrap_or("procedure");
                let message =
                    format!("`{name}` counts as true here: it is a procedure that is not called");
                walk.warn(Name::ConstantTest, message, span);
            }
        }
        _ => {}
    }
}

/// Looks for tests of a chain of conditionals that were made before, with nothing in between that
/// could have changed what they say.
fn repeated(walk: &mut Walk<'_>, test: &Expr, other: &Expr) {
    let mut seen = FxHashMap::default();
    let (mut test, mut other) = (test, other);
    loop {
        let mut key = String::new();
        if !write_key(walk, test, &mut key) {
            seen.clear();
        } else if walk.is_written(test) && !matches!(test, Expr::Const(_)) {
            let span = test.place();
            if let Some(first) = seen.insert(key, span) {
                let message = "this test was made before and failed".to_owned();
                let found = walk.warn(Name::DuplicateTest, message, span);
                found
                    .secondary
                    .push((first, "it is made here first".into()));
            }
        }
        match other {
            Expr::If(next, _, rest) => (test, other) = (next, rest),
            _ => return,
        }
    }
}

fn write_datum(datum: &Datum, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "'{datum} ");
}

/// Writes what an expression is, so that two that always come out the same are written the same;
/// `false` if what it does or gives may differ from one time to the next.
fn write_key(walk: &Walk<'_>, expr: &Expr, out: &mut String) -> bool {
    match expr {
        Expr::Const(datum) => write_datum(datum, out),
        Expr::Local(var, _) if walk.vars[var.0 as usize].writes == 0 => {
            let _ = write!(out, "{var} ");
        }
        Expr::Global(id, _) if walk.known.is_fixed(*id) => {
            let _ = write!(out, "{id} ");
        }
        Expr::Primitive(id, _) => {
            let _ = write!(out, "p{} ", id.0);
        }
        Expr::Call { f, args, .. } => {
            let Expr::Primitive(id, _) = **f else {
                return false;
            };
            if !kinds::only_gives(walk.known.prims.name(id)) {
                return false;
            }
            let _ = write!(out, "(p{} ", id.0);
            if !args.iter().all(|arg| write_key(walk, arg, out)) {
                return false;
            }
            out.push(')');
        }
        _ => return false,
    }
    true
}
