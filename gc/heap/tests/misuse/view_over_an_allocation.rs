//! A view is not held over an allocation.
use bowline_gc::safe::{AllocError, Local, Pair, Scope};

fn second(s: &mut Scope<'_>, list: Local<'_, Pair>) -> Result<Option<i64>, AllocError> {
    let rest = s.view(list).cdr();
    s.pair(1, 2)?;
    Ok(rest.as_pair().and_then(|pair| pair.car().as_fixnum()))
}

fn main() {
    let _ = second;
}
