//! A native section does not allocate.
use bowline_gc::safe::Scope;

fn block(s: &mut Scope<'_>) {
    s.native(|| s.pair(1, 2).is_ok());
}

fn main() {
    let _ = block;
}
