//! The tagged word.
//!
//! | low bits | meaning |
//! |---|---|
//! | `…0` | fixnum, 63 bits |
//! | `001` | pair: two words, no header |
//! | `011` | object with a header |
//! | `101` | procedure (header, code word, captured values) |
//! | `111` | immediate, or (as an object's first word only) a header |
//!
//! `inv:word.even` Every even word is a non-pointer, so an aligned C pointer that strays into a
//! scanned slot is ignored by the collector.
//!
//! `inv:word.header` A header's low byte is exactly `0x07` and no immediate's is, so the first word
//! of an object tells a headerless pair from a headed object.

use std::fmt;

/// Bytes in a heap word.
pub const WORD: usize = 8;

/// The largest integer that is a fixnum: 2⁶² − 1.
pub const FIXNUM_MAX: i64 = (1 << 62) - 1;
/// The smallest integer that is a fixnum: −2⁶².
pub const FIXNUM_MIN: i64 = -(1 << 62);

const TAG_MASK: u64 = 0b111;

/// A heap address. Only `Addr` may be added to; a [`Value`] may not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Addr(usize);

impl Addr {
    /// The address with this number.
    #[inline(always)]
    pub const fn new(raw: usize) -> Self {
        Addr(raw)
    }

    /// The number of this address.
    #[inline(always)]
    pub const fn raw(self) -> usize {
        self.0
    }

    /// The address `n` words further on.
    #[inline(always)]
    pub const fn word(self, n: usize) -> Self {
        Addr(self.0 + n * WORD)
    }

    /// The address `n` bytes further on.
    #[inline(always)]
    pub const fn byte(self, n: usize) -> Self {
        Addr(self.0 + n)
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The three kinds of pointer word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Tag {
    /// A headerless pair.
    Pair = 0b001,
    /// An object with a header.
    Object = 0b011,
    /// A procedure: an object with a header whose first field is its code word.
    Procedure = 0b101,
}

/// One tagged word: a fixnum, an immediate, or a pointer to an object.
///
/// A `Value` is a plain copyable word. It does not keep its object alive and goes stale when the
/// object moves, so it may be held across a safepoint only in a place that the collector scans.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Value(u64);

const fn immediate(byte: u64) -> Value {
    Value(byte)
}

impl Value {
    /// `#f`, the only false value.
    pub const FALSE: Value = immediate(0x0f);
    /// `#t`.
    pub const TRUE: Value = immediate(0x17);
    /// The empty list.
    pub const NIL: Value = immediate(0x1f);
    /// The end-of-file object.
    pub const EOF: Value = immediate(0x27);
    /// What an expression without a useful value returns.
    pub const UNSPECIFIED: Value = immediate(0x2f);
    /// The content of a variable that has no value yet.
    pub const UNBOUND: Value = immediate(0x37);
    /// The argument that a caller left out.
    pub const DEFAULT: Value = immediate(0x3f);
    /// What a broken weak reference holds.
    pub const BROKEN: Value = immediate(0x4f);

    const CHAR_BYTE: u64 = 0x47;

    /// The value with these bits.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Value(bits)
    }

    /// The bits of this value.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The fixnum `n`. `n` must be in `FIXNUM_MIN..=FIXNUM_MAX`; otherwise the top bit is lost.
    #[inline(always)]
    pub const fn fixnum(n: i64) -> Self {
        debug_assert!(n >= FIXNUM_MIN && n <= FIXNUM_MAX);
        Value((n as u64) << 1)
    }

    /// The fixnum `n`, or `None` when it does not fit.
    #[inline(always)]
    pub const fn try_fixnum(n: i64) -> Option<Self> {
        if n >= FIXNUM_MIN && n <= FIXNUM_MAX {
            Some(Value((n as u64) << 1))
        } else {
            None
        }
    }

    /// `#t` or `#f`.
    #[inline(always)]
    pub const fn bool(b: bool) -> Self {
        if b { Value::TRUE } else { Value::FALSE }
    }

    /// The character `c`.
    #[inline(always)]
    pub const fn char(c: char) -> Self {
        Value(((c as u64) << 8) | Value::CHAR_BYTE)
    }

    /// The pointer to the object at `addr`, which must be 8-aligned.
    #[inline(always)]
    pub const fn pointer(addr: Addr, tag: Tag) -> Self {
        debug_assert!(addr.raw() as u64 & TAG_MASK == 0);
        Value(addr.raw() as u64 | tag as u64)
    }

    /// Whether this is a fixnum.
    #[inline(always)]
    pub const fn is_fixnum(self) -> bool {
        self.0 & 1 == 0
    }

    /// The integer, if this is a fixnum.
    #[inline(always)]
    pub const fn as_fixnum(self) -> Option<i64> {
        if self.is_fixnum() {
            Some(self.0 as i64 >> 1)
        } else {
            None
        }
    }

    /// The character, if this is one.
    #[inline(always)]
    pub fn as_char(self) -> Option<char> {
        if self.0 & 0xff == Value::CHAR_BYTE {
            char::from_u32((self.0 >> 8) as u32)
        } else {
            None
        }
    }

    /// Whether this is a character.
    #[inline(always)]
    pub const fn is_char(self) -> bool {
        self.0 & 0xff == Value::CHAR_BYTE
    }

    /// Whether this counts as true: everything but `#f` does.
    #[inline(always)]
    pub const fn is_true(self) -> bool {
        self.0 != Value::FALSE.0
    }

    /// Whether this points to a pair.
    #[inline(always)]
    pub const fn is_pair(self) -> bool {
        self.0 & TAG_MASK == Tag::Pair as u64
    }

    /// Whether this points to a headed object that is no procedure.
    #[inline(always)]
    pub const fn is_object(self) -> bool {
        self.0 & TAG_MASK == Tag::Object as u64
    }

    /// Whether this points to a procedure.
    #[inline(always)]
    pub const fn is_procedure(self) -> bool {
        self.0 & TAG_MASK == Tag::Procedure as u64
    }

    /// Whether this points to an object with a header: a procedure or another.
    #[inline(always)]
    pub const fn is_headed(self) -> bool {
        // 011 and 101 are the two odd tags whose upper two bits differ.
        self.is_object() || self.is_procedure()
    }

    /// Whether this is a pointer of any kind: odd, and not `111`.
    #[inline(always)]
    pub const fn is_pointer(self) -> bool {
        self.0 & 1 != 0 && self.0 & TAG_MASK != TAG_MASK
    }

    /// The address that this points to. Meaningful for pointers only.
    #[inline(always)]
    pub const fn addr(self) -> Addr {
        Addr((self.0 & !TAG_MASK) as usize)
    }

    /// The tag of a pointer.
    #[inline(always)]
    pub const fn tag(self) -> Option<Tag> {
        match self.0 & TAG_MASK {
            0b001 => Some(Tag::Pair),
            0b011 => Some(Tag::Object),
            0b101 => Some(Tag::Procedure),
            _ => None,
        }
    }

    /// A pointer with this one's tag to `addr`: what a moved object's reference becomes.
    #[inline(always)]
    pub const fn retarget(self, addr: Addr) -> Self {
        Value(addr.raw() as u64 | (self.0 & TAG_MASK))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(n) = self.as_fixnum() {
            return write!(f, "fix({n})");
        }
        if let Some(c) = self.as_char() {
            return write!(f, "char({c:?})");
        }
        match *self {
            Value::FALSE => f.write_str("#f"),
            Value::TRUE => f.write_str("#t"),
            Value::NIL => f.write_str("()"),
            Value::EOF => f.write_str("#eof"),
            Value::UNSPECIFIED => f.write_str("#unspecified"),
            Value::UNBOUND => f.write_str("#unbound"),
            Value::DEFAULT => f.write_str("#default"),
            Value::BROKEN => f.write_str("#broken"),
            _ => match self.tag() {
                Some(tag) => write!(f, "{tag:?}@{:?}", self.addr()),
                None => write!(f, "word({:#x})", self.0),
            },
        }
    }
}

const _: () = {
    assert!(Value::fixnum(FIXNUM_MIN).0 as i64 >> 1 == FIXNUM_MIN);
    assert!(Value::fixnum(FIXNUM_MAX).0 as i64 >> 1 == FIXNUM_MAX);
    let immediates = [
        Value::FALSE,
        Value::TRUE,
        Value::NIL,
        Value::EOF,
        Value::UNSPECIFIED,
        Value::UNBOUND,
        Value::DEFAULT,
        Value::BROKEN,
        Value::char('\0'),
    ];
    let mut i = 0;
    while i < immediates.len() {
        assert!(!immediates[i].is_pointer() && !immediates[i].is_fixnum());
        assert!(immediates[i].0 & 0xff != crate::header::HEADER_BYTE);
        i += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixnums_keep_their_value_at_both_ends() {
        for n in [
            FIXNUM_MIN,
            FIXNUM_MIN + 1,
            -1,
            0,
            1,
            FIXNUM_MAX - 1,
            FIXNUM_MAX,
        ] {
            assert_eq!(Value::fixnum(n).as_fixnum(), Some(n));
            assert_eq!(Value::try_fixnum(n), Some(Value::fixnum(n)));
        }
        assert_eq!(Value::try_fixnum(FIXNUM_MAX + 1), None);
        assert_eq!(Value::try_fixnum(FIXNUM_MIN - 1), None);
        assert_eq!(Value::try_fixnum(i64::MAX), None);
        assert_eq!(Value::try_fixnum(i64::MIN), None);
    }

    #[test]
    fn every_character_survives_and_is_no_pointer() {
        for c in ['\0', 'a', 'ß', '\u{d7ff}', '\u{e000}', char::MAX] {
            let v = Value::char(c);
            assert_eq!(v.as_char(), Some(c));
            assert!(!v.is_pointer());
        }
    }

    #[test]
    fn even_words_are_never_pointers() {
        for bits in [0, 2, 0x7fff_ffff_fff8, u64::MAX - 1] {
            assert!(!Value::from_bits(bits).is_pointer());
        }
    }

    #[test]
    fn pointers_give_back_address_and_tag() {
        for tag in [Tag::Pair, Tag::Object, Tag::Procedure] {
            let v = Value::pointer(Addr::new(0x2000), tag);
            assert!(v.is_pointer());
            assert_eq!((v.addr(), v.tag()), (Addr::new(0x2000), Some(tag)));
            assert_eq!(
                v.retarget(Addr::new(0x3000)),
                Value::pointer(Addr::new(0x3000), tag)
            );
            assert_eq!(v.is_headed(), tag != Tag::Pair);
        }
    }
}
