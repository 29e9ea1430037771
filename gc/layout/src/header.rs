//! The first word of every object but a pair.
//!
//! ```text
//!  63            32 31          16 15   12 11    8 7      0
//! +----------------+--------------+-------+-------+--------+
//! |     length     |   type id    | flags | shape |  0x07  |
//! +----------------+--------------+-------+-------+--------+
//! ```
//!
//! What `length` counts depends on the shape: see [`crate::Shape`]. A type id is the language's own
//! and means nothing to the collector.

use crate::Shape;
use std::fmt;

/// The low byte that only headers have (`inv:word.header`).
pub(crate) const HEADER_BYTE: u64 = 0x07;

/// A language's own number for a kind of object. Ids below [`TypeId::FIRST_FREE`] are known to the
/// C boundary and defined in [`crate::type_id`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(transparent)]
pub struct TypeId(pub u16);

impl TypeId {
    /// The first id that a language may define as it likes.
    pub const FIRST_FREE: TypeId = TypeId(16);
}

/// Four bits that the language may use; the collector copies them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Flags(pub u8);

impl Flags {
    /// The object may not be changed by the program: a literal or a part of the library.
    pub const IMMUTABLE: Flags = Flags(1);
    /// The object was born where it stays.
    pub const IMMOVABLE: Flags = Flags(2);

    /// Both sets together.
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// These without those of `other`.
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Whether every flag of `other` is set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// An object's first word.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Header(u64);

impl Header {
    /// The largest length that a header can hold.
    pub const MAX_LENGTH: usize = u32::MAX as usize;

    /// A header for an object of this shape, type and length, without flags.
    #[inline(always)]
    pub const fn new(shape: Shape, type_id: TypeId, length: usize) -> Self {
        debug_assert!(length <= Header::MAX_LENGTH);
        Header((length as u64) << 32 | (type_id.0 as u64) << 16 | (shape as u64) << 8 | HEADER_BYTE)
    }

    /// A header for `Shape::Mixed`: `raw` words that the collector skips, then `values`.
    #[inline(always)]
    pub const fn mixed(type_id: TypeId, raw: usize, values: usize) -> Self {
        debug_assert!(raw <= Header::MAX_RAW && values <= Header::MAX_MIXED_VALUES);
        Header::new(Shape::Mixed, type_id, raw << 24 | values)
    }

    /// The most raw words that a `Mixed` object can have.
    pub const MAX_RAW: usize = 0xff;
    /// The most values that a `Mixed` object can have.
    pub const MAX_MIXED_VALUES: usize = 0xff_ffff;

    /// This header with `flags` set as well.
    #[inline(always)]
    pub const fn with_flags(self, flags: Flags) -> Self {
        Header(self.0 | ((flags.0 & 0xf) as u64) << 12)
    }

    /// This header with `flags` instead of its own.
    #[inline(always)]
    pub const fn replacing_flags(self, flags: Flags) -> Self {
        Header(self.0 & !(0xf << 12)).with_flags(flags)
    }

    /// The header with these bits, if they are a header's.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & 0xff == HEADER_BYTE {
            Some(Header(bits))
        } else {
            None
        }
    }

    /// The bits of this header.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether an object whose first word is `word` has a header (`inv:word.header`).
    #[inline(always)]
    pub const fn is_header(word: u64) -> bool {
        word & 0xff == HEADER_BYTE
    }

    /// The shape.
    #[inline(always)]
    pub const fn shape(self) -> Shape {
        Shape::from_nibble((self.0 >> 8 & 0xf) as u8)
    }

    /// The flags.
    #[inline(always)]
    pub const fn flags(self) -> Flags {
        Flags((self.0 >> 12 & 0xf) as u8)
    }

    /// The type id.
    #[inline(always)]
    pub const fn type_id(self) -> TypeId {
        TypeId((self.0 >> 16) as u16)
    }

    /// The length, in the shape's own unit.
    #[inline(always)]
    pub const fn length(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// The raw words of a `Mixed` object.
    #[inline(always)]
    pub const fn mixed_raw(self) -> usize {
        (self.0 >> 56) as usize
    }

    /// The values of a `Mixed` object.
    #[inline(always)]
    pub const fn mixed_values(self) -> usize {
        (self.0 >> 32) as usize & Header::MAX_MIXED_VALUES
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("shape", &self.shape())
            .field("type_id", &self.type_id().0)
            .field("flags", &self.flags().0)
            .field("length", &self.length())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_overlap() {
        for shape in Shape::ALL {
            for id in [0, 1, 0x7fff, 0xffff] {
                for length in [0, 1, 0xffff, Header::MAX_LENGTH] {
                    let h = Header::new(shape, TypeId(id), length).with_flags(Flags::IMMUTABLE);
                    assert_eq!(
                        (h.shape(), h.type_id().0, h.length(), h.flags()),
                        (shape, id, length, Flags::IMMUTABLE)
                    );
                    assert_eq!(
                        h.replacing_flags(Flags(6)),
                        Header::new(shape, TypeId(id), length).with_flags(Flags(6))
                    );
                    assert!(Header::is_header(h.bits()));
                }
            }
        }
    }

    #[test]
    fn mixed_keeps_both_counts() {
        let h = Header::mixed(TypeId(9), Header::MAX_RAW, Header::MAX_MIXED_VALUES);
        assert_eq!((h.mixed_raw(), h.mixed_values()), (255, 0xff_ffff));
    }

    #[test]
    fn no_value_looks_like_a_header() {
        for v in [
            crate::Value::FALSE,
            crate::Value::BROKEN,
            crate::Value::char('\u{1007}'),
        ] {
            assert_eq!(Header::from_bits(v.bits()), None);
        }
    }
}
