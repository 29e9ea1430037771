//! A mutator stays on its thread.
use bowline_gc::safe::{Heap, HeapConfig};

fn main() {
    let mut mutator = Heap::start(HeapConfig::default()).unwrap().attach().unwrap();
    std::thread::spawn(move || mutator.scope(|s| s.poll()));
}
