//! A closure cannot put a handle of an inner scope where it outlives that.
use bowline_gc::safe::{Local, Scope};

fn smuggle(s: &mut Scope<'_>) {
    let mut kept: Vec<Local<'_>> = Vec::new();
    s.scope(|inner| kept.push(inner.local(bowline_gc::safe::Immediate::NIL)));
    s.view(kept[0]).is_nil();
}

fn main() {
    let _ = smuggle;
}
