//! A table holds nothing that the collector does not know.
use bowline_gc::safe::{Rootable, View};

struct Entry<'r>(View<'r>);

struct Entries;

impl Rootable for Entries {
    type Of<'r> = Vec<Entry<'r>>;
}

fn main() {}
