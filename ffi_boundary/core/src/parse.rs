//! From what a program writes to a [`CType`] or a [`Signature`].
//!
//! The boundary does not know the language's syntax trees, so the glue hands over a [`TypeExpr`]: the
//! names, lists and integers of the form and nothing else. A type is matched by its symbol's name,
//! never by a binding, and is never evaluated.

use crate::aggregate::Types;
use crate::declare_error::DeclareError;
use crate::error::FfiError;
use crate::struct_error::StructError;
use crate::types::{CType, Parameter, Passing, Signature};
use std::fmt;

mod callback;
mod export;

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
    /// An integer that is larger or smaller than those, in digits.
    Huge(String),
}

const POINTER_FORM: &str = "(pointer TYPE)";
const BYTEVECTOR_AT_FORM: &str = "(bytevector-at)";
const STRUCT_FORM: &str = "(struct NAME)";
const ENUM_FORM: &str = "(enum NAME)";
const ARRAY_FORM: &str = "(array TYPE COUNT)";
const OUT_FORM: &str = "(out TYPE) or (inout TYPE)";

/// Words that stand for types which are planned, and what does for now.
const NOT_YET: &[(&str, &str)] = &[("union", "`(array uint8 N)`, or the member that you need")];

impl TypeExpr {
    /// A name.
    pub fn name(name: &str) -> TypeExpr {
        TypeExpr::Name(name.to_owned())
    }

    /// The type that this says.
    pub fn parse(&self, types: &mut Types) -> Result<CType, FfiError> {
        let (head, rest) = match self {
            TypeExpr::Name(name) => {
                return CType::named(name).ok_or_else(|| self.unknown(name));
            }
            TypeExpr::List(items) => match items.split_first() {
                Some((TypeExpr::Name(head), rest)) => (head.as_str(), rest),
                _ => return Err(self.unknown("")),
            },
            TypeExpr::Int(_) | TypeExpr::Huge(_) => return Err(self.unknown("")),
        };
        match (head, rest) {
            ("callback", _) => self.parse_callback(rest, types),
            ("callback/env", _) => self.parse_callback_with_env(rest, types),
            ("pointer", [target]) => target.parse_target(types),
            ("pointer", _) => Err(self.malformed(POINTER_FORM)),
            ("bytevector-at", []) => Ok(CType::BytevectorAt),
            ("bytevector-at", _) => Err(self.malformed(BYTEVECTOR_AT_FORM)),
            ("struct", [TypeExpr::Name(name)]) => Ok(CType::Struct(types.named(name))),
            ("struct", _) => Err(self.malformed(STRUCT_FORM)),
            ("enum", [TypeExpr::Name(name)]) => Ok(CType::Enum(types.enumeration(name)?)),
            ("enum", _) => Err(self.malformed(ENUM_FORM)),
            ("array", [element, TypeExpr::Int(count)]) => {
                let count = usize::try_from(*count).map_err(|_| self.malformed(ARRAY_FORM))?;
                let element = element.parse(types)?.in_memory("an element of an array")?;
                Ok(CType::Array(types.array(element, count)?))
            }
            ("array", [_, TypeExpr::Huge(count)]) if !count.starts_with('-') => {
                let type_name = self.to_string();
                Err(StructError::TooLarge { type_name }.into())
            }
            ("array", _) => Err(self.malformed(ARRAY_FORM)),
            ("out" | "inout", [_]) => Err(DeclareError::MisplacedType {
                type_name: self.to_string(),
                place: "anything but a parameter of a foreign function",
                hint: "`pointer`",
            }
            .into()),
            ("out" | "inout", _) => Err(self.malformed(OUT_FORM)),
            (head, _) => Err(self.unknown(head)),
        }
    }

    /// A pointer to what this says. Only structs make a difference: any other target is for the
    /// reader.
    fn parse_target(&self, types: &mut Types) -> Result<CType, FfiError> {
        match self.parse(types)? {
            CType::Struct(structure) => Ok(CType::PointerTo(structure)),
            _ => Ok(CType::Pointer),
        }
    }

    /// A parameter, which alone may go the other way.
    fn parse_parameter(&self, types: &mut Types) -> Result<Parameter, FfiError> {
        let passing = match self {
            TypeExpr::List(items) => match items.as_slice() {
                [TypeExpr::Name(head), target] if head == "out" => Some((Passing::Out, target)),
                [TypeExpr::Name(head), target] if head == "inout" => Some((Passing::InOut, target)),
                _ => None,
            },
            _ => None,
        };
        let Some((passing, target)) = passing else {
            let ctype = parameter(self.parse(types)?)?;
            let passing = Passing::In;
            return Ok(Parameter { ctype, passing });
        };
        let place = "what an `out` or `inout` parameter refers to";
        let ctype = match target.parse(types)? {
            // It is the call's, as one that it returns is.
            CType::Handle if passing == Passing::Out => CType::Handle,
            ctype => ctype.in_memory(place)?,
        };
        if passing == Passing::InOut && ctype == CType::String {
            let place = "what an `inout` parameter refers to";
            return Err(misplaced(&ctype, place, "`(inout pointer)`"));
        }
        Ok(Parameter { ctype, passing })
    }

    /// Whether a value of this type has the struct `name` in it.
    pub(crate) fn mentions_by_value(&self, name: &str) -> bool {
        let TypeExpr::List(items) = self else {
            return false;
        };
        match items.as_slice() {
            [TypeExpr::Name(head), TypeExpr::Name(other)] if head == "struct" => other == name,
            [TypeExpr::Name(head), element, _] if head == "array" => {
                element.mentions_by_value(name)
            }
            _ => false,
        }
    }

    /// The error for a type whose name or first word is not known.
    fn unknown(&self, word: &str) -> FfiError {
        let text = self.to_string();
        if word == "..." {
            let place = "anywhere but among the parameters of a foreign function";
            let (type_name, hint) = (text, "the types that C passes");
            return DeclareError::MisplacedType {
                type_name,
                place,
                hint,
            }
            .into();
        }
        match NOT_YET.iter().find(|(planned, _)| *planned == word) {
            Some(&(_, instead)) => DeclareError::NotYet { text, instead },
            None => DeclareError::UnknownType { text },
        }
        .into()
    }

    fn malformed(&self, expected: &'static str) -> FfiError {
        DeclareError::MalformedType {
            text: self.to_string(),
            expected,
        }
        .into()
    }
}

impl fmt::Display for TypeExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeExpr::Name(name) => f.write_str(name),
            TypeExpr::Int(n) => write!(f, "{n}"),
            TypeExpr::Huge(digits) => f.write_str(digits),
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
    pub fn parse(
        params: &[TypeExpr],
        result: &TypeExpr,
        types: &mut Types,
    ) -> Result<Signature, FfiError> {
        let mut parsed = Vec::with_capacity(params.len());
        let mut fixed = None;
        for param in params {
            if matches!(param, TypeExpr::Name(name) if name == "...") {
                if parsed.is_empty() || fixed.is_some() {
                    return Err(DeclareError::MisplacedEllipsis.into());
                }
                fixed = Some(parsed.len());
                continue;
            }
            parsed.push(param.parse_parameter(types)?);
        }
        check_count(parsed.len())?;
        check_envs(&parsed)?;
        Ok(Signature {
            params: parsed,
            fixed,
            result: function_result(result.parse(types)?)?,
        })
    }
}

fn check_count(count: usize) -> Result<(), FfiError> {
    if count > MAX_PARAMETERS {
        let limit = MAX_PARAMETERS;
        return Err(DeclareError::TooManyParameters { count, limit }.into());
    }
    Ok(())
}

/// That each callback with an env has one of the function's, by order.
fn check_envs(params: &[Parameter]) -> Result<(), FfiError> {
    let is_env = |param: &&Parameter| param.ctype == CType::Env;
    let envs = params.iter().filter(is_env).count();
    let callbacks = params.iter().filter(|param| param.takes_env()).count();
    match envs == callbacks {
        true => Ok(()),
        false => Err(DeclareError::Envs { envs, callbacks }.into()),
    }
}

fn misplaced(ctype: &CType, place: &'static str, hint: &'static str) -> FfiError {
    DeclareError::MisplacedType {
        type_name: ctype.to_string(),
        place,
        hint,
    }
    .into()
}

fn parameter(ctype: CType) -> Result<CType, FfiError> {
    match ctype {
        CType::Void => Err(misplaced(
            &ctype,
            "a parameter",
            "an empty list for a function without parameters",
        )),
        _ => ctype.by_value("a parameter"),
    }
}

fn function_result(ctype: CType) -> Result<CType, FfiError> {
    match ctype {
        CType::Bytevector | CType::BytevectorAt | CType::Callback(_) | CType::Env => {
            Err(misplaced(&ctype, "a result", "`pointer`"))
        }
        _ => ctype.by_value("a result"),
    }
}

#[cfg(test)]
mod tests;
