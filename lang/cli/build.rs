//! Exports the malloc family from the command, so that libc and every shared library use it, and the functions of
//! `bowline.h`, so that every library that a program opens has them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for exports in ["DEP_BOWLINE_INTERPOSE_EXPORTS", "DEP_BOWLINE_CAPI_EXPORTS"] {
        let names = std::env::var(exports).unwrap_or_default();
        for name in names.split_whitespace() {
            println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic-symbol={name}");
        }
    }
}
