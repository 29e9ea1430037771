//! Algebraic data types: what `define-datatype` and `match` expand to.
//!
//! Expansion numbers the constructors of a program, those of one datatype in a row; the numbers stand in the
//! code as constants. `(%define-datatype NAME FIRST ((CONSTRUCTOR FIELD …) …))`, where a FIELD is a name or
//! `(NAME TYPE)`, gives what stands for the datatype.

use bowline_ffi::data::{field_type, field_value, field_word};
use bowline_layout::{Tag, TypeId, Value};

use crate::datatypes::{self, Draft, FIRST};
use crate::fault::{Fault, Result};
use crate::ffi;
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};
use crate::symbols;

pub(super) const TABLE: &[Primitive] = &[
    row("%define-datatype", 3, 3, define),
    rest("%make-data", 1, make),
    row("%data?", 2, 2, |rt, a| {
        Ok(Value::bool(is_made(rt.arg(a, 0), rt.arg(a, 1))))
    }),
    row("%datatype?", 3, 3, |rt, a| {
        let bounds = (rt.arg(a, 1).as_fixnum(), rt.arg(a, 2).as_fixnum());
        let (Some(first), Some(count)) = bounds else {
            return Fault::wrong_type("%datatype?", 2, "a number", rt.arg(a, 1));
        };
        let number = object::type_id(rt.arg(a, 0)).map(|id| i64::from(id.0) - i64::from(FIRST));
        let is = number.is_some_and(|n| n >= first && n < first + count);
        Ok(Value::bool(is))
    }),
    row("%data-ref", 3, 3, field_ref),
    row("%no-match", 1, 1, |rt, a| {
        Fault::bad("match", "no clause matches", vec![rt.arg(a, 0)])
    }),
];

/// Whether `v` is an object of the constructor of this number.
#[inline]
fn is_made(v: Value, number: Value) -> bool {
    let id = number.as_fixnum().map(|n| n + i64::from(FIRST));
    object::type_id(v).is_some_and(|TypeId(own)| id == Some(own.into()))
}

/// A field as the definition says it.
fn field(rt: &mut Rt, v: Value) -> Result<(Box<str>, Option<bowline_ffi::CType>)> {
    if symbols::is_symbol(v) {
        return Ok((rt.symbol_name(v).into(), None));
    }
    match rt.list_elements(v)[..] {
        [name, ctype] if symbols::is_symbol(name) => {
            let ctype = field_type(ffi::ctype(rt, ctype)?)?;
            Ok((rt.symbol_name(name).into(), Some(ctype)))
        }
        _ => Fault::bad(
            "define-datatype",
            "a field is NAME or (NAME TYPE), not",
            vec![v],
        ),
    }
}

/// `(name first constructors)`
fn define(rt: &mut Rt, a: Args) -> Result {
    let who = "define-datatype";
    let name = rt.symbol_arg(a, 0, who)?;
    let first = rt.index_arg(a, 1, who, datatypes::CONSTRUCTORS)?;
    rt.list_arg(a, 2, who)?;
    // A definition in a body is carried out each time.
    if !rt.datatypes.is_defined(first) {
        let name = rt.symbol_name(name).to_owned();
        let mut drafts: Vec<Draft> = Vec::new();
        // Nothing here allocates in the heap, so the values stay good.
        for constructor in rt.list_elements(rt.arg(a, 2)) {
            let parts = rt.list_elements(constructor);
            let (constructor, parts) = match parts.split_first() {
                Some((&name, parts)) if symbols::is_symbol(name) => (name, parts),
                _ => return Fault::bad(who, "a constructor has no name:", vec![constructor]),
            };
            let fields = parts.iter().map(|&part| field(rt, part));
            let fields = fields.collect::<Result<Vec<_>>>()?;
            drafts.push((rt.symbol_name(constructor).into(), fields));
        }
        if !rt.datatypes.define(first, &name, drafts) {
            return Fault::bad(who, "there are too many constructors:", vec![rt.arg(a, 0)]);
        }
    }
    rt.make_object(kinds::DATATYPE, &[rt.arg(a, 0), rt.arg(a, 1)])
}

/// `(number value …)`
fn make(rt: &mut Rt, a: Args) -> Result {
    let Some(constructor) = rt.datatypes.numbered(rt.arg(a, 0)).cloned() else {
        return Fault::bad("%make-data", "no such constructor:", vec![rt.arg(a, 0)]);
    };
    if a.len - 1 != constructor.fields.len() {
        let message = format!("{} has another number of fields", constructor.name);
        return Fault::bad("%make-data", message, vec![]);
    }
    let made = rt.heap.alloc(constructor.header, Tag::Object)?;
    // Nothing allocates from here on (inv:data.layout).
    for (i, field) in constructor.fields.iter().enumerate() {
        let v = rt.arg(a, 1 + i);
        match &field.ctype {
            None => object::init(made, field.word, v),
            Some(ctype) => {
                let word = field_word(rt, ctype, v, &constructor.name, &field.name)?;
                object::set_raw(made, field.word, word);
            }
        }
    }
    Ok(made)
}

/// `(object number index)`
fn field_ref(rt: &mut Rt, a: Args) -> Result {
    let v = rt.arg(a, 0);
    let Some(constructor) = rt.datatypes.numbered(rt.arg(a, 1)) else {
        return Fault::bad("%data-ref", "no such constructor:", vec![rt.arg(a, 1)]);
    };
    let index = rt.index_arg(a, 2, "%data-ref", constructor.fields.len())?;
    let field = &constructor.fields[index];
    if object::type_id(v) != Some(constructor.header.type_id()) {
        let constructor = constructor.clone();
        let name = format!("{}-{}", constructor.name, constructor.fields[index].name);
        let who = rt.intern(&name)?;
        return datatypes::not_made(&rt.datatypes, who, &constructor, rt.arg(a, 0));
    }
    match &field.ctype {
        None => Ok(object::field(v, field.word)),
        Some(ctype) => Ok(field_value(
            &mut rt.heap,
            ctype,
            object::raw(v, field.word),
        )?),
    }
}
