//! The family under private names: from this copy's heap, or from the malloc that won.
//!
//! One load of a byte that never changes after start decides ([`crate::forward`]); `malloc` asks only where the heap has no
//! block at hand, and `free` only for a block that is not the heap's.
//!
//! `inv:serve.private` What is exported calls only what is here, never another exported function: in a shared
//! library the dynamic linker binds an exported name to the winner's function, and a block of this heap would
//! go to another.
//!
//! `inv:serve.caller` What C promises by calling: a pointer to give back, resize or measure came from this
//! family and was not freed; a pointer to be written can be written. The heap checks of it what can be checked,
//! and ends the process with one line where it is broken.

use crate::{forward, heap};
use core::ffi::c_void;

/// A block of `bytes` bytes, or null with `ENOMEM`.
#[inline]
pub(crate) extern "C" fn malloc(bytes: usize) -> *mut c_void {
    let block = heap::malloc_fast(bytes);
    if block.is_null() {
        return malloc_medium(bytes);
    }
    block
}

/// When there was no small block. Apart, so that the path of small blocks is short.
#[inline(never)]
fn malloc_medium(bytes: usize) -> *mut c_void {
    let block = heap::malloc_medium(bytes);
    if block.is_null() {
        return malloc_slow(bytes);
    }
    block
}

/// When the heap has no block at hand: in a copy that lost it has none.
#[cold]
#[inline(never)]
fn malloc_slow(bytes: usize) -> *mut c_void {
    match forward::winner() {
        None => heap::malloc_slow(bytes),
        Some(winner) => winner.malloc(bytes),
    }
}

/// A block at a multiple of `align`, a power of two; or null with `ENOMEM`.
#[inline]
pub(crate) extern "C" fn aligned(bytes: usize, align: usize) -> *mut c_void {
    let block = heap::aligned_fast(align, bytes);
    if block.is_null() {
        return aligned_slow(bytes, align);
    }
    block
}

/// When there was no small one at hand.
#[inline(never)]
fn aligned_slow(bytes: usize, align: usize) -> *mut c_void {
    match forward::winner() {
        None => heap::aligned(align, bytes),
        Some(winner) => winner.aligned(align, bytes),
    }
}

/// What a retried `operator new` asks for: an alignment of 0 is none.
pub(crate) extern "C" fn again(bytes: usize, align: usize) -> *mut c_void {
    match align {
        0 => malloc(bytes),
        align => aligned(bytes, align),
    }
}

/// A block of zeroes, or null with `ENOMEM`.
#[inline]
pub(crate) fn calloc(count: usize, bytes: usize) -> *mut c_void {
    if let Some(bytes) = count.checked_mul(bytes) {
        let block = heap::calloc_fast(bytes);
        if !block.is_null() {
            return block;
        }
    }
    calloc_slow(count, bytes)
}

/// When there was no small one at hand.
#[inline(never)]
fn calloc_slow(count: usize, bytes: usize) -> *mut c_void {
    match forward::winner() {
        None => heap::calloc_slow(count, bytes),
        Some(winner) => winner.calloc(count, bytes),
    }
}

/// The block with another size.
///
/// # Safety
/// As `realloc` demands.
#[inline]
pub(crate) unsafe fn realloc(block: *mut c_void, bytes: usize) -> *mut c_void {
    let same = heap::realloc_fast(block, bytes);
    if same.is_null() {
        // SAFETY: inv:serve.caller
        return unsafe { realloc_slow(block, bytes) };
    }
    same
}

/// When the block does not stay, or is none of the thread's own.
///
/// # Safety
/// As `realloc` demands.
#[inline(never)]
unsafe fn realloc_slow(block: *mut c_void, bytes: usize) -> *mut c_void {
    match forward::winner() {
        // SAFETY: inv:serve.caller
        None => unsafe { heap::realloc_slow(block, bytes) },
        // SAFETY: inv:serve.caller
        Some(winner) => unsafe { winner.realloc(block, bytes) },
    }
}

/// Gives a block back. Nothing is asked first: a block that lies outside this copy's region comes to the winner by the
/// heap's own look at the address ([`forward::to`]).
///
/// # Safety
/// As `free` demands.
#[inline]
pub(crate) unsafe fn free(block: *mut c_void) {
    // SAFETY: inv:serve.caller
    unsafe { heap::free(block) }
}

/// The bytes of a block that may be used; null has none.
///
/// # Safety
/// As `malloc_usable_size` demands.
pub(crate) unsafe fn usable_size(block: *mut c_void) -> usize {
    if block.is_null() {
        return 0;
    }
    match forward::winner() {
        // SAFETY: inv:serve.caller
        None => unsafe { heap::usable_size(block) },
        // SAFETY: inv:serve.caller
        Some(winner) => unsafe { winner.usable_size(block) },
    }
}

/// The bytes that a block for `bytes` bytes would have.
pub(crate) fn good_size(bytes: usize) -> usize {
    match forward::winner() {
        None => heap::good_size(bytes),
        Some(_) => bytes,
    }
}
