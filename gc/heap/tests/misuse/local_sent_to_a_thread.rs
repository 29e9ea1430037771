//! A handle stays on its thread.
use bowline_gc::safe::{Local, Pair, Scope};

fn send(_: &mut Scope<'_>, pair: Local<'_, Pair>) {
    std::thread::scope(|threads| {
        threads.spawn(move || drop(pair));
    });
}

fn main() {
    let _ = send;
}
