//! `errno`, this thread's.

use core::ffi::c_int;

/// Reads it.
pub(crate) fn get() -> c_int {
    // SAFETY: libc gives every thread its cell.
    let cell = unsafe { libc::__errno_location() };
    // SAFETY: the cell lives as long as its thread, and only its thread uses it.
    unsafe { cell.read() }
}

/// Writes it.
pub(crate) fn set(number: c_int) {
    // SAFETY: libc gives every thread its cell.
    let cell = unsafe { libc::__errno_location() };
    // SAFETY: the cell lives as long as its thread, and only its thread uses it.
    unsafe { cell.write(number) }
}
