//! How the library is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Initialised before every other library, so that its fork handlers are the first ones registered.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,initfirst");
    // The unwinder for heap profiles, as a part of the library. What others need of it is not looked for here.
    println!("cargo::rustc-link-arg-cdylib=-Wl,--push-state,-Bstatic");
    println!("cargo::rustc-link-arg-cdylib=-lgcc_eh");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--pop-state");
    // What is seldom run is put apart.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/seldom.ld");
    println!("cargo::rerun-if-changed={script}");
    println!("cargo::rustc-link-arg-cdylib=-Wl,-T,{script}");
    // Its blocks, its key and its handlers outlive any dlclose.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,nodelete");
}
