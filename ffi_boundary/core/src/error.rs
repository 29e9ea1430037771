//! Everything that can go wrong between the language and C, with the facts inside.
//!
//! The texts are for the person who wrote the call: they name the function, the parameter by its
//! position, its type, the value and what would have been accepted.
//!
//! Absent on purpose: system errors. A call that C itself reports as failed is not an error here;
//! the caller reads [`crate::Returned::errno`].

use crate::callback_error::CallbackError;
use crate::declare_error::DeclareError;
use crate::handle::HandleError;
use crate::inside_error::InsideError;
use crate::struct_error::StructError;
use crate::table::TableError;
use crate::types::CType;
use std::fmt;

/// Where a value was on its way to C.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// What a foreign function returned.
    Result {
        /// The function.
        function: String,
    },
    /// What C passed to a callback; positions count from 1.
    CallbackArgument {
        /// The function that the callback was an argument of.
        function: String,
        /// Which argument it was; 0 for one that this made.
        position: usize,
        /// Which argument of the callback.
        argument: usize,
    },
    /// An argument of a foreign function; positions count from 1.
    Argument {
        /// The function.
        function: String,
        /// Its parameter.
        position: usize,
    },
    /// What a callback's procedure returned.
    CallbackResult {
        /// The function that the callback was an argument of.
        function: String,
        /// Which argument it was; 0 for one that this made.
        position: usize,
    },
    /// What C passed to an exported procedure; arguments count from 1.
    ExportArgument {
        /// Its name in C.
        export: Box<str>,
        /// Which argument.
        argument: usize,
    },
    /// What an exported procedure returned.
    ExportResult {
        /// Its name in C.
        export: Box<str>,
    },
    /// The value of a store into C memory.
    Store,
    /// The value of a field.
    Field {
        /// The struct.
        structure: Box<str>,
        /// Its field.
        field: Box<str>,
    },
    /// A typed field of the language's own data.
    Part {
        /// The constructor.
        constructor: Box<str>,
        /// Its field.
        field: Box<str>,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Argument { function, position } => {
                write!(f, "argument {position} of `{function}`")
            }
            Place::Result { function } => write!(f, "the result of `{function}`"),
            Place::CallbackArgument {
                function,
                position: 0,
                argument,
            } => write!(f, "argument {argument} of the callback of `{function}`"),
            Place::CallbackArgument {
                function,
                position,
                argument,
            } => write!(
                f,
                "argument {argument} of the callback that is argument {position} of `{function}`"
            ),
            Place::CallbackResult {
                function,
                position: 0,
            } => write!(f, "the result of the callback of `{function}`"),
            Place::CallbackResult { function, position } => write!(
                f,
                "the result of the callback that is argument {position} of `{function}`"
            ),
            Place::ExportArgument { export, argument } => {
                write!(f, "argument {argument} of the exported `{export}`")
            }
            Place::ExportResult { export } => write!(f, "the result of the exported `{export}`"),
            Place::Store => f.write_str("the value to store"),
            Place::Field { structure, field } => {
                write!(f, "the field {field} of (struct {structure})")
            }
            Place::Part { constructor, field } => write!(f, "the field {field} of {constructor}"),
        }
    }
}

/// An error of the boundary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FfiError {
    /// A library with an empty name; to `dlopen` that would be the process.
    NamelessLibrary,
    /// A library could not be loaded.
    UnknownLibrary {
        /// As it was asked for.
        library: String,
        /// What the dynamic linker said.
        reason: String,
        /// A file that may be meant.
        near: Option<String>,
    },
    /// A library has no such symbol.
    UnknownSymbol {
        /// The symbol.
        symbol: String,
        /// The library that was searched.
        library: String,
    },
    /// The name of a library or of a symbol has a NUL in it.
    NulInName {
        /// The name.
        name: String,
    },
    /// A call with the wrong number of arguments.
    Arity {
        /// The function.
        function: String,
        /// How many it takes.
        expected: usize,
        /// How many it got.
        got: usize,
        /// Its types, as they were declared.
        declared: String,
    },
    /// A value that its C type cannot come from.
    WrongType {
        /// Where the value was.
        place: Place,
        /// The C type.
        ctype: CType,
        /// What would have been accepted.
        expected: &'static str,
        /// The value.
        got: String,
        /// A way out, or nothing.
        hint: &'static str,
    },
    /// What is neither a member of an enumeration nor a number.
    NoMember {
        /// Where the value was.
        place: Place,
        /// The enumeration.
        name: String,
        /// Its members, the first ones.
        members: String,
        /// The value.
        got: String,
    },
    /// An integer that does not fit its C type.
    OutOfRange {
        /// Where the value was.
        place: Place,
        /// The C type, which says what would fit.
        ctype: CType,
        /// The value.
        got: String,
    },
    /// A string with a NUL inside where C would stop reading.
    EmbeddedNul {
        /// Where the string was.
        place: Place,
        /// The byte offset of the NUL.
        offset: usize,
    },
    /// A handle that cannot be made, or that stands for nothing.
    Handle {
        /// Where it was.
        place: Place,
        /// What is wrong with it; nothing for 0.
        error: Option<HandleError>,
    },
    /// An offset that is none into the bytevector before it.
    Offset {
        /// Where it was.
        place: Place,
        /// The bytes of the bytevector.
        length: usize,
        /// The value.
        got: String,
    },
    /// Foreign calls and callbacks are nested so deeply that the stack is nearly full.
    TooDeep {
        /// The function that was not called.
        function: String,
    },
    /// An access through a null pointer.
    NullPointer {
        /// What was tried.
        operation: &'static str,
    },
    /// A string that was to be stored into C memory.
    StoredString,
    /// A type that cannot be read from or stored into C memory.
    NotInMemory {
        /// The type.
        type_name: String,
    },
    /// About a declaration.
    Declare(Box<DeclareError>),
    /// About a callback.
    Callback(Box<CallbackError>),
    /// About a struct or an array.
    Struct(Box<StructError>),
    /// About what C did by the functions of the C interface.
    Inside(Box<InsideError>),
    /// About a table of functions.
    Table(Box<TableError>),
}

impl From<InsideError> for FfiError {
    fn from(error: InsideError) -> Self {
        FfiError::Inside(Box::new(error))
    }
}

impl From<DeclareError> for FfiError {
    fn from(error: DeclareError) -> Self {
        FfiError::Declare(Box::new(error))
    }
}

impl From<CallbackError> for FfiError {
    fn from(error: CallbackError) -> Self {
        FfiError::Callback(Box::new(error))
    }
}

impl From<StructError> for FfiError {
    fn from(error: StructError) -> Self {
        FfiError::Struct(Box::new(error))
    }
}

impl fmt::Display for FfiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FfiError::NamelessLibrary => {
                f.write_str("the name of a library is empty; #f stands for the process itself")
            }
            FfiError::UnknownLibrary {
                library,
                reason,
                near,
            } => {
                write!(f, "cannot load the library `{library}`: {reason}")?;
                match near {
                    Some(near) => write!(f, "; did you mean `{near}`?"),
                    None => Ok(()),
                }
            }
            FfiError::UnknownSymbol { symbol, library } => {
                write!(f, "{library} has no symbol `{symbol}`")
            }
            FfiError::NulInName { name } => {
                write!(f, "the name {name:?} has a NUL character in it")
            }
            FfiError::TooDeep { function } => write!(
                f,
                "`{function}` was not called: foreign calls are nested so deeply that the stack is nearly full"
            ),
            FfiError::Declare(error) => error.fmt(f),
            FfiError::Callback(error) => error.fmt(f),
            FfiError::Struct(error) => error.fmt(f),
            FfiError::Inside(error) => error.fmt(f),
            FfiError::Table(error) => error.fmt(f),
            FfiError::NullPointer { operation } => write!(f, "{operation}: the pointer is null"),
            FfiError::StoredString => f.write_str(
                "a string cannot be stored into C memory, where nothing would keep it in place; store a pointer to a copy, as `string->pointer` makes one",
            ),
            FfiError::NotInMemory { type_name } => {
                write!(
                    f,
                    "`{type_name}` cannot be read from or stored into C memory"
                )
            }
            _ => self.fmt_value(f),
        }
    }
}

impl FfiError {
    /// The texts about values.
    fn fmt_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FfiError::Arity {
                function,
                expected,
                got,
                ..
            } => write!(
                f,
                "`{function}` takes {}, but got {got}",
                plural(*expected, "argument")
            ),
            FfiError::WrongType {
                place,
                ctype,
                expected,
                got,
                hint,
            } => {
                let name = short(ctype);
                write!(f, "{place} has type {name}: expected {expected}, got {got}")?;
                if hint.is_empty() {
                    Ok(())
                } else {
                    write!(f, " ({hint})")
                }
            }
            FfiError::NoMember {
                place,
                name,
                members,
                got,
            } => write!(
                f,
                "{place} has type (enum {name}): expected {members} or an exact integer, got {got}"
            ),
            FfiError::OutOfRange { place, ctype, got } => {
                let name = short(ctype);
                let (low, high) = ctype.repr().range().unwrap_or((0, 0));
                write!(
                    f,
                    "{place} has type {name}: {got} is not between {low} and {high}"
                )
            }
            FfiError::Handle { place, error: None } => {
                write!(f, "{place} is 0, which is no handle")
            }
            FfiError::Handle {
                place,
                error: Some(error),
            } => write!(f, "{place}: {error}"),
            FfiError::Offset { place, length, got } => write!(
                f,
                "{place} is an offset into the bytevector before it: expected an exact integer from 0 to {length}, got {got}"
            ),
            FfiError::EmbeddedNul { place, offset } => write!(
                f,
                "{place} is a string with a NUL character at byte {offset}, where C would take it to end"
            ),
            _ => Ok(()),
        }
    }
}

/// A type as a message about a value names it; all of a callback would be too much.
fn short(ctype: &CType) -> String {
    match ctype {
        CType::Callback(_) => ctype.name().to_owned(),
        _ => ctype.to_string(),
    }
}

pub(crate) fn plural(n: usize, noun: &str) -> String {
    match n {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{n} {noun}s"),
    }
}

impl std::error::Error for FfiError {}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A place that errors are about.
    pub(crate) fn argument() -> Place {
        Place::Argument {
            function: "labs".into(),
            position: 1,
        }
    }

    #[test]
    fn texts_about_values() {
        let arity = |expected| FfiError::Arity {
            function: "labs".into(),
            expected,
            got: 7,
            declared: "(long) long".into(),
        };
        assert_eq!(arity(0).to_string(), "`labs` takes no arguments, but got 7");
        assert_eq!(arity(1).to_string(), "`labs` takes 1 argument, but got 7");
        assert_eq!(arity(2).to_string(), "`labs` takes 2 arguments, but got 7");
        let wrong = FfiError::WrongType {
            place: argument(),
            ctype: CType::Pointer,
            expected: "a foreign pointer or #f",
            got: "#u8(1)".into(),
            hint: "declare the parameter as `bytevector`",
        };
        assert_eq!(
            wrong.to_string(),
            "argument 1 of `labs` has type pointer: expected a foreign pointer or #f, got #u8(1) \
             (declare the parameter as `bytevector`)"
        );
        let offset = FfiError::Offset {
            place: argument(),
            length: 8,
            got: "9".into(),
        };
        assert_eq!(
            offset.to_string(),
            "argument 1 of `labs` is an offset into the bytevector before it: expected an exact integer from 0 to 8, got 9"
        );
        let range = FfiError::OutOfRange {
            place: argument(),
            ctype: CType::Int8,
            got: "128".into(),
        };
        assert_eq!(
            range.to_string(),
            "argument 1 of `labs` has type int8: 128 is not between -128 and 127"
        );
        let nul = FfiError::EmbeddedNul {
            place: argument(),
            offset: 3,
        };
        assert_eq!(
            nul.to_string(),
            "argument 1 of `labs` is a string with a NUL character at byte 3, where C would take it to end"
        );
    }

    #[test]
    fn texts_about_places() {
        let result = Place::CallbackResult {
            function: "qsort".into(),
            position: 4,
        };
        let error = FfiError::OutOfRange {
            place: result,
            ctype: CType::UInt8,
            got: "-1".into(),
        };
        assert_eq!(
            error.to_string(),
            "the result of the callback that is argument 4 of `qsort` has type uint8: -1 is not between 0 and 255"
        );
        let export = || "area".into();
        let argument = Place::ExportArgument {
            export: export(),
            argument: 2,
        };
        assert_eq!(argument.to_string(), "argument 2 of the exported `area`");
        let result = Place::ExportResult { export: export() };
        assert_eq!(result.to_string(), "the result of the exported `area`");
        let error = FfiError::OutOfRange {
            place: Place::Store,
            ctype: CType::UInt8,
            got: "256".into(),
        };
        assert_eq!(
            error.to_string(),
            "the value to store has type uint8: 256 is not between 0 and 255"
        );
    }

    #[test]
    fn texts_about_the_rest() {
        let texts = [
            (
                FfiError::NulInName {
                    name: "a\0b".into(),
                },
                "the name \"a\\0b\" has a NUL character in it",
            ),
            (
                FfiError::TooDeep {
                    function: "qsort".into(),
                },
                "`qsort` was not called: foreign calls are nested so deeply that the stack is nearly full",
            ),
            (
                FfiError::NullPointer {
                    operation: "pointer-ref",
                },
                "pointer-ref: the pointer is null",
            ),
            (
                FfiError::NotInMemory {
                    type_name: "void".into(),
                },
                "`void` cannot be read from or stored into C memory",
            ),
        ];
        for (error, text) in texts {
            assert_eq!(error.to_string(), text);
        }
    }
}
