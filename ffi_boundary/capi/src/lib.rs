//! The functions of `include/bowline.h`: what C code needs that the language calls.
//!
//! An executable that names this crate has them, and its build script asks the linker to export their names
//! (`exports.txt`), so that a library which the program opens finds them. The header is written by hand and is the
//! documentation; tests compare it with what is here, prototype by prototype and number by number.
//!
//! Whatever C passes, the functions of this crate end by a status. They neither panic nor unwind: a panic, which would be
//! a bug of ours, aborts at the `extern "C"` frame with its message.
//!
//! `inv:capi.pointers` A pointer from C is null, which is told, or good for what the header says of it.
//!
//! Reading order: `status` (numbers, and the last error), `failure` (why, in words), `edge` (from C into the
//! runtime), then what C asks for: `handles`, `from`, `to`, `data`, `call`, `raise`, `raw`,
//! `tables`.
//!
//! Absent on purpose: what compiler writers and embedders need (heaps, shapes, barriers, shadow stacks).

mod call;
mod data;
mod edge;
mod failure;
mod from;
mod handles;
mod raise;
mod raw;
mod status;
mod tables;
mod to;

pub use call::{BlProcedure, bl_procedure_call};
pub use data::{
    BlConstructor, bl_constructor_find, bl_data_assign, bl_data_get, bl_data_index, bl_data_is,
    bl_data_make,
};
pub use edge::{BlHandle, bl_version};
pub use from::{
    bl_from_boolean, bl_from_bytes, bl_from_double, bl_from_int, bl_from_pointer, bl_from_string,
    bl_from_string_n, bl_from_tuple, bl_unspecified,
};
pub use handles::{
    BlScope, bl_free, bl_global, bl_local, bl_scope_close, bl_scope_close_with, bl_scope_open,
    bl_weak,
};
pub use raise::{bl_is_pending, bl_raise, bl_raise_errno, bl_raise_error};
pub use raw::{BlNogc, bl_from_raw, bl_nogc_begin, bl_nogc_end, bl_raw};
pub use status::{Status, bl_last_error, bl_last_status, bl_status_name};
pub use tables::bl_register_functions;
pub use to::{
    bl_to_boolean, bl_to_bytes, bl_to_double, bl_to_int, bl_to_pointer, bl_to_string, bl_to_tuple,
    bl_tuple_ref, bl_tuple_size,
};
