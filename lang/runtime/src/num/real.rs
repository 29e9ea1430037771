//! Real operations: exactness, rounding, roots, powers, logarithms, `rationalize`.
//!
//! A result is exact when the arguments are and an exact result exists.

use std::cmp::Ordering;

use bowline_syntax::Number;
use dashu_base::BitTest;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::integer::{power, sqrt_rem};
use super::tower::{self, NumError, big, sign, to_rational};

/// Where a real is rounded to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rounding {
    /// Down.
    Floor,
    /// Up.
    Ceiling,
    /// Towards zero.
    Truncate,
    /// To the nearest, ties to even.
    Round,
}

/// The integer that `n` rounds to, as exact as `n` is.
pub fn round_to(how: Rounding, n: &Number) -> Number {
    match n {
        Number::Real(x) => Number::Real(match how {
            Rounding::Floor => x.floor(),
            Rounding::Ceiling => x.ceil(),
            Rounding::Truncate => x.trunc(),
            Rounding::Round => x.round_ties_even(),
        }),
        Number::Ratio(q) => Number::from_integer(match how {
            Rounding::Floor => q.floor(),
            Rounding::Ceiling => q.ceil(),
            Rounding::Truncate => q.trunc(),
            Rounding::Round => round_ratio(q),
        }),
        _ => n.clone(),
    }
}

fn round_ratio(q: &RBig) -> IBig {
    let floor = q.floor();
    let rest = q - RBig::from(floor.clone());
    let half = RBig::from_parts(IBig::ONE, UBig::from(2u8));
    let up = match rest.cmp(&half) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => floor.bit(0),
    };
    if up { floor + IBig::ONE } else { floor }
}

/// The exact number equal to `n`.
pub fn exact(n: &Number) -> Result<Number, NumError> {
    match n {
        Number::Real(x) => match RBig::try_from(*x) {
            Ok(q) if x.is_finite() => Ok(Number::from_ratio(q)),
            _ => Err(NumError::NotExact(*x)),
        },
        _ => Ok(n.clone()),
    }
}

/// The double nearest to `n`.
pub fn inexact(n: &Number) -> Number {
    Number::Real(n.to_f64())
}

fn parts(n: &Number) -> Result<(Number, Number), NumError> {
    let whole = |n: IBig| Number::from_integer(n);
    match n {
        Number::Ratio(q) => Ok((
            whole(q.numerator().clone()),
            whole(IBig::from(q.denominator().clone())),
        )),
        Number::Real(_) => {
            let (p, q) = parts(&exact(n)?)?;
            Ok((inexact(&p), inexact(&q)))
        }
        _ => Ok((n.clone(), Number::Fixnum(1))),
    }
}

/// The numerator of `n` in lowest terms.
pub fn numerator(n: &Number) -> Result<Number, NumError> {
    Ok(parts(n)?.0)
}

/// The denominator of `n` in lowest terms.
pub fn denominator(n: &Number) -> Result<Number, NumError> {
    Ok(parts(n)?.1)
}

/// The square root: exact when `n` is an exact square.
pub fn sqrt(n: &Number) -> Result<Number, NumError> {
    if sign(n) < 0 {
        return Err(NumError::Undefined(
            "the square root of a negative number is not real",
        ));
    }
    let exact_root = |m: &Number| match sqrt_rem(m) {
        Ok((root, Number::Fixnum(0))) => Some(root),
        _ => None,
    };
    match n {
        Number::Real(x) => return Ok(Number::Real(x.sqrt())),
        Number::Ratio(_) => {
            let (p, q) = parts(n)?;
            if let (Some(p), Some(q)) = (exact_root(&p), exact_root(&q)) {
                return tower::div(p, q);
            }
        }
        _ => {
            if let Some(root) = exact_root(n) {
                return Ok(root);
            }
        }
    }
    let x = n.to_f64();
    if x.is_finite() {
        return Ok(Number::Real(x.sqrt()));
    }
    // Too large for a double while its root need not be.
    let (root, _) = sqrt_rem(&round_to(Rounding::Floor, n))?;
    Ok(inexact(&root))
}

/// `base` to the power `exponent`.
pub fn expt(base: &Number, exponent: &Number) -> Result<Number, NumError> {
    match exponent {
        Number::Fixnum(e) if base.is_exact() => expt_exact(base, *e),
        Number::Big(_) if base.is_exact() => expt_huge(base, exponent),
        Number::Fixnum(0) => Ok(Number::Fixnum(1)),
        Number::Fixnum(e) => Ok(Number::Real(power_real(base.to_f64(), *e))),
        _ => expt_real(base, exponent),
    }
}

/// By one correctly rounded function: repeated multiplication would add up its errors.
fn power_real(base: f64, exponent: i64) -> f64 {
    let power = base.abs().powf(exponent as f64);
    if base.is_sign_negative() && exponent % 2 != 0 {
        -power
    } else {
        power
    }
}

fn expt_exact(base: &Number, exponent: i64) -> Result<Number, NumError> {
    let e = exponent.unsigned_abs();
    let result = match base {
        Number::Ratio(q) => {
            let n = power(q.numerator(), e)?;
            let d = power(&IBig::from(q.denominator().clone()), e)?;
            let (_, d) = d.into_parts();
            Number::from_ratio(RBig::from_parts(n, d))
        }
        _ => {
            let base = big(base).ok_or(NumError::Undefined("the base is not exact"))?;
            Number::from_integer(power(&base, e)?)
        }
    };
    if exponent < 0 {
        tower::div(Number::Fixnum(1), result)
    } else {
        Ok(result)
    }
}

/// A power beyond 64 bits: only 0, 1 and −1 have one that fits.
fn expt_huge(base: &Number, exponent: &Number) -> Result<Number, NumError> {
    let even = big(exponent).is_some_and(|e| !e.bit(0));
    match base {
        Number::Fixnum(0) if sign(exponent) < 0 => Err(NumError::DivideByZero),
        Number::Fixnum(0 | 1) => Ok(base.clone()),
        Number::Fixnum(-1) => Ok(Number::Fixnum(if even { 1 } else { -1 })),
        _ => Err(NumError::TooLarge),
    }
}

fn expt_real(base: &Number, exponent: &Number) -> Result<Number, NumError> {
    // An exact root of an exact base is worth finding for the one exponent that people write.
    if let Number::Ratio(q) = exponent
        && base.is_exact()
        && sign(base) >= 0
        && *q.denominator() == UBig::from(2u8)
    {
        let root = sqrt(base)?;
        if root.is_exact() {
            return expt(&root, &Number::from_integer(q.numerator().clone()));
        }
    }
    let (x, y) = (base.to_f64(), exponent.to_f64());
    if x == 0.0 && matches!(base, Number::Fixnum(0)) {
        return match y.partial_cmp(&0.0) {
            Some(Ordering::Greater) => Ok(Number::Fixnum(0)),
            Some(Ordering::Equal) => Ok(Number::Real(1.0)),
            _ => Err(NumError::DivideByZero),
        };
    }
    let z = x.powf(y);
    if z.is_nan() && !x.is_nan() && !y.is_nan() {
        return Err(NumError::Undefined("the power is not real"));
    }
    Ok(Number::Real(z))
}

/// The natural logarithm, also of integers too large for a double.
fn ln(n: &Number) -> Result<f64, NumError> {
    match n {
        Number::Fixnum(0) => Err(NumError::Undefined("the logarithm of zero is not defined")),
        _ if sign(n) < 0 => Err(NumError::Undefined(
            "the logarithm of a negative number is not real",
        )),
        Number::Big(x) => {
            let shift = x.bit_len().saturating_sub(1000);
            let top = (x >> shift).to_f64().value();
            Ok(top.ln() + shift as f64 * std::f64::consts::LN_2)
        }
        Number::Ratio(_) => {
            let x = n.to_f64();
            if x.is_normal() {
                return Ok(x.ln());
            }
            let (p, q) = parts(n)?;
            Ok(ln(&p)? - ln(&q)?)
        }
        _ => Ok(n.to_f64().ln()),
    }
}

/// The logarithm of `n`, natural or to a base.
pub fn log_base(n: &Number, base: Option<&Number>) -> Result<Number, NumError> {
    let Some(base) = base else {
        return Ok(match n {
            Number::Fixnum(1) => Number::Fixnum(0),
            _ => Number::Real(ln(n)?),
        });
    };
    let x = n.to_f64();
    if x.is_finite() && x > 0.0 {
        match base {
            Number::Fixnum(2) => return Ok(Number::Real(x.log2())),
            Number::Fixnum(10) => return Ok(Number::Real(x.log10())),
            _ => {}
        }
    }
    let divisor = ln(base)?;
    if divisor == 0.0 {
        return Err(NumError::DivideByZero);
    }
    Ok(Number::Real(ln(n)? / divisor))
}

/// The simplest rational that differs from `x` by at most `y`.
pub fn rationalize(x: &Number, y: &Number) -> Result<Number, NumError> {
    let inexact_result = !x.is_exact() || !y.is_exact();
    if inexact_result {
        let (a, b) = (x.to_f64(), y.to_f64());
        if a.is_nan() || b.is_nan() {
            return Ok(Number::Real(f64::NAN));
        }
        if b.is_infinite() {
            return Ok(Number::Real(if a.is_infinite() { f64::NAN } else { 0.0 }));
        }
        if a.is_infinite() {
            return Ok(Number::Real(a));
        }
    }
    let get = |n: &Number| to_rational(n).ok_or(NumError::Undefined("not a rational number"));
    let (a, b) = (get(x)?, get(y)?);
    let b = if sign(y) < 0 { -b } else { b };
    let (low, high) = (&a - &b, a + b);
    let simplest = Number::from_ratio(simplest_between(low, high));
    Ok(if inexact_result {
        inexact(&simplest)
    } else {
        simplest
    })
}

/// The rational with the smallest denominator in `low..=high`.
fn simplest_between(low: RBig, high: RBig) -> RBig {
    let zero = RBig::ZERO;
    if low <= zero && zero <= high {
        return zero;
    }
    if high < zero {
        return -simplest_between(-high, -low);
    }
    // Both positive: walk the continued fractions while their integer parts agree.
    let mut parts = Vec::new();
    let (mut low, mut high) = (low, high);
    let mut last = loop {
        let floor = low.floor();
        if RBig::from(floor.clone()) == low {
            break RBig::from(floor);
        }
        if floor < high.floor() {
            break RBig::from(floor + IBig::ONE);
        }
        let whole = RBig::from(floor.clone());
        let (l, h) = (&low - &whole, &high - &whole);
        parts.push(whole);
        (low, high) = (RBig::ONE / h, RBig::ONE / l);
    };
    while let Some(whole) = parts.pop() {
        last = whole + RBig::ONE / last;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text, 10).unwrap()
    }

    #[test]
    fn rounding_keeps_exactness_and_ties_go_to_even() {
        use Rounding::{Ceiling, Floor, Round, Truncate};
        let cases = [
            (Floor, "-4.3", "-5.0"),
            (Ceiling, "-4.3", "-4.0"),
            (Truncate, "-4.3", "-4.0"),
            (Round, "-4.3", "-4.0"),
            (Round, "7/2", "4"),
            (Round, "5/2", "2"),
            (Round, "-5/2", "-2"),
            (Round, "-7/2", "-4"),
            (Round, "8/3", "3"),
            (Floor, "-7/2", "-4"),
            (Ceiling, "-7/2", "-3"),
            (Truncate, "-7/2", "-3"),
            (Round, "7", "7"),
            (Round, "2.5", "2.0"),
        ];
        for (how, x, expected) in cases {
            assert_eq!(round_to(how, &n(x)), n(expected), "{how:?} {x}");
        }
    }

    #[test]
    fn powers_and_roots_are_exact_where_they_can_be() {
        let cases = [
            ("2", "10", "1024"),
            ("2", "-2", "1/4"),
            ("2/3", "3", "8/27"),
            ("0", "0", "1"),
            ("0.0", "0", "1"),
            ("0", "2.5", "0"),
            ("4", "1/2", "2"),
            ("9/4", "3/2", "27/8"),
            ("2.0", "3", "8.0"),
            ("-1", "100000000000000000001", "-1"),
        ];
        for (b, e, expected) in cases {
            assert_eq!(expt(&n(b), &n(e)), Ok(n(expected)), "{b} {e}");
        }
        assert_eq!(expt(&n("0"), &n("-1")), Err(NumError::DivideByZero));
        assert_eq!(expt(&n("2"), &n("1000000000000")), Err(NumError::TooLarge));
        assert!(matches!(
            expt(&n("-8"), &n("1/3")),
            Err(NumError::Undefined(_))
        ));
        assert_eq!(sqrt(&n("16")), Ok(n("4")));
        assert_eq!(sqrt(&n("1/4")), Ok(n("1/2")));
        assert_eq!(sqrt(&n("2.25")), Ok(n("1.5")));
        assert!(matches!(sqrt(&n("-1")), Err(NumError::Undefined(_))));
        let huge = expt(&n("10"), &n("400")).unwrap();
        assert_eq!(sqrt(&huge), expt(&n("10"), &n("200")));
        let odd = tower::add(huge, n("1"));
        assert_eq!(sqrt(&odd), Ok(Number::Real(1e200)));
    }

    #[test]
    fn logarithms_reach_beyond_doubles() {
        let huge = expt(&n("10"), &n("400")).unwrap();
        let Ok(Number::Real(x)) = log_base(&huge, Some(&n("10"))) else {
            panic!("no real")
        };
        assert!((x - 400.0).abs() < 1e-9);
        assert_eq!(log_base(&n("8"), Some(&n("2"))), Ok(n("3.0")));
        assert_eq!(log_base(&n("1"), None), Ok(n("0")));
        assert!(log_base(&n("0"), None).is_err());
        assert_eq!(log_base(&n("0.0"), None), Ok(n("-inf.0")));
    }

    #[test]
    fn rationalize_finds_the_simplest() {
        assert_eq!(rationalize(&n("3/10"), &n("1/10")), Ok(n("1/3")));
        assert_eq!(
            rationalize(&n("0.3"), &n("1/10")),
            Ok(Number::Real(1.0 / 3.0))
        );
        assert_eq!(rationalize(&n("-3/10"), &n("1/10")), Ok(n("-1/3")));
        assert_eq!(rationalize(&n("1/10"), &n("1")), Ok(n("0")));
        assert_eq!(rationalize(&n("5"), &n("0")), Ok(n("5")));
    }

    #[test]
    fn exactness_goes_both_ways() {
        assert_eq!(exact(&n("0.5")), Ok(n("1/2")));
        assert_eq!(exact(&n("1e18")), Ok(n("1000000000000000000")));
        assert!(matches!(exact(&n("+nan.0")), Err(NumError::NotExact(_))));
        assert_eq!(numerator(&n("0.75")), Ok(n("3.0")));
        assert_eq!(denominator(&n("6/4")), Ok(n("2")));
    }
}
