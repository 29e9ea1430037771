//! The command `bowline-stress`.

#![deny(unsafe_code)]

use std::process::ExitCode;

use bowline_stress::Arena;

/// The books of the suite stay out of the malloc under test.
#[global_allocator]
static ARENA: Arena = Arena::new();

fn main() -> ExitCode {
    bowline_stress::run(std::env::args_os())
}
