//! The table by which others reach the region: another copy of this library, and the runtime.
//!
//! One `malloc` wins the symbol search of a process. Its copy exports this table as `bowline_region_v1`; every other copy
//! looks for it there, and the runtime asks [`current`]. The layout is C's, and it grows at the end alone: a reader compares
//! `version` and `bytes` before it trusts a field.
//!
//! The functions in a table are private to the copy that made it: an exported name would lead to
//! whoever won.

#[cfg(test)]
mod tests;

use crate::account::PressureHook;
use core::ffi::c_void;
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// The functions of the copy that owns the region. A class is 0 for the client and 1 for the runtime.
#[derive(Debug)]
#[repr(C)]
pub struct RegionTable {
    /// [`RegionTable::VERSION`] of the copy that made the table.
    pub version: u32,
    /// The size of the table.
    pub bytes: u32,
    /// Whether a pointer leads into the region.
    pub contains: extern "C" fn(*const c_void) -> bool,
    /// The bytes that a class holds; 0 for a class that is none.
    pub live_bytes: extern "C" fn(class: u32) -> usize,
    /// Sets who is asked before the client passes the mark.
    pub set_pressure: extern "C" fn(Option<PressureHook>),
    /// Sets the mark: `usize::MAX` never asks, 0 asks whenever a heap needs memory.
    pub set_mark: extern "C" fn(usize),
    /// A block of `size` bytes at a multiple of `align`, a power of two; its contents are anything. Null: no memory.
    pub alloc: extern "C" fn(size: usize, align: usize, class: u32) -> *mut c_void,
    /// The same, cleared.
    pub alloc_zeroed: extern "C" fn(size: usize, align: usize, class: u32) -> *mut c_void,
    /// Frees a block of either class; null is ignored.
    pub free: unsafe extern "C" fn(*mut c_void),
    /// How many bytes of a block may be used; 0 for null.
    pub usable_size: unsafe extern "C" fn(*const c_void) -> usize,
    /// The most bytes that a class ever held; 0 for a class that is none.
    pub peak_bytes: extern "C" fn(class: u32) -> usize,
    /// Calls `visit` with the blocks of a class that are in use, which other threads may free meanwhile.
    pub each_in_use: unsafe extern "C" fn(class: u32, visit: Visit, context: *mut c_void),
}

/// Gets blocks of one size in a row: where they begin, how many bytes they have together, and how many each. It may allocate.
pub type Visit =
    unsafe extern "C" fn(context: *mut c_void, start: *const c_void, bytes: usize, block: usize);

impl RegionTable {
    /// The layout that this file describes.
    pub const VERSION: u32 = 1;

    /// Whether the reader of this file can use the table.
    pub fn is_usable(&self) -> bool {
        self.version == Self::VERSION && self.bytes as usize >= mem::size_of::<Self>()
    }
}

/// Whose `malloc` this process calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Winner {
    /// Not decided yet.
    Unknown = 0,
    /// This copy's.
    Own = 1,
    /// Another copy's: its table is used.
    Other = 2,
    /// An allocator without a table, or different ones for different callers: the runtime counts what it is told alone.
    Split = 3,
}

static WINNER: AtomicU32 = AtomicU32::new(Winner::Unknown as u32);
static TABLE: AtomicPtr<RegionTable> = AtomicPtr::new(ptr::null_mut());

/// Says who won, and its table. The table comes first, so that whoever sees the winner sees it too.
pub fn install(winner: Winner, table: Option<&'static RegionTable>) {
    let table = table.map_or(ptr::null_mut(), |table| ptr::from_ref(table).cast_mut());
    TABLE.store(table, Ordering::Release);
    WINNER.store(winner as u32, Ordering::Release);
}

/// The table of the copy that owns the region; none before it is decided and where `malloc` is not ours.
pub fn current() -> Option<&'static RegionTable> {
    // SAFETY: `install` alone stores here, and what it stores lives for ever and is never written.
    unsafe { TABLE.load(Ordering::Acquire).as_ref() }
}

/// Who won.
pub fn winner() -> Winner {
    match WINNER.load(Ordering::Acquire) {
        1 => Winner::Own,
        2 => Winner::Other,
        3 => Winner::Split,
        _ => Winner::Unknown,
    }
}
