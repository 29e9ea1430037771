//! What to do with a pointer that lies outside the region.
//!
//! In a process whose `malloc` is this allocator alone such a pointer is a mistake of the program. Where several
//! allocators share a process, whoever knows the other one says here how to reach it.

/// The other allocator's functions.
#[derive(Debug)]
pub struct Foreign {
    /// Its `free`.
    pub free: unsafe fn(*mut u8),
    /// Its `realloc`; never called with null or no bytes.
    pub realloc: unsafe fn(*mut u8, usize) -> *mut u8,
    /// Its `malloc_usable_size`.
    pub usable_size: unsafe fn(*const u8) -> usize,
}
