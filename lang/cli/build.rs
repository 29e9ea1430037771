//! Exports the malloc family from the command, so that libc and every shared library use it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let names = std::env::var("DEP_BOWLINE_INTERPOSE_EXPORTS").unwrap_or_default();
    for name in names.split_whitespace() {
        println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic-symbol={name}");
    }
}
