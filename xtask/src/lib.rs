//! Project tasks, as a library so that each can be tested.
//!
//! Reading order: `workspace` (where it is), `tidy` (what the sources must look like), `bench`
//! (measuring against peers).
//!
//! Absent on purpose: anything that the product needs at run time. Nothing depends on this crate.

#![forbid(unsafe_code)]

pub mod bench;
pub mod tidy;
mod workspace;

pub use workspace::root;
