//! The R7RS grammar of numbers.
//!
//! A text is a prefix (`#x`, `#e`, … in either order), then a real. Only when the real does not
//! parse is the text looked at as a complex number, so that it can be refused by name. Every step
//! is linear in the text; the conversions are dashu's.
//!
//! One extension: a number with a point may be written in any radix, without an exponent, so that
//! what `number->string` prints can be read back.

use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use super::{Number, NumberError};

#[derive(Copy, Clone, PartialEq)]
enum Exactness {
    Exact,
    Inexact,
}

struct Prefix<'a> {
    radix: u32,
    exactness: Option<Exactness>,
    body: &'a str,
}

/// The parts of an unsigned decimal: its digits before and behind the point, and the exponent.
struct Decimal<'a> {
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

pub(super) fn parse(text: &str, radix: u32) -> Result<Number, NumberError> {
    if !(2..=36).contains(&radix) {
        return Err(NumberError::Malformed);
    }
    let prefix = split_prefix(text, radix).ok_or(NumberError::Malformed)?;
    match real(&prefix) {
        Err(NumberError::Malformed) if is_complex(&prefix) => Err(NumberError::Complex),
        result => result,
    }
}

/// Takes at most one radix and one exactness prefix off the front.
fn split_prefix(text: &str, radix: u32) -> Option<Prefix<'_>> {
    let mut prefix = Prefix {
        radix,
        exactness: None,
        body: text,
    };
    let mut radix_seen = false;
    while let Some(rest) = prefix.body.strip_prefix('#') {
        let letter = rest.chars().next()?;
        match letter.to_ascii_lowercase() {
            'e' | 'i' if prefix.exactness.is_some() => return None,
            'e' => prefix.exactness = Some(Exactness::Exact),
            'i' => prefix.exactness = Some(Exactness::Inexact),
            _ if radix_seen => return None,
            lower => {
                prefix.radix = match lower {
                    'b' => 2,
                    'o' => 8,
                    'd' => 10,
                    'x' => 16,
                    _ => return None,
                };
                radix_seen = true;
            }
        }
        prefix.body = &rest[1..];
    }
    Some(prefix)
}

fn real(prefix: &Prefix) -> Result<Number, NumberError> {
    let (negative, body) = match prefix.body.as_bytes().first() {
        Some(b'-') => (true, &prefix.body[1..]),
        Some(b'+') => (false, &prefix.body[1..]),
        _ => (false, prefix.body),
    };
    if body.len() < prefix.body.len()
        && let Some(x) = infinity_or_nan(body)
    {
        return match prefix.exactness {
            Some(Exactness::Exact) => Err(NumberError::NotExact),
            _ => Ok(Number::Real(if negative { -x } else { x })),
        };
    }
    if let Some((numerator, denominator)) = body.split_once('/') {
        return ratio(prefix, negative, numerator, denominator);
    }
    if all_digits(body, prefix.radix) {
        let n = integer(body, prefix.radix);
        return Ok(with_exactness(
            Number::from_integer(signed(negative, n)),
            prefix.exactness,
        ));
    }
    let decimal = split_decimal(body, prefix.radix).ok_or(NumberError::Malformed)?;
    match (prefix.exactness, prefix.radix) {
        (Some(Exactness::Exact), _) => exact_decimal(&decimal, negative, prefix.radix),
        (_, 10) => {
            let x: f64 = body.parse().map_err(|_| NumberError::Malformed)?;
            Ok(Number::Real(if negative { -x } else { x }))
        }
        (_, radix) => {
            let x = exact_decimal(&decimal, false, radix)?.to_f64();
            Ok(Number::Real(if negative { -x } else { x }))
        }
    }
}

/// What follows the sign of `+inf.0` and `+nan.0`.
fn infinity_or_nan(body: &str) -> Option<f64> {
    if body.eq_ignore_ascii_case("inf.0") {
        Some(f64::INFINITY)
    } else if body.eq_ignore_ascii_case("nan.0") {
        Some(f64::NAN)
    } else {
        None
    }
}

fn ratio(prefix: &Prefix, negative: bool, top: &str, bottom: &str) -> Result<Number, NumberError> {
    if !all_digits(top, prefix.radix) || !all_digits(bottom, prefix.radix) {
        return Err(NumberError::Malformed);
    }
    let denominator = integer(bottom, prefix.radix);
    if denominator.is_zero() {
        return Err(NumberError::ZeroDenominator);
    }
    let numerator = signed(negative, integer(top, prefix.radix));
    let q = RBig::from_parts(numerator, denominator);
    Ok(with_exactness(Number::from_ratio(q), prefix.exactness))
}

fn with_exactness(number: Number, exactness: Option<Exactness>) -> Number {
    match exactness {
        Some(Exactness::Inexact) => Number::Real(number.to_f64()),
        _ => number,
    }
}

fn all_digits(text: &str, radix: u32) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_digit(radix))
}

/// The value of a text of digits; the empty text is zero.
fn integer(digits: &str, radix: u32) -> UBig {
    if digits.is_empty() {
        return UBig::ZERO;
    }
    UBig::from_str_radix(digits, radix).expect("the caller has checked the digits")
}

fn signed(negative: bool, n: UBig) -> IBig {
    let n = IBig::from(n);
    if negative { -n } else { n }
}

/// Splits `12.5e-3`. An exponent is allowed in radix 10 only; the point may stand first or last but
/// not alone.
fn split_decimal(body: &str, radix: u32) -> Option<Decimal<'_>> {
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) if radix == 10 => (&body[..at], parse_exponent(&body[at + 1..])?),
        _ => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits_only = |text: &str| text.is_empty() || all_digits(text, radix);
    if whole.len() + fraction.len() == 0 || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    Some(Decimal {
        whole,
        fraction,
        exponent,
    })
}

/// The exponent, saturated: a text may have more exponent digits than any integer type.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if !all_digits(digits, 10) {
        return None;
    }
    let magnitude = digits.parse().unwrap_or(i64::MAX);
    Some(if negative { -magnitude } else { magnitude })
}

/// The exact value of a decimal: all its digits as an integer, scaled by a power of the radix.
fn exact_decimal(decimal: &Decimal, negative: bool, radix: u32) -> Result<Number, NumberError> {
    let mut digits = String::with_capacity(decimal.whole.len() + decimal.fraction.len());
    digits.push_str(decimal.whole);
    digits.push_str(decimal.fraction);
    let n = signed(negative, integer(&digits, radix));
    if decimal.exponent.unsigned_abs() > Number::EXACT_EXPONENT_LIMIT as u64 {
        return match n.is_zero() {
            true => Ok(Number::Fixnum(0)),
            false => Err(NumberError::ExponentTooLarge),
        };
    }
    let exponent = decimal.exponent - decimal.fraction.len() as i64;
    let scale = UBig::from(radix).pow(exponent.unsigned_abs() as usize);
    Ok(if exponent < 0 {
        Number::from_ratio(RBig::from_parts(n, scale))
    } else {
        Number::from_integer(n * IBig::from(scale))
    })
}

/// Whether the text is a complex number, of which only the form is checked: `REAL@REAL`, or
/// `±REALi` with or without a real before it.
fn is_complex(prefix: &Prefix) -> bool {
    let is_real = |body: &str| {
        let part = Prefix {
            body,
            exactness: None,
            ..*prefix
        };
        !matches!(real(&part), Err(NumberError::Malformed))
    };
    let body = prefix.body;
    if let Some((magnitude, angle)) = body.split_once('@') {
        return is_real(magnitude) && is_real(angle);
    }
    let Some(body) = body.strip_suffix(['i', 'I']) else {
        return false;
    };
    // The sign of the imaginary part is the last one or, when that belongs to an exponent, the one
    // before it.
    body.rmatch_indices(['+', '-']).take(2).any(|(at, _)| {
        let (left, right) = body.split_at(at);
        (left.is_empty() || is_real(left)) && (right.len() == 1 || is_real(right))
    })
}
