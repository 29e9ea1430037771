//! C structs and arrays: definitions, constructors, accessors, elements.
//!
//! A struct in the program is a pointer that says which struct it points to; the same is true of an
//! array. The forms of `define-foreign-struct` call what begins with `%` here, with the number of the
//! struct: `(%define-foreign-struct NAME ((FIELD TYPE) …) ANEW?)` gives it.

use std::sync::Arc;

use bowline_ffi::{FfiError, StructError, StructType, TypeExpr, memory, pointer_target};
use bowline_layout::Value;

use super::ffi::address;
use super::owners::new_label;
use crate::fault::{Fault, Result};
use crate::ffi;
use crate::owners::Maker;
use crate::primitive::{Primitive, owner, row};
use crate::rt::{Args, Rt};

pub(super) const TABLE: &[Primitive] = &[
    row("%define-foreign-struct", 3, 3, define),
    owner("%make-struct", 2, 2, make),
    row("%struct?", 2, 2, |rt, a| {
        let structure = structure(rt, a, 1)?;
        let is = pointer_target(rt.arg(a, 0)) == structure.number();
        Ok(Value::bool(is && address(rt, a, 0, "%struct?")? != 0))
    }),
    row("%struct-ref", 3, 3, field_ref),
    row("%struct-set!", 4, 4, field_set),
    row("foreign-array-length", 1, 1, |rt, a| {
        let (_, count, _) = array(rt, a, "foreign-array-length")?;
        Ok(Value::fixnum(count as i64))
    }),
    row("foreign-array-ref", 2, 2, |rt, a| {
        let who = "foreign-array-ref";
        let (element, count, _) = array(rt, a, who)?;
        let i = rt.index_arg(a, 1, who, count)?;
        let offset = (i * element.size().unwrap_or(0)) as isize;
        let base = rt.arg(a, 0);
        Ok(memory::read_through(&mut rt.heap, &element, base, offset)?)
    }),
    row("foreign-array-set!", 3, 3, |rt, a| {
        let who = "foreign-array-set!";
        let (element, count, start) = array(rt, a, who)?;
        let i = rt.index_arg(a, 1, who, count)?;
        let offset = i * element.size().unwrap_or(0);
        memory::write(rt, &element, start, offset as isize, rt.arg(a, 2))?;
        Ok(Value::UNSPECIFIED)
    }),
];

/// The struct whose number is argument `i`.
fn structure(rt: &Rt, a: Args, i: usize) -> Result<Arc<StructType>> {
    let v = rt.arg(a, i);
    let number = v.as_fixnum().and_then(|n| u32::try_from(n).ok());
    match number.and_then(|n| rt.foreign.types.structure(n)) {
        Some(structure) => Ok(structure.clone()),
        None => Fault::wrong_type("%struct", i + 1, "the number of a struct", v),
    }
}

/// A field as the definition says it.
fn field(rt: &Rt, v: Value) -> Option<(String, TypeExpr)> {
    match ffi::type_expr(rt, v, 0)? {
        TypeExpr::List(parts) => match <[TypeExpr; 2]>::try_from(parts) {
            Ok([TypeExpr::Name(name), ctype]) => Some((name, ctype)),
            _ => None,
        },
        _ => None,
    }
}

fn define(rt: &mut Rt, a: Args) -> Result {
    let who = "define-foreign-struct";
    rt.list_arg(a, 1, who)?;
    let name = rt.symbol_arg(a, 0, who)?;
    let mut fields = Vec::new();
    for v in rt.list_elements(rt.arg(a, 1)) {
        match field(rt, v) {
            Some(field) => fields.push(field),
            None => return Fault::bad(who, "a field is (NAME TYPE), not", vec![v]),
        }
    }
    let name = rt.symbol_name(name).to_owned();
    let anew = rt.arg(a, 2).is_true();
    let structure = rt.foreign.types.define(&name, &fields, anew)?;
    Ok(Value::fixnum(structure.number().into()))
}

/// `(number values)`: a value for each field, or none at all for zeros.
fn make(rt: &mut Rt, a: Args) -> Result {
    let structure = structure(rt, a, 0)?;
    let layout = structure.defined()?;
    let (got, fields) = (rt.list_arg(a, 1, "%make-struct")?, layout.fields.len());
    if got != 0 && got != fields {
        let name = structure.name().to_owned();
        return Err(FfiError::from(StructError::WrongCount { name, fields, got }).into());
    }
    let maker = Maker::Struct(structure.number());
    let label = match rt.owners.known(maker) {
        Some(label) => label,
        None => new_label(rt, maker, &format!("make-{}", structure.name())),
    };
    let pointer = rt.heap.foreign_memory(layout.size, true, label)?;
    bowline_ffi::set_pointer_target(pointer, structure.number());
    // Nothing allocates from here on, so the pointer stays good.
    let start = bowline_ffi::pointer_address(pointer).unwrap_or(0);
    for (i, v) in rt.list_elements(rt.arg(a, 1)).into_iter().enumerate() {
        memory::write_field(rt, &structure, i, start, v)?;
    }
    Ok(pointer)
}

/// The index of a field in argument `i`.
fn index(rt: &Rt, a: Args, i: usize, structure: &StructType) -> Result<usize> {
    let fields = structure.defined()?.fields.len();
    rt.index_arg(a, i, "%struct", fields)
}

/// `(object number index)`
fn field_ref(rt: &mut Rt, a: Args) -> Result {
    let structure = structure(rt, a, 1)?;
    let index = index(rt, a, 2, &structure)?;
    let (object, name) = (rt.arg(a, 0), &structure.defined()?.fields[index].name);
    let who = || format!("{}-{name}", structure.name());
    memory::struct_address(rt, &structure, object, name, who)?;
    Ok(memory::read_field(&mut rt.heap, &structure, index, object)?)
}

/// `(object number index value)`
fn field_set(rt: &mut Rt, a: Args) -> Result {
    let structure = structure(rt, a, 1)?;
    let index = index(rt, a, 2, &structure)?;
    let (object, name) = (rt.arg(a, 0), &structure.defined()?.fields[index].name);
    let who = || format!("set-{}-{name}!", structure.name());
    let start = memory::struct_address(rt, &structure, object, name, who)?;
    memory::write_field(rt, &structure, index, start, rt.arg(a, 3))?;
    Ok(Value::UNSPECIFIED)
}

/// What argument 0 says of the array that it points to: the element's type, how many, and where.
fn array(rt: &Rt, a: Args, who: &'static str) -> Result<(bowline_ffi::CType, usize, usize)> {
    let start = address(rt, a, 0, who)?;
    match memory::array_target(rt, rt.arg(a, 0)) {
        Some(array) if start != 0 => Ok((array.element.clone(), array.count, start)),
        _ => {
            let message = "argument 1 must be a pointer that says it points to an array, \
                           as (pointer-ref POINTER (array TYPE COUNT)) gives one; not";
            Fault::bad(who, message, vec![rt.arg(a, 0)])
        }
    }
}
