//! The session: text in, running code out.
//!
//! `text → datum → core → IR → bytecode → run`, and what is printed when a step fails. The command,
//! the prompt and embedders use this crate; everything below it is a stage.

#![forbid(unsafe_code)]

mod check;
mod dump;
mod dump_ffi;
mod explain;
mod exported;
mod header;
mod header_types;
mod interact;
mod libraries;
mod loader;
pub mod reference;
mod report;
mod session;
mod start;
pub mod trace;

pub use bowline_ffi::Rest;
pub use bowline_gc::Interrupter;
pub use bowline_middle::lint::Name as Warning;
pub use bowline_syntax::Format;
pub use check::{Checked, check_file, check_text};
pub use dump::Stage;
pub use interact::{Candidate, Entry, Interaction, Interrupted, Reply, Token, TokenClass, entry};
pub use session::{Options, Session, StartError};
