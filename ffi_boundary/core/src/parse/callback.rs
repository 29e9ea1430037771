//! From what a program writes to a [`CallbackType`].

use super::{TypeExpr, check_count, misplaced, parameter};
use crate::aggregate::Types;
use crate::callback_error::CallbackError;
use crate::error::FfiError;
use crate::types::{CType, CallbackType, Lifetime, Repr};
use std::sync::Arc;

pub(super) const CALLBACK_ENV_FORM: &str =
    "(callback/env (TYPE ... env TYPE ...) RESULT [LIFETIME] [(on-exit INTEGER-OR-MEMBER)])";
pub(super) const CALLBACK_FORM: &str =
    "(callback (TYPE ...) RESULT [LIFETIME] [(on-exit INTEGER-OR-MEMBER)])";

impl TypeExpr {
    /// A callback that is an argument, from what stands behind the word.
    pub(super) fn parse_callback(
        &self,
        rest: &[TypeExpr],
        types: &mut Types,
    ) -> Result<CType, FfiError> {
        let callback = self.parse_callback_type(rest, types, Lifetime::Call)?;
        if callback.env().is_some() {
            let place = "a parameter of `callback`";
            return Err(misplaced(&CType::Env, place, "`callback/env`"));
        }
        Ok(CType::Callback(Arc::new(callback)))
    }

    /// One that is found by its env.
    pub(super) fn parse_callback_with_env(
        &self,
        rest: &[TypeExpr],
        types: &mut Types,
    ) -> Result<CType, FfiError> {
        let callback = self.parse_callback_type(rest, types, Lifetime::Call)?;
        let is_env = |param: &&CType| **param == CType::Env;
        match callback.params.iter().filter(is_env).count() {
            1 => Ok(CType::Callback(Arc::new(callback))),
            _ => Err(self.malformed(CALLBACK_ENV_FORM)),
        }
    }

    /// The type of a callback that outlives the call which it is handed to C in, as `(callback (TYPE ...) RESULT ...)`.
    /// Without a lifetime it has [`Lifetime::Gc`].
    pub fn parse_lasting_callback(&self, types: &mut Types) -> Result<CallbackType, FfiError> {
        let rest = match self {
            TypeExpr::List(items) => items.get(1..).unwrap_or_default(),
            _ => &[],
        };
        let callback = self.parse_callback_type(rest, types, Lifetime::Gc)?;
        match callback.lifetime {
            Lifetime::Call => Err(CallbackError::Lasting.into()),
            _ if callback.env().is_some() => {
                let place = "a parameter of `make-callback`";
                Err(misplaced(
                    &CType::Env,
                    place,
                    "`pointer`: an object has no env",
                ))
            }
            _ => Ok(callback),
        }
    }

    /// How it should look.
    fn callback_form(&self) -> &'static str {
        match self {
            TypeExpr::List(items) if items.first() == Some(&TypeExpr::name("callback/env")) => {
                CALLBACK_ENV_FORM
            }
            _ => CALLBACK_FORM,
        }
    }

    /// `default` is the lifetime where none is written.
    fn parse_callback_type(
        &self,
        rest: &[TypeExpr],
        types: &mut Types,
        default: Lifetime,
    ) -> Result<CallbackType, FfiError> {
        let [TypeExpr::List(params), result, options @ ..] = rest else {
            return Err(self.malformed(self.callback_form()));
        };
        check_count(params.len())?;
        let params = params
            .iter()
            .map(|p| callback_parameter(p.parse(types)?))
            .collect::<Result<Vec<_>, _>>()?;
        let result = callback_result(result.parse(types)?)?;
        let (lifetime, options) = match options {
            [TypeExpr::Name(name), rest @ ..] => (parse_lifetime(name)?, rest),
            _ => (default, options),
        };
        let on_exit = match options {
            [] => None,
            [TypeExpr::List(form)] => match form.as_slice() {
                [TypeExpr::Name(head), TypeExpr::Int(value)] if head == "on-exit" => Some(*value),
                [TypeExpr::Name(head), TypeExpr::Name(member)] if head == "on-exit" => {
                    let number = result.as_enum().and_then(|result| result.named(member));
                    Some(number.ok_or_else(|| self.malformed(self.callback_form()))?)
                }
                _ => return Err(self.malformed(self.callback_form())),
            },
            _ => return Err(self.malformed(self.callback_form())),
        };
        if let Some(value) = on_exit {
            check_on_exit(value, &result)?;
        }
        Ok(CallbackType {
            params,
            result,
            lifetime,
            on_exit,
        })
    }
}

fn callback_parameter(ctype: CType) -> Result<CType, FfiError> {
    match ctype {
        CType::Bytevector | CType::BytevectorAt | CType::Callback(_) => {
            Err(misplaced(&ctype, "a parameter of a callback", "`pointer`"))
        }
        _ => parameter(ctype),
    }
}

/// A string has no place that outlives the callback, so it cannot be what C gets back.
fn callback_result(ctype: CType) -> Result<CType, FfiError> {
    match ctype {
        CType::String
        | CType::Bytevector
        | CType::BytevectorAt
        | CType::Callback(_)
        | CType::Env => Err(misplaced(&ctype, "the result of a callback", "`pointer`")),
        _ => ctype.by_value("the result of a callback"),
    }
}

fn parse_lifetime(name: &str) -> Result<Lifetime, FfiError> {
    Lifetime::NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, lifetime)| *lifetime)
        .ok_or_else(|| {
            let text = name.to_owned();
            CallbackError::UnknownLifetime { text }.into()
        })
}

fn check_on_exit(value: i64, result: &CType) -> Result<(), FfiError> {
    let wide = i128::from(value);
    let fits = match result.repr() {
        Repr::Void => false,
        Repr::Bool => value == 0 || value == 1,
        Repr::Float | Repr::Double | Repr::Pointer => true,
        Repr::Aggregate => false,
        repr => repr
            .range()
            .is_some_and(|(low, high)| low <= wide && wide <= high),
    };
    if fits {
        Ok(())
    } else {
        let type_name = result.to_string();
        Err(CallbackError::OnExitRange { value, type_name }.into())
    }
}
