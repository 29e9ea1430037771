//! This copy's heap, with C's types.

use bowline_alloc::account::{Class, PressureHook};
use bowline_alloc::census::{Census, Found, Holder};
use bowline_alloc::classes::{CLASSES, LARGEST, bin_of};
use bowline_alloc::figures::Figures;
use bowline_alloc::global::{self, ALLOCATOR};
use bowline_alloc::profile::{Backtrace, Site, Summary};
use bowline_alloc::region::SLICE;
use bowline_alloc::walk::InUse;
use core::ffi::c_void;

pub(crate) use global::{
    fork_child, fork_parent, fork_prepare, harden, inspect, on_foreign, on_thread_start, purge,
    retire, set_perturb, thread_exit,
};

/// `malloc`, if the thread has a small block at hand; else null.
#[inline(always)]
pub(crate) fn malloc_fast(bytes: usize) -> *mut c_void {
    global::malloc_fast(bytes).cast()
}

/// The same of blocks too large for that.
#[inline(always)]
pub(crate) fn malloc_medium(bytes: usize) -> *mut c_void {
    global::malloc_medium(bytes).cast()
}

/// `malloc` when it has none at hand.
pub(crate) fn malloc_slow(bytes: usize) -> *mut c_void {
    global::malloc_slow(bytes).cast()
}

/// A cleared block, if the thread has a small one at hand; else null.
#[inline(always)]
pub(crate) fn calloc_fast(bytes: usize) -> *mut c_void {
    global::calloc_fast(bytes).cast()
}

/// A block at a multiple of `align`, a power of two, if the thread has a small one at hand; else null.
#[inline(always)]
pub(crate) fn aligned_fast(align: usize, bytes: usize) -> *mut c_void {
    global::aligned_fast(align, bytes).cast()
}

/// The block, if `realloc` leaves it where it is and the thread can tell at once; else null.
#[inline(always)]
pub(crate) fn realloc_fast(block: *mut c_void, bytes: usize) -> *mut c_void {
    global::realloc_fast(block.cast(), bytes).cast()
}

/// `calloc` when it has none at hand.
#[inline(always)]
pub(crate) fn calloc_slow(count: usize, bytes: usize) -> *mut c_void {
    global::calloc_slow(count, bytes).cast()
}

/// A block at a multiple of `align`, a power of two.
#[inline(always)]
pub(crate) fn aligned(align: usize, bytes: usize) -> *mut c_void {
    global::alloc_class(bytes, align, false, Class::Client).cast()
}

/// `realloc` when the block does not stay, or that cannot be told at once.
///
/// # Safety
/// As `realloc` demands.
#[inline(always)]
pub(crate) unsafe fn realloc_slow(block: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: inv:serve.caller
    unsafe { global::realloc_slow(block.cast(), bytes) }.cast()
}

/// `free`
///
/// # Safety
/// As `free` demands.
#[inline(always)]
pub(crate) unsafe fn free(block: *mut c_void) {
    // SAFETY: inv:serve.caller
    unsafe { global::free(block.cast()) }
}

/// `malloc_usable_size`
///
/// # Safety
/// As `malloc_usable_size` demands.
#[inline]
pub(crate) unsafe fn usable_size(block: *const c_void) -> usize {
    // SAFETY: inv:serve.caller
    unsafe { global::usable_size(block.cast()) }
}

/// The bytes that a block for `bytes` bytes would have.
pub(crate) fn good_size(bytes: usize) -> usize {
    if ALLOCATOR.is_hardened() {
        bytes
    } else if bytes <= LARGEST {
        CLASSES[bin_of(bytes.max(1))].size as usize
    } else {
        bytes.checked_next_multiple_of(SLICE).unwrap_or(bytes)
    }
}

/// A block in the account `class`.
pub(crate) fn alloc_class(bytes: usize, align: usize, zeroed: bool, class: Class) -> *mut c_void {
    global::alloc_class(bytes, align, zeroed, class).cast()
}

/// Whether an address lies in this copy's region; false for all before the region is made.
#[inline]
pub(crate) fn contains(place: *const c_void) -> bool {
    ALLOCATOR.region().contains(place.cast())
}

/// Calls `visit` with the blocks of an account that are in use.
pub(crate) fn each_in_use(class: Class, visit: &mut dyn FnMut(InUse)) {
    ALLOCATOR.each_in_use(class, visit);
}

/// The bytes that an account holds.
pub(crate) fn live(class: Class) -> usize {
    ALLOCATOR.region().live(class)
}

/// The most that an account ever held.
pub(crate) fn peak(class: Class) -> usize {
    ALLOCATOR.region().peak(class)
}

/// All figures; none in a signal handler that interrupted this heap at the wrong moment.
pub(crate) fn figures() -> Option<Figures> {
    ALLOCATOR.figures()
}

/// What the pages of the region hold, in rows.
pub(crate) fn census() -> Census {
    ALLOCATOR.census()
}

/// What begins at each slice, without a lock.
pub(crate) fn look(visit: impl FnMut(usize, usize, Found)) {
    ALLOCATOR.look(visit);
}

/// All heaps, without a lock.
pub(crate) fn holders() -> impl Iterator<Item = Holder> {
    ALLOCATOR.holders()
}

/// The region's address, and the first slice that somebody may take.
pub(crate) fn beginning() -> (usize, usize) {
    let region = ALLOCATOR.region();
    (region.base().addr(), region.reached().start)
}

/// Begins a heap profile; false when there is no memory for it.
pub(crate) fn profile(interval: usize, backtrace: Backtrace) -> bool {
    ALLOCATOR.profile(interval, backtrace)
}

/// The stacks that have taken memory, without a lock.
pub(crate) fn sites(visit: impl FnMut(&Site<'_>)) {
    ALLOCATOR.sites(visit);
}

/// The places in those stacks, without a lock.
pub(crate) fn places(visit: impl FnMut(usize, usize)) {
    ALLOCATOR.places(visit);
}

/// What else the profile has to say.
pub(crate) fn summary() -> Summary {
    ALLOCATOR.summary()
}

/// Sets the most bytes that blocks may occupy.
pub(crate) fn set_limit(bytes: usize) {
    ALLOCATOR.region().set_limit(bytes);
}

/// Sets who is asked before the client's account passes the mark.
pub(crate) fn set_pressure(hook: Option<PressureHook>) {
    ALLOCATOR.region().set_pressure(hook);
}

/// Sets the mark.
pub(crate) fn set_mark(bytes: usize) {
    ALLOCATOR.region().set_mark(bytes);
}
