//! What is lent to a native section does not leave it.
use bowline_gc::safe::{Local, Scope};

bowline_gc::kinds! { text Name = 16; }

fn keep<'s>(s: &mut Scope<'s>, name: Local<'s, Name>) -> usize {
    let bytes = s.lend([name], |[name]| name.bytes());
    bytes.len()
}

fn main() {
    let _ = keep;
}
