//! A handle of one kind is none of another.
use bowline_gc::safe::{Local, Scope};

bowline_gc::kinds! {
    record Closure = 16 { body }
    record Point = 17 { x }
}

fn x(s: &Scope<'_>, closure: Local<'_, Closure>) -> bool {
    s.view(closure).get(Point::x).is_nil()
}

fn main() {
    let _ = x;
}
