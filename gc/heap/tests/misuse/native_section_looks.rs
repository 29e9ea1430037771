//! A native section does not look at objects.
use bowline_gc::safe::{Local, Pair, Scope};

fn block(s: &mut Scope<'_>, pair: Local<'_, Pair>) -> bool {
    let view = s.view(pair);
    s.native(|| view.car().is_nil())
}

fn main() {
    let _ = block;
}
