//! From data to code without names: the hygienic expander, the core language, the passes over it,
//! and the intermediate representation that engines run.
//!
//! `data → expand → core → passes → ir`; each stage is a type with a printer.

#![forbid(unsafe_code)]

mod fx;
mod limits;
mod core_print;
mod pretty;
mod prims;
mod special;
mod scope;
mod stx;
pub mod core;
mod env;
mod rules;
mod expand;
pub mod passes;
pub mod ir;

pub use expand::{Expander, ReplEnv, SourceLoader};
pub use limits::STACK_BYTES;
pub use prims::{GlobalId, Globals, InlineOp, PrimitiveId, PrimitiveInfo, Primitives};
