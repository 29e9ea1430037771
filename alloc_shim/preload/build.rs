//! Tells every dependent's build script which names its executable must export, and exports them from the tests.
//!
//! The linker exports by itself only the names that libc has too.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=exports.txt");
    let names: Vec<&str> = include_str!("exports.txt").lines().collect();
    println!("cargo::metadata=exports={}", names.join(" "));
    for name in names {
        println!("cargo::rustc-link-arg-tests=-Wl,--export-dynamic-symbol={name}");
    }
}
