//! The types that the C boundary converts, and where their fields are.
//!
//! Offsets are in words from the object's first word, unless they say bytes.

/// Type ids that more than one crate must know.
pub mod type_id {
    use crate::TypeId;

    /// An object of no particular type.
    pub const NONE: TypeId = TypeId(0);
    /// A string: [`crate::string`].
    pub const STRING: TypeId = TypeId(1);
    /// A string's bytes.
    pub const STRING_BODY: TypeId = TypeId(2);
    /// A bytevector.
    pub const BYTEVECTOR: TypeId = TypeId(3);
    /// A double.
    pub const FLONUM: TypeId = TypeId(4);
    /// An integer beyond the fixnums.
    pub const BIGNUM: TypeId = TypeId(5);
    /// A pointer to C memory.
    pub const FOREIGN_POINTER: TypeId = TypeId(6);
    /// A weak pair.
    pub const WEAK_PAIR: TypeId = TypeId(7);
    /// A weak vector.
    pub const WEAK_VECTOR: TypeId = TypeId(8);
    /// An ephemeron.
    pub const EPHEMERON: TypeId = TypeId(9);
    /// A C function that calls a procedure.
    pub const CALLBACK: TypeId = TypeId(10);
    /// C memory that is a bytevector.
    pub const BYTEVECTOR_VIEW: TypeId = TypeId(11);
}

/// A string: a small fixed object that points to its bytes.
///
/// `inv:string.nul` The body is UTF-8, is followed by a NUL that its length does not count, and has
/// room for both, so the body passes to C as it stands.
///
/// ```text
/// word 0  header (Mixed, 2 raw words, 1 value)
/// word 1  bytes (low 32 bits), characters (high 32 bits)
/// word 2  index cache: byte offset (low 32), character index (high 32)
/// word 3  body (STRING_BODY, Bytes; its header's length is its capacity, NUL included)
/// ```
///
/// A string is all ASCII exactly when both counts are equal; then indexing needs no cache.
///
/// `inv:string.known` A body with the flag [`string::NO_NUL`] has no NUL but the one behind its bytes. The boundary sets
/// it once it has looked, so that lending a string again costs the same however long it is; whoever writes a NUL over
/// one of the bytes takes it away. A body that C may write to, because the program has pinned or promoted it, is marked
/// [`string::SHARED`] for good and never gets it. Only a Managed thread changes flags. A collector thread that marks
/// beside it reads the header of before or of after, and finds the same shape and length in both.
pub mod string {
    use crate::{Flags, Header, type_id};

    /// The header of every string.
    pub const HEADER: Header = Header::mixed(type_id::STRING, 2, 1);
    /// Both lengths.
    pub const LENGTHS: usize = 1;
    /// The index cache.
    pub const CACHE: usize = 2;
    /// The body.
    pub const BODY: usize = 3;
    /// The flag of a body that is known to have no NUL but its last byte (`inv:string.known`).
    pub const NO_NUL: Flags = Flags(4);
    /// The flag of a body that C may write to.
    pub const SHARED: Flags = Flags(8);
    /// The longest string, in bytes without the NUL.
    pub const MAX_BYTES: usize = u32::MAX as usize - 1;

    /// The lengths word.
    #[inline(always)]
    pub const fn pack(bytes: u32, chars: u32) -> u64 {
        (chars as u64) << 32 | bytes as u64
    }

    /// Bytes and characters out of a lengths word.
    #[inline(always)]
    pub const fn unpack(word: u64) -> (usize, usize) {
        (word as u32 as usize, (word >> 32) as usize)
    }
}

/// A bytevector: shape `Bytes`, the bytes from word 1 on.
pub mod bytevector {
    use crate::{Header, Shape, type_id};

    /// The header of a bytevector of `length` bytes.
    pub const fn header(length: usize) -> Header {
        Header::new(Shape::Bytes, type_id::BYTEVECTOR, length)
    }
}

/// A view, C memory that is a bytevector: shape `Foreign`. Its last word is 0.
pub mod bytevector_view {
    use crate::{Header, Shape, type_id};

    /// The header of every view.
    pub const HEADER: Header = Header::new(Shape::Foreign, type_id::BYTEVECTOR_VIEW, 4);
    /// The address of the first byte, never 0.
    pub const START: usize = 1;
    /// The number of bytes.
    pub const LENGTH: usize = 2;
    /// What keeps the memory alive: the pointer that the view was made of.
    pub const BASE: usize = 3;
}

/// A flonum: shape `Bytes`, length 8, the double's bits in word 1.
pub mod flonum {
    use crate::{Header, Shape, type_id};

    /// The header of every flonum.
    pub const HEADER: Header = Header::new(Shape::Bytes, type_id::FLONUM, 8);
    /// The double's bits.
    pub const BITS: usize = 1;
}

/// A bignum: shape `Bytes`; word 1 is 0 or 1 for its sign, then its magnitude in 64-bit words, the
/// least significant first and the last of them not zero.
pub mod bignum {
    use crate::{Header, Shape, WORD, type_id};

    /// The header of a bignum of `limbs` words of magnitude.
    pub const fn header(limbs: usize) -> Header {
        Header::new(Shape::Bytes, type_id::BIGNUM, (limbs + 1) * WORD)
    }
    /// The sign: 0 for positive, 1 for negative.
    pub const SIGN: usize = 1;
    /// The first word of the magnitude.
    pub const LIMBS: usize = 2;
    /// The words of magnitude of a bignum with this header.
    pub const fn limbs(header: Header) -> usize {
        header.length() / WORD - 1
    }
}

/// A foreign pointer: shape `Foreign`.
pub mod foreign_pointer {
    use crate::{Header, Shape, type_id};

    /// The header of every foreign pointer.
    pub const HEADER: Header = Header::new(Shape::Foreign, type_id::FOREIGN_POINTER, 4);
    /// The C address.
    pub const POINTER: usize = 1;
    /// The bytes of C memory that die with it.
    pub const BYTES: usize = 2;
    /// The pointer that it was derived from and keeps alive, or `#f`.
    pub const BASE: usize = 3;
    /// What it points to, as a number of the C boundary's; 0 when nobody said.
    pub const TARGET: usize = 4;
}

/// A callback object: what the language has of a C function that calls a procedure. Shape `Mixed`.
pub mod callback {
    use crate::{Header, type_id};

    /// The header of every callback object.
    pub const HEADER: Header = Header::mixed(type_id::CALLBACK, 2, 1);
    /// The address of the C function; 0 until there is one.
    pub const CODE: usize = 1;
    /// What the C boundary knows of it.
    pub const TRAMPOLINE: usize = 2;
    /// The procedure.
    pub const PROCEDURE: usize = 3;
}

/// A procedure: tag `Procedure`, shape `Mixed` with one raw word.
pub mod procedure {
    use crate::{Header, TypeId};

    /// The header of a procedure that captures `captured` values.
    pub const fn header(type_id: TypeId, captured: usize) -> Header {
        Header::mixed(type_id, 1, captured)
    }
    /// The code word: where a call goes.
    pub const CODE: usize = 1;
    /// The first captured value.
    pub const CAPTURED: usize = 2;
}

/// A weak pair: shape `WeakPair`.
pub mod weak_pair {
    use crate::{Header, Shape, type_id};

    /// The header of every weak pair.
    pub const HEADER: Header = Header::new(Shape::WeakPair, type_id::WEAK_PAIR, 2);
    /// The weak field.
    pub const CAR: usize = 1;
    /// The strong field.
    pub const CDR: usize = 2;
}

/// A weak vector: shape `WeakValues`.
pub mod weak_vector {
    use crate::{Header, Shape, type_id};

    /// The header of a weak vector of `length` words.
    pub const fn header(length: usize) -> Header {
        Header::new(Shape::WeakValues, type_id::WEAK_VECTOR, length)
    }
    /// The first word.
    pub const FIRST: usize = 1;
}

/// An ephemeron: shape `Ephemeron`.
pub mod ephemeron {
    use crate::{Header, Shape, type_id};

    /// The header of every ephemeron.
    pub const HEADER: Header = Header::new(Shape::Ephemeron, type_id::EPHEMERON, 2);
    /// The key.
    pub const KEY: usize = 1;
    /// The value, which lives while the key does.
    pub const VALUE: usize = 2;
}

const _: () = {
    use crate::{WORD, object_bytes};
    assert!(object_bytes(string::HEADER) == (string::BODY + 1) * WORD);
    assert!(object_bytes(flonum::HEADER) == 2 * WORD);
    assert!(object_bytes(foreign_pointer::HEADER) == (foreign_pointer::TARGET + 1) * WORD);
    assert!(object_bytes(bytevector_view::HEADER) == (bytevector_view::BASE + 2) * WORD);
    assert!(object_bytes(callback::HEADER) == (callback::PROCEDURE + 1) * WORD);
    assert!(object_bytes(weak_pair::HEADER) == (weak_pair::CDR + 1) * WORD);
    assert!(object_bytes(ephemeron::HEADER) == (ephemeron::VALUE + 1) * WORD);
};
