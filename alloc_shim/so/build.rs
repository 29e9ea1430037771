//! How the library is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Initialised before every other library, so that its fork handlers are the first ones registered.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,initfirst");
    // Its blocks, its key and its handlers outlive any dlclose.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,nodelete");
}
