//! Tells every dependent's build script (through `links`) which symbols its executable must export.

/// What libc does not define: the linker exports libc's own names by itself.
const EXPORTS: &str = "bowline_region_v1";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::metadata=exports={EXPORTS}");
}
