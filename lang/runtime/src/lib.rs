//! Scheme values, numbers, ports, conditions and primitives.
//!
//! What the library and the engines call: everything of the language that needs no call back into
//! it (inv:primitive.leaf). A primitive takes its arguments from the root stack and re-reads them
//! after whatever may allocate (inv:rooted.args).
//!
//! Reading order: `kinds` (the table of types), `object` (reading and writing the heap; the only `unsafe`), `fault`
//! and `primitive` (what a primitive is and returns), `rt` (the runtime of one thread) with `globals`, `code`,
//! `symbols` and `strings`; then the areas: `num`, `condition` with `errno`, `datatypes`, `equal`, `table`, `printer`, `datum`,
//! `port`, `ffi`, `owners`; `addresses`, `check` and `walk` (helpers) and `prims` last.
//!
//! Absent on purpose: evaluation, continuations, and every procedure that calls a procedure.

#![deny(unsafe_code)]

mod addresses;
mod check;
mod code;
mod condition;
pub mod datatypes;
mod datum;
mod equal;
pub mod errno;
mod fault;
mod ffi;
mod globals;
pub mod kinds;
mod lent;
pub mod num;
#[allow(
    unsafe_code,
    reason = "the one module that reads and writes heap words"
)]
pub mod object;
mod owners;
pub mod port;
mod primitive;
mod prims;
pub mod printer;
mod rt;
pub mod strings;
pub mod symbols;
pub mod table;
mod walk;

pub use code::{CodeInfo, CodeTable, StubCodes};
pub use condition::{EXTRA, IRRITANTS, KIND, MESSAGE, TRACE, WHO, error_number, is_condition};
pub use equal::{equal, equal_or_interrupt, eqv};
pub use fault::{Fault, Result};
pub use ffi::{FUNCTION_FINALIZER, FUNCTION_INDEX, FUNCTION_NAME, FUNCTION_PREDICATE, Foreign};
pub use globals::Globals;
pub use owners::Owners;
pub use primitive::{ControlOp, PrimFn, PrimKind, Primitive, primitives};
pub use prims::FEATURES;
pub use rt::{Args, Rt};
pub use walk::{PIECE, short_length};
