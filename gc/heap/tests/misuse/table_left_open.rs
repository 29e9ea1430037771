//! What is in a table does not leave it without a root.
use bowline_gc::safe::{Rootable, Scope, Table, View};

struct Stack;

impl Rootable for Stack {
    type Of<'r> = Vec<View<'r>>;
}

fn take(s: &Scope<'_>, stack: &Table<Stack>) -> bool {
    let top = stack.with(s, |stack, _| stack.pop());
    top.is_some()
}

fn main() {
    let _ = take;
}
