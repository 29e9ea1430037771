//! Nor does it lie where every thread finds it.
use bowline_gc::safe::Mutator;
use std::sync::Mutex;

static MUTATOR: Mutex<Option<Mutator>> = Mutex::new(None);

fn main() {
    drop(MUTATOR.lock());
}
