//! Lines as they are written.

use super::{LONGEST, Line};
use crate::pal::Model;
use std::ptr;

fn written(line: Line) -> String {
    let model = Model::new();
    line.send(&model);
    model.text()
}

#[test]
fn pieces_follow_each_other() {
    let line = Line::new("free of ")
        .pointer(ptr::without_provenance::<u8>(0x6000_0000_10ff))
        .text(": ")
        .decimal(0)
        .text(" of ")
        .decimal(usize::MAX)
        .bytes(b" \xff!");
    let model = Model::new();
    line.send(&model);
    let expected = b"bowline_malloc: free of 0x6000000010ff: 0 of 18446744073709551615 \xff!\n";
    assert_eq!(*model.written.lock().expect("no panic"), expected);
}

#[test]
fn null_is_a_pointer_too() {
    let line = Line::new("").pointer(ptr::null::<u8>());
    assert_eq!(written(line), "bowline_malloc: 0x0\n");
}

#[test]
fn what_does_not_fit_is_cut_and_the_line_still_ends() {
    let text = written(Line::new(&"long ".repeat(100)).decimal(7));
    assert_eq!(text.len(), LONGEST);
    assert!(text.starts_with("bowline_malloc: long ") && text.ends_with("\n"));
}

#[test]
#[should_panic(expected = "aborted: bowline_malloc: double free\n")]
fn the_last_line_is_written_before_the_end() {
    Line::new("double free").die(&Model::new());
}
