//! The running thread's errno.
//!
//! `inv:errno.place` libc's word for it is there for the thread's whole life, and nobody else's.

use core::ffi::c_int;

fn place() -> *mut c_int {
    // SAFETY: the function has no precondition.
    unsafe { libc::__errno_location() }
}

/// What it says.
pub(crate) fn get() -> c_int {
    // SAFETY: inv:errno.place.
    unsafe { place().read() }
}

/// Says something else.
pub(crate) fn set(number: c_int) {
    // SAFETY: inv:errno.place.
    unsafe { place().write(number) };
}

/// Runs `call` and puts errno back as it was, as the platform must (`inv:pal.errno`).
pub(crate) fn keeping<T>(call: impl FnOnce() -> T) -> T {
    let before = get();
    let result = call();
    set(before);
    result
}
