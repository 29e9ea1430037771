//! Inside a scope the one around it is not used.
use bowline_gc::safe::Scope;

fn both(outer: &mut Scope<'_>) {
    outer.scope(|inner| {
        inner.pair(1, 2).unwrap();
        outer.pair(1, 2).unwrap();
    });
}

fn main() {
    let _ = both;
}
