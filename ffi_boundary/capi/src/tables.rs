//! Tables of functions that C makes known.

use crate::edge;
use crate::failure::{Failure, Result};
use crate::status::Status;
use bowline_ffi::{TableEntry, register_functions};
use std::ffi::{CStr, c_char};

fn register(name: *const c_char, table: *const TableEntry) -> Result<()> {
    if name.is_null() {
        return Err(Failure::Null("name"));
    }
    if table.is_null() {
        return Err(Failure::Null("table"));
    }
    // SAFETY: inv:capi.pointers: a text that ends with a NUL.
    let name = unsafe { CStr::from_ptr(name) };
    // SAFETY: inv:capi.pointers: a table that stays.
    let registered = unsafe { register_functions(&name.to_string_lossy(), table) };
    registered.map_err(Failure::Table)
}

/// Makes a table known by a name.
///
/// # Safety
/// `name` is NULL or a text that ends with a NUL, `table` NULL or a table that stays, with its functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bl_register_functions(
    name: *const c_char,
    table: *const TableEntry,
) -> Status {
    edge::status(edge::ended("bl_register_functions", register(name, table)))
}
