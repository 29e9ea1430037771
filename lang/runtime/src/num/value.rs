//! Numbers between heap and Rust.
//!
//! inv:num.normal — an integer in the fixnum range is never a bignum, and a ratnum is in lowest
//! terms with a denominator above 1; `make_number` is the only maker of bignums and ratnums.

use bowline_layout::{Tag, Value, bignum};
use bowline_syntax::Number;
use dashu_base::Sign;
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;

use crate::fault::Result;
use crate::kinds;
use crate::object;
use crate::rt::Rt;

/// Whether `v` is a number.
#[inline]
pub fn is_number(v: Value) -> bool {
    v.is_fixnum()
        || matches!(
            object::type_id(v),
            Some(kinds::FLONUM | kinds::BIGNUM | kinds::RATNUM)
        )
}

/// Whether `v` is an exact integer.
#[inline]
pub fn is_exact_integer(v: Value) -> bool {
    v.is_fixnum() || object::is(v, kinds::BIGNUM)
}

/// Whether `v` is a flonum.
#[inline]
pub fn is_real_flonum(v: Value) -> bool {
    object::is(v, kinds::FLONUM)
}

fn big(v: Value) -> IBig {
    let limbs = bignum::limbs(object::header(v));
    let words: Vec<u64> = (0..limbs)
        .map(|i| object::raw(v, bignum::LIMBS + i))
        .collect();
    let sign = if object::raw(v, bignum::SIGN) == 0 {
        Sign::Positive
    } else {
        Sign::Negative
    };
    IBig::from_parts(sign, UBig::from_words(&words))
}

fn integer(v: Value) -> IBig {
    match v.as_fixnum() {
        Some(n) => IBig::from(n),
        None => big(v),
    }
}

impl Rt {
    /// The number that `v` is, if it is one.
    pub fn number(&self, v: Value) -> Option<Number> {
        if let Some(n) = v.as_fixnum() {
            return Some(Number::Fixnum(n));
        }
        match object::type_id(v)? {
            kinds::FLONUM => super::flonum(v).map(Number::Real),
            kinds::BIGNUM => Some(Number::from_integer(big(v))),
            kinds::RATNUM => {
                let (n, d) = (object::field(v, 1), object::field(v, 2));
                let (_, denominator) = integer(d).into_parts();
                Some(Number::Ratio(RBig::from_parts(integer(n), denominator)))
            }
            _ => None,
        }
    }

    /// The number that `v` is, if it is an integer, exact or not.
    pub fn integer(&self, v: Value) -> Option<Number> {
        match self.number(v)? {
            n @ (Number::Fixnum(_) | Number::Big(_)) => Some(n),
            n @ Number::Real(x) if x.is_finite() && x.fract() == 0.0 => Some(n),
            _ => None,
        }
    }

    /// The double nearest to the number `v`, if it is one.
    pub fn to_double(&self, v: Value) -> Option<f64> {
        match v.as_fixnum() {
            Some(n) => Some(n as f64),
            None => Some(self.number(v)?.to_f64()),
        }
    }

    /// The heap's form of a number.
    pub fn make_number(&mut self, n: &Number) -> Result {
        match n {
            Number::Fixnum(n) => self.make_int(*n),
            Number::Big(n) => self.make_big(n),
            Number::Ratio(q) => self.make_ratio(q),
            Number::Real(x) => self.make_flonum(*x),
        }
    }

    /// The integer `n`.
    #[inline]
    pub fn make_int(&mut self, n: i64) -> Result {
        match Value::try_fixnum(n) {
            Some(v) => Ok(v),
            None => self.make_big(&IBig::from(n)),
        }
    }

    /// The integer `n`.
    #[inline]
    pub fn make_unsigned(&mut self, n: u64) -> Result {
        match i64::try_from(n) {
            Ok(n) => self.make_int(n),
            Err(_) => self.make_big(&IBig::from(n)),
        }
    }

    fn make_big(&mut self, n: &IBig) -> Result {
        if let Ok(small) = i64::try_from(n)
            && let Some(v) = Value::try_fixnum(small)
        {
            return Ok(v);
        }
        let (sign, words) = n.as_sign_words();
        let v = self.heap.alloc(bignum::header(words.len()), Tag::Object)?;
        let negative = sign == Sign::Negative;
        object::set_raw(v, bignum::SIGN, u64::from(negative));
        for (i, &word) in words.iter().enumerate() {
            object::set_raw(v, bignum::LIMBS + i, word);
        }
        Ok(v)
    }

    fn make_ratio(&mut self, q: &RBig) -> Result {
        if q.is_int() {
            return self.make_big(q.numerator());
        }
        let numerator = self.make_big(q.numerator())?;
        self.push(numerator);
        let denominator = self.make_big(q.denominator().as_ibig())?;
        let numerator = self.pop();
        self.make_object(kinds::RATNUM, &[numerator, denominator])
    }
}
