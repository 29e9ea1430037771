//! The allocator of the process, and the functions by which others use it.
//!
//! `inv:global.one` One static holds everything: every block that these functions give comes from it, so it may be given
//! to any other of them.
//!
//! The functions are the malloc family with C's meaning, errno included; argument checks
//! that only one of C's names asks for (`posix_memalign`'s EINVAL) are left to whoever exports that name.
//!
//! [`RuntimeAllocator`] is the same allocator for Rust's own data, in an account of its own: it never asks for
//! pressure, so that neither the collector nor a thread that holds unrooted words can start a collection by it.

use crate::account::Class;
use crate::alloc::Allocator;
use crate::foreign::Foreign;
use crate::pal::Unix;
use core::alloc::{GlobalAlloc, Layout};

/// The allocator of the process.
pub static ALLOCATOR: Allocator<Unix> = Allocator::new(Unix::new());

/// `malloc(bytes)`: 16-byte aligned, unique also for no bytes; null and ENOMEM when there is no memory.
#[inline(always)]
pub fn malloc(bytes: usize) -> *mut u8 {
    ALLOCATOR.malloc(bytes)
}

/// The same if the thread has a small block at hand, else null, and nothing was done.
#[inline(always)]
pub fn malloc_fast(bytes: usize) -> *mut u8 {
    ALLOCATOR.malloc_fast(bytes)
}

/// The same of blocks too large for that.
#[inline(always)]
pub fn malloc_medium(bytes: usize) -> *mut u8 {
    ALLOCATOR.malloc_medium(bytes)
}

/// The same when there was none at hand.
#[inline]
pub fn malloc_slow(bytes: usize) -> *mut u8 {
    ALLOCATOR.malloc_slow(bytes)
}

/// Another allocator serves the process: on this thread nothing is at hand any more. What was given out can be given back.
pub fn retire() {
    ALLOCATOR.retire();
}

/// A block of `bytes` at a multiple of `align`, a power of two, if the thread has a small one at hand; else null, and nothing was done.
#[inline(always)]
pub fn aligned_fast(align: usize, bytes: usize) -> *mut u8 {
    ALLOCATOR.aligned_fast(bytes, align)
}

/// A cleared block of `bytes`, if the thread has a small one at hand; else null, and nothing was done.
#[inline(always)]
pub fn calloc_fast(bytes: usize) -> *mut u8 {
    ALLOCATOR.calloc_fast(bytes)
}

/// The block, if it is the thread's own and `realloc(block, bytes)` leaves it where it is; else null, and nothing was done.
#[inline(always)]
pub fn realloc_fast(block: *mut u8, bytes: usize) -> *mut u8 {
    ALLOCATOR.realloc_fast(block, bytes)
}

/// [`calloc`] when there was none at hand.
pub fn calloc_slow(count: usize, bytes: usize) -> *mut u8 {
    ALLOCATOR.calloc_slow(count, bytes)
}

/// [`realloc`] when the block does not stay, or that cannot be told at once.
///
/// # Safety
/// As for [`realloc`].
pub unsafe fn realloc_slow(block: *mut u8, bytes: usize) -> *mut u8 {
    // SAFETY: inv:global.one, and the caller's word that the block is live.
    unsafe { ALLOCATOR.realloc_slow(block, bytes) }
}

/// `calloc(count, bytes)`: zeroed; null and ENOMEM when the product overflows, too.
#[inline]
pub fn calloc(count: usize, bytes: usize) -> *mut u8 {
    ALLOCATOR.calloc(count, bytes)
}

/// `realloc(block, bytes)` as glibc has it: a null block is `malloc`, no bytes free the block and give null.
///
/// # Safety
/// `block` is null or a live block; it is no longer one when the result is not null or `bytes` is 0.
#[inline]
pub unsafe fn realloc(block: *mut u8, bytes: usize) -> *mut u8 {
    // SAFETY: inv:global.one, and the caller's word that the block is live.
    unsafe { ALLOCATOR.realloc(block, bytes) }
}

/// `free(block)`: keeps errno; reports and aborts when `block` is no live block.
///
/// # Safety
/// `block` is null or a live block, and nothing uses it any more.
#[inline(always)]
pub unsafe fn free(block: *mut u8) {
    // SAFETY: inv:global.one, and the caller's word that the block is live.
    unsafe { ALLOCATOR.free(block) }
}

/// A block of `bytes` at a multiple of `align`, a power of two; null and ENOMEM when there is no memory.
#[inline]
pub fn aligned(align: usize, bytes: usize) -> *mut u8 {
    ALLOCATOR.aligned(bytes, align)
}

/// How many bytes of a block may be used, at least as many as were asked for; 0 for null.
///
/// # Safety
/// `block` is null or a live block.
#[inline]
pub unsafe fn usable_size(block: *const u8) -> usize {
    // SAFETY: inv:global.one, and the caller's word that the block is live.
    unsafe { ALLOCATOR.usable_size(block) }
}

/// A block of `bytes` at a multiple of `align`, a power of two, in the account `class`; cleared where `zeroed`.
/// Null and ENOMEM when there is no memory.
#[inline]
pub fn alloc_class(bytes: usize, align: usize, zeroed: bool, class: Class) -> *mut u8 {
    ALLOCATOR.alloc_class(bytes, align, zeroed, class)
}

/// Makes a block hold `bytes` at a multiple of `align`, in place or by moving it. Where it moves, the new block is in
/// the account `class`. Null and ENOMEM, and the old block untouched, when there is no memory.
///
/// # Safety
/// `block` is a live block; it is no longer one when the result is not null.
#[inline]
pub unsafe fn realloc_class(block: *mut u8, bytes: usize, align: usize, class: Class) -> *mut u8 {
    // SAFETY: inv:global.one, and the caller's word that the block is live.
    unsafe { ALLOCATOR.realloc_class(block, bytes, align, class) }
}

/// The thread ends: its heap goes to the next thread. What still runs on the thread may go on using all of this.
pub fn thread_exit() {
    ALLOCATOR.thread_exit();
}

/// Before `fork`: takes the allocator's locks.
pub fn fork_prepare() {
    ALLOCATOR.fork_prepare();
}

/// After `fork`, in the parent: releases what [`fork_prepare`] took.
pub fn fork_parent() {
    ALLOCATOR.fork_parent();
}

/// After `fork`, in the child: releases the locks and takes over the heaps of the threads that are gone.
pub fn fork_child() {
    ALLOCATOR.fork_child();
}

/// Gives back to the system what is free: this thread's empty pages, those of dead threads, and all free spans.
pub fn purge() {
    ALLOCATOR.purge();
}

/// Switches the hardened mode on: writes to freed blocks are found. To be called once, while the process has one thread;
/// false when there is no memory for it.
pub fn harden() -> bool {
    ALLOCATOR.harden()
}

/// In the hardened mode: looks for writes to the freed blocks that are held back. To be called at exit.
pub fn inspect() {
    ALLOCATOR.inspect();
}

/// Sets what freed memory is filled with; fresh memory gets the complement. `None`: neither is filled. Threads that allocate
/// already follow at their next slow path.
pub fn set_perturb(byte: Option<u8>) {
    ALLOCATOR.set_perturb(byte);
}

/// Sets what runs on every thread that gets a heap, once, at its first allocation. The hook may allocate.
pub fn on_thread_start(hook: fn()) {
    ALLOCATOR.on_thread_start(hook);
}

/// Sets what to do with pointers that are not this allocator's; without, they are reported and the process aborts.
pub fn on_foreign(foreign: &'static Foreign) {
    ALLOCATOR.on_foreign(foreign);
}

/// Rust's allocator over the region, in the account [`Class::Runtime`].
#[derive(Clone, Copy, Debug, Default)]
pub struct RuntimeAllocator;

// SAFETY: inv:global.one: blocks are distinct, as large and aligned as asked, and live until given back.
unsafe impl GlobalAlloc for RuntimeAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATOR.alloc_class(layout.size(), layout.align(), false, Class::Runtime)
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATOR.alloc_class(layout.size(), layout.align(), true, Class::Runtime)
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: inv:global.one: `alloc` gave the block.
        unsafe { ALLOCATOR.free(block) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: inv:global.one: `alloc` gave the block.
        unsafe { ALLOCATOR.realloc_class(block, bytes, layout.align(), Class::Runtime) }
    }
}
