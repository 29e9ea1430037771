//! Why a function of the interface did not do what C asked, and which status that is.

use crate::status::Status;
use bowline_ffi::inside::Outside;
use bowline_ffi::{FfiError, HandleError, HandlePinError, TableError};
use bowline_gc::{OutOfMemory, PinError};
use std::fmt;

/// Why.
#[derive(Debug)]
pub(crate) enum Failure {
    Outside(Outside),
    Handle(HandlePinError),
    /// A value of the wrong type.
    Wrong {
        expected: &'static str,
        got: String,
    },
    /// An integer that C's type does not hold.
    TooBig {
        got: String,
        c_type: &'static str,
    },
    /// A tuple of another size.
    Size {
        has: usize,
        wanted: usize,
    },
    /// There is no such element.
    Index {
        index: usize,
        size: usize,
    },
    Nul {
        offset: usize,
    },
    /// The parameter of this name is null.
    Null(&'static str),
    Memory(OutOfMemory),
    Pending,
    NoGc,
    /// This is not an open no-GC scope.
    NoSuchScope,
    ScopeOrder,
    /// The program has exported nothing under this name.
    NotExported {
        name: String,
    },
    /// A constructor has other fields than C was told.
    Layout {
        name: String,
    },
    /// A procedure has other types than C was told.
    Types {
        name: String,
    },
    /// A thread of C's own was not let in, and why.
    NotLetIn(String),
    /// A procedure was called within a no-GC scope.
    Calls,
    /// The procedure that C has called was left.
    Left,
    Table(TableError),
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl From<Outside> for Failure {
    fn from(outside: Outside) -> Self {
        Failure::Outside(outside)
    }
}

impl From<HandleError> for Failure {
    fn from(error: HandleError) -> Self {
        Failure::Handle(error.into())
    }
}

impl From<HandlePinError> for Failure {
    fn from(error: HandlePinError) -> Self {
        Failure::Handle(error)
    }
}

impl From<OutOfMemory> for Failure {
    fn from(error: OutOfMemory) -> Self {
        Failure::Memory(error)
    }
}

impl Failure {
    /// What the boundary says of a value, as this interface does.
    pub(crate) fn of_value(error: FfiError, c_type: &'static str) -> Failure {
        match error {
            FfiError::OutOfRange { got, .. } => Failure::TooBig { got, c_type },
            FfiError::WrongType { expected, got, .. } => Failure::Wrong { expected, got },
            other => Failure::Wrong {
                expected: c_type,
                got: other.to_string(),
            },
        }
    }

    /// Its number in C.
    pub(crate) fn status(&self) -> Status {
        match self {
            Failure::Outside(Outside::InLeaf) => Status::Leaf,
            Failure::Outside(_) => Status::Thread,
            Failure::Handle(HandlePinError::Handle(error)) => handle_status(error),
            Failure::Handle(HandlePinError::Died(_)) => Status::Dead,
            Failure::Handle(HandlePinError::Pin(error)) => match error {
                PinError::TooOften(_) => Status::Limit,
                PinError::OutOfMemory(_) => Status::Memory,
                PinError::NotAnObject(_) | PinError::NotPinned(_) => Status::Type,
            },
            Failure::Wrong { .. } => Status::Type,
            Failure::TooBig { .. }
            | Failure::Size { .. }
            | Failure::Index { .. }
            | Failure::Table(_) => Status::Range,
            Failure::Nul { .. } => Status::Nul,
            Failure::Null(_) => Status::Null,
            Failure::Memory(_) => Status::Memory,
            Failure::NotLetIn(_) => Status::Thread,
            Failure::Pending | Failure::Left => Status::Pending,
            Failure::NoGc | Failure::Calls => Status::NoGc,
            Failure::NoSuchScope | Failure::ScopeOrder => Status::ScopeOrder,
            Failure::NotExported { .. } => Status::Export,
            Failure::Layout { .. } | Failure::Types { .. } => Status::Layout,
        }
    }
}

fn handle_status(error: &HandleError) -> Status {
    match error {
        HandleError::Freed { .. }
        | HandleError::ScopeEnded { .. }
        | HandleError::Stale { .. }
        | HandleError::Foreign { .. }
        | HandleError::NeverIssued { .. } => Status::Stale,
        HandleError::Full { .. } | HandleError::TooManyLocals { .. } => Status::Limit,
        HandleError::OutOfMemory => Status::Memory,
        HandleError::NoScope => Status::Thread,
        HandleError::ScopeOrder => Status::ScopeOrder,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Outside(outside) => outside.fmt(f),
            Failure::Handle(error) => error.fmt(f),
            Failure::Wrong { expected, got } => write!(f, "expected {expected}, got {got}"),
            Failure::TooBig { got, c_type } => write!(f, "{got} does not fit {c_type}"),
            Failure::Size { has, wanted } => {
                write!(f, "the tuple has {has} values, {wanted} were asked for")
            }
            Failure::Index { index, size } => {
                write!(f, "there is no value {index} in a tuple of {size}")
            }
            Failure::Nul { offset } => write!(
                f,
                "the string has a NUL at byte {offset}, where C would take it to end"
            ),
            Failure::Null(parameter) => write!(f, "`{parameter}` is null"),
            Failure::Memory(error) => error.fmt(f),
            Failure::Pending => f.write_str("an exit is pending: C must return"),
            Failure::NoGc => {
                f.write_str("a no-GC scope is open, in which nothing may be allocated")
            }
            Failure::NoSuchScope => f.write_str("the no-GC scope is not open"),
            Failure::ScopeOrder => f.write_str("the no-GC scope is not the innermost one"),
            Failure::Table(error) => error.fmt(f),
            Failure::NotExported { name } => {
                write!(f, "the program has exported nothing as `{name}` so far")
            }
            Failure::Layout { name } => write!(
                f,
                "`{name}` has other fields than its header says: write the header anew by `bowline header`"
            ),
            Failure::Types { name } => write!(
                f,
                "`{name}` has other types than its header says: write the header anew by `bowline header`"
            ),
            Failure::NotLetIn(why) => f.write_str(why),
            Failure::Calls => f.write_str("a no-GC scope is open, in which no procedure can run"),
            Failure::Left => f.write_str("the procedure was left otherwise than by return"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_layout::Value;

    fn check(failures: &[(Failure, Status, &str)]) {
        for (failure, status, text) in failures {
            assert_eq!(
                (failure.to_string(), failure.status()),
                ((*text).to_owned(), *status)
            );
        }
    }

    #[test]
    fn texts_about_who_asks_and_handles() {
        let pin = |error| Failure::Handle(HandlePinError::Pin(error));
        let failures = [
            (
                Failure::from(Outside::NoCall),
                Status::Thread,
                "the thread is in no foreign call",
            ),
            (
                Failure::from(Outside::InLeaf),
                Status::Leaf,
                "the thread is in a leaf call, which may not come back to the runtime",
            ),
            (
                Failure::from(HandleError::OutOfMemory),
                Status::Memory,
                "no memory for more handles",
            ),
            (
                Failure::from(HandleError::NoScope),
                Status::Thread,
                "a local handle was asked for outside every scope",
            ),
            (
                pin(PinError::OutOfMemory(Value::NIL)),
                Status::Memory,
                "no memory to hold () in its place",
            ),
            (
                pin(PinError::TooOften(Value::NIL)),
                Status::Limit,
                "() is pinned more often than can be counted",
            ),
            (
                pin(PinError::NotAnObject(Value::NIL)),
                Status::Type,
                "() is no object and cannot be pinned",
            ),
        ];
        check(&failures);
    }

    #[test]
    fn texts_about_what_c_asks_for() {
        let got = || "#t".to_owned();
        let failures = [
            (
                Failure::Wrong {
                    expected: "a string",
                    got: got(),
                },
                Status::Type,
                "expected a string, got #t",
            ),
            (
                Failure::TooBig {
                    got: "9".into(),
                    c_type: "int64_t",
                },
                Status::Range,
                "9 does not fit int64_t",
            ),
            (
                Failure::Size { has: 2, wanted: 3 },
                Status::Range,
                "the tuple has 2 values, 3 were asked for",
            ),
            (
                Failure::Index { index: 2, size: 2 },
                Status::Range,
                "there is no value 2 in a tuple of 2",
            ),
            (
                Failure::Nul { offset: 1 },
                Status::Nul,
                "the string has a NUL at byte 1, where C would take it to end",
            ),
            (Failure::Null("text"), Status::Null, "`text` is null"),
            (
                Failure::Pending,
                Status::Pending,
                "an exit is pending: C must return",
            ),
            (
                Failure::NoGc,
                Status::NoGc,
                "a no-GC scope is open, in which nothing may be allocated",
            ),
            (
                Failure::NoSuchScope,
                Status::ScopeOrder,
                "the no-GC scope is not open",
            ),
            (
                Failure::ScopeOrder,
                Status::ScopeOrder,
                "the no-GC scope is not the innermost one",
            ),
        ];
        check(&failures);
    }

    #[test]
    fn texts_about_exports() {
        let failures = [
            (
                Failure::NotExported { name: "x".into() },
                Status::Export,
                "the program has exported nothing as `x` so far",
            ),
            (
                Failure::Layout { name: "x".into() },
                Status::Layout,
                "`x` has other fields than its header says: write the header anew by `bowline header`",
            ),
            (
                Failure::Types { name: "x".into() },
                Status::Layout,
                "`x` has other types than its header says: write the header anew by `bowline header`",
            ),
            (
                Failure::NotLetIn("called too late".into()),
                Status::Thread,
                "called too late",
            ),
            (
                Failure::Calls,
                Status::NoGc,
                "a no-GC scope is open, in which no procedure can run",
            ),
            (
                Failure::Left,
                Status::Pending,
                "the procedure was left otherwise than by return",
            ),
            (
                Failure::Table(TableError::Endless {
                    table: "the table `x`".into(),
                    entries: 65_536,
                }),
                Status::Range,
                "the table `x` has no end among its first 65536 entries: it must end with one whose name is NULL",
            ),
        ];
        check(&failures);
    }
}
