//! Small facts about expressions for the optimiser: purity, truth, folding of primitives.

use bowline_syntax::{Datum, DatumKind, Number};

use crate::core::Expr;
use crate::prims::{InlineOp, PrimitiveId, Primitives};

/// Sums, differences and products of constants are computed here up to this size.
const SMALL: i64 = 1 << 30;

/// Whether evaluating it can be left out when its value is not used.
pub(super) fn is_pure(expr: &Expr, prims: &Primitives) -> bool {
    match expr {
        Expr::Const(_)
        | Expr::Local(..)
        | Expr::Primitive(..)
        | Expr::Unassigned
        | Expr::Lambda(_)
        | Expr::CaseLambda(..)
        | Expr::BoxGet(_) => true,
        Expr::BoxNew(value) => is_pure(value, prims),
        Expr::PrimCall { prim, args, .. } => {
            prims.inline(*prim).is_some_and(InlineOp::is_pure)
                && args.iter().all(|arg| is_pure(arg, prims))
        }
        _ => false,
    }
}

/// Whether a constant is told from all others by its word alone, so that it may be repeated.
pub(super) fn is_immediate(datum: &Datum) -> bool {
    match &datum.kind {
        DatumKind::Number(Number::Fixnum(n)) => (-(1 << 61)..1 << 61).contains(n),
        DatumKind::Boolean(_)
        | DatumKind::Character(_)
        | DatumKind::Symbol(_)
        | DatumKind::Eof
        | DatumKind::Unspecified
        | DatumKind::Default => true,
        _ => datum.is_null(),
    }
}

/// What a test comes out as, if that is known.
pub(super) fn truth(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Const(datum) => Some(!matches!(datum.kind, DatumKind::Boolean(false))),
        Expr::Lambda(_) | Expr::CaseLambda(..) | Expr::Primitive(..) => Some(true),
        _ => None,
    }
}

fn small(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Const(datum) => match &datum.kind {
            DatumKind::Number(Number::Fixnum(n)) if (-SMALL..SMALL).contains(n) => Some(*n),
            _ => None,
        },
        _ => None,
    }
}

/// The value of a primitive applied to these arguments, if it is known and cannot fail.
pub(super) fn fold(prim: PrimitiveId, args: &[Expr], prims: &Primitives) -> Option<DatumKind> {
    let op = prims.inline(prim)?;
    if let (InlineOp::Not, [arg]) = (op, args) {
        return truth(arg).map(|truth| DatumKind::Boolean(!truth));
    }
    if let (InlineOp::Eq | InlineOp::Eqv, [Expr::Const(a), Expr::Const(b)]) = (op, args)
        && is_immediate(a)
        && is_immediate(b)
    {
        return Some(DatumKind::Boolean(a == b));
    }
    let [a, b] = args else {
        return None;
    };
    let (a, b) = (small(a)?, small(b)?);
    let number = |n: i64| Some(DatumKind::Number(Number::Fixnum(n)));
    let boolean = |truth: bool| Some(DatumKind::Boolean(truth));
    match op {
        InlineOp::Add => number(a + b),
        InlineOp::Sub => number(a - b),
        InlineOp::Mul => number(a * b),
        InlineOp::NumEq => boolean(a == b),
        InlineOp::Lt => boolean(a < b),
        InlineOp::Gt => boolean(a > b),
        InlineOp::Le => boolean(a <= b),
        InlineOp::Ge => boolean(a >= b),
        _ => None,
    }
}
