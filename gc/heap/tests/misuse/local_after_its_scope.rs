//! A handle does not outlive its scope.
use bowline_gc::safe::{Heap, HeapConfig, Immediate};

fn main() {
    let mut mutator = Heap::start(HeapConfig::default()).unwrap().attach().unwrap();
    let pair = mutator.scope(|s| s.pair(1, Immediate::NIL).unwrap());
    mutator.scope(|s| s.view(pair).car().as_fixnum());
}
