//! The exported malloc family: each function is the contract of its manual page in a line or two.
//!
//! `errno` changes only as the manuals say: `ENOMEM` when there is no memory, `EINVAL` for
//! an alignment that is none; `free` leaves it alone. `posix_memalign` returns either number; without memory it sets `errno`
//! too, as glibc's does and POSIX allows.
//!
//! Absent on purpose: `strdup`, `realpath` and whatever else allocates inside libc: libc calls this `malloc`.

use crate::{errno, serve};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

/// The page size of this platform, which `valloc` and `pvalloc` align to.
pub(crate) const PAGE: usize = 4096;

/// A block of `bytes` bytes, or null with `ENOMEM`.
#[unsafe(no_mangle)]
pub extern "C" fn malloc(bytes: usize) -> *mut c_void {
    serve::malloc(bytes)
}

/// Gives a block back; null is nothing. Keeps `errno`.
///
/// # Safety
/// `block` came from this family or is null, and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: inv:serve.caller
    unsafe { serve::free(block) }
}

/// A block of `count` elements of `bytes` bytes, all zero, or null with `ENOMEM`, also when the product
/// overflows.
#[unsafe(no_mangle)]
pub extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
    serve::calloc(count, bytes)
}

/// The block with another size, moved if need be. Null is `malloc`; a size of 0 frees and gives null, as
/// glibc does; null with `ENOMEM` leaves the block as it was.
///
/// # Safety
/// `block` came from this family or is null, and is not used afterwards unless null came back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: inv:serve.caller
    unsafe { serve::realloc(block, bytes) }
}

/// `realloc` for `count` elements of `bytes` bytes; null with `ENOMEM` when the product overflows.
///
/// # Safety
/// As for [`realloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(
    block: *mut c_void,
    count: usize,
    bytes: usize,
) -> *mut c_void {
    match count.checked_mul(bytes) {
        // SAFETY: inv:serve.caller
        Some(total) => unsafe { serve::realloc(block, total) },
        None => fail(libc::ENOMEM),
    }
}

/// `realloc` that frees the block when it fails (BSD).
///
/// # Safety
/// `block` came from this family or is null, and is not used afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocf(block: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: inv:serve.caller
    let moved = unsafe { serve::realloc(block, bytes) };
    if moved.is_null() && bytes != 0 {
        // SAFETY: inv:serve.caller: `realloc` failed, so the block is still there.
        unsafe { serve::free(block) };
    }
    moved
}

/// Writes a block at a multiple of `align` to `*out`. `EINVAL` unless `align` is a power of two and a multiple
/// of a pointer's size, `ENOMEM` without memory; in both cases `*out` stays as it was.
///
/// # Safety
/// `out` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(
    out: *mut *mut c_void,
    align: usize,
    bytes: usize,
) -> c_int {
    // SAFETY: inv:serve.caller
    unsafe { aligned_to(out, align, bytes) }
}

/// [`posix_memalign`] under a private name.
///
/// # Safety
/// `out` can be written.
pub(crate) unsafe fn aligned_to(out: *mut *mut c_void, align: usize, bytes: usize) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return libc::EINVAL;
    }
    let block = serve::aligned(bytes, align);
    if block.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: inv:serve.caller
    unsafe { out.write(block) };
    0
}

/// A block at a multiple of `align`; null with `EINVAL` unless that is a power of two, or with `ENOMEM`. The
/// size need not be a multiple of the alignment (C17).
#[unsafe(no_mangle)]
pub extern "C" fn aligned_alloc(align: usize, bytes: usize) -> *mut c_void {
    if align.is_power_of_two() {
        serve::aligned(bytes, align)
    } else {
        fail(libc::EINVAL)
    }
}

/// As [`aligned_alloc`], but an alignment that is no power of two is raised to the next one, as glibc does.
#[unsafe(no_mangle)]
pub extern "C" fn memalign(align: usize, bytes: usize) -> *mut c_void {
    raised(align, bytes)
}

/// [`memalign`] under a private name.
pub(crate) fn raised(align: usize, bytes: usize) -> *mut c_void {
    match align.checked_next_power_of_two() {
        Some(align) => serve::aligned(bytes, align),
        None => fail(libc::EINVAL),
    }
}

/// A block at the start of a page.
#[unsafe(no_mangle)]
pub extern "C" fn valloc(bytes: usize) -> *mut c_void {
    serve::aligned(bytes, PAGE)
}

/// Whole pages: as [`valloc`], with the size rounded up to pages.
#[unsafe(no_mangle)]
pub extern "C" fn pvalloc(bytes: usize) -> *mut c_void {
    pages(bytes)
}

/// [`pvalloc`] under a private name.
pub(crate) fn pages(bytes: usize) -> *mut c_void {
    match bytes.checked_next_multiple_of(PAGE) {
        Some(whole) => serve::aligned(whole, PAGE),
        None => fail(libc::ENOMEM),
    }
}

/// How many bytes of the block may be used: at least what was asked for. Null has none.
///
/// # Safety
/// `block` came from this family or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    // SAFETY: inv:serve.caller
    unsafe { serve::usable_size(block) }
}

/// `malloc_usable_size` under the name that macOS has.
///
/// # Safety
/// As for [`malloc_usable_size`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_size(block: *mut c_void) -> usize {
    // SAFETY: inv:serve.caller
    unsafe { serve::usable_size(block) }
}

/// How many bytes a block of `bytes` bytes would have (macOS).
#[unsafe(no_mangle)]
pub extern "C" fn malloc_good_size(bytes: usize) -> usize {
    serve::good_size(bytes)
}

/// `free` under the name that SunOS had.
///
/// # Safety
/// As for [`free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cfree(block: *mut c_void) {
    // SAFETY: inv:serve.caller
    unsafe { serve::free(block) }
}

/// `free` by a caller that knows the size asked for (C23).
///
/// # Safety
/// As for [`free`]; the number is the one that was asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_sized(block: *mut c_void, _: usize) {
    // SAFETY: inv:serve.caller
    unsafe { serve::free(block) }
}

/// `free` by a caller that knows the alignment and the size asked for (C23).
///
/// # Safety
/// As for [`free`]; the numbers are those that were asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_aligned_sized(block: *mut c_void, _: usize, _: usize) {
    // SAFETY: inv:serve.caller
    unsafe { serve::free(block) }
}

/// Sets `errno`; the null that goes with it.
fn fail(number: c_int) -> *mut c_void {
    errno::set(number);
    null_mut()
}
