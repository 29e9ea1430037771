//! From data to code without names: the hygienic expander, the core language, the passes over it,
//! and the intermediate representation that engines run.

#![forbid(unsafe_code)]

mod fx;
pub mod ir;
mod pretty;
mod prims;

pub use prims::{GlobalId, Globals, InlineOp, PrimitiveId, PrimitiveInfo, Primitives};
