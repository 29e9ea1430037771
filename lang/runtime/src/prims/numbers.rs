//! Numbers: classes, arithmetic, comparison, text. `num` does the work.

use std::cmp::Ordering;

use bowline_layout::Value;
use bowline_syntax::Number;

use crate::fault::{Fault, Result};
use crate::kinds;
use crate::num::{self, Division, NumError, Rounding};
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};
use crate::strings::counts;

/// A text of a number that takes long to read.
const MANY_DIGITS: usize = 4096;

pub(super) const TABLE: &[Primitive] = &[
    row("number?", 1, 1, |rt, a| {
        Ok(Value::bool(num::is_number(rt.arg(a, 0))))
    }),
    row("complex?", 1, 1, |rt, a| {
        Ok(Value::bool(num::is_number(rt.arg(a, 0))))
    }),
    row("real?", 1, 1, |rt, a| {
        Ok(Value::bool(num::is_number(rt.arg(a, 0))))
    }),
    row("rational?", 1, 1, |rt, a| {
        let n = rt.number(rt.arg(a, 0));
        Ok(Value::bool(n.is_some_and(|n| is_finite(&n))))
    }),
    row("integer?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.integer(rt.arg(a, 0)).is_some()))
    }),
    row("exact-integer?", 1, 1, |rt, a| {
        Ok(Value::bool(num::is_exact_integer(rt.arg(a, 0))))
    }),
    row("exact-rational?", 1, 1, |rt, a| {
        Ok(Value::bool(
            rt.number(rt.arg(a, 0)).is_some_and(|n| n.is_exact()),
        ))
    }),
    row("exact-nonnegative-integer?", 1, 1, |rt, a| {
        let v = rt.arg(a, 0);
        let n = rt.number(v).filter(|_| num::is_exact_integer(v));
        Ok(Value::bool(n.is_some_and(|n| num::sign(&n) >= 0)))
    }),
    row("fixnum?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0).is_fixnum()))
    }),
    row("flonum?", 1, 1, |rt, a| {
        Ok(Value::bool(num::is_real_flonum(rt.arg(a, 0))))
    }),
    row("exact?", 1, 1, |rt, a| {
        test(rt, a, "exact?", Number::is_exact)
    }),
    row("inexact?", 1, 1, |rt, a| {
        test(rt, a, "inexact?", |n| !n.is_exact())
    }),
    row("finite?", 1, 1, |rt, a| test(rt, a, "finite?", is_finite)),
    row("infinite?", 1, 1, |rt, a| {
        test(
            rt,
            a,
            "infinite?",
            |n| matches!(n, Number::Real(x) if x.is_infinite()),
        )
    }),
    row("nan?", 1, 1, |rt, a| {
        test(
            rt,
            a,
            "nan?",
            |n| matches!(n, Number::Real(x) if x.is_nan()),
        )
    }),
    row("zero?", 1, 1, |rt, a| {
        test(rt, a, "zero?", |n| compare_zero(n) == Some(Ordering::Equal))
    }),
    row("positive?", 1, 1, |rt, a| {
        test(rt, a, "positive?", |n| {
            compare_zero(n) == Some(Ordering::Greater)
        })
    }),
    row("negative?", 1, 1, |rt, a| {
        test(rt, a, "negative?", |n| {
            compare_zero(n) == Some(Ordering::Less)
        })
    }),
    row("odd?", 1, 1, |rt, a| parity(rt, a, "odd?", true)),
    row("even?", 1, 1, |rt, a| parity(rt, a, "even?", false)),
    rest("=", 1, |rt, a| chain(rt, a, "=", num::equal)),
    rest("<", 1, |rt, a| chain(rt, a, "<", num::less)),
    rest(">", 1, |rt, a| chain(rt, a, ">", num::greater)),
    rest("<=", 1, |rt, a| chain(rt, a, "<=", num::less_equal)),
    rest(">=", 1, |rt, a| chain(rt, a, ">=", num::greater_equal)),
    rest("max", 1, |rt, a| extreme(rt, a, "max", Ordering::Greater)),
    rest("min", 1, |rt, a| extreme(rt, a, "min", Ordering::Less)),
    rest("+", 0, |rt, a| fold(rt, a, 0, num::add)),
    rest("*", 0, |rt, a| fold(rt, a, 1, num::mul)),
    rest("-", 1, |rt, a| unfold(rt, a, 0, num::sub)),
    rest("/", 1, |rt, a| unfold(rt, a, 1, num::div)),
    row("abs", 1, 1, |rt, a| magnitude(rt, a, "abs")),
    row("magnitude", 1, 1, |rt, a| magnitude(rt, a, "magnitude")),
    row("square", 1, 1, |rt, a| {
        number(rt, a, 0, "square")?;
        num::mul(rt, rt.arg(a, 0), rt.arg(a, 0))
    }),
    row("quotient", 2, 2, |rt, a| {
        num::quotient(rt, rt.arg(a, 0), rt.arg(a, 1))
    }),
    row("remainder", 2, 2, |rt, a| {
        num::remainder(rt, rt.arg(a, 0), rt.arg(a, 1))
    }),
    row("modulo", 2, 2, |rt, a| {
        num::modulo(rt, rt.arg(a, 0), rt.arg(a, 1))
    }),
    row("truncate-quotient", 2, 2, |rt, a| {
        divide(rt, a, "truncate-quotient", Division::TruncateQuotient)
    }),
    row("truncate-remainder", 2, 2, |rt, a| {
        divide(rt, a, "truncate-remainder", Division::TruncateRemainder)
    }),
    row("floor-quotient", 2, 2, |rt, a| {
        divide(rt, a, "floor-quotient", Division::FloorQuotient)
    }),
    row("floor-remainder", 2, 2, |rt, a| {
        divide(rt, a, "floor-remainder", Division::FloorRemainder)
    }),
    row("truncate/", 2, 2, |rt, a| {
        both(
            rt,
            a,
            "truncate/",
            Division::TruncateQuotient,
            Division::TruncateRemainder,
        )
    }),
    row("floor/", 2, 2, |rt, a| {
        both(
            rt,
            a,
            "floor/",
            Division::FloorQuotient,
            Division::FloorRemainder,
        )
    }),
    rest("gcd", 0, |rt, a| fold_integers(rt, a, "gcd", 0, num::gcd)),
    rest("lcm", 0, |rt, a| fold_integers(rt, a, "lcm", 1, num::lcm)),
    row("numerator", 1, 1, |rt, a| {
        unary(rt, a, "numerator", num::numerator)
    }),
    row("denominator", 1, 1, |rt, a| {
        unary(rt, a, "denominator", num::denominator)
    }),
    row("floor", 1, 1, |rt, a| {
        round(rt, a, "floor", Rounding::Floor)
    }),
    row("ceiling", 1, 1, |rt, a| {
        round(rt, a, "ceiling", Rounding::Ceiling)
    }),
    row("truncate", 1, 1, |rt, a| {
        round(rt, a, "truncate", Rounding::Truncate)
    }),
    row("round", 1, 1, |rt, a| {
        round(rt, a, "round", Rounding::Round)
    }),
    row("rationalize", 2, 2, |rt, a| {
        binary(rt, a, "rationalize", num::rationalize)
    }),
    row("exact", 1, 1, |rt, a| unary(rt, a, "exact", num::exact)),
    row("inexact", 1, 1, |rt, a| {
        unary(rt, a, "inexact", |n| Ok(num::inexact(n)))
    }),
    row("inexact->exact", 1, 1, |rt, a| {
        unary(rt, a, "inexact->exact", num::exact)
    }),
    row("exact->inexact", 1, 1, |rt, a| {
        unary(rt, a, "exact->inexact", |n| Ok(num::inexact(n)))
    }),
    row("sqrt", 1, 1, |rt, a| unary(rt, a, "sqrt", num::sqrt)),
    row("exact-integer-sqrt", 1, 1, exact_integer_sqrt),
    row("expt", 2, 2, |rt, a| {
        // The power is large where the operands are not.
        let (x, y) = (number(rt, a, 0, "expt")?, number(rt, a, 1, "expt")?);
        num::make_room_for(rt, num::power_bits(&x, &y))?;
        let power = rt.beside(|| num::expt(&x, &y));
        num::finish(rt, "expt", power)
    }),
    row("exp", 1, 1, |rt, a| {
        real_function(rt, a, "exp", 0, 1, f64::exp)
    }),
    row("log", 1, 2, log),
    row("sin", 1, 1, |rt, a| {
        real_function(rt, a, "sin", 0, 0, f64::sin)
    }),
    row("cos", 1, 1, |rt, a| {
        real_function(rt, a, "cos", 0, 1, f64::cos)
    }),
    row("tan", 1, 1, |rt, a| {
        real_function(rt, a, "tan", 0, 0, f64::tan)
    }),
    row("asin", 1, 1, |rt, a| arc(rt, a, "asin", 0, f64::asin)),
    row("acos", 1, 1, |rt, a| arc(rt, a, "acos", 1, f64::acos)),
    row("atan", 1, 2, atan),
    rest("bitwise-and", 0, |rt, a| {
        fold_integers(rt, a, "bitwise-and", -1, num::bit_and)
    }),
    rest("bitwise-or", 0, |rt, a| {
        fold_integers(rt, a, "bitwise-or", 0, num::bit_or)
    }),
    rest("bitwise-xor", 0, |rt, a| {
        fold_integers(rt, a, "bitwise-xor", 0, num::bit_xor)
    }),
    row("bitwise-not", 1, 1, |rt, a| {
        exact_integer(rt, a, 0, "bitwise-not")?;
        unary(rt, a, "bitwise-not", num::bit_not)
    }),
    row("arithmetic-shift", 2, 2, |rt, a| {
        let n = exact_integer(rt, a, 0, "arithmetic-shift")?;
        let by = rt.fixnum_arg(a, 1, "arithmetic-shift")?;
        num::finish(rt, "arithmetic-shift", num::arithmetic_shift(&n, by))
    }),
    row("number->string", 1, 2, number_to_string),
    row("string->number", 1, 2, string_to_number),
];

/// Argument `i` as a number.
fn number(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result<Number> {
    match rt.number(rt.arg(a, i)) {
        Some(n) => Ok(n),
        None => Fault::wrong_type(who, i + 1, "a number", rt.arg(a, i)),
    }
}

/// Argument `i` as an integer, exact or not.
fn integer(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result<Number> {
    match rt.integer(rt.arg(a, i)) {
        Some(n) => Ok(n),
        None => Fault::wrong_type(who, i + 1, "an integer", rt.arg(a, i)),
    }
}

fn exact_integer(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result<Number> {
    let v = rt.arg(a, i);
    match rt.number(v) {
        Some(n) if num::is_exact_integer(v) => Ok(n),
        _ => Fault::wrong_type(who, i + 1, "an exact integer", v),
    }
}

fn is_finite(n: &Number) -> bool {
    !matches!(n, Number::Real(x) if !x.is_finite())
}

fn compare_zero(n: &Number) -> Option<Ordering> {
    num::compare(n, &Number::Fixnum(0))
}

fn test(rt: &mut Rt, a: Args, who: &'static str, holds: fn(&Number) -> bool) -> Result {
    Ok(Value::bool(holds(&number(rt, a, 0, who)?)))
}

fn parity(rt: &mut Rt, a: Args, who: &'static str, odd: bool) -> Result {
    let n = integer(rt, a, 0, who)?;
    let is_odd = match n {
        Number::Fixnum(n) => n & 1 == 1,
        Number::Real(x) => x % 2.0 != 0.0,
        n => matches!(num::bit_and(&n, &Number::Fixnum(1)), Ok(Number::Fixnum(1))),
    };
    Ok(Value::bool(is_odd == odd))
}

/// A fault of a two-argument operation, told as one of the n-ary call in which the second operand
/// was argument `i`.
#[cold]
fn relocate(mut fault: Box<Fault>, i: usize) -> Box<Fault> {
    if let Fault::WrongType { position, .. } = &mut *fault
        && *position == 2
    {
        *position = i + 1;
    }
    fault
}

type Compare = fn(&mut Rt, Value, Value) -> Result<bool>;

fn chain(rt: &mut Rt, a: Args, who: &'static str, holds: Compare) -> Result {
    if a.len == 1 {
        number(rt, a, 0, who)?;
    }
    let mut result = true;
    for i in 1..a.len {
        let (x, y) = (rt.arg(a, i - 1), rt.arg(a, i));
        result &= holds(rt, x, y).map_err(|f| relocate(f, i))?;
    }
    Ok(Value::bool(result))
}

fn extreme(rt: &mut Rt, a: Args, who: &'static str, wanted: Ordering) -> Result {
    let mut best = number(rt, a, 0, who)?;
    let mut exact = best.is_exact();
    for i in 1..a.len {
        let n = number(rt, a, i, who)?;
        exact &= n.is_exact();
        let nan = matches!(best, Number::Real(x) if x.is_nan());
        match num::compare(&n, &best) {
            None if !nan => best = n,
            Some(order) if order == wanted => best = n,
            _ => {}
        }
    }
    let best = if exact { best } else { num::inexact(&best) };
    rt.make_number(&best)
}

type Operation = fn(&mut Rt, Value, Value) -> Result;

fn fold(rt: &mut Rt, a: Args, start: i64, op: Operation) -> Result {
    // From the neutral element on, so that a single argument is checked too.
    let mut sum = Value::fixnum(start);
    for i in 0..a.len {
        let x = rt.arg(a, i);
        sum = op(rt, sum, x).map_err(|f| relocate(f, i))?;
    }
    Ok(sum)
}

fn unfold(rt: &mut Rt, a: Args, neutral: i64, op: Operation) -> Result {
    let first = rt.arg(a, 0);
    if a.len == 1 {
        return op(rt, Value::fixnum(neutral), first).map_err(|f| relocate(f, 0));
    }
    let mut rest = first;
    for i in 1..a.len {
        let x = rt.arg(a, i);
        rest = op(rt, rest, x).map_err(|f| relocate(f, i))?;
    }
    Ok(rest)
}

fn fold_integers(
    rt: &mut Rt,
    a: Args,
    who: &'static str,
    start: i64,
    op: fn(&Number, &Number) -> std::result::Result<Number, NumError>,
) -> Result {
    let mut sum = Number::Fixnum(start);
    let exact_only = who.starts_with("bitwise");
    for i in 0..a.len {
        let n = if exact_only {
            exact_integer(rt, a, i, who)?
        } else {
            integer(rt, a, i, who)?
        };
        sum = match num::compute(rt, [&sum, &n], op)? {
            Ok(n) => n,
            Err(e) => return num::finish(rt, who, Err(e)),
        };
    }
    rt.make_number(&sum)
}

fn unary(
    rt: &mut Rt,
    a: Args,
    who: &'static str,
    op: fn(&Number) -> std::result::Result<Number, NumError>,
) -> Result {
    let n = number(rt, a, 0, who)?;
    let result = num::compute(rt, [&n, &n], |n, _| op(n))?;
    num::finish(rt, who, result)
}

fn binary(
    rt: &mut Rt,
    a: Args,
    who: &'static str,
    op: fn(&Number, &Number) -> std::result::Result<Number, NumError>,
) -> Result {
    let (x, y) = (number(rt, a, 0, who)?, number(rt, a, 1, who)?);
    let result = num::compute(rt, [&x, &y], op)?;
    num::finish(rt, who, result)
}

fn magnitude(rt: &mut Rt, a: Args, who: &'static str) -> Result {
    let n = number(rt, a, 0, who)?;
    if let Number::Real(x) = n {
        return rt.make_flonum(x.abs());
    }
    if num::sign(&n) >= 0 {
        return Ok(rt.arg(a, 0));
    }
    num::sub(rt, Value::fixnum(0), rt.arg(a, 0))
}

fn divide(rt: &mut Rt, a: Args, who: &'static str, which: Division) -> Result {
    num::division(rt, who, which, rt.arg(a, 0), rt.arg(a, 1))
}

fn both(rt: &mut Rt, a: Args, who: &'static str, q: Division, r: Division) -> Result {
    let quotient = divide(rt, a, who, q)?;
    rt.push(quotient);
    let remainder = divide(rt, a, who, r)?;
    let quotient = rt.pop();
    rt.make_object(kinds::MULTIPLE_VALUES, &[quotient, remainder])
}

fn round(rt: &mut Rt, a: Args, who: &'static str, how: Rounding) -> Result {
    if rt.arg(a, 0).is_fixnum() {
        return Ok(rt.arg(a, 0));
    }
    let n = number(rt, a, 0, who)?;
    let rounded = num::compute(rt, [&n, &n], |n, _| num::round_to(how, n))?;
    rt.make_number(&rounded)
}

fn exact_integer_sqrt(rt: &mut Rt, a: Args) -> Result {
    let who = "exact-integer-sqrt";
    let n = exact_integer(rt, a, 0, who)?;
    let (root, rest) = match num::compute(rt, [&n, &n], |n, _| num::sqrt_rem(n))? {
        Ok(both) => both,
        Err(e) => return num::finish(rt, who, Err(e)),
    };
    let root = rt.make_number(&root)?;
    rt.push(root);
    let rest = rt.make_number(&rest)?;
    let root = rt.pop();
    rt.make_object(kinds::MULTIPLE_VALUES, &[root, rest])
}

/// A real function whose value at the exact number `at` is the exact number `value`.
fn real_function(
    rt: &mut Rt,
    a: Args,
    who: &'static str,
    at: i64,
    value: i64,
    f: fn(f64) -> f64,
) -> Result {
    match number(rt, a, 0, who)? {
        Number::Fixnum(n) if n == at => Ok(Value::fixnum(value)),
        n => rt.make_flonum(f(n.to_f64())),
    }
}

fn arc(rt: &mut Rt, a: Args, who: &'static str, at: i64, f: fn(f64) -> f64) -> Result {
    let n = number(rt, a, 0, who)?;
    if matches!(n, Number::Fixnum(n) if n == at) {
        return Ok(Value::fixnum(0));
    }
    let x = n.to_f64();
    if x.abs() > 1.0 {
        return Fault::bad(who, "the result is not real:", vec![rt.arg(a, 0)]);
    }
    rt.make_flonum(f(x))
}

fn atan(rt: &mut Rt, a: Args) -> Result {
    if a.len == 1 {
        return real_function(rt, a, "atan", 0, 0, f64::atan);
    }
    let (y, x) = (number(rt, a, 0, "atan")?, number(rt, a, 1, "atan")?);
    if matches!(y, Number::Fixnum(0)) && x.is_exact() {
        match num::sign(&x) {
            0 => return Err(Box::new(Fault::DivideByZero { who: "atan" })),
            1 => return Ok(Value::fixnum(0)),
            _ => {}
        }
    }
    rt.make_flonum(y.to_f64().atan2(x.to_f64()))
}

fn log(rt: &mut Rt, a: Args) -> Result {
    let n = number(rt, a, 0, "log")?;
    let base = match rt.opt(a, 1) {
        Some(_) => Some(number(rt, a, 1, "log")?),
        None => None,
    };
    num::finish(rt, "log", num::log_base(&n, base.as_ref()))
}

fn radix(rt: &Rt, a: Args, who: &'static str) -> Result<u32> {
    match rt.opt(a, 1) {
        Some(_) => Ok(rt.ranged(a, 1, who, "radix", 2, 36)? as u32),
        None => Ok(10),
    }
}

fn number_to_string(rt: &mut Rt, a: Args) -> Result {
    let n = number(rt, a, 0, "number->string")?;
    let radix = radix(rt, a, "number->string")?;
    let text = num::compute(rt, [&n, &n], |n, _| n.to_string(radix))?;
    rt.make_string(&text)
}

fn string_to_number(rt: &mut Rt, a: Args) -> Result {
    let s = rt.string_arg(a, 0, "string->number")?;
    let radix = radix(rt, a, "string->number")?;
    let number = match counts(s).0 {
        ..MANY_DIGITS => Number::parse(rt.text(s), radix),
        _ => {
            num::make_room_for(rt, 8 * rt.text(s).len())?;
            let text = rt.text(s).to_owned();
            rt.beside(|| Number::parse(&text, radix))
        }
    };
    match number {
        Some(n) => rt.make_number(&n),
        None => Ok(Value::FALSE),
    }
}
