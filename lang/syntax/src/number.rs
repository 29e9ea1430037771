//! Numbers as text and as values: the numeric tower without its arithmetic.
//!
//! `inv:syntax.number` A number has one representation: an integer that fits an `i64` is a
//! `Fixnum`, any other integer a `Big`; a `Ratio` is in lowest terms and is not an integer.
//! The constructors normalise.
//!
//! Parsing and printing work in every radix from 2 to 36 and are what `string->number` and
//! `number->string` use.
//!
//! Absent on purpose: complex numbers (refused with a reason of their own), arithmetic, and which
//! integers are immediate words of the heap: `Fixnum` here is any `i64`.

mod parse;
mod print;

use std::fmt;

pub use dashu_int::{IBig, UBig};
pub use dashu_ratio::RBig;
pub use print::real_to_string;

/// A number (inv:syntax.number).
#[derive(Clone, Debug)]
pub enum Number {
    /// An exact integer that fits 64 bits.
    Fixnum(i64),
    /// An exact integer that does not.
    Big(IBig),
    /// An exact fraction.
    Ratio(RBig),
    /// An inexact real.
    Real(f64),
}

/// Why a text is not a number.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NumberError {
    /// It does not have the form of a number.
    Malformed,
    /// It is a complex number.
    Complex,
    /// It is a fraction whose denominator is zero.
    ZeroDenominator,
    /// `#e` stands before an infinity or a NaN.
    NotExact,
    /// `#e` stands before a number with an exponent beyond [`Number::EXACT_EXPONENT_LIMIT`].
    ExponentTooLarge,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a number"),
            Self::Complex => f.write_str("complex numbers are not supported"),
            Self::ZeroDenominator => f.write_str("the denominator is zero"),
            Self::NotExact => f.write_str("an infinity or NaN has no exact value"),
            Self::ExponentTooLarge => write!(
                f,
                "the exponent of an exact number may not exceed {}",
                Number::EXACT_EXPONENT_LIMIT
            ),
        }
    }
}

impl std::error::Error for NumberError {}

impl Number {
    /// The largest power of ten by which the text of an exact number may be scaled; beyond it a few
    /// characters would ask for megabytes.
    pub const EXACT_EXPONENT_LIMIT: i64 = 1_000_000;

    /// The integer `n` in its one representation.
    pub fn from_integer(n: IBig) -> Self {
        match i64::try_from(&n) {
            Ok(small) => Self::Fixnum(small),
            Err(_) => Self::Big(n),
        }
    }

    /// The rational `q` in its one representation.
    pub fn from_ratio(q: RBig) -> Self {
        if q.is_int() {
            let (numerator, _) = q.into_parts();
            Self::from_integer(numerator)
        } else {
            Self::Ratio(q)
        }
    }

    /// The nearest double, ties to even.
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::Fixnum(n) => *n as f64,
            Self::Big(n) => n.to_f64().value(),
            Self::Ratio(q) => q.to_f64().value(),
            Self::Real(x) => *x,
        }
    }

    /// Whether it is exact.
    pub fn is_exact(&self) -> bool {
        !matches!(self, Self::Real(_))
    }

    /// The number that `text` denotes when digits without a prefix are in `radix` (2 to 36).
    pub fn parse(text: &str, radix: u32) -> Option<Self> {
        Self::parse_or_reason(text, radix).ok()
    }

    /// As [`Number::parse`], with the reason when it is none.
    pub fn parse_or_reason(text: &str, radix: u32) -> Result<Self, NumberError> {
        parse::parse(text, radix)
    }

    /// Its text in `radix` (2 to 36), without a prefix. Reading it back gives the same number.
    pub fn to_string(&self, radix: u32) -> String {
        print::to_string(self, radix)
    }
}

/// `eqv?`: exactness counts, a NaN equals itself, and the zeros differ by sign.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fixnum(a), Self::Fixnum(b)) => a == b,
            (Self::Big(a), Self::Big(b)) => a == b,
            (Self::Ratio(a), Self::Ratio(b)) => a == b,
            (Self::Real(a), Self::Real(b)) => {
                a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
            }
            _ => false,
        }
    }
}

impl Eq for Number {}

impl From<i64> for Number {
    fn from(n: i64) -> Self {
        Self::Fixnum(n)
    }
}

impl From<f64> for Number {
    fn from(x: f64) -> Self {
        Self::Real(x)
    }
}

/// In radix 10.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::to_string(self, 10))
    }
}
