//! A scope is nobody else's to look through.
use bowline_gc::safe::Scope;

fn share(s: &Scope<'_>) {
    std::thread::scope(|threads| {
        threads.spawn(|| s.stats());
    });
}

fn main() {
    let _ = share;
}
