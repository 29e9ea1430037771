//! Conditions as the library sees them.

use bowline_layout::Value;

use crate::condition::{
    EXTRA, IRRITANTS, KIND, MESSAGE, TRACE, WHO, error_number, is_condition, is_who,
};
use crate::errno;
use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};

pub(super) const TABLE: &[Primitive] = &[
    rest("error", 1, error),
    row("raise", 1, 1, |rt, a| raise(rt, a, false)),
    row("raise-continuable", 1, 1, |rt, a| raise(rt, a, true)),
    row("%make-condition", 4, 4, make),
    row("error-object?", 1, 1, |rt, a| {
        Ok(Value::bool(is_condition(rt.arg(a, 0))))
    }),
    row("error-object-message", 1, 1, |rt, a| {
        field(rt, a, "error-object-message", MESSAGE)
    }),
    row("error-object-irritants", 1, 1, |rt, a| {
        field(rt, a, "error-object-irritants", IRRITANTS)
    }),
    row("condition-kind", 1, 1, |rt, a| {
        field(rt, a, "condition-kind", KIND)
    }),
    row("condition-who", 1, 1, |rt, a| {
        field(rt, a, "condition-who", WHO)
    }),
    row("%condition-trace", 1, 1, |rt, a| {
        field(rt, a, "%condition-trace", TRACE)
    }),
    row("%set-condition-trace!", 2, 2, |rt, a| {
        condition(rt, a, "%set-condition-trace!")?;
        rt.set_condition_trace(rt.arg(a, 0), rt.arg(a, 1));
        Ok(Value::UNSPECIFIED)
    }),
    row("file-error?", 1, 1, |rt, a| {
        Ok(Value::bool(is_kind(rt, a, &[rt.known.file])))
    }),
    row("read-error?", 1, 1, |rt, a| {
        Ok(Value::bool(is_kind(rt, a, &[rt.known.read])))
    }),
    row("system-error?", 1, 1, |rt, a| {
        Ok(Value::bool(is_system(rt, a)))
    }),
    row("system-error-number", 1, 1, |rt, a| {
        Ok(object::field(system(rt, a, "system-error-number")?, EXTRA))
    }),
    row("system-error-name", 1, 1, |rt, a| {
        let v = system(rt, a, "system-error-name")?;
        match error_number(v).and_then(errno::name) {
            Some(name) => rt.intern(name),
            None => Ok(Value::FALSE),
        }
    }),
    row("system-error-procedure", 1, 1, |rt, a| {
        Ok(object::field(system(rt, a, "system-error-procedure")?, WHO))
    }),
    row("system-error-message", 1, 1, |rt, a| {
        let v = system(rt, a, "system-error-message")?;
        let text = errno::text(error_number(v).unwrap_or(0));
        rt.make_string(&text)
    }),
    row("condition->string", 1, 1, |rt, a| {
        let text = rt.describe(rt.arg(a, 0));
        rt.make_string(&text)
    }),
    row("%raise-system-error", 2, 2, |rt, a| {
        let who = "%raise-system-error";
        let name = rt.symbol_arg(a, 0, who)?;
        let errno = rt.ranged(a, 1, who, "error number", 0, i32::MAX.into())? as i32;
        Err(Box::new(Fault::System { who: name, errno }))
    }),
];

fn error(rt: &mut Rt, a: Args) -> Result {
    let mut irritants = Value::NIL;
    for i in (1..a.len).rev() {
        irritants = rt.cons(rt.arg(a, i), irritants)?;
    }
    let none = Value::FALSE;
    let words = [rt.known.error, rt.arg(a, 0), irritants, none, none, none];
    let condition = rt.make_object(kinds::CONDITION, &words)?;
    Err(Box::new(Fault::Condition(condition)))
}

fn raise(rt: &mut Rt, a: Args, continuable: bool) -> Result {
    let object = rt.arg(a, 0);
    Err(Box::new(Fault::Raise {
        object,
        continuable,
    }))
}

fn make(rt: &mut Rt, a: Args) -> Result {
    let who = "%make-condition";
    rt.symbol_arg(a, 0, who)?;
    rt.list_arg(a, 2, who)?;
    if !is_who(rt.arg(a, 3)) {
        return Fault::wrong_type(who, 4, "a symbol or #f", rt.arg(a, 3));
    }
    let none = Value::FALSE;
    let words = [
        rt.arg(a, 0),
        rt.arg(a, 1),
        rt.arg(a, 2),
        rt.arg(a, 3),
        none,
        none,
    ];
    rt.make_object(kinds::CONDITION, &words)
}

fn condition(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::CONDITION, "a condition")
}

fn field(rt: &mut Rt, a: Args, who: &'static str, word: usize) -> Result {
    Ok(object::field(condition(rt, a, who)?, word))
}

fn is_kind(rt: &Rt, a: Args, kinds: &[Value]) -> bool {
    let v = rt.arg(a, 0);
    is_condition(v) && kinds.contains(&object::field(v, KIND))
}

/// Whether the system gave a number to what went wrong.
fn is_system(rt: &Rt, a: Args) -> bool {
    is_kind(rt, a, &[rt.known.system, rt.known.file, rt.known.io])
}

fn system(rt: &Rt, a: Args, who: &'static str) -> Result {
    if is_system(rt, a) {
        Ok(rt.arg(a, 0))
    } else {
        Fault::wrong_type(who, 1, "a system error", rt.arg(a, 0))
    }
}
