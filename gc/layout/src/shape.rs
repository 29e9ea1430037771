//! Shapes: all that the collector knows of an object.

use crate::{Header, WORD};

/// Where an object's references are, and in what unit its header counts.
///
/// | shape | length counts | words after the header |
/// |---|---|---|
/// | `Bytes` | bytes | raw bytes, padded to a word |
/// | `Values` | words | values |
/// | `Mixed` | raw words (8 bits), values (24 bits) | raw words, then values |
/// | `Bitmap` | words | one word of bitmap, then words: bit *i* set means word *i* is a value |
/// | `WeakPair` | 2 | a weak value, then a strong one |
/// | `Ephemeron` | 2 | a weak key, then a value that lives while the key does |
/// | `WeakValues` | words | weak values |
/// | `Foreign` | 4 | C pointer (raw), bytes it stands for (raw), base (value), C type (raw) |
/// | `Continuation` | words | see [`crate::references`]; a stack image, scanned as values |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Shape {
    /// Raw bytes.
    Bytes = 0,
    /// Values only.
    Values = 1,
    /// Raw words, then values.
    Mixed = 2,
    /// Words of which a bitmap says which are values.
    Bitmap = 3,
    /// A pair whose first field does not keep its object alive.
    WeakPair = 4,
    /// A key and a value that lives only while the key does.
    Ephemeron = 5,
    /// A vector of weak values.
    WeakValues = 6,
    /// A pointer to C memory with its size, and what it was derived from.
    Foreign = 7,
    /// A stack segment.
    Continuation = 8,
}

impl Shape {
    /// Every shape, in the order of its number.
    pub const ALL: [Shape; 9] = [
        Shape::Bytes,
        Shape::Values,
        Shape::Mixed,
        Shape::Bitmap,
        Shape::WeakPair,
        Shape::Ephemeron,
        Shape::WeakValues,
        Shape::Foreign,
        Shape::Continuation,
    ];

    /// The shape with this number; a number that no shape has reads as `Bytes`, which is never
    /// scanned.
    #[inline(always)]
    pub(crate) const fn from_nibble(n: u8) -> Shape {
        if (n as usize) < Shape::ALL.len() {
            Shape::ALL[n as usize]
        } else {
            Shape::Bytes
        }
    }
}

/// The size of the smallest headed object: a header and one word, so that a forwarding pointer and
/// a free cell always fit.
const MIN_OBJECT: usize = 2 * WORD;

/// The size in bytes, header and padding included, of an object with this header.
#[inline(always)]
pub const fn object_bytes(header: Header) -> usize {
    let body = match header.shape() {
        Shape::Bytes => (header.length() + WORD - 1) & !(WORD - 1),
        Shape::Values | Shape::WeakValues | Shape::Continuation => header.length() * WORD,
        Shape::Mixed => (header.mixed_raw() + header.mixed_values()) * WORD,
        Shape::Bitmap => (header.length() + 1) * WORD,
        Shape::WeakPair | Shape::Ephemeron => 2 * WORD,
        Shape::Foreign => 4 * WORD,
    };
    let size = WORD + body;
    if size < MIN_OBJECT { MIN_OBJECT } else { size }
}

/// The *strong* references of an object: word indices counted from its first word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum References {
    /// Every word of `first..end` holds a value.
    Range {
        /// First index.
        first: usize,
        /// One past the last index.
        end: usize,
    },
    /// Word 1 is a bitmap; word `2 + i` holds a value for each set bit `i`.
    Bitmap,
}

/// Where the strong references of an object with this header are. Weak ones are the collector's
/// business: `WeakPair` reports its second field only, `Ephemeron` and `WeakValues` report none.
#[inline(always)]
pub const fn references(header: Header) -> References {
    let (first, end) = match header.shape() {
        Shape::Bytes | Shape::Ephemeron | Shape::WeakValues => (1, 1),
        Shape::Values | Shape::Continuation => (1, 1 + header.length()),
        Shape::Mixed => (
            1 + header.mixed_raw(),
            1 + header.mixed_raw() + header.mixed_values(),
        ),
        Shape::WeakPair => (2, 3),
        Shape::Foreign => (3, 4),
        Shape::Bitmap => return References::Bitmap,
    };
    References::Range { first, end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TypeId;

    #[test]
    fn sizes_are_whole_words_and_never_below_two() {
        for shape in Shape::ALL {
            for length in 0..40 {
                let bytes = object_bytes(Header::new(shape, TypeId(1), length));
                assert_eq!(bytes % WORD, 0);
                assert!(bytes >= MIN_OBJECT);
            }
        }
        assert_eq!(object_bytes(Header::new(Shape::Bytes, TypeId(1), 9)), 24);
        assert_eq!(object_bytes(Header::mixed(TypeId(1), 2, 3)), 48);
    }

    #[test]
    fn references_stay_inside_the_object() {
        for shape in Shape::ALL {
            let header = if shape == Shape::Mixed {
                Header::mixed(TypeId(1), 3, 4)
            } else {
                Header::new(shape, TypeId(1), 5)
            };
            if let References::Range { first, end } = references(header) {
                assert!(
                    first <= end && end * WORD <= object_bytes(header),
                    "{shape:?}"
                );
            }
        }
        assert_eq!(
            references(Header::mixed(TypeId(1), 3, 4)),
            References::Range { first: 4, end: 8 }
        );
    }
}
