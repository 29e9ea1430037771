//! From text to data: source spans, lexer, reader, datum, printer and diagnostics.
//!
//! The reader takes any text whatever and returns the data it found together with diagnostics; it
//! never panics, and it never recurses on the nesting of its input, nor does anything else here
//! (inv:syntax.depth, defined in `datum`).
//!
//! Absent on purpose: meaning. What a symbol is bound to, which list is a form and what a number is
//! worth are the business of `lang/middle` and `lang/runtime`. Nothing here knows the heap: a datum
//! is plain reference-counted Rust data.

#![forbid(unsafe_code)]

mod character;
mod cycle;
mod datum;
mod diagnostic;
mod expansion;
mod fault;
mod lexer;
mod number;
mod pieces;
mod printer;
mod reader;
mod source_text;
mod span;
mod symbol;

pub use character::{character_name, fold_case, is_plain_identifier, named_character};
pub use cycle::{check_literal, check_unquoted};
pub use datum::{Datum, DatumKind};
pub use diagnostic::{Call, Diagnostic, Format, Severity, render, to_json};
pub use expansion::{Expanding, ExpansionStep, Expansions, TemplatePlaces, Via};
pub use number::{IBig, Number, NumberError, RBig, UBig, real_to_string};
pub use pieces::{Piece, PieceKind, pieces};
pub use printer::{display, write, write_apart, write_character, write_string, write_symbol};
pub use reader::{ReadError, Reader, read_all};
pub use source_text::decode;
pub use span::{Location, SourceId, SourceMap, Span};
pub use symbol::Symbol;
