//! Words of objects, read and written where they stand.
//!
//! `inv:access.live` Each function wants a pointer to a live object of at least `i + 1` words, by a
//! thread that is managed (so that the object does not move meanwhile) or while the world is stopped.
//! Word 0 of a headed object is its header; word 0 of a pair is its car and word 1 its cdr.
//!
//! Absent on purpose: barriers. A store into an object that may be old goes through
//! [`crate::Mutator::store`] (`inv:mutator.barrier`).

use bowline_layout::{Addr, Flags, Header, Value, WORD};
use std::sync::atomic::{AtomicU64, Ordering};

/// A pointer to the word at `addr`.
#[inline(always)]
pub(crate) fn pointer(addr: Addr) -> *mut u64 {
    std::ptr::with_exposed_provenance_mut(addr.raw())
}

/// Reads the word at `addr`.
///
/// # Safety
/// `addr` is 8-aligned and readable.
#[inline(always)]
pub(crate) unsafe fn read(addr: Addr) -> u64 {
    // SAFETY: the caller's.
    unsafe { pointer(addr).read() }
}

/// Writes the word at `addr`.
///
/// # Safety
/// `addr` is 8-aligned and writable.
#[inline(always)]
pub(crate) unsafe fn write(addr: Addr, bits: u64) {
    // SAFETY: the caller's.
    unsafe { pointer(addr).write(bits) }
}

/// Word `i` of `v`, raw.
///
/// # Safety
/// `inv:access.live`
#[inline(always)]
pub unsafe fn word(v: Value, i: usize) -> u64 {
    // SAFETY: inv:access.live
    unsafe { read(v.addr().word(i)) }
}

/// Word `i` of `v` as a value.
///
/// # Safety
/// `inv:access.live`
#[inline(always)]
pub unsafe fn value(v: Value, i: usize) -> Value {
    // SAFETY: inv:access.live
    Value::from_bits(unsafe { word(v, i) })
}

/// Word `i` of `v` as a value, which another thread may store meanwhile.
///
/// # Safety
/// `inv:access.live`
#[inline(always)]
pub unsafe fn published(v: Value, i: usize) -> Value {
    // SAFETY: inv:access.live
    let cell = unsafe { AtomicU64::from_ptr(pointer(v.addr().word(i))) };
    Value::from_bits(cell.load(Ordering::Acquire))
}

/// Sets raw word `i` of `v`.
///
/// # Safety
/// `inv:access.live`, and the word is none that the collector scans.
#[inline(always)]
pub unsafe fn set_word(v: Value, i: usize, bits: u64) {
    // SAFETY: inv:access.live
    unsafe { write(v.addr().word(i), bits) }
}

/// Sets word `i` of `v`, which a collector thread may read meanwhile, after the barrier.
///
/// # Safety
/// `inv:access.live`, and `inv:mutator.barrier` has been kept.
#[inline(always)]
pub(crate) unsafe fn publish(v: Value, i: usize, x: Value) {
    // SAFETY: inv:access.live
    let cell = unsafe { AtomicU64::from_ptr(pointer(v.addr().word(i))) };
    cell.store(x.bits(), Ordering::Release);
}

/// Sets word `i` of the fresh object `v`, without a barrier.
///
/// # Safety
/// `inv:access.live`, and there was no safepoint since `v` was allocated.
#[inline(always)]
pub unsafe fn init(v: Value, i: usize, x: Value) {
    // SAFETY: inv:access.live
    unsafe { write(v.addr().word(i), x.bits()) }
}

/// The header of `v`.
///
/// # Safety
/// `inv:access.live`, and `v` is headed.
#[inline(always)]
pub unsafe fn header(v: Value) -> Header {
    // SAFETY: inv:access.live
    let bits = unsafe { word(v, 0) };
    debug_assert!(Header::is_header(bits), "{v:?} has no header: {bits:#x}");
    Header::from_bits(bits).unwrap_or(Header::new(
        bowline_layout::Shape::Bytes,
        bowline_layout::TypeId(0),
        0,
    ))
}

/// Gives `v` these flags instead of its own. A collector thread may read the header meanwhile, but no flag: a freeze
/// alone looks at those, and it runs alone.
///
/// # Safety
/// `inv:access.live`, and `v` is headed.
#[inline(always)]
pub unsafe fn set_flags(v: Value, flags: Flags) {
    // SAFETY: inv:access.live
    let header = unsafe { header(v) };
    // SAFETY: inv:access.live
    let cell = unsafe { AtomicU64::from_ptr(pointer(v.addr())) };
    cell.store(header.replacing_flags(flags).bits(), Ordering::Relaxed);
}

/// A pointer to the raw bytes that start at word `i` of `v`.
///
/// # Safety
/// `inv:access.live`. The pointer is good until the next safepoint, or while `v` is pinned.
#[inline(always)]
pub unsafe fn bytes_ptr(v: Value, i: usize) -> *mut u8 {
    pointer(v.addr().word(i)).cast()
}

/// `length` raw bytes from word `i` of `v` on.
///
/// # Safety
/// `inv:access.live`, the bytes lie inside the object, nobody writes them during `'a`, and no
/// safepoint falls into `'a` unless `v` is pinned.
#[inline(always)]
pub unsafe fn bytes<'a>(v: Value, i: usize, length: usize) -> &'a [u8] {
    let start: *const u8 = pointer(v.addr().word(i)).cast();
    // SAFETY: inv:access.live; the object is `length` bytes long there.
    unsafe { std::slice::from_raw_parts(start, length) }
}

/// `length` raw bytes from word `i` of `v` on, to be written.
///
/// # Safety
/// As for [`bytes`], and nobody else reads or writes the bytes during `'a`.
#[inline(always)]
pub unsafe fn bytes_mut<'a>(v: Value, i: usize, length: usize) -> &'a mut [u8] {
    let start: *mut u8 = pointer(v.addr().word(i)).cast();
    // SAFETY: inv:access.live; the object is `length` bytes long there.
    unsafe { std::slice::from_raw_parts_mut(start, length) }
}

/// The size in bytes of the object at `addr`, pair or headed.
///
/// # Safety
/// A live object stands at `addr`, and word 0 is not a forwarding pointer.
#[inline(always)]
pub(crate) unsafe fn size_at(addr: Addr) -> usize {
    // SAFETY: the caller's.
    let first = unsafe { read(addr) };
    match Header::from_bits(first) {
        Some(header) => bowline_layout::object_bytes(header),
        None => 2 * WORD,
    }
}
