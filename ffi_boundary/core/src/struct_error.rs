//! What can be wrong with a struct, an array, or a pointer to one.

use crate::error::{Place, plural};
use crate::types::CType;
use std::fmt;

/// An error about a struct or an array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StructError {
    /// A struct whose fields must be known has no definition yet.
    Undefined {
        /// The struct.
        name: String,
    },
    /// A second definition that differs from the first.
    Redefined {
        /// The struct.
        name: String,
    },
    /// A struct has itself as a field.
    ContainsItself {
        /// The struct.
        name: String,
    },
    /// Two fields have one name.
    DuplicateField {
        /// The struct.
        name: String,
        /// The field.
        field: String,
    },
    /// A field that begins with its type, as in C.
    TypeFirst {
        /// The type.
        type_name: String,
        /// The field.
        field: String,
    },
    /// A struct without fields.
    NoFields {
        /// The struct.
        name: String,
    },
    /// A type that is larger than any memory.
    TooLarge {
        /// The type.
        type_name: String,
    },
    /// An array where C would get it by value.
    ArrayByValue {
        /// The type of its elements.
        element: CType,
        /// Where it stands.
        place: &'static str,
    },
    /// A struct by value that has an array of no certain length.
    OpenEnd {
        /// The struct.
        name: String,
        /// Where it stands.
        place: &'static str,
    },
    /// A struct by value that has more in it than can be described.
    TooManyElements {
        /// The struct.
        name: String,
        /// Where it stands.
        place: &'static str,
        /// The most fields and elements of arrays that it may have.
        limit: usize,
    },
    /// Something other than a pointer to the struct.
    NotPointer {
        /// The procedure.
        who: String,
        /// What it wants a pointer to.
        name: String,
        /// What it got.
        got: String,
        /// What is known of it.
        what: NotPointer,
    },
    /// A field of a struct at NULL.
    Null {
        /// The procedure.
        who: String,
        /// The struct.
        name: String,
        /// The field.
        field: String,
    },
    /// A constructor with a wrong number of arguments.
    WrongCount {
        /// The struct.
        name: String,
        /// How many fields it has.
        fields: usize,
        /// How many values it got.
        got: usize,
    },
    /// More elements than an array has room for.
    TooMany {
        /// Where they were to go.
        place: Place,
        /// The array.
        ctype: CType,
        /// How many there are.
        got: usize,
    },
    /// Text that does not fit with its NUL.
    TooLong {
        /// Where it was to go.
        place: Place,
        /// The array.
        ctype: CType,
        /// The bytes of the text without the NUL.
        got: usize,
    },
    /// An access beyond the end of an array, or before its beginning.
    OutOfBounds {
        /// What was tried.
        operation: &'static str,
        /// Where.
        offset: isize,
        /// The bytes of what was to be accessed.
        bytes: usize,
        /// The array.
        ctype: CType,
    },
}

/// Why a value is no pointer to a struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotPointer {
    /// It is no pointer.
    Other,
    /// It is a pointer, and nothing says to what.
    Untyped,
    /// It points to something else.
    Elsewhere,
    /// It points to what another definition of the name stands for.
    OtherDefinition,
}

impl StructError {
    /// The texts about declarations.
    fn fmt_declaration(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StructError::Undefined { name } => write!(
                f,
                "(struct {name}) is not defined: (define-foreign-struct {name} ...) must come first"
            ),
            StructError::Redefined { name } => write!(
                f,
                "(struct {name}) is defined already, with other fields; its name means the same in the whole program"
            ),
            StructError::ContainsItself { name } => write!(
                f,
                "(struct {name}) cannot contain itself; use `(pointer (struct {name}))`"
            ),
            StructError::DuplicateField { name, field } => {
                write!(f, "(struct {name}) has two fields named {field}")
            }
            StructError::NoFields { name } => {
                write!(f, "(struct {name}) has no fields, which C does not allow")
            }
            StructError::TooLarge { type_name } => {
                write!(f, "{type_name} is larger than any memory")
            }
            StructError::ArrayByValue { element, place } => write!(
                f,
                "an array cannot be {place} in C; use `(pointer {element})`"
            ),
            StructError::OpenEnd { name, place } => write!(
                f,
                "(struct {name}) cannot be {place}: it has an array whose length only the program knows; use `(pointer (struct {name}))`"
            ),
            StructError::TooManyElements { name, place, limit } => write!(
                f,
                "(struct {name}) cannot be {place}: it has more than {limit} fields and elements; use `(pointer (struct {name}))`"
            ),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for StructError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StructError::NotPointer {
                who,
                name,
                got,
                what,
            } => {
                write!(f, "{who}: expected a pointer to (struct {name}), got {got}")?;
                match what {
                    NotPointer::Other | NotPointer::Elsewhere => Ok(()),
                    NotPointer::Untyped => write!(
                        f,
                        " (if it is one, `(pointer-ref POINTER (struct {name}))` says so)"
                    ),
                    NotPointer::OtherDefinition => {
                        write!(f, " (that is another definition of the same name)")
                    }
                }
            }
            StructError::Null { who, name, field } => write!(
                f,
                "{who}: the pointer is null, so there is no field {field} of a (struct {name})"
            ),
            StructError::WrongCount {
                name,
                fields: 1,
                got,
            } => write!(f, "make-{name} takes no argument or one, but got {got}"),
            StructError::WrongCount { name, fields, got } => write!(
                f,
                "make-{name} takes no arguments or one for each of {}, but got {got}",
                plural(*fields, "field")
            ),
            StructError::TypeFirst { type_name, field } => write!(
                f,
                "a field's name stands in front of its type: ({field} {type_name}), not ({type_name} {field})"
            ),
            StructError::TooMany { place, ctype, got } => {
                write!(f, "{place} has type {ctype}: {got} elements are too many")
            }
            StructError::TooLong { place, ctype, got } => write!(
                f,
                "{place} has type {ctype}: {got} bytes of text and a NUL do not fit"
            ),
            StructError::OutOfBounds {
                operation,
                offset,
                bytes,
                ctype,
            } => write!(
                f,
                "{operation}: {} at offset {offset} would be outside of the {ctype}, which has {}",
                plural(*bytes, "byte"),
                plural(ctype.size().unwrap_or(0), "byte")
            ),
            _ => self.fmt_declaration(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_that_cannot_be_described() {
        let error = StructError::TooManyElements {
            name: "pixels".into(),
            place: "a parameter",
            limit: 4096,
        };
        assert_eq!(
            error.to_string(),
            "(struct pixels) cannot be a parameter: it has more than 4096 fields and elements; use `(pointer (struct pixels))`"
        );
    }
}
