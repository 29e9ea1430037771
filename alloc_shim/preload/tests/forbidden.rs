//! An executable that forbids `unsafe` can be this allocator too.

#![forbid(unsafe_code)]

use bowline_alloc::table::{Winner, current, winner};

bowline_interpose::executable!();

#[test]
fn one_line_without_unsafe_is_enough() {
    assert_eq!(winner(), Winner::Own);
    let table = current().expect("this program's table");
    let block = Box::new(5u64);
    assert!((table.contains)((&raw const *block).cast()));
    assert!((table.live_bytes)(1) > 0, "Rust has an account of its own");
}
