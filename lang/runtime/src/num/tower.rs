//! The four operations and comparison over [`Number`]. Exactness is contagious; comparison is not:
//! it is exact whatever the operands are.
//!
//! Absent on purpose: the heap.

use std::cmp::Ordering;

use bowline_syntax::Number;
use dashu_base::{BitTest, Sign};
use dashu_int::IBig;
use dashu_ratio::RBig;

/// Why a number has no result.
#[derive(Clone, Debug, PartialEq)]
pub enum NumError {
    /// An exact division by zero.
    DivideByZero,
    /// The result would not fit any heap.
    TooLarge,
    /// An infinity or NaN has no exact value.
    NotExact(f64),
    /// An operand should be an integer.
    NotInteger(Number),
    /// The result is not defined, for the reason given.
    Undefined(&'static str),
}

/// The most bits that a result may have: 256 MiB of magnitude. Past it the answer is out of memory
/// without trying.
pub(super) const MAX_BITS: usize = 1 << 31;

/// An exact integer as a big one; `None` for other numbers.
pub(super) fn big(n: &Number) -> Option<IBig> {
    match n {
        Number::Fixnum(n) => Some(IBig::from(*n)),
        Number::Big(n) => Some(n.clone()),
        _ => None,
    }
}

/// The exact value of a finite number.
pub fn to_rational(n: &Number) -> Option<RBig> {
    match n {
        Number::Fixnum(n) => Some(RBig::from(*n)),
        Number::Big(n) => Some(RBig::from(n.clone())),
        Number::Ratio(q) => Some(q.clone()),
        Number::Real(x) => RBig::try_from(*x).ok(),
    }
}

fn rational(n: &Number) -> RBig {
    to_rational(n).unwrap_or(RBig::ZERO)
}

fn exact_op(
    a: &Number,
    b: &Number,
    integers: impl FnOnce(IBig, IBig) -> IBig,
    ratios: impl FnOnce(RBig, RBig) -> RBig,
) -> Number {
    match (big(a), big(b)) {
        (Some(x), Some(y)) => Number::from_integer(integers(x, y)),
        _ => Number::from_ratio(ratios(rational(a), rational(b))),
    }
}

/// `a + b`
pub(super) fn add(a: Number, b: Number) -> Number {
    match (&a, &b) {
        (Number::Real(x), _) => Number::Real(x + b.to_f64()),
        (_, Number::Real(y)) => Number::Real(a.to_f64() + y),
        _ => exact_op(&a, &b, |x, y| x + y, |x, y| x + y),
    }
}

/// `a - b`
pub(super) fn sub(a: Number, b: Number) -> Number {
    match (&a, &b) {
        (Number::Real(x), _) => Number::Real(x - b.to_f64()),
        (_, Number::Real(y)) => Number::Real(a.to_f64() - y),
        _ => exact_op(&a, &b, |x, y| x - y, |x, y| x - y),
    }
}

/// `a * b`
pub(super) fn mul(a: Number, b: Number) -> Result<Number, NumError> {
    match (&a, &b) {
        (Number::Real(x), _) => return Ok(Number::Real(x * b.to_f64())),
        (_, Number::Real(y)) => return Ok(Number::Real(a.to_f64() * y)),
        (Number::Fixnum(x), Number::Fixnum(y)) => {
            if let Some(product) = x.checked_mul(*y) {
                return Ok(Number::Fixnum(product));
            }
        }
        (Number::Big(x), Number::Big(y)) if x.bit_len() + y.bit_len() > MAX_BITS => {
            return Err(NumError::TooLarge);
        }
        _ => {}
    }
    Ok(exact_op(&a, &b, |x, y| x * y, |x, y| x * y))
}

/// `a / b`
pub(super) fn div(a: Number, b: Number) -> Result<Number, NumError> {
    match (&a, &b) {
        (_, Number::Fixnum(0)) => Err(NumError::DivideByZero),
        (Number::Real(x), _) => Ok(Number::Real(x / b.to_f64())),
        (_, Number::Real(y)) => Ok(Number::Real(a.to_f64() / y)),
        _ => Ok(Number::from_ratio(rational(&a) / rational(&b))),
    }
}

/// −1, 0 or 1; 0 for a NaN.
pub fn sign(n: &Number) -> i32 {
    match n {
        Number::Fixnum(n) => n.signum() as i32,
        Number::Big(n) => sign_of(n.sign()),
        Number::Ratio(q) => sign_of(q.sign()),
        Number::Real(x) if *x > 0.0 => 1,
        Number::Real(x) if *x < 0.0 => -1,
        Number::Real(_) => 0,
    }
}

fn sign_of(sign: Sign) -> i32 {
    match sign {
        Sign::Positive => 1,
        Sign::Negative => -1,
    }
}

/// How `a` compares to `b`, exactly: a double stands for the rational that it is. `None` when one
/// is a NaN.
pub fn compare(a: &Number, b: &Number) -> Option<Ordering> {
    match (a, b) {
        (Number::Fixnum(x), Number::Fixnum(y)) => Some(x.cmp(y)),
        (Number::Big(x), Number::Big(y)) => Some(x.cmp(y)),
        (Number::Real(x), Number::Real(y)) => x.partial_cmp(y),
        (Number::Real(x), _) => Some(compare_real(*x, b)?),
        (_, Number::Real(y)) => Some(compare_real(*y, a)?.reverse()),
        _ => match (big(a), big(b)) {
            (Some(x), Some(y)) => Some(x.cmp(&y)),
            _ => Some(rational(a).cmp(&rational(b))),
        },
    }
}

/// How the double `x` compares to the exact number `b`.
fn compare_real(x: f64, b: &Number) -> Option<Ordering> {
    if x.is_nan() {
        return None;
    }
    if x.is_infinite() {
        return Some(if x > 0.0 {
            Ordering::Greater
        } else {
            Ordering::Less
        });
    }
    if let Number::Fixnum(n) = b
        && n.unsigned_abs() < 1 << 53
    {
        return x.partial_cmp(&(*n as f64));
    }
    Some(RBig::try_from(x).ok()?.cmp(&rational(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text, 10).unwrap()
    }

    #[test]
    fn sums_and_products_normalise() {
        assert_eq!(add(n("1/2"), n("1/2")), n("1"));
        assert_eq!(
            add(n("9223372036854775807"), n("1")),
            n("9223372036854775808")
        );
        assert_eq!(
            sub(n("9223372036854775808"), n("1")),
            n("9223372036854775807")
        );
        assert_eq!(mul(n("2/3"), n("3/2")).unwrap(), n("1"));
        assert_eq!(div(n("6"), n("4")).unwrap(), n("3/2"));
        assert_eq!(div(n("1"), n("0")), Err(NumError::DivideByZero));
        assert_eq!(div(n("1"), n("0.0")).unwrap(), n("+inf.0"));
        assert_eq!(div(n("1.0"), n("0")), Err(NumError::DivideByZero));
    }

    #[test]
    fn comparison_is_exact() {
        let cases = [
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("1/3", "0.3333333333333333", Ordering::Greater),
            ("1e308", "10", Ordering::Greater),
            ("-inf.0", "-100000000000000000000000", Ordering::Less),
            ("0", "-0.0", Ordering::Equal),
            ("1/2", "0.5", Ordering::Equal),
        ];
        for (a, b, expected) in cases {
            assert_eq!(compare(&n(a), &n(b)), Some(expected), "{a} {b}");
            assert_eq!(compare(&n(b), &n(a)), Some(expected.reverse()), "{b} {a}");
        }
        assert_eq!(compare(&n("1"), &n("+nan.0")), None);
    }
}
