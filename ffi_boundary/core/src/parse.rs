//! From what a program writes to a [`CType`] or a [`Signature`].
//!
//! The boundary does not know the language's syntax trees, so the glue hands over a [`TypeExpr`]: the
//! names, lists and integers of the form and nothing else. A type is matched by its symbol's name,
//! never by a binding, and is never evaluated.

use crate::error::FfiError;
use crate::types::{CType, CallbackType, Lifetime, Repr, Signature};
use std::fmt;
use std::sync::Arc;

/// The most parameters that a signature can have.
pub const MAX_PARAMETERS: usize = 255;

/// A type as the program wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TypeExpr {
    /// A symbol.
    Name(String),
    /// A parenthesised form.
    List(Vec<TypeExpr>),
    /// An integer.
    Int(i64),
}

const CALLBACK_FORM: &str = "(callback (TYPE ...) RESULT [LIFETIME] [(on-exit INTEGER)])";
const POINTER_FORM: &str = "(pointer TYPE)";

impl TypeExpr {
    /// A name.
    pub fn name(name: &str) -> TypeExpr {
        TypeExpr::Name(name.to_owned())
    }

    /// The type that this says.
    pub fn parse(&self) -> Result<CType, FfiError> {
        match self {
            TypeExpr::Name(name) => CType::NAMED
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, ctype)| ctype.clone())
                .ok_or_else(|| self.unknown()),
            TypeExpr::Int(_) => Err(self.unknown()),
            TypeExpr::List(items) => match items.split_first() {
                Some((TypeExpr::Name(head), rest)) if head == "callback" => {
                    self.parse_callback(rest)
                }
                Some((TypeExpr::Name(head), rest)) if head == "pointer" => match rest {
                    // What a pointer points to is for the reader only.
                    [target] => target.parse().map(|_| CType::Pointer),
                    _ => Err(self.malformed(POINTER_FORM)),
                },
                _ => Err(self.unknown()),
            },
        }
    }

    fn parse_callback(&self, rest: &[TypeExpr]) -> Result<CType, FfiError> {
        let [TypeExpr::List(params), result, options @ ..] = rest else {
            return Err(self.malformed(CALLBACK_FORM));
        };
        check_count(params.len())?;
        let params = params
            .iter()
            .map(|p| callback_parameter(p.parse()?))
            .collect::<Result<Vec<_>, _>>()?;
        let result = callback_result(result.parse()?)?;
        let (lifetime, options) = match options {
            [TypeExpr::Name(name), rest @ ..] => (parse_lifetime(name)?, rest),
            _ => (Lifetime::Call, options),
        };
        let on_exit = match options {
            [] => None,
            [TypeExpr::List(form)] => match form.as_slice() {
                [TypeExpr::Name(head), TypeExpr::Int(value)] if head == "on-exit" => Some(*value),
                _ => return Err(self.malformed(CALLBACK_FORM)),
            },
            _ => return Err(self.malformed(CALLBACK_FORM)),
        };
        if let Some(value) = on_exit {
            check_on_exit(value, &result)?;
        }
        Ok(CType::Callback(Arc::new(CallbackType {
            params,
            result,
            lifetime,
            on_exit,
        })))
    }

    fn unknown(&self) -> FfiError {
        FfiError::UnknownType {
            text: self.to_string(),
        }
    }

    fn malformed(&self, expected: &'static str) -> FfiError {
        FfiError::MalformedType {
            text: self.to_string(),
            expected,
        }
    }
}

impl fmt::Display for TypeExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeExpr::Name(name) => f.write_str(name),
            TypeExpr::Int(n) => write!(f, "{n}"),
            TypeExpr::List(items) => {
                f.write_str("(")?;
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    write!(f, "{item}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl Signature {
    /// The signature of a function with these parameter types, among which `...` begins the variadic
    /// part, and this result type.
    pub fn parse(params: &[TypeExpr], result: &TypeExpr) -> Result<Signature, FfiError> {
        let mut parsed = Vec::with_capacity(params.len());
        let mut fixed = None;
        for param in params {
            if matches!(param, TypeExpr::Name(name) if name == "...") {
                if parsed.is_empty() || fixed.is_some() {
                    return Err(FfiError::MisplacedEllipsis);
                }
                fixed = Some(parsed.len());
                continue;
            }
            parsed.push(parameter(param.parse()?)?);
        }
        check_count(parsed.len())?;
        Ok(Signature {
            params: parsed,
            fixed,
            result: function_result(result.parse()?)?,
        })
    }
}

fn check_count(count: usize) -> Result<(), FfiError> {
    if count > MAX_PARAMETERS {
        return Err(FfiError::TooManyParameters {
            count,
            limit: MAX_PARAMETERS,
        });
    }
    Ok(())
}

fn misplaced(ctype: &CType, place: &'static str, hint: &'static str) -> FfiError {
    FfiError::MisplacedType {
        type_name: ctype.to_string(),
        place,
        hint,
    }
}

fn parameter(ctype: CType) -> Result<CType, FfiError> {
    match ctype {
        CType::Void => Err(misplaced(
            &ctype,
            "a parameter",
            "an empty list for a function without parameters",
        )),
        _ => Ok(ctype),
    }
}

fn function_result(ctype: CType) -> Result<CType, FfiError> {
    match ctype {
        CType::Bytevector | CType::Callback(_) => Err(misplaced(&ctype, "a result", "`pointer`")),
        _ => Ok(ctype),
    }
}

fn callback_parameter(ctype: CType) -> Result<CType, FfiError> {
    match ctype {
        CType::Bytevector | CType::Callback(_) => {
            Err(misplaced(&ctype, "a parameter of a callback", "`pointer`"))
        }
        _ => parameter(ctype),
    }
}

/// A string has no place that outlives the callback, so it cannot be what C gets back.
fn callback_result(ctype: CType) -> Result<CType, FfiError> {
    match ctype {
        CType::String | CType::Bytevector | CType::Callback(_) => {
            Err(misplaced(&ctype, "the result of a callback", "`pointer`"))
        }
        _ => Ok(ctype),
    }
}

fn parse_lifetime(name: &str) -> Result<Lifetime, FfiError> {
    Lifetime::NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, lifetime)| *lifetime)
        .ok_or_else(|| FfiError::UnknownLifetime {
            text: name.to_owned(),
        })
}

fn check_on_exit(value: i64, result: &CType) -> Result<(), FfiError> {
    let wide = i128::from(value);
    let fits = match result.repr() {
        Repr::Void => false,
        Repr::Bool => value == 0 || value == 1,
        Repr::Float | Repr::Double | Repr::Pointer => true,
        repr => repr
            .range()
            .is_some_and(|(low, high)| low <= wide && wide <= high),
    };
    if fits {
        Ok(())
    } else {
        Err(FfiError::OnExitRange {
            value,
            type_name: result.to_string(),
        })
    }
}

#[cfg(test)]
mod tests;
