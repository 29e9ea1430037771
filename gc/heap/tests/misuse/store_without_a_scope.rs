//! A store needs a scope: a view alone changes nothing.
use bowline_gc::safe::{Pair, View};

fn change(pair: View<'_, Pair>) {
    pair.set_car(1);
}

fn main() {
    let _ = change;
}
