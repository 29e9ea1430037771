//! What a program can do wrong.

use bowline_gc::safe::{AllocError, WrongKind};
use std::fmt;

/// What a program did wrong.
#[derive(Debug)]
pub(crate) enum Error {
    /// The text is no datum.
    Syntax(&'static str),
    /// Nobody has defined the name.
    Unbound(String),
    /// A form or a call has too few parts, or too many.
    Arity(&'static str),
    /// A value is not of the kind that is wanted.
    Kind(WrongKind),
    /// A number became too large.
    Overflow,
    /// The heap is full.
    Memory(AllocError),
}

impl From<WrongKind> for Error {
    fn from(e: WrongKind) -> Self {
        Error::Kind(e)
    }
}

impl From<AllocError> for Error {
    fn from(e: AllocError) -> Self {
        Error::Memory(e)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Syntax(what) => write!(f, "syntax: {what}"),
            Error::Unbound(name) => write!(f, "{name} is not defined"),
            Error::Arity(what) => write!(f, "{what} has too few parts or too many"),
            Error::Kind(e) => e.fmt(f),
            Error::Overflow => f.write_str("a number became too large"),
            Error::Memory(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
