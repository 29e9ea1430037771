//! glibc's internal names for the family, which some programs use past the public ones.
//!
//! They mean the same blocks: what `__libc_malloc` gave goes to `free`. So each does what its public name does
//! (without calling it: inv:serve.private).

use crate::{family, serve};
use core::ffi::{c_int, c_void};

/// [`family::malloc`].
#[unsafe(no_mangle)]
pub extern "C" fn __libc_malloc(bytes: usize) -> *mut c_void {
    serve::malloc(bytes)
}

/// [`family::free`].
///
/// # Safety
/// As for [`family::free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __libc_free(block: *mut c_void) {
    // SAFETY: inv:serve.caller
    unsafe { serve::free(block) }
}

/// [`family::calloc`].
#[unsafe(no_mangle)]
pub extern "C" fn __libc_calloc(count: usize, bytes: usize) -> *mut c_void {
    serve::calloc(count, bytes)
}

/// [`family::realloc`].
///
/// # Safety
/// As for [`family::realloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __libc_realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: inv:serve.caller
    unsafe { serve::realloc(block, bytes) }
}

/// [`family::memalign`].
#[unsafe(no_mangle)]
pub extern "C" fn __libc_memalign(align: usize, bytes: usize) -> *mut c_void {
    family::raised(align, bytes)
}

/// [`family::valloc`].
#[unsafe(no_mangle)]
pub extern "C" fn __libc_valloc(bytes: usize) -> *mut c_void {
    serve::aligned(bytes, family::PAGE)
}

/// [`family::pvalloc`].
#[unsafe(no_mangle)]
pub extern "C" fn __libc_pvalloc(bytes: usize) -> *mut c_void {
    family::pages(bytes)
}

/// [`family::posix_memalign`].
///
/// # Safety
/// As for [`family::posix_memalign`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __posix_memalign(
    out: *mut *mut c_void,
    align: usize,
    bytes: usize,
) -> c_int {
    // SAFETY: inv:serve.caller
    unsafe { family::aligned_to(out, align, bytes) }
}
