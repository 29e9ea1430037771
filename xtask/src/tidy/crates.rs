//! Table of the crates: where each lives, how it may use `unsafe`, and what it may depend on.
//!
//! The same picture is drawn in `ARCHITECTURE.md`. A crate may use what its arrows lead to, however
//! far down; the arrows never turn back. Crates that are planned but not built stand here too, so
//! that their place is decided before their first line.

/// How a crate may use `unsafe`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Policy {
    /// Nowhere: the crate says `#![forbid(unsafe_code)]`.
    Forbidden,
    /// In one module: the crate says `#![deny(unsafe_code)]` and one module allows it.
    OneModule,
    /// Where it must, with the reason at each block.
    Allowed,
}

/// One crate of the picture.
pub(super) struct Crate {
    /// Its folder.
    pub(super) folder: &'static str,
    /// Its package.
    pub(super) package: &'static str,
    /// How it may use `unsafe`.
    pub(super) policy: Policy,
    /// The packages of this workspace that it may depend on.
    pub(super) may_use: &'static [&'static str],
}

/// Everything that the engine may use: all that lies below it.
const BELOW_ENGINE: [&str; 9] = [
    "bowline-layout",
    "bowline-alloc",
    "bowline-gc",
    "bowline-ffi",
    "bowline-syntax",
    "bowline-middle",
    "bowline-runtime",
    "bowline-vm",
    "bowline-native",
];

/// What the crates on top may use: the engine, what lies below it, the exported malloc and C interface.
const ON_TOP: [&str; 12] = [
    "bowline-layout",
    "bowline-alloc",
    "bowline-interpose",
    "bowline-gc",
    "bowline-ffi",
    "bowline-capi",
    "bowline-syntax",
    "bowline-middle",
    "bowline-runtime",
    "bowline-vm",
    "bowline-native",
    "bowline-engine",
];

/// What torture may use: what lies below it, and for its trials the tests' ways of running processes and compilers.
const TORTURE: [&str; 4] = [
    "bowline-layout",
    "bowline-gc",
    "bowline-ffi",
    "bowline-tests",
];

/// What an engine for code may use.
const ENGINE_FOR_CODE: [&str; 7] = [
    "bowline-layout",
    "bowline-alloc",
    "bowline-gc",
    "bowline-ffi",
    "bowline-syntax",
    "bowline-middle",
    "bowline-runtime",
];

/// What the tests of any crate may use besides: the malloc that a program of ours has. It stands on
/// `bowline-alloc` alone.
pub(super) const TESTS_MAY_USE: [&str; 1] = ["bowline-interpose"];

const fn row(
    folder: &'static str,
    package: &'static str,
    policy: Policy,
    may_use: &'static [&'static str],
) -> Crate {
    Crate {
        folder,
        package,
        policy,
        may_use,
    }
}

/// The picture, from the ground up.
pub(super) const CRATES: &[Crate] = {
    use Policy::{Allowed, Forbidden, OneModule};
    &[
        row("gc/layout", "bowline-layout", Forbidden, &[]),
        row("alloc_shim/core", "bowline-alloc", Allowed, &[]),
        row(
            "alloc_shim/preload",
            "bowline-interpose",
            Allowed,
            &["bowline-alloc"],
        ),
        row(
            "alloc_shim/so",
            "bowline-malloc",
            Allowed,
            &["bowline-alloc", "bowline-interpose"],
        ),
        row(
            "gc/heap",
            "bowline-gc",
            Allowed,
            &["bowline-layout", "bowline-alloc"],
        ),
        row(
            "ffi_boundary/core",
            "bowline-ffi",
            Allowed,
            &["bowline-layout", "bowline-alloc", "bowline-gc"],
        ),
        row(
            "ffi_boundary/capi",
            "bowline-capi",
            Allowed,
            &["bowline-layout", "bowline-gc", "bowline-ffi"],
        ),
        row("lang/syntax", "bowline-syntax", Forbidden, &[]),
        row(
            "lang/middle",
            "bowline-middle",
            Forbidden,
            &["bowline-syntax"],
        ),
        row(
            "lang/runtime",
            "bowline-runtime",
            OneModule,
            &[
                "bowline-layout",
                "bowline-alloc",
                "bowline-gc",
                "bowline-ffi",
                "bowline-syntax",
            ],
        ),
        row("lang/vm", "bowline-vm", OneModule, &ENGINE_FOR_CODE),
        row("lang/native", "bowline-native", OneModule, &ENGINE_FOR_CODE),
        row("lang/engine", "bowline-engine", Forbidden, &BELOW_ENGINE),
        row("lang/cli", "bowline", Forbidden, &ON_TOP),
        row("tests", "bowline-tests", Forbidden, &ON_TOP),
        row("stress", "bowline-stress", OneModule, &TORTURE),
        row("xtask", "xtask", Forbidden, &[]),
    ]
};

/// The row of the package of this name.
pub(super) fn named(package: &str) -> Option<&'static Crate> {
    CRATES.iter().find(|c| c.package == package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_lead_down_only() {
        for (i, upper) in CRATES.iter().enumerate() {
            for used in upper.may_use {
                let j = CRATES.iter().position(|c| c.package == *used);
                let j = j.unwrap_or_else(|| panic!("{used} is in no row"));
                assert!(
                    j < i,
                    "{} may use {used}, which stands above it",
                    upper.package
                );
            }
        }
    }
}
