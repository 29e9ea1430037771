//! From data to code without names: the hygienic expander, the core language, the passes over it,
//! and the intermediate representation that engines run.
//!
//! `data → expand → core → passes → ir`; each stage is a type with a printer.

#![forbid(unsafe_code)]

pub mod core;
mod core_print;
mod effort;
mod env;
mod expand;
mod fx;
pub mod ir;
mod limits;
pub mod lint;
pub mod passes;
mod pretty;
mod prims;
mod rules;
mod scope;
mod special;
mod stx;

pub use expand::{
    Bound, BoundTo, C_WORDS, Expander, Export, ExportKind, ExportOf, Findings, ReplEnv,
    SourceLoader, nearest,
};
pub use limits::STACK_BYTES;
pub use prims::{GlobalId, Globals, InlineOp, PrimitiveId, PrimitiveInfo, Primitives};
