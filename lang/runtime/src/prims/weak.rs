//! Weak things as a program sees them: weak pairs, weak vectors, ephemerons, guardians.

use bowline_layout::{Value, ephemeron, weak_pair, weak_vector};

use crate::fault::Result;
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};

pub(super) const TABLE: &[Primitive] = &[
    row("weak-cons", 2, 2, |rt, a| {
        let (car, cdr) = (rt.arg(a, 0), rt.arg(a, 1));
        Ok(rt.heap.weak_pair(car, cdr)?)
    }),
    row("weak-pair?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::WEAK_PAIR)))
    }),
    row("weak-car", 1, 1, |rt, a| {
        get(rt, a, "weak-car", weak_pair::CAR)
    }),
    row("weak-cdr", 1, 1, |rt, a| {
        get(rt, a, "weak-cdr", weak_pair::CDR)
    }),
    row("set-weak-car!", 2, 2, |rt, a| {
        set(rt, a, "set-weak-car!", weak_pair::CAR)
    }),
    row("set-weak-cdr!", 2, 2, |rt, a| {
        set(rt, a, "set-weak-cdr!", weak_pair::CDR)
    }),
    row("weak-broken?", 1, 1, |rt, a| {
        Ok(Value::bool(
            object::field(weak(rt, a, "weak-broken?")?, weak_pair::CAR) == Value::BROKEN,
        ))
    }),
    // Weak vectors
    row("make-weak-vector", 1, 2, |rt, a| {
        let n = rt.size_arg(a, 0, "make-weak-vector")?;
        let fill = rt.opt(a, 1).unwrap_or(Value::UNSPECIFIED);
        Ok(rt.heap.weak_vector(n, fill)?)
    }),
    rest("weak-vector", 0, |rt, a| {
        let v = rt.heap.weak_vector(a.len, Value::UNSPECIFIED)?;
        for i in 0..a.len {
            object::init(v, weak_vector::FIRST + i, rt.arg(a, i));
        }
        Ok(v)
    }),
    row("weak-vector?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::WEAK_VECTOR)))
    }),
    row("weak-vector-length", 1, 1, |rt, a| {
        let v = vector(rt, a, "weak-vector-length")?;
        Ok(Value::fixnum(object::length(v) as i64))
    }),
    row("weak-vector-ref", 2, 2, |rt, a| {
        let (v, word) = element(rt, a, "weak-vector-ref")?;
        Ok(object::weak_field(&rt.heap, v, word))
    }),
    row("weak-vector-set!", 3, 3, |rt, a| {
        let (v, word) = element(rt, a, "weak-vector-set!")?;
        let x = rt.arg(a, 2);
        object::store(&mut rt.heap, v, word, x);
        Ok(Value::UNSPECIFIED)
    }),
    // Ephemerons
    row("make-ephemeron", 2, 2, |rt, a| {
        let (key, value) = (rt.arg(a, 0), rt.arg(a, 1));
        Ok(rt.heap.ephemeron(key, value)?)
    }),
    row("ephemeron?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::EPHEMERON)))
    }),
    row("ephemeron-key", 1, 1, |rt, a| {
        let e = an_ephemeron(rt, a, "ephemeron-key")?;
        Ok(object::weak_field(&rt.heap, e, ephemeron::KEY))
    }),
    row("ephemeron-value", 1, 1, |rt, a| {
        let e = an_ephemeron(rt, a, "ephemeron-value")?;
        Ok(object::weak_field(&rt.heap, e, ephemeron::VALUE))
    }),
    // SRFI 124's name.
    row("ephemeron-datum", 1, 1, |rt, a| {
        let e = an_ephemeron(rt, a, "ephemeron-datum")?;
        Ok(object::weak_field(&rt.heap, e, ephemeron::VALUE))
    }),
    row("ephemeron-broken?", 1, 1, |rt, a| {
        let e = an_ephemeron(rt, a, "ephemeron-broken?")?;
        Ok(Value::bool(
            object::field(e, ephemeron::KEY) == Value::BROKEN,
        ))
    }),
    // Its argument lives until it is called, which is all.
    row("reference-barrier", 1, 1, |_, _| Ok(Value::UNSPECIFIED)),
    row("broken-object?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0) == Value::BROKEN))
    }),
    row("%make-guardian", 0, 0, |rt, _| {
        rt.make_object(kinds::GUARDIAN, &[Value::FALSE])
    }),
    row("%guardian-register", 3, 3, |rt, a| {
        let g = guardian(rt, a, "%guardian-register")?;
        let (object, representative) = (rt.arg(a, 1), rt.arg(a, 2));
        rt.heap.guard(g, object, representative)?;
        Ok(Value::UNSPECIFIED)
    }),
    row("%guardian-next", 1, 1, |rt, a| {
        let g = guardian(rt, a, "%guardian-next")?;
        Ok(rt.heap.guardian_next(g).unwrap_or(Value::FALSE))
    }),
    // Finalizers
    row("%hurry-finalizers", 0, 0, |rt, _| {
        Ok(Value::fixnum(rt.heap.hurry_finalizers() as i64))
    }),
];

fn weak(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::WEAK_PAIR, "a weak pair")
}

fn get(rt: &mut Rt, a: Args, who: &'static str, word: usize) -> Result {
    let pair = weak(rt, a, who)?;
    Ok(object::weak_field(&rt.heap, pair, word))
}

fn set(rt: &mut Rt, a: Args, who: &'static str, word: usize) -> Result {
    let pair = weak(rt, a, who)?;
    let v = rt.arg(a, 1);
    object::store(&mut rt.heap, pair, word, v);
    Ok(Value::UNSPECIFIED)
}

fn vector(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::WEAK_VECTOR, "a weak vector")
}

/// A weak vector and the word of one of its elements.
fn element(rt: &Rt, a: Args, who: &'static str) -> Result<(Value, usize)> {
    let v = vector(rt, a, who)?;
    let i = rt.index_arg(a, 1, who, object::length(v))?;
    Ok((v, weak_vector::FIRST + i))
}

fn an_ephemeron(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::EPHEMERON, "an ephemeron")
}

fn guardian(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::GUARDIAN, "a guardian")
}
