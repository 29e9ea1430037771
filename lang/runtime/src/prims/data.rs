//! Identity, booleans, symbols, boxes, records, promises, parameters, procedures, dynamic state.

use bowline_layout::{Value, procedure};

use crate::equal;
use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::primitive::{PrimKind, Primitive, rest, row};
use crate::rt::{Args, Rt};
use crate::symbols;

pub(super) const TABLE: &[Primitive] = &[
    row("eq?", 2, 2, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0) == rt.arg(a, 1)))
    }),
    row("eqv?", 2, 2, |rt, a| {
        Ok(Value::bool(equal::eqv(rt, rt.arg(a, 0), rt.arg(a, 1))))
    }),
    row("equal?", 2, 2, |rt, a| {
        let (x, y) = (rt.arg(a, 0), rt.arg(a, 1));
        let same = equal::equal_or_interrupt(rt, x, y)?;
        Ok(Value::bool(same))
    }),
    row("not", 1, 1, |rt, a| {
        Ok(Value::bool(!rt.arg(a, 0).is_true()))
    }),
    row("boolean?", 1, 1, |rt, a| {
        Ok(Value::bool(is_boolean(rt.arg(a, 0))))
    }),
    rest("boolean=?", 2, |rt, a| {
        all_same(rt, a, "boolean=?", "a boolean", is_boolean)
    }),
    row("void", 0, 0, |_, _| Ok(Value::UNSPECIFIED)),
    row("default-object?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0) == Value::DEFAULT))
    }),
    row("%default-object", 0, 0, |_, _| Ok(Value::DEFAULT)),
    // Symbols
    row("symbol?", 1, 1, |rt, a| {
        Ok(Value::bool(symbols::is_symbol(rt.arg(a, 0))))
    }),
    rest("symbol=?", 2, |rt, a| {
        all_same(rt, a, "symbol=?", "a symbol", symbols::is_symbol)
    }),
    row("symbol->string", 1, 1, |rt, a| {
        let symbol = rt.symbol_arg(a, 0, "symbol->string")?;
        Ok(object::field(symbol, symbols::NAME))
    }),
    row("string->symbol", 1, 1, |rt, a| {
        let text = rt.string_arg(a, 0, "string->symbol")?;
        rt.intern_string(text)
    }),
    row("string->uninterned-symbol", 1, 1, |rt, a| {
        let text = rt.string_arg(a, 0, "string->uninterned-symbol")?;
        let name = rt.text(text).to_owned();
        rt.uninterned(&name)
    }),
    row("generate-symbol", 0, 1, generate_symbol),
    row("gensym", 0, 1, generate_symbol),
    // Boxes
    row("box", 1, 1, |rt, a| {
        rt.make_object(kinds::BOX, &[rt.arg(a, 0)])
    }),
    row("box?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::BOX)))
    }),
    row("unbox", 1, 1, |rt, a| {
        Ok(object::field(
            rt.typed(a, 0, "unbox", kinds::BOX, "a box")?,
            1,
        ))
    }),
    row("set-box!", 2, 2, |rt, a| {
        let b = rt.typed(a, 0, "set-box!", kinds::BOX, "a box")?;
        let v = rt.arg(a, 1);
        object::store(&mut rt.heap, b, 1, v);
        Ok(Value::UNSPECIFIED)
    }),
    // Records
    row("%make-record-type", 2, 2, make_record_type),
    row("record-type-descriptor?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::RECORD_TYPE)))
    }),
    rest("%make-record", 1, make_record),
    row("%record?", 2, 2, |rt, a| {
        Ok(Value::bool(is_record(rt.arg(a, 0), rt.arg(a, 1))))
    }),
    row("record?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::RECORD)))
    }),
    row("record-rtd", 1, 1, |rt, a| {
        Ok(object::field(
            rt.typed(a, 0, "record-rtd", kinds::RECORD, "a record")?,
            1,
        ))
    }),
    row("record-type-name", 1, 1, |rt, a| {
        Ok(object::field(record_type(rt, a, 0, "record-type-name")?, 1))
    }),
    row("record-type-field-names", 1, 1, |rt, a| {
        let rtd = record_type(rt, a, 0, "record-type-field-names")?;
        Ok(object::field(rtd, 2))
    }),
    row("%record-ref", 4, 4, |rt, a| {
        let i = record_field(rt, a, "%record-ref", 3)?;
        Ok(object::field(rt.arg(a, 0), i))
    }),
    row("%record-set!", 5, 5, |rt, a| {
        let i = record_field(rt, a, "%record-set!", 4)?;
        let (record, v) = (rt.arg(a, 0), rt.arg(a, 3));
        object::store(&mut rt.heap, record, i, v);
        Ok(Value::UNSPECIFIED)
    }),
    // Promises
    row("%make-promise", 2, 2, |rt, a| {
        let state = rt.make_object(kinds::PROMISE_STATE, &[rt.arg(a, 0), rt.arg(a, 1)])?;
        rt.make_object(kinds::PROMISE, &[state])
    }),
    row("promise?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::PROMISE)))
    }),
    row("%promise-done?", 1, 1, |rt, a| {
        Ok(object::field(promise_state(rt, a, 0, "%promise-done?")?, 1))
    }),
    row("%promise-value", 1, 1, |rt, a| {
        Ok(object::field(promise_state(rt, a, 0, "%promise-value")?, 2))
    }),
    row("%promise-set!", 3, 3, |rt, a| {
        let state = promise_state(rt, a, 0, "%promise-set!")?;
        let (done, v) = (rt.arg(a, 1), rt.arg(a, 2));
        object::store(&mut rt.heap, state, 1, done);
        object::store(&mut rt.heap, state, 2, v);
        Ok(Value::UNSPECIFIED)
    }),
    row("%promise-share!", 2, 2, |rt, a| {
        promise_state(rt, a, 0, "%promise-share!")?;
        let state = promise_state(rt, a, 1, "%promise-share!")?;
        let promise = rt.arg(a, 0);
        object::store(&mut rt.heap, promise, 1, state);
        Ok(Value::UNSPECIFIED)
    }),
    // Parameters
    row("%make-parameter", 2, 2, |rt, a| {
        let code = rt.stubs.parameter;
        rt.make_procedure(kinds::PARAMETER, code, &[rt.arg(a, 0), rt.arg(a, 1)])
    }),
    row("parameter?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::PARAMETER)))
    }),
    row("%parameter-default", 1, 1, |rt, a| {
        Ok(object::field(
            parameter(rt, a, "%parameter-default")?,
            DEFAULT,
        ))
    }),
    row("%parameter-converter", 1, 1, |rt, a| {
        Ok(object::field(
            parameter(rt, a, "%parameter-converter")?,
            CONVERTER,
        ))
    }),
    row("%parameter-set-default!", 2, 2, |rt, a| {
        let p = parameter(rt, a, "%parameter-set-default!")?;
        let v = rt.arg(a, 1);
        object::store(&mut rt.heap, p, DEFAULT, v);
        Ok(Value::UNSPECIFIED)
    }),
    // Procedures
    row("procedure?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0).is_procedure()))
    }),
    row("%procedure-name", 1, 1, |rt, a| {
        let f = procedure_arg(rt, a, "%procedure-name")?;
        match rt.procedure_name(f) {
            Some(name) => rt.intern(&name),
            None => Ok(Value::FALSE),
        }
    }),
    row("procedure-arity", 1, 1, procedure_arity),
    // Dynamic state
    row("%make-dyn", 2, 2, |rt, a| {
        rt.make_object(kinds::DYN, &[rt.arg(a, 0), rt.arg(a, 1)])
    }),
    row("%dyn-handlers", 1, 1, |rt, a| {
        Ok(object::field(dyn_state(rt, a, "%dyn-handlers")?, 1))
    }),
    row("%dyn-params", 1, 1, |rt, a| {
        Ok(object::field(dyn_state(rt, a, "%dyn-params")?, 2))
    }),
];

const DEFAULT: usize = procedure::CAPTURED;
const CONVERTER: usize = procedure::CAPTURED + 1;

fn is_boolean(v: Value) -> bool {
    v == Value::TRUE || v == Value::FALSE
}

fn all_same(
    rt: &mut Rt,
    a: Args,
    who: &'static str,
    expected: &'static str,
    is: fn(Value) -> bool,
) -> Result {
    for i in 0..a.len {
        if !is(rt.arg(a, i)) {
            return Fault::wrong_type(who, i + 1, expected, rt.arg(a, i));
        }
    }
    let same = (1..a.len).all(|i| rt.arg(a, i) == rt.arg(a, 0));
    Ok(Value::bool(same))
}

fn generate_symbol(rt: &mut Rt, a: Args) -> Result {
    let prefix = match rt.opt(a, 0) {
        None => "g".to_owned(),
        Some(v) if symbols::is_symbol(v) => rt.symbol_name(v).to_owned(),
        Some(_) => {
            let text = rt.string_arg(a, 0, "generate-symbol")?;
            rt.text(text).to_owned()
        }
    };
    rt.generate_symbol(&prefix)
}

fn make_record_type(rt: &mut Rt, a: Args) -> Result {
    rt.symbol_arg(a, 0, "%make-record-type")?;
    rt.vector_arg(a, 1, "%make-record-type")?;
    rt.make_object(kinds::RECORD_TYPE, &[rt.arg(a, 0), rt.arg(a, 1)])
}

fn record_type(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result {
    rt.typed(a, i, who, kinds::RECORD_TYPE, "a record type")
}

fn make_record(rt: &mut Rt, a: Args) -> Result {
    let rtd = record_type(rt, a, 0, "%make-record")?;
    let fields = object::length(object::field(rtd, 2));
    if a.len - 1 != fields {
        let message = format!("the record type has {fields} fields, not {}", a.len - 1);
        return Fault::bad("%make-record", message, vec![rtd]);
    }
    let record = rt.alloc_values(kinds::RECORD, a.len)?;
    for i in 0..a.len {
        object::init(record, 1 + i, rt.arg(a, i));
    }
    Ok(record)
}

#[inline]
fn is_record(v: Value, rtd: Value) -> bool {
    object::is(v, kinds::RECORD) && object::field(v, 1) == rtd
}

/// The word of the field that a record primitive names: record, type, index, …, name of the
/// accessor in argument `name`.
#[inline]
fn record_field(rt: &Rt, a: Args, who: &'static str, name: usize) -> Result<usize> {
    let (record, rtd) = (rt.arg(a, 0), rt.arg(a, 1));
    if !is_record(record, rtd) {
        let rtd = record_type(rt, a, 1, who)?;
        return Err(Box::new(Fault::NotInstance {
            who: rt.arg(a, name),
            rtd,
            got: record,
        }));
    }
    Ok(2 + rt.index_arg(a, 2, who, object::length(record) - 1)?)
}

fn promise_state(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result {
    Ok(object::field(
        rt.typed(a, i, who, kinds::PROMISE, "a promise")?,
        1,
    ))
}

fn parameter(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::PARAMETER, "a parameter")
}

fn dyn_state(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::DYN, "a dynamic state")
}

fn procedure_arg(rt: &Rt, a: Args, who: &'static str) -> Result {
    let f = rt.arg(a, 0);
    if f.is_procedure() {
        Ok(f)
    } else {
        Fault::wrong_type(who, 1, "a procedure", f)
    }
}

/// A pair of the fewest and the most arguments, `#f` for no limit; `#f` when nothing is known.
fn procedure_arity(rt: &mut Rt, a: Args) -> Result {
    let f = procedure_arg(rt, a, "procedure-arity")?;
    let Some((min, max)) = rt.procedure_arity(f) else {
        return Ok(Value::FALSE);
    };
    let max = max.map_or(Value::FALSE, |n| Value::fixnum(n as i64));
    rt.cons(Value::fixnum(min as i64), max)
}

impl Rt {
    /// The fewest and the most arguments that a procedure takes, where that is known.
    pub fn procedure_arity(&self, f: Value) -> Option<(usize, Option<usize>)> {
        let captured = |i: usize| object::field(f, procedure::CAPTURED + i);
        match object::type_id(f)? {
            kinds::PRIMITIVE => {
                let index = usize::try_from(captured(0).as_fixnum()?).ok()?;
                let p = self.primitives.get(index)?;
                Some((p.min.into(), p.max.map(usize::from)))
            }
            kinds::CLOSURE => {
                let info = self.code.info(object::raw(f, procedure::CODE))?;
                Some((info.min, info.max))
            }
            kinds::PARAMETER => Some((0, Some(0))),
            kinds::KONT => Some((0, None)),
            kinds::FOREIGN_PROCEDURE => {
                let n = self.foreign.parameters(captured(0))?;
                Some((n, Some(n)))
            }
            kinds::CASE_LAMBDA => {
                let n = object::header(f).mixed_values();
                let arities: Option<Vec<_>> =
                    (0..n).map(|i| self.procedure_arity(captured(i))).collect();
                let arities = arities?;
                let min = arities.iter().map(|x| x.0).min()?;
                let max = arities.iter().map(|x| x.1).collect::<Option<Vec<_>>>();
                Some((min, max.and_then(|m| m.into_iter().max())))
            }
            _ => None,
        }
    }

    /// Whether a procedure takes `n` arguments, as far as is known.
    pub fn procedure_accepts(&self, f: Value, n: usize) -> bool {
        if object::is(f, kinds::CASE_LAMBDA) {
            let clauses = object::header(f).mixed_values();
            return (0..clauses)
                .any(|i| self.procedure_accepts(object::field(f, procedure::CAPTURED + i), n));
        }
        match self.procedure_arity(f) {
            Some((min, max)) => n >= min && max.is_none_or(|m| n <= m),
            None => true,
        }
    }

    /// The interned symbol whose name is the string `text`.
    pub(crate) fn intern_string(&mut self, text: Value) -> Result {
        match self.symbols.find(self.text(text)) {
            Some(symbol) => Ok(symbol),
            None => {
                let name = self.text(text).to_owned();
                self.intern(&name)
            }
        }
    }
}

/// The primitive's function, when it is one that Rust can call.
impl Primitive {
    /// The code of a primitive that the engine need not carry out itself.
    pub fn function(&self) -> Option<crate::primitive::PrimFn> {
        match self.kind {
            PrimKind::Fn(f) | PrimKind::Owner(f) => Some(f),
            PrimKind::Control(_) => None,
        }
    }
}
