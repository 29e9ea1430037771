//! Programs that misuse the safe interface do not compile, and the compiler says why in words that help.
//!
//! `TRYBUILD=overwrite cargo test -p bowline-gc --test misuse` writes down what the compiler says; the texts
//! are those of the compiler that `rust-toolchain.toml` names.

#[test]
fn misuse_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/misuse/*.rs");
}
