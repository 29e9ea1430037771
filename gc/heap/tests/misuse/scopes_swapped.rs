//! Two scopes are not swapped.
use bowline_gc::safe::Mutator;

fn swap(mutator: &mut Mutator, other: &mut Mutator) {
    mutator.scope(|one| other.scope(|two| std::mem::swap(one, two)));
}

fn main() {
    let _ = swap;
}
