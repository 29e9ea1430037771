//! A variable does not change while its old value is in use.
use bowline_gc::safe::{Immediate, Root, Scope};

fn change(s: &Scope<'_>, mut root: Root<'_>) -> bool {
    let old = root.get();
    root.set(s, Immediate::NIL);
    s.view(old).is_nil()
}

fn main() {
    let _ = change;
}
