//! What can be wrong with a type, a signature or a clause, before anything is called.

use crate::error::plural;
use std::fmt;

/// An error in a declaration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeclareError {
    /// No type has this name.
    UnknownType {
        /// The type as it was written.
        text: String,
    },
    /// A type that is planned and not there yet.
    NotYet {
        /// The type as it was written.
        text: String,
        /// What to use meanwhile.
        instead: &'static str,
    },
    /// A type form is not written as it must be.
    MalformedType {
        /// The form as it was written.
        text: String,
        /// How it should look.
        expected: &'static str,
    },
    /// A type stands where it has no meaning.
    MisplacedType {
        /// The type.
        type_name: String,
        /// Where it stands.
        place: &'static str,
        /// What to write instead.
        hint: &'static str,
    },
    /// `...` is not after at least one type, or is there twice.
    MisplacedEllipsis,
    /// More parameters than a signature can have.
    TooManyParameters {
        /// How many there are.
        count: usize,
        /// The most that there can be.
        limit: usize,
    },
    /// As many `env`s as callbacks with one there must be.
    Envs {
        /// How many `env`s the function has.
        envs: usize,
        /// How many callbacks want one.
        callbacks: usize,
    },
    /// An enumeration that has no definition yet.
    UndefinedEnum {
        /// The enumeration.
        name: String,
    },
    /// A second definition that differs from the first.
    RedefinedEnum {
        /// The enumeration.
        name: String,
    },
    /// A member whose number C has no enumeration for.
    EnumRange {
        /// The enumeration.
        name: String,
        /// The member.
        member: String,
        /// Its number.
        number: i64,
    },
    /// An `errno-when` of a function without a result.
    ErrnoWhen,
    /// An `errno-result` of a function whose result is no integer.
    ErrnoResult {
        /// The result type.
        type_name: String,
    },
    /// A `free-with` of a function whose result cannot be freed.
    FreedResult {
        /// The result type.
        type_name: String,
    },
    /// A `free-with` by a function that does not take a pointer alone.
    FreesNothing {
        /// The function.
        function: String,
        /// Its type.
        declared: String,
    },
    /// libffi refused the signature.
    Unsupported {
        /// The signature.
        signature: String,
    },
}

impl fmt::Display for DeclareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeclareError::UnknownType { text } => write!(f, "unknown type `{text}`"),
            DeclareError::NotYet { text, instead } => {
                write!(f, "the type `{text}` is not supported yet; use {instead}")
            }
            DeclareError::MalformedType { text, expected } => {
                write!(f, "`{text}` is not a type: expected {expected}")
            }
            DeclareError::MisplacedType {
                type_name,
                place,
                hint,
            } => write!(f, "`{type_name}` cannot be {place}; use {hint}"),
            DeclareError::MisplacedEllipsis => {
                f.write_str("`...` must stand once, after at least one parameter type")
            }
            DeclareError::TooManyParameters { count, limit } => write!(
                f,
                "{} are too many: the limit is {limit}",
                plural(*count, "parameter")
            ),
            DeclareError::Envs { envs, callbacks } => write!(
                f,
                "each `callback/env` wants one `env` beside it, by order: there are {callbacks} and {envs}"
            ),
            DeclareError::UndefinedEnum { name } => write!(
                f,
                "(enum {name}) is not defined: (define-foreign-enum {name} ...) must come first"
            ),
            DeclareError::RedefinedEnum { name } => write!(
                f,
                "(enum {name}) is defined already, with other members; its name means the same in the whole program"
            ),
            DeclareError::EnumRange {
                name,
                member,
                number,
            } => write!(
                f,
                "(enum {name}): {number}, the number of {member}, does not fit an int of C beside the others"
            ),
            DeclareError::ErrnoWhen => {
                f.write_str("(errno-when P) asks P about the result, and void is none")
            }
            DeclareError::ErrnoResult { type_name } => write!(
                f,
                "(errno-result) wants an integer as the result, which is the error number, not {type_name}"
            ),
            DeclareError::FreedResult { type_name } => write!(
                f,
                "(free-with F) wants a string or a pointer as the result, not {type_name}"
            ),
            DeclareError::FreesNothing { function, declared } => write!(
                f,
                "(free-with {function}): `{function}` must take one pointer, and is declared as {declared}"
            ),
            DeclareError::Unsupported { signature } => {
                write!(f, "libffi cannot call a function of type {signature}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let unsupported = DeclareError::Unsupported {
            signature: "(int) int".into(),
        };
        assert_eq!(
            unsupported.to_string(),
            "libffi cannot call a function of type (int) int"
        );
        assert_eq!(
            DeclareError::ErrnoWhen.to_string(),
            "(errno-when P) asks P about the result, and void is none"
        );
        let type_name = || "double".to_owned();
        let errno = DeclareError::ErrnoResult {
            type_name: type_name(),
        };
        assert_eq!(
            errno.to_string(),
            "(errno-result) wants an integer as the result, which is the error number, not double"
        );
        let freed = DeclareError::FreedResult {
            type_name: type_name(),
        };
        assert_eq!(
            freed.to_string(),
            "(free-with F) wants a string or a pointer as the result, not double"
        );
        let frees = DeclareError::FreesNothing {
            function: "abs".into(),
            declared: "(int) int".into(),
        };
        assert_eq!(
            frees.to_string(),
            "(free-with abs): `abs` must take one pointer, and is declared as (int) int"
        );
        let envs = DeclareError::Envs {
            envs: 2,
            callbacks: 1,
        };
        assert_eq!(
            envs.to_string(),
            "each `callback/env` wants one `env` beside it, by order: there are 1 and 2"
        );
        let many = DeclareError::TooManyParameters {
            count: 300,
            limit: 255,
        };
        assert_eq!(
            many.to_string(),
            "300 parameters are too many: the limit is 255"
        );
    }
}
