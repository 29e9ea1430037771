//! A pin ends with its scope.
use bowline_gc::safe::{Mutator, Pair, Pinned};

fn pin(mutator: &mut Mutator) -> Pinned<'static, Pair> {
    mutator.scope(|s| {
        let pair = s.pair(1, 2).unwrap();
        s.pin(pair).unwrap()
    })
}

fn main() {
    let _ = pin;
}
