//! Integer operations: the divisions, gcd and lcm, bits, exact roots.
//!
//! The divisions take inexact integers too; the result is then inexact.

use bowline_syntax::Number;
use dashu_base::{BitTest, DivRem, Gcd, Sign, SquareRootRem};
use dashu_int::{IBig, UBig};

use super::tower::{MAX_BITS, NumError, big, sign};

/// Which part of which division.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Division {
    /// The quotient rounded towards zero.
    TruncateQuotient,
    /// What is left of it; has the dividend's sign.
    TruncateRemainder,
    /// The quotient rounded down.
    FloorQuotient,
    /// What is left of it; has the divisor's sign.
    FloorRemainder,
}

/// A division of two integers.
pub fn divide(which: Division, a: &Number, b: &Number) -> Result<Number, NumError> {
    if let (Number::Real(_), _) | (_, Number::Real(_)) = (a, b) {
        return match (as_double(a), as_double(b)) {
            (Some(a), Some(b)) => divide_real(which, a, b),
            _ => divide_mixed(which, a, b),
        };
    }
    let (x, y) = integers(a, b)?;
    if y.is_zero() {
        return Err(NumError::DivideByZero);
    }
    let (q, r) = (&x).div_rem(&y);
    let adjust = !r.is_zero() && r.sign() != y.sign();
    Ok(Number::from_integer(match which {
        Division::TruncateQuotient => q,
        Division::TruncateRemainder => r,
        Division::FloorQuotient if adjust => q - IBig::ONE,
        Division::FloorQuotient => q,
        Division::FloorRemainder if adjust => r + y,
        Division::FloorRemainder => r,
    }))
}

/// The double that a number is, without rounding.
fn as_double(n: &Number) -> Option<f64> {
    match n {
        Number::Real(x) => Some(*x),
        Number::Fixnum(n) if n.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS => Some(*n as f64),
        _ => None,
    }
}

/// A division of a double and an exact integer that is none: exact, then rounded once.
fn divide_mixed(which: Division, a: &Number, b: &Number) -> Result<Number, NumError> {
    let ((x, _), (y, _)) = (exact_integer(a)?, exact_integer(b)?);
    // An exact zero has no sign.
    if let Number::Real(zero) = *a
        && zero == 0.0
    {
        return divide_real(which, zero, f64::from(sign(b)));
    }
    let exact = divide(which, &Number::from_integer(x), &Number::from_integer(y))?;
    Ok(Number::Real(exact.to_f64()))
}

fn divide_real(which: Division, a: f64, b: f64) -> Result<Number, NumError> {
    for x in [a, b] {
        if x.fract() != 0.0 || !x.is_finite() {
            return Err(NumError::NotInteger(Number::Real(x)));
        }
    }
    if b == 0.0 {
        return Err(NumError::DivideByZero);
    }
    // The remainder of two doubles is exact, the quotient by division is not: take it from there.
    let r = a % b;
    let adjust = r != 0.0 && (r < 0.0) != (b < 0.0);
    Ok(Number::Real(match which {
        // The difference of equal zeros is positive.
        Division::TruncateQuotient | Division::FloorQuotient if a == 0.0 => a / b,
        Division::TruncateQuotient => ((a - r) / b).trunc(),
        Division::TruncateRemainder => r,
        Division::FloorQuotient => {
            let q = ((a - r) / b).trunc();
            if adjust { q - 1.0 } else { q }
        }
        Division::FloorRemainder if adjust => r + b,
        Division::FloorRemainder => r,
    }))
}

fn integers(a: &Number, b: &Number) -> Result<(IBig, IBig), NumError> {
    let get = |n: &Number| big(n).ok_or_else(|| NumError::NotInteger(n.clone()));
    Ok((get(a)?, get(b)?))
}

/// An integer double as an exact integer, and whether it was a double.
fn exact_integer(n: &Number) -> Result<(IBig, bool), NumError> {
    match n {
        Number::Real(x) if x.is_finite() && x.fract() == 0.0 => {
            let exact = IBig::try_from(*x).map_err(|_| NumError::NotInteger(n.clone()))?;
            Ok((exact, true))
        }
        _ => match big(n) {
            Some(x) => Ok((x, false)),
            None => Err(NumError::NotInteger(n.clone())),
        },
    }
}

fn restore(n: IBig, inexact: bool) -> Number {
    let n = Number::from_integer(n);
    if inexact { Number::Real(n.to_f64()) } else { n }
}

/// The greatest common divisor; never negative.
pub fn gcd(a: &Number, b: &Number) -> Result<Number, NumError> {
    let ((x, ix), (y, iy)) = (exact_integer(a)?, exact_integer(b)?);
    Ok(restore(gcd_big(&x, &y), ix || iy))
}

fn gcd_big(x: &IBig, y: &IBig) -> IBig {
    if x.is_zero() && y.is_zero() {
        return IBig::ZERO;
    }
    IBig::from(x.gcd(y))
}

/// The least common multiple; never negative.
pub fn lcm(a: &Number, b: &Number) -> Result<Number, NumError> {
    let ((x, ix), (y, iy)) = (exact_integer(a)?, exact_integer(b)?);
    if x.is_zero() || y.is_zero() {
        return Ok(restore(IBig::ZERO, ix || iy));
    }
    let g = gcd_big(&x, &y);
    let (_, m) = (x / g * y).into_parts();
    Ok(restore(IBig::from(m), ix || iy))
}

/// The integer square root of a natural number, and what is left.
pub fn sqrt_rem(n: &Number) -> Result<(Number, Number), NumError> {
    let Some(x) = big(n) else {
        return Err(NumError::NotInteger(n.clone()));
    };
    if sign(n) < 0 {
        return Err(NumError::Undefined("the argument is negative"));
    }
    let (_, x) = x.into_parts();
    let (root, rest) = x.sqrt_rem();
    let number = |n: UBig| Number::from_integer(IBig::from(n));
    Ok((number(root), number(rest)))
}

/// Bitwise and, in two's complement.
pub fn bit_and(a: &Number, b: &Number) -> Result<Number, NumError> {
    let (x, y) = integers(a, b)?;
    Ok(Number::from_integer(x & y))
}

/// Bitwise or, in two's complement.
pub fn bit_or(a: &Number, b: &Number) -> Result<Number, NumError> {
    let (x, y) = integers(a, b)?;
    Ok(Number::from_integer(x | y))
}

/// Bitwise exclusive or, in two's complement.
pub fn bit_xor(a: &Number, b: &Number) -> Result<Number, NumError> {
    let (x, y) = integers(a, b)?;
    Ok(Number::from_integer(x ^ y))
}

/// Bitwise complement.
pub fn bit_not(a: &Number) -> Result<Number, NumError> {
    match big(a) {
        Some(x) => Ok(Number::from_integer(-x - IBig::ONE)),
        None => Err(NumError::NotInteger(a.clone())),
    }
}

/// `a · 2ⁿ`, rounded down.
pub fn arithmetic_shift(a: &Number, n: i64) -> Result<Number, NumError> {
    let Some(x) = big(a) else {
        return Err(NumError::NotInteger(a.clone()));
    };
    let bits = x.bit_len();
    let by = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    if n < 0 {
        if by > bits {
            let all = if x.sign() == Sign::Negative { -1 } else { 0 };
            return Ok(Number::Fixnum(all));
        }
        return Ok(Number::from_integer(x >> by));
    }
    if x.is_zero() {
        return Ok(Number::Fixnum(0));
    }
    if bits.saturating_add(by) > MAX_BITS {
        return Err(NumError::TooLarge);
    }
    Ok(Number::from_integer(x << by))
}

/// `base` to a natural power.
pub(super) fn power(base: &IBig, exponent: u64) -> Result<IBig, NumError> {
    if base.is_zero() || base.is_one() {
        return Ok(if exponent == 0 {
            IBig::ONE
        } else {
            base.clone()
        });
    }
    if *base == IBig::NEG_ONE {
        return Ok(if exponent.is_multiple_of(2) {
            IBig::ONE
        } else {
            IBig::NEG_ONE
        });
    }
    let bits = (base.bit_len() as u64 - 1).max(1).saturating_mul(exponent);
    if bits > MAX_BITS as u64 {
        return Err(NumError::TooLarge);
    }
    Ok(base.pow(exponent as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text, 10).unwrap()
    }

    #[test]
    fn divisions_follow_the_signs() {
        use Division::{FloorQuotient, FloorRemainder, TruncateQuotient, TruncateRemainder};
        let big = "100000000000000000000000";
        let cases = [
            (FloorQuotient, "5", "2", "2"),
            (FloorRemainder, "5", "2", "1"),
            (FloorQuotient, "-5", "2", "-3"),
            (FloorRemainder, "-5", "2", "1"),
            (FloorQuotient, "5", "-2", "-3"),
            (FloorRemainder, "5", "-2", "-1"),
            (FloorQuotient, "-5", "-2", "2"),
            (FloorRemainder, "-5", "-2", "-1"),
            (TruncateQuotient, "-5", "2", "-2"),
            (TruncateRemainder, "-5", "2", "-1"),
            (TruncateQuotient, "-5.0", "2", "-2.0"),
            (TruncateRemainder, "-5.0", "2", "-1.0"),
            (FloorRemainder, "-5.0", "2.0", "1.0"),
            (FloorQuotient, "-5.0", "2.0", "-3.0"),
            (TruncateQuotient, big, "-3", "-33333333333333333333333"),
            (FloorRemainder, big, "-3", "-2"),
        ];
        for (which, a, b, expected) in cases {
            assert_eq!(
                divide(which, &n(a), &n(b)),
                Ok(n(expected)),
                "{which:?} {a} {b}"
            );
        }
        assert_eq!(
            divide(FloorQuotient, &n("1"), &n("0")),
            Err(NumError::DivideByZero)
        );
        assert_eq!(
            divide(FloorQuotient, &n("1"), &n("1.5")),
            Err(NumError::NotInteger(n("1.5")))
        );
    }

    #[test]
    fn bits_are_twos_complement() {
        assert_eq!(bit_and(&n("-1"), &n("255")), Ok(n("255")));
        assert_eq!(bit_or(&n("-8"), &n("3")), Ok(n("-5")));
        assert_eq!(bit_xor(&n("-1"), &n("5")), Ok(n("-6")));
        assert_eq!(bit_not(&n("0")), Ok(n("-1")));
        assert_eq!(arithmetic_shift(&n("-5"), -1), Ok(n("-3")));
        assert_eq!(arithmetic_shift(&n("-5"), -64), Ok(n("-1")));
        assert_eq!(arithmetic_shift(&n("5"), -64), Ok(n("0")));
        assert_eq!(
            arithmetic_shift(&n("1"), 70),
            Ok(n("1180591620717411303424"))
        );
        assert_eq!(arithmetic_shift(&n("1"), i64::MAX), Err(NumError::TooLarge));
    }

    #[test]
    fn divisors_and_roots() {
        assert_eq!(gcd(&n("32"), &n("-36")), Ok(n("4")));
        assert_eq!(gcd(&n("0"), &n("0")), Ok(n("0")));
        assert_eq!(gcd(&n("0"), &n("5.0")), Ok(n("5.0")));
        assert_eq!(lcm(&n("32.0"), &n("-36")), Ok(n("288.0")));
        assert_eq!(lcm(&n("0"), &n("5")), Ok(n("0")));
        assert_eq!(sqrt_rem(&n("17")), Ok((n("4"), n("1"))));
        assert!(sqrt_rem(&n("-1")).is_err());
        assert_eq!(power(&IBig::from(2), 1 << 40), Err(NumError::TooLarge));
    }
}
