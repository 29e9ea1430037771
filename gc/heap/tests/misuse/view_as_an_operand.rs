//! What is handed to an allocation is rooted first.
use bowline_gc::safe::{AllocError, Local, Pair, Scope};

fn copy<'s>(s: &mut Scope<'s>, list: Local<'_, Pair>) -> Result<Local<'s, Pair>, AllocError> {
    let view = s.view(list);
    s.pair(view.car(), view.cdr())
}

fn main() {
    let _ = copy;
}
