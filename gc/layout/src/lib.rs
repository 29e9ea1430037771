//! Tagged words, object headers and object shapes of the Bowline heap.
//!
//! Everything that the collector, the interpreter, generated code and the C header must agree on is
//! said here once and asserted at compile time. The crate is pure: it computes on words and offsets
//! and never reads memory, so it needs no `unsafe` and runs under Miri as it stands.
//!
//! Reading order: `word` (what one 64-bit word means), `header` (the first word of an object),
//! `shape` (where an object's references are), `types` (type ids and field offsets that more than
//! one crate must know).
//!
//! Absent on purpose: anything about Scheme beyond the few types that the C boundary converts.

#![forbid(unsafe_code)]

mod header;
mod shape;
mod types;
mod word;

pub use header::{Flags, Header, TypeId};
pub use shape::{References, Shape, object_bytes, references};
pub use types::{
    bignum, bytevector, bytevector_view, callback, ephemeron, flonum, foreign_pointer, procedure,
    string, type_id, weak_pair, weak_vector,
};
pub use word::{Addr, FIXNUM_MAX, FIXNUM_MIN, Tag, Value, WORD};
