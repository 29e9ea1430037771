//! The type ids of the language, one table.
//!
//! | id | name | shape | words after the header |
//! |---|---|---|---|
//! | 16 | `SYMBOL` | Values 3 | name (string), hash (fixnum), interned? |
//! | 17 | `VECTOR` | Values n | the elements |
//! | 18 | `RATNUM` | Values 2 | numerator, denominator |
//! | 19 | `RECORD_TYPE` | Values 2 | name (symbol), fields (vector of symbols) |
//! | 20 | `RECORD` | Values 1+n | record type, the fields |
//! | 21 | `BOX` | Values 1 | content |
//! | 22 | `PROMISE` | Values 1 | its state, shared by promises that were chained |
//! | 23 | `CONDITION` | Values 6 | kind, message, irritants, who, trace, extra |
//! | 24 | `MULTIPLE_VALUES` | Values n | the values, n ≠ 1 |
//! | 25 | `PORT` | Values 2 | slab index (fixnum), flags (fixnum) |
//! | 26 | `HASH_TABLE` | Values 7 | see `table` |
//! | 27 | `ENVIRONMENT` | Values 1 | the engine's number for it |
//! | 29 | `LIBRARY` | Values 2 | index of the foreign library (fixnum), name or `#f` |
//! | 30 | `GUARDIAN` | Values 1 | nothing: the object stands for the guardian |
//! | 31 | `HANDLE` | Bytes 8 | the handle's 64 bits |
//! | 32 | `DYN` | Values 2 | handlers (list), parameters (alist) |
//! | 33 | `SEGMENT` | Continuation | a stack image; the engine's own |
//! | 34 | `PLACEHOLDER` | Values 1 | a label's number; inside `datum` only |
//! | 35 | `PROMISE_STATE` | Values 2 | done?, value or thunk |
//! | 37 | `DATATYPE` | Values 2 | name (symbol), number of the first constructor (fixnum) |
//! | 48 | `CLOSURE` | Mixed 1, n | code; captured values |
//! | 49 | `PRIMITIVE` | Mixed 1, 1 | code; index in the primitive table |
//! | 50 | `CASE_LAMBDA` | Mixed 1, n | code; the clauses |
//! | 51 | `KONT` | Mixed 1, n | code; the engine's own |
//! | 52 | `PARAMETER` | Mixed 1, 2 | code; default, converter |
//! | 53 | `FOREIGN_PROCEDURE` | Mixed 1, 4 | code; index, name, errno predicate or `#f`, finalizer of results or `#f` |
//! | 1024 … | see `datatypes` | Values or Mixed | the fields of a constructor |
//!
//! inv:object.kind — an object's type id fixes its shape and the meaning of its words as this
//! table says, and never changes.
//!
//! Absent on purpose: the ids below 16, which the C boundary knows too (`bowline_layout::type_id`).

use bowline_layout::TypeId;

pub use bowline_layout::type_id::{
    BIGNUM, BYTEVECTOR, BYTEVECTOR_VIEW, CALLBACK, EPHEMERON, FLONUM, FOREIGN_POINTER, STRING,
    STRING_BODY, WEAK_PAIR, WEAK_VECTOR,
};

/// A symbol.
pub const SYMBOL: TypeId = TypeId(16);
/// A vector.
pub const VECTOR: TypeId = TypeId(17);
/// An exact ratio that is no integer.
pub const RATNUM: TypeId = TypeId(18);
/// A record type.
pub const RECORD_TYPE: TypeId = TypeId(19);
/// A record.
pub const RECORD: TypeId = TypeId(20);
/// A box.
pub const BOX: TypeId = TypeId(21);
/// A promise.
pub const PROMISE: TypeId = TypeId(22);
/// A condition.
pub const CONDITION: TypeId = TypeId(23);
/// Zero, two or more values on their way to a receiver.
pub const MULTIPLE_VALUES: TypeId = TypeId(24);
/// A port.
pub const PORT: TypeId = TypeId(25);
/// A hash table.
pub const HASH_TABLE: TypeId = TypeId(26);
/// An environment of `eval`.
pub const ENVIRONMENT: TypeId = TypeId(27);
/// A foreign library.
pub const LIBRARY: TypeId = TypeId(29);
/// What stands for a guardian.
pub const GUARDIAN: TypeId = TypeId(30);
/// A handle.
pub const HANDLE: TypeId = TypeId(31);
/// The dynamic state: handlers and parameters.
pub const DYN: TypeId = TypeId(32);
/// A captured piece of stack.
pub const SEGMENT: TypeId = TypeId(33);
/// Stands for a label while cyclic data is built.
pub(crate) const PLACEHOLDER: TypeId = TypeId(34);
/// What promises share: whether it is done, and the value or the thunk.
pub const PROMISE_STATE: TypeId = TypeId(35);
/// What stands for an algebraic data type.
pub const DATATYPE: TypeId = TypeId(37);
/// A procedure made by `lambda`.
pub const CLOSURE: TypeId = TypeId(48);
/// A primitive procedure.
pub const PRIMITIVE: TypeId = TypeId(49);
/// A procedure made by `case-lambda`.
pub const CASE_LAMBDA: TypeId = TypeId(50);
/// A continuation.
pub const KONT: TypeId = TypeId(51);
/// A parameter.
pub const PARAMETER: TypeId = TypeId(52);
/// A procedure of C.
pub const FOREIGN_PROCEDURE: TypeId = TypeId(53);
