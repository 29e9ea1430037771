//! Numbers: the tower of fixnum, bignum, ratnum and flonum.
//!
//! `value` moves numbers between the heap and Rust; `tower`, `integer` and `real` compute on
//! [`Number`] and know no heap; this module holds the entry points for engines, whose fixnum and
//! flonum cases are inline and whose rest goes through `Number`.
//!
//! Operands are read out of the heap before anything is allocated, so no rooting is needed here.
//!
//! Absent on purpose: complex numbers.

mod integer;
mod real;
mod tower;
mod value;

use std::cmp::Ordering;

use bowline_gc::OutOfMemory;
use bowline_layout::Value;
use bowline_syntax::Number;
use dashu_base::BitTest;

pub use integer::{
    Division, arithmetic_shift, bit_and, bit_not, bit_or, bit_xor, divide, gcd, lcm, sqrt_rem,
};
pub use real::{
    Rounding, denominator, exact, expt, inexact, log_base, numerator, rationalize, round_to, sqrt,
};
pub use tower::{NumError, compare, sign, to_rational};
pub use value::{is_exact_integer, is_number, is_real_flonum};

use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::rt::Rt;

/// The double in `v`, if it is a flonum.
#[inline(always)]
pub fn flonum(v: Value) -> Option<f64> {
    if object::is(v, kinds::FLONUM) {
        Some(f64::from_bits(object::raw(v, bowline_layout::flonum::BITS)))
    } else {
        None
    }
}

/// Both operands as doubles, when one is a flonum and the other a flonum or a fixnum.
#[inline(always)]
fn doubles(a: Value, b: Value) -> Option<(f64, f64)> {
    let real = |v: Value, other: f64| match v.as_fixnum() {
        Some(n) => Some((n as f64, other)),
        None => flonum(v).map(|x| (x, other)),
    };
    if let Some(y) = flonum(b) {
        return real(a, y);
    }
    let x = flonum(a)?;
    b.as_fixnum().map(|n| (x, n as f64))
}

#[inline(always)]
fn fixnums(a: Value, b: Value) -> bool {
    (a.bits() | b.bits()) & 1 == 0
}

/// `a + b`
#[inline(always)]
pub fn add(rt: &mut Rt, a: Value, b: Value) -> Result {
    if fixnums(a, b)
        && let Some(bits) = (a.bits() as i64).checked_add(b.bits() as i64)
    {
        return Ok(Value::from_bits(bits as u64));
    }
    add_slow(rt, a, b)
}

/// `a - b`
#[inline(always)]
pub fn sub(rt: &mut Rt, a: Value, b: Value) -> Result {
    if fixnums(a, b)
        && let Some(bits) = (a.bits() as i64).checked_sub(b.bits() as i64)
    {
        return Ok(Value::from_bits(bits as u64));
    }
    sub_slow(rt, a, b)
}

/// `a * b`
#[inline(always)]
pub fn mul(rt: &mut Rt, a: Value, b: Value) -> Result {
    if fixnums(a, b)
        && let Some(bits) = (a.bits() as i64).checked_mul(b.bits() as i64 >> 1)
    {
        return Ok(Value::from_bits(bits as u64));
    }
    mul_slow(rt, a, b)
}

#[inline(never)]
fn add_slow(rt: &mut Rt, a: Value, b: Value) -> Result {
    if let Some((x, y)) = doubles(a, b) {
        return rt.make_flonum(x + y);
    }
    let (x, y) = operands(rt, "+", a, b)?;
    make_room(rt, &x, &y)?;
    rt.make_number(&tower::add(x, y))
}

#[inline(never)]
fn sub_slow(rt: &mut Rt, a: Value, b: Value) -> Result {
    if let Some((x, y)) = doubles(a, b) {
        return rt.make_flonum(x - y);
    }
    let (x, y) = operands(rt, "-", a, b)?;
    make_room(rt, &x, &y)?;
    rt.make_number(&tower::sub(x, y))
}

#[inline(never)]
fn mul_slow(rt: &mut Rt, a: Value, b: Value) -> Result {
    if let Some((x, y)) = doubles(a, b) {
        return rt.make_flonum(x * y);
    }
    let (x, y) = operands(rt, "*", a, b)?;
    let large = make_room(rt, &x, &y)?;
    let product = beside_if(rt, large, || tower::mul(x, y));
    finish(rt, "*", product)
}

/// `a / b`
pub fn div(rt: &mut Rt, a: Value, b: Value) -> Result {
    if let (Some(x), Some(y)) = (a.as_fixnum(), b.as_fixnum())
        && y != 0
        && x % y == 0
        && let Some(q) = Value::try_fixnum(x / y)
    {
        return Ok(q);
    }
    let (x, y) = operands(rt, "/", a, b)?;
    let large = make_room(rt, &x, &y)?;
    let quotient = beside_if(rt, large, || tower::div(x, y));
    finish(rt, "/", quotient)
}

/// How many bits make a number large: what is done with two such takes as long as a collection may be kept waiting.
const LARGE: usize = 1 << 14;

/// What is taken of memory on the way to a result, and for that, for each bit of the operands: bytes of eight bits.
const WORK: usize = 4;

/// How many bits a number has, if it is none of the small ones.
fn bits(n: &Number) -> usize {
    match n {
        Number::Fixnum(_) | Number::Real(_) => 0,
        Number::Big(n) => n.bit_len(),
        Number::Ratio(q) => q.numerator().bit_len().max(q.denominator().bit_len()),
    }
}

/// Sees to it that there is memory to work on the two, for the library of large numbers panics where it is
/// refused any. Returns whether one is large.
fn make_room(rt: &Rt, x: &Number, y: &Number) -> Result<bool> {
    let (x, y) = (bits(x), bits(y));
    let large = x.max(y) > LARGE;
    if large {
        make_room_for(rt, x + y)?;
    }
    Ok(large)
}

/// The same for so many bits together.
pub(crate) fn make_room_for(rt: &Rt, bits: usize) -> Result<()> {
    let requested = (bits / 8).saturating_mul(WORK);
    match rt.heap().has_memory_for(requested) {
        true => Ok(()),
        false => Err(OutOfMemory { requested }.into()),
    }
}

/// How many bits a power of an exact integer has at most; 0 for other powers.
pub(crate) fn power_bits(base: &Number, exponent: &Number) -> usize {
    let bits = match base {
        Number::Fixnum(n) => (i64::BITS - n.unsigned_abs().leading_zeros()) as usize,
        Number::Real(_) => 0,
        _ => 2 * bits(base),
    };
    match exponent {
        Number::Fixnum(n) => bits
            .saturating_mul(n.unsigned_abs() as usize)
            .min(tower::MAX_BITS),
        _ => 0,
    }
}

/// What `f` makes of the operands, beside the collector if one is large (inv:walk.piece).
pub(crate) fn compute<R>(
    rt: &mut Rt,
    operands: [&Number; 2],
    f: impl FnOnce(&Number, &Number) -> R,
) -> Result<R> {
    let [x, y] = operands;
    let large = make_room(rt, x, y)?;
    Ok(beside_if(rt, large, || f(x, y)))
}

fn beside_if<R>(rt: &mut Rt, large: bool, f: impl FnOnce() -> R) -> R {
    match large {
        true => rt.beside(f),
        false => f(),
    }
}

/// Both operands as numbers.
pub(crate) fn operands(rt: &Rt, who: &'static str, a: Value, b: Value) -> Result<(Number, Number)> {
    let Some(x) = rt.number(a) else {
        return Fault::wrong_type(who, 1, "a number", a);
    };
    let Some(y) = rt.number(b) else {
        return Fault::wrong_type(who, 2, "a number", b);
    };
    Ok((x, y))
}

/// The heap's form of a result, or the fault that `who` reports.
pub(crate) fn finish(
    rt: &mut Rt,
    who: &'static str,
    result: std::result::Result<Number, NumError>,
) -> Result {
    match result {
        Ok(n) => rt.make_number(&n),
        Err(NumError::DivideByZero) => Err(Box::new(Fault::DivideByZero { who })),
        Err(NumError::TooLarge) => Err(Box::new(Fault::OutOfMemory)),
        Err(NumError::NotExact(x)) => {
            let v = rt.make_flonum(x)?;
            Fault::bad(who, "no exact number is equal to", vec![v])
        }
        Err(NumError::NotInteger(n)) => {
            let v = rt.make_number(&n)?;
            Fault::bad(who, "not an integer", vec![v])
        }
        Err(NumError::Undefined(why)) => Fault::bad(who, why, vec![]),
    }
}

/// How `a` compares to `b`, exactly; `None` when one is a NaN.
fn order(rt: &Rt, who: &'static str, a: Value, b: Value) -> Result<Option<Ordering>> {
    if let (Some(x), Some(y)) = (flonum(a), flonum(b)) {
        return Ok(x.partial_cmp(&y));
    }
    let (x, y) = operands(rt, who, a, b)?;
    Ok(compare(&x, &y))
}

macro_rules! comparisons {
    ($($name:ident, $who:literal, $op:tt, $slow:ident, [$($ordering:pat),*];)*) => {$(
        #[doc = concat!("`(", $who, " a b)`")]
        #[inline(always)]
        pub fn $name(rt: &mut Rt, a: Value, b: Value) -> Result<bool> {
            if fixnums(a, b) {
                return Ok((a.bits() as i64) $op (b.bits() as i64));
            }
            $slow(rt, a, b)
        }

        #[inline(never)]
        fn $slow(rt: &mut Rt, a: Value, b: Value) -> Result<bool> {
            Ok(matches!(order(rt, $who, a, b)?, Some($($ordering)|*)))
        }
    )*};
}

comparisons! {
    equal, "=", ==, equal_slow, [Ordering::Equal];
    less, "<", <, less_slow, [Ordering::Less];
    greater, ">", >, greater_slow, [Ordering::Greater];
    less_equal, "<=", <=, less_equal_slow, [Ordering::Less, Ordering::Equal];
    greater_equal, ">=", >=, greater_equal_slow, [Ordering::Greater, Ordering::Equal];
}

/// `(quotient a b)`
#[inline]
pub fn quotient(rt: &mut Rt, a: Value, b: Value) -> Result {
    if let (Some(x), Some(y)) = (a.as_fixnum(), b.as_fixnum())
        && y != 0
        && let Some(q) = Value::try_fixnum(x / y)
    {
        return Ok(q);
    }
    division(rt, "quotient", Division::TruncateQuotient, a, b)
}

/// `(remainder a b)`
#[inline]
pub fn remainder(rt: &mut Rt, a: Value, b: Value) -> Result {
    if let (Some(x), Some(y)) = (a.as_fixnum(), b.as_fixnum())
        && y != 0
    {
        return Ok(Value::fixnum(x % y));
    }
    division(rt, "remainder", Division::TruncateRemainder, a, b)
}

/// `(modulo a b)`
#[inline]
pub fn modulo(rt: &mut Rt, a: Value, b: Value) -> Result {
    if let (Some(x), Some(y)) = (a.as_fixnum(), b.as_fixnum())
        && y != 0
    {
        let r = x % y;
        let fix = r != 0 && (r < 0) != (y < 0);
        return Ok(Value::fixnum(if fix { r + y } else { r }));
    }
    division(rt, "modulo", Division::FloorRemainder, a, b)
}

/// A division of integers, exact or inexact.
pub(crate) fn division(
    rt: &mut Rt,
    who: &'static str,
    which: Division,
    a: Value,
    b: Value,
) -> Result {
    let Some(x) = rt.integer(a) else {
        return Fault::wrong_type(who, 1, "an integer", a);
    };
    let Some(y) = rt.integer(b) else {
        return Fault::wrong_type(who, 2, "an integer", b);
    };
    let result = compute(rt, [&x, &y], |x, y| divide(which, x, y))?;
    finish(rt, who, result)
}

/// Whether two numbers are the same for `eqv?`: exactness and the sign of zero count. Numbers of
/// different types are different (inv:num.normal).
pub fn eqv(rt: &Rt, a: Value, b: Value) -> bool {
    if let (Some(x), Some(y)) = (flonum(a), flonum(b)) {
        return x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan();
    }
    match (object::type_id(a), object::type_id(b)) {
        (Some(kinds::BIGNUM), Some(kinds::BIGNUM)) | (Some(kinds::RATNUM), Some(kinds::RATNUM)) => {
            rt.number(a) == rt.number(b)
        }
        _ => a == b,
    }
}
