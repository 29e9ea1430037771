//! Handles, signatures, calls and callbacks between a language on the Bowline heap and C.
//!
//! The crate sits below the language: it knows words, strings, bytevectors, flonums, bignums and
//! foreign pointers by `bowline_layout`, and procedures only through the host's eyes.
//!
//! Reading order: `error` and `types` (what is talked about), `parse` (what a program writes),
//! `library`, `handle` (how C holds on to objects that move).

mod error;
mod handle;
mod library;
mod parse;
mod sync;
mod types;

pub use error::{FfiError, Place};
pub use handle::{Handle, HandleError, HandleKind, Slots};
pub use library::Library;
pub use parse::{MAX_PARAMETERS, TypeExpr};
pub use types::{CType, CallbackType, Lifetime, Repr, Signature};
