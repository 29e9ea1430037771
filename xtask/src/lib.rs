//! Project tasks, as a library so that each can be tested.
//!
//! Reading order: `workspace` (where it is), `tidy` (what the sources must look like), `bench`
//! (measuring against peers), `docs` (the page that is made of the reference), `install` (the malloc where programs find it).
//!
//! Absent on purpose: anything that the product needs at run time. Nothing depends on this crate.

#![forbid(unsafe_code)]

pub mod bench;
pub mod docs;
pub mod install;
// The engine's own file: a task that writes a page should not have to build the engine.
#[path = "../../lang/engine/src/reference.rs"]
pub mod reference;
pub mod tidy;
mod workspace;

pub use workspace::root;
