//! Handles, signatures, calls and callbacks between a language on the Bowline heap and C.
//!
//! The crate sits below the language: it knows words, strings, bytevectors, flonums, bignums and
//! foreign pointers by `bowline_layout`, and procedures only through a [`Host`]'s eyes.
//!
//! Reading order: `error`, `declare_error`, `struct_error`, `callback_error`, `types`, `aggregate` and `enums` (what
//! is talked about), `parse` (what a program writes), `library` with `symbol` and `table`, `function` and `clauses` (what is called), `host`
//! (who calls), `gate` and `language` (in which thread), `call` with `call_error`, `arguments`, `active`, `outs`,
//! `blocking`, `guard` with `check_error` (checking mode), `byvalue`, `convert`, `object`, `direct`, `cif` and `errno` (how, which `describe` says in words),
//! `callback` (how C calls back), `inside_error` and `inside` (how C
//! comes back without a procedure), `exported` (procedures that C calls by name), `memory` (C memory by type), `data` (typed fields of the language's own data),
//! `handle` (how C holds on to objects that move), `signal` (Ctrl-C, also while C runs), `stdio` (what C printed),
//! `sync` (atomics for the model checker).
//!
//! Under `--cfg loom` only the lock-free core of the handle table and the gate are there.

#[cfg(not(loom))]
mod active;
#[cfg(not(loom))]
mod aggregate;
#[cfg(not(loom))]
mod arguments;
#[cfg(not(loom))]
mod blocking;
#[cfg(not(loom))]
mod byvalue;
#[cfg(not(loom))]
mod call;
#[cfg(not(loom))]
mod call_error;
#[cfg(not(loom))]
mod callback;
#[cfg(not(loom))]
mod callback_error;
#[cfg(not(loom))]
mod check_error;
#[cfg(not(loom))]
mod cif;
#[cfg(not(loom))]
mod clauses;
#[cfg(not(loom))]
mod convert;
#[cfg(not(loom))]
pub mod data;
#[cfg(not(loom))]
mod declare_error;
#[cfg(not(loom))]
mod describe;
#[cfg(not(loom))]
mod direct;
#[cfg(not(loom))]
mod enums;
#[cfg(not(loom))]
mod errno;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
pub mod exported;
#[cfg(not(loom))]
mod function;
mod gate;
#[cfg(not(loom))]
mod guard;
mod handle;
#[cfg(not(loom))]
mod held;
#[cfg(not(loom))]
mod host;
#[cfg(not(loom))]
pub mod inside;
#[cfg(not(loom))]
mod inside_error;
#[cfg(not(loom))]
mod language;
#[cfg(not(loom))]
mod library;
#[cfg(not(loom))]
pub mod memory;
#[cfg(not(loom))]
mod object;
#[cfg(not(loom))]
mod outs;
#[cfg(not(loom))]
mod parse;
#[cfg(not(loom))]
mod signal;
#[cfg(not(loom))]
mod simple;
#[cfg(not(loom))]
mod stdio;
#[cfg(not(loom))]
mod struct_error;
#[cfg(not(loom))]
mod symbol;
mod sync;
#[cfg(not(loom))]
mod table;
#[cfg(not(loom))]
mod types;

#[cfg(not(loom))]
pub use active::calls_made;
#[cfg(not(loom))]
pub use aggregate::{ArrayType, Field, Layout, StructType, Types};
#[cfg(not(loom))]
pub use call::{CallError, Returned, call};
#[cfg(not(loom))]
pub use callback::made::{CallbackPlan, Maker, free_callback, is_callback, make_callback};
#[cfg(not(loom))]
pub use callback_error::{Barred, CallbackError, Ended};
#[cfg(not(loom))]
pub use declare_error::DeclareError;
#[cfg(not(loom))]
pub use describe::{Crossing, Declaration, describe};
#[cfg(not(loom))]
pub use enums::{EnumType, Member, enum_number};
#[cfg(not(loom))]
pub use errno::errno_around;
#[cfg(not(loom))]
pub use error::{FfiError, Place};
#[cfg(not(loom))]
pub use function::ForeignFunction;
pub use gate::{Closed, Gate, Pull};
#[cfg(not(loom))]
pub use guard::note_address;
pub use handle::{Handle, HandleError, HandleKind, Kept, Owned, Slots};
#[cfg(not(loom))]
pub use handle::{HandlePinError, HandleScope, Handles, LOCAL_LIMIT};
#[cfg(not(loom))]
pub use held::Held;
#[cfg(not(loom))]
pub use host::{Host, HostGate, Language, Pass, PendingExit, Rest, Runner, give_way, rest};
#[cfg(not(loom))]
pub use inside_error::InsideError;
#[cfg(not(loom))]
pub use library::Library;
#[cfg(not(loom))]
pub use object::{
    make_bytevector, make_flonum, make_integer, make_pointer, make_pointer_into,
    make_pointer_to_bytes, make_string, pointer_address, pointer_target, set_pointer_target,
};
#[cfg(not(loom))]
pub use parse::{MAX_PARAMETERS, TypeExpr};
#[cfg(not(loom))]
pub use signal::handle_interrupts;
#[cfg(not(loom))]
pub use stdio::flush_c_stdout;
#[cfg(not(loom))]
pub use struct_error::{NotPointer, StructError};
#[cfg(not(loom))]
pub use table::{FunctionTable, TableEntry, TableError, register_functions};
#[cfg(not(loom))]
pub use types::{CType, CallbackType, Lifetime, Parameter, Passing, Repr, Signature};
