//! The table by which others reach this copy's region.

use crate::heap;
use bowline_alloc::account::{Class, PressureHook};
use bowline_alloc::table::{RegionTable, Visit};
use core::ffi::c_void;

/// The table, under its exported and versioned name. A reader trusts it only if it lies in the module whose `malloc`
/// the process calls.
#[unsafe(no_mangle)]
pub static bowline_region_v1: RegionTable = TABLE;

/// The same under a private name: the exported one is bound to the winner's.
static OWN: RegionTable = TABLE;

const TABLE: RegionTable = RegionTable {
    version: RegionTable::VERSION,
    bytes: size_of::<RegionTable>() as u32,
    contains,
    live_bytes,
    set_pressure,
    set_mark,
    alloc,
    alloc_zeroed,
    free,
    usable_size,
    peak_bytes,
    each_in_use,
};

/// This copy's table.
pub(crate) fn own() -> &'static RegionTable {
    &OWN
}

fn class(number: u32) -> Option<Class> {
    match number {
        0 => Some(Class::Client),
        1 => Some(Class::Runtime),
        _ => None,
    }
}

extern "C" fn contains(place: *const c_void) -> bool {
    heap::contains(place)
}

extern "C" fn live_bytes(number: u32) -> usize {
    class(number).map_or(0, heap::live)
}

extern "C" fn peak_bytes(number: u32) -> usize {
    class(number).map_or(0, heap::peak)
}

extern "C" fn set_pressure(hook: Option<PressureHook>) {
    heap::set_pressure(hook);
}

extern "C" fn set_mark(bytes: usize) {
    heap::set_mark(bytes);
}

extern "C" fn alloc(bytes: usize, align: usize, number: u32) -> *mut c_void {
    allocate(bytes, align, false, number)
}

extern "C" fn alloc_zeroed(bytes: usize, align: usize, number: u32) -> *mut c_void {
    allocate(bytes, align, true, number)
}

/// A class that is none has no memory.
fn allocate(bytes: usize, align: usize, zeroed: bool, number: u32) -> *mut c_void {
    match class(number) {
        Some(class) if align.is_power_of_two() => heap::alloc_class(bytes, align, zeroed, class),
        _ => core::ptr::null_mut(),
    }
}

unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: the table says that the block is one of this region, or null.
    unsafe { heap::free(block) }
}

unsafe extern "C" fn usable_size(block: *const c_void) -> usize {
    // SAFETY: the table says that the block is one of this region, or null.
    unsafe { heap::usable_size(block) }
}

unsafe extern "C" fn each_in_use(number: u32, visit: Visit, context: *mut c_void) {
    let Some(class) = class(number) else { return };
    heap::each_in_use(class, &mut |found| {
        // SAFETY: the table says that the visitor takes these, with this context.
        unsafe { visit(context, found.start.cast(), found.bytes, found.block) };
    });
}
