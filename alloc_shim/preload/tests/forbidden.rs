//! An executable that forbids `unsafe` can be this allocator too, and Rust's memory has an account of its own.
//!
//! One test alone: figures of the whole process are compared exactly.

#![forbid(unsafe_code)]

use bowline_alloc::table::{Winner, current, winner};

bowline_interpose::executable!();

#[test]
fn one_line_is_enough_and_rust_has_its_account() {
    assert_eq!(winner(), Winner::Own);
    let table = current().expect("this program's table");
    let block = Box::new(5u64);
    assert!((table.contains)((&raw const *block).cast()));
    let accounts = || ((table.live_bytes)(0), (table.live_bytes)(1));
    let before = accounts();
    let large = vec![1u8; 50 << 20];
    let after = accounts();
    assert!((table.contains)(large.as_ptr().cast()));
    assert!(after.1 >= before.1 + (50 << 20), "{before:?} {after:?}");
    assert_eq!(after.0, before.0, "C's account is another");
    drop(large);
    assert!(accounts().1 < before.1 + (50 << 20));
}
