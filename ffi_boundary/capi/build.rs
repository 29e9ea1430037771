//! Tells every dependent's build script which names its executable must export.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=exports.txt");
    let names: Vec<&str> = include_str!("exports.txt").lines().collect();
    println!("cargo::metadata=exports={}", names.join(" "));
}
