//! Who may only look may not allocate.
use bowline_gc::safe::{AllocError, Local, Pair, Scope, View};

fn copy<'s>(s: &Scope<'s>, list: View<'_, Pair>) -> Result<Local<'s, Pair>, AllocError> {
    s.pair(list.car(), list.cdr())
}

fn main() {
    let _ = copy;
}
