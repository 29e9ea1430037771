//! The table's layout, and who is said to have won.

use super::{RegionTable, Visit, Winner, current, install, winner};
use crate::account::PressureHook;
use core::ffi::c_void;
use std::mem::{offset_of, size_of};
use std::ptr;

extern "C" fn contains(_: *const c_void) -> bool {
    false
}
extern "C" fn live_bytes(class: u32) -> usize {
    class as usize + 40
}
extern "C" fn set_pressure(_: Option<PressureHook>) {}
extern "C" fn set_mark(_: usize) {}
extern "C" fn alloc(_: usize, _: usize, _: u32) -> *mut c_void {
    ptr::null_mut()
}
unsafe extern "C" fn free(_: *mut c_void) {}
unsafe extern "C" fn each_in_use(_: u32, _: Visit, _: *mut c_void) {}
unsafe extern "C" fn usable_size(_: *const c_void) -> usize {
    0
}

const fn table(version: u32, bytes: usize) -> RegionTable {
    RegionTable {
        version,
        bytes: bytes as u32,
        contains,
        live_bytes,
        set_pressure,
        set_mark,
        alloc,
        alloc_zeroed: alloc,
        free,
        usable_size,
        peak_bytes: live_bytes,
        each_in_use,
    }
}

static TABLE: RegionTable = table(RegionTable::VERSION, size_of::<RegionTable>());

/// Other copies, made from other states of these sources, read these places.
#[test]
fn version_one_has_this_layout() {
    assert_eq!(size_of::<RegionTable>(), 88);
    let offsets = [
        offset_of!(RegionTable, version),
        offset_of!(RegionTable, bytes),
        offset_of!(RegionTable, contains),
        offset_of!(RegionTable, live_bytes),
        offset_of!(RegionTable, set_pressure),
        offset_of!(RegionTable, set_mark),
        offset_of!(RegionTable, alloc),
        offset_of!(RegionTable, alloc_zeroed),
        offset_of!(RegionTable, free),
        offset_of!(RegionTable, usable_size),
        offset_of!(RegionTable, peak_bytes),
        offset_of!(RegionTable, each_in_use),
    ];
    assert_eq!(offsets, [0, 4, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80]);
}

#[test]
fn older_and_shorter_tables_are_not_used() {
    let bytes = size_of::<RegionTable>();
    assert!(TABLE.is_usable());
    assert!(
        table(1, bytes + 8).is_usable(),
        "a longer one begins the same"
    );
    assert!(!table(1, bytes - 8).is_usable());
    assert!(!table(2, bytes).is_usable());
}

#[test]
fn who_won_is_said_once_for_all() {
    assert_eq!(winner(), Winner::Unknown);
    assert!(current().is_none());
    install(Winner::Other, Some(&TABLE));
    assert_eq!(winner(), Winner::Other);
    let live = current().map(|table| (table.live_bytes)(2));
    assert_eq!(live, Some(42));
    install(Winner::Split, None);
    assert_eq!((winner(), current().is_none()), (Winner::Split, true));
    install(Winner::Own, Some(&TABLE));
    assert_eq!(winner(), Winner::Own);
}
