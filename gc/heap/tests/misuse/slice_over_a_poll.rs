//! Neither are an object's bytes held over a poll.
use bowline_gc::safe::{Local, Scope};

bowline_gc::kinds! { text Name = 16; }

fn length(s: &mut Scope<'_>, name: Local<'_, Name>) -> usize {
    let text: &str = s.view(name).as_str();
    s.poll();
    text.len()
}

fn main() {
    let _ = length;
}
