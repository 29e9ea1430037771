//! The counters of pins, by address: three levels of tables, made where they are needed.
//!
//! `inv:counters.zero` A table is all zeros when it is published, which is an empty table and counters of 0,
//! and stays where it is for ever: there is one heap in a process.

use bowline_layout::Addr;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// No object of the collected heap stands higher.
const HEAP_LOG: u32 = 46;
/// The addresses of one middle table.
const MIDDLE_LOG: u32 = 32;
/// The addresses of one page of counters, and of one counter.
const PAGE_LOG: u32 = 18;
const GRANULE_LOG: u32 = 4;

type Page = [AtomicU32; 1 << (PAGE_LOG - GRANULE_LOG)];
type Middle = [AtomicPtr<Page>; 1 << (MIDDLE_LOG - PAGE_LOG)];
type Top = [AtomicPtr<Middle>; 1 << (HEAP_LOG - MIDDLE_LOG)];

/// A counter for each 16 bytes.
#[derive(Default)]
pub(super) struct Counters(AtomicPtr<Top>);

fn index(addr: Addr, log: u32, length: usize) -> usize {
    addr.raw() >> log & (length - 1)
}

/// The table there, if it was made.
#[inline(always)]
fn load<T>(table: &AtomicPtr<T>) -> Option<&'static T> {
    // SAFETY: inv:counters.zero
    unsafe { table.load(Ordering::Acquire).as_ref() }
}

/// The table there, made if it was not; nothing if there is no memory.
fn load_or_make<T>(table: &AtomicPtr<T>) -> Option<&'static T> {
    if let Some(made) = load(table) {
        return Some(made);
    }
    let layout = Layout::new::<T>();
    // SAFETY: no table is empty.
    let fresh: *mut T = unsafe { alloc_zeroed(layout) }.cast();
    if fresh.is_null() {
        return None;
    }
    let null = std::ptr::null_mut();
    let published = table.compare_exchange(null, fresh, Ordering::AcqRel, Ordering::Acquire);
    if published.is_err() {
        // SAFETY: allocated above, and another thread's was published instead.
        unsafe { dealloc(fresh.cast(), layout) };
    }
    load(table)
}

impl Counters {
    /// What the tables for one more object take at most, in bytes.
    pub(super) const MOST: usize = size_of::<Top>() + size_of::<Middle>() + size_of::<Page>();

    /// The counter of the object at `addr`, if one of its page was asked for before.
    #[inline(always)]
    pub(super) fn get(&self, addr: Addr) -> Option<&AtomicU32> {
        let top = load(&self.0)?;
        let middle = load(&top[index(addr, MIDDLE_LOG, top.len())])?;
        let page = load(&middle[index(addr, PAGE_LOG, middle.len())])?;
        Some(&page[index(addr, GRANULE_LOG, page.len())])
    }

    /// The counter of the object at `addr`; nothing if there is no memory for it.
    pub(super) fn make(&self, addr: Addr) -> Option<&AtomicU32> {
        let top = load_or_make(&self.0)?;
        let middle = load_or_make(&top[index(addr, MIDDLE_LOG, top.len())])?;
        load_or_make(&middle[index(addr, PAGE_LOG, middle.len())])?;
        self.get(addr)
    }
}
