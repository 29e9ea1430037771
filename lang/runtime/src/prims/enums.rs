//! C enumerations: definitions, and symbols to numbers and back.
//!
//! The forms of `define-foreign-enum` call what begins with `%` here, with the number of the enumeration:
//! `(%define-foreign-enum NAME (MEMBER …) ANEW?)` gives it; a member is a symbol, or a list of one and a number.

use std::sync::Arc;

use bowline_ffi::{CType, EnumType, FfiError, Place, TypeExpr};
use bowline_layout::Value;

use crate::fault::{Fault, Result};
use crate::ffi;
use crate::primitive::{Primitive, row};
use crate::rt::{Args, Rt};
use crate::symbols;

pub(super) const TABLE: &[Primitive] = &[
    row("%define-foreign-enum", 3, 3, define),
    row("%enum?", 2, 2, |rt, a| {
        let enumeration = enumeration(rt, a, 1)?;
        Ok(Value::bool(enumeration.number_of(rt.arg(a, 0)).is_some()))
    }),
    row("%enum->integer", 2, 2, |rt, a| {
        let enumeration = enumeration(rt, a, 1)?;
        number(rt, a, &enumeration, |name| format!("{name}->integer"))
    }),
    row("%integer->enum", 2, 2, |rt, a| {
        let enumeration = enumeration(rt, a, 1)?;
        let number = number(rt, a, &enumeration, |name| format!("integer->{name}"))?;
        let symbol = number.as_fixnum().and_then(|n| enumeration.symbol_of(n));
        Ok(symbol.unwrap_or(number))
    }),
];

/// The enumeration whose number is argument `i`.
fn enumeration(rt: &Rt, a: Args, i: usize) -> Result<Arc<EnumType>> {
    let v = rt.arg(a, i);
    let number = v.as_fixnum().and_then(|n| u32::try_from(n).ok());
    match number.and_then(|n| rt.foreign.types.numbered_enum(n)) {
        Some(enumeration) => Ok(enumeration.clone()),
        None => Fault::wrong_type("%enum", i + 1, "the number of an enumeration", v),
    }
}

/// The number that argument 0 is or names, for the procedure that `who` makes of the enumeration's name.
fn number(
    rt: &Rt,
    a: Args,
    enumeration: &Arc<EnumType>,
    who: impl FnOnce(&str) -> String,
) -> Result {
    let ctype = CType::Enum(enumeration.clone());
    let place = Place::Argument {
        function: who(enumeration.name()),
        position: 1,
    };
    Ok(Value::fixnum(bowline_ffi::enum_number(
        rt,
        &ctype,
        rt.arg(a, 0),
        place,
    )?))
}

fn define(rt: &mut Rt, a: Args) -> Result {
    let who = "define-foreign-enum";
    rt.list_arg(a, 1, who)?;
    let name = rt.symbol_arg(a, 0, who)?;
    let mut members = Vec::new();
    for v in rt.list_elements(rt.arg(a, 1)) {
        let symbol = match symbols::is_symbol(v) {
            true => v,
            false => rt.list_elements(v).first().copied().unwrap_or(v),
        };
        let (name, number) = match ffi::type_expr(rt, v, 0) {
            Some(TypeExpr::Name(name)) => (name, None),
            Some(TypeExpr::List(parts)) => match <[TypeExpr; 2]>::try_from(parts) {
                Ok([TypeExpr::Name(name), TypeExpr::Int(number)]) => (name, Some(number)),
                _ => return Fault::bad(who, "a member is NAME or (NAME INTEGER), not", vec![v]),
            },
            _ => return Fault::bad(who, "a member is NAME or (NAME INTEGER), not", vec![v]),
        };
        members.push((name, number, symbol));
    }
    let name = rt.symbol_name(name).to_owned();
    let anew = rt.arg(a, 2).is_true();
    let defined = rt.foreign.types.define_enum(&name, &members, anew);
    let enumeration = defined.map_err(|error: FfiError| -> Box<Fault> { error.into() })?;
    Ok(Value::fixnum(enumeration.number().into()))
}
