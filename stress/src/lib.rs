//! The torture suite: makes plans of trouble from a seed, carries them out in child processes and
//! says which promise did not hold.
//!
//! ```text
//!   parent (never loads the malloc under test)      child (LD_PRELOAD=the malloc under test)
//!   cli ─ suite ─ session ─ shrink ─ replay          victim ─┬─ checks (one promise each)
//!                    │                                       └─ torture (plan, workers, shadow)
//!                    └──────── recorder: a mapped file ──────────────┘
//! ```
//!
//! The program's own Rust allocations come from [`Arena`], mapped memory that no malloc knows: a
//! fault of the malloc under test cannot spoil the books that convict it. What the C library
//! allocates for itself (thread descriptors, streams) does come from the malloc under test, as it
//! would in any program.
//!
//! Absent on purpose: speed figures. A malloc that is slow and right passes.

#![deny(unsafe_code)]

mod checks;
mod cli;
mod fault;
mod gc;
mod locate;
mod plan;
mod random;
mod raw;
mod recorder;
mod replay;
mod session;
mod shadow;
mod shrink;
mod size;
mod suite;
mod torture;
mod victim;

pub use cli::run;
pub use raw::Arena;
