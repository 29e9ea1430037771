//! What primitives ask of their arguments: a type, an index in range, optional ends of a range.
//!
//! Everything here looks and allocates nothing; what measures a list polls (inv:walk.piece).

use bowline_layout::TypeId;

use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::rt::{Args, Rt};
use crate::strings;

impl Rt {
    /// Argument `i`, which must be a headed object of this type.
    #[inline]
    pub(crate) fn typed(
        &self,
        a: Args,
        i: usize,
        who: &'static str,
        id: TypeId,
        expected: &'static str,
    ) -> Result {
        let v = self.arg(a, i);
        if object::is(v, id) {
            Ok(v)
        } else {
            Fault::wrong_type(who, i + 1, expected, v)
        }
    }

    /// Argument `i`, a pair.
    #[inline]
    pub(crate) fn pair_arg(&self, a: Args, i: usize, who: &'static str) -> Result {
        let v = self.arg(a, i);
        if v.is_pair() {
            Ok(v)
        } else {
            Fault::wrong_type(who, i + 1, "a pair", v)
        }
    }

    /// Argument `i`, a string.
    #[inline]
    pub(crate) fn string_arg(&self, a: Args, i: usize, who: &'static str) -> Result {
        self.typed(a, i, who, kinds::STRING, "a string")
    }

    /// Argument `i`, a string that may be changed.
    pub(crate) fn mutable_string_arg(&self, a: Args, i: usize, who: &'static str) -> Result {
        let v = self.string_arg(a, i, who)?;
        if strings::is_immutable(v) {
            return Err(Box::new(Fault::Immutable { who, got: v }));
        }
        Ok(v)
    }

    /// Argument `i`, a symbol.
    pub(crate) fn symbol_arg(&self, a: Args, i: usize, who: &'static str) -> Result {
        self.typed(a, i, who, kinds::SYMBOL, "a symbol")
    }

    /// Argument `i`, a vector.
    #[inline]
    pub(crate) fn vector_arg(&self, a: Args, i: usize, who: &'static str) -> Result {
        self.typed(a, i, who, kinds::VECTOR, "a vector")
    }

    /// Argument `i`, a bytevector.
    #[inline]
    pub(crate) fn bytevector_arg(&self, a: Args, i: usize, who: &'static str) -> Result {
        let v = self.arg(a, i);
        if object::is_bytevector(v) {
            Ok(v)
        } else {
            Fault::wrong_type(who, i + 1, "a bytevector", v)
        }
    }

    /// Argument `i`, a character.
    #[inline]
    pub(crate) fn char_arg(&self, a: Args, i: usize, who: &'static str) -> Result<char> {
        let v = self.arg(a, i);
        match v.as_char() {
            Some(c) => Ok(c),
            None => Fault::wrong_type(who, i + 1, "a character", v),
        }
    }

    /// Argument `i`, a fixnum.
    pub(crate) fn fixnum_arg(&self, a: Args, i: usize, who: &'static str) -> Result<i64> {
        let v = self.arg(a, i);
        match v.as_fixnum() {
            Some(n) => Ok(n),
            None => Fault::wrong_type(who, i + 1, "a small exact integer", v),
        }
    }

    /// Argument `i`, an integer from `low` to `high`.
    pub(crate) fn ranged(
        &self,
        a: Args,
        i: usize,
        who: &'static str,
        what: &'static str,
        low: i64,
        high: i64,
    ) -> Result<i64> {
        let v = self.arg(a, i);
        match v.as_fixnum() {
            Some(n) if (low..=high).contains(&n) => Ok(n),
            Some(_) => Fault::range(who, what, v, low, high),
            None if object::is(v, kinds::BIGNUM) => Fault::range(who, what, v, low, high),
            None => Fault::wrong_type(who, i + 1, "an exact integer", v),
        }
    }

    /// Argument `i`, an index of something with `len` elements.
    #[inline]
    pub(crate) fn index_arg(
        &self,
        a: Args,
        i: usize,
        who: &'static str,
        len: usize,
    ) -> Result<usize> {
        match self.arg(a, i).as_fixnum() {
            Some(n) if n >= 0 && (n as u64) < len as u64 => Ok(n as usize),
            _ => Ok(self.ranged(a, i, who, "index", 0, len as i64 - 1)? as usize),
        }
    }

    /// Argument `i`, a size for a new object.
    pub(crate) fn size_arg(&self, a: Args, i: usize, who: &'static str) -> Result<usize> {
        let high = bowline_layout::Header::MAX_LENGTH as i64;
        Ok(self.ranged(a, i, who, "size", 0, high)? as usize)
    }

    /// The optional arguments `i` and `i + 1`, the ends of a range within `len` elements.
    pub(crate) fn range_args(
        &self,
        a: Args,
        i: usize,
        who: &'static str,
        len: usize,
    ) -> Result<(usize, usize)> {
        let start = match self.opt(a, i) {
            Some(_) => self.ranged(a, i, who, "start", 0, len as i64)? as usize,
            None => 0,
        };
        let end = match self.opt(a, i + 1) {
            Some(_) => self.ranged(a, i + 1, who, "end", start as i64, len as i64)? as usize,
            None => len,
        };
        Ok((start, end))
    }

    /// The length of argument `i`, a proper list.
    pub(crate) fn list_arg(&mut self, a: Args, i: usize, who: &'static str) -> Result<usize> {
        match self.list_length(a.base + i) {
            Some(n) => Ok(n),
            None => Fault::wrong_type(who, i + 1, "a list", self.arg(a, i)),
        }
    }
}
