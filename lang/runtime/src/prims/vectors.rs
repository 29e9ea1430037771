//! Vectors.

use bowline_layout::Value;

use crate::fault::Result;
use crate::kinds;
use crate::object::{self, car, cdr};
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};
use crate::strings;
use crate::walk::PIECE;

pub(super) const TABLE: &[Primitive] = &[
    row("vector?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::VECTOR)))
    }),
    row("make-vector", 1, 2, |rt, a| {
        let n = rt.size_arg(a, 0, "make-vector")?;
        let fill = rt.opt(a, 1).unwrap_or(Value::UNSPECIFIED);
        rt.make_vector(n, fill)
    }),
    rest("vector", 0, |rt, a| {
        let v = rt.alloc_values(kinds::VECTOR, a.len)?;
        for i in 0..a.len {
            object::init(v, 1 + i, rt.arg(a, i));
        }
        Ok(v)
    }),
    row("vector-length", 1, 1, |rt, a| {
        let v = rt.vector_arg(a, 0, "vector-length")?;
        Ok(Value::fixnum(object::length(v) as i64))
    }),
    row("vector-ref", 2, 2, |rt, a| {
        let v = rt.vector_arg(a, 0, "vector-ref")?;
        let i = rt.index_arg(a, 1, "vector-ref", object::length(v))?;
        Ok(object::field(v, 1 + i))
    }),
    row("vector-set!", 3, 3, |rt, a| {
        let v = rt.vector_arg(a, 0, "vector-set!")?;
        let i = rt.index_arg(a, 1, "vector-set!", object::length(v))?;
        let x = rt.arg(a, 2);
        object::store(&mut rt.heap, v, 1 + i, x);
        Ok(Value::UNSPECIFIED)
    }),
    row("vector->list", 1, 3, vector_to_list),
    row("list->vector", 1, 1, list_to_vector),
    row("vector-fill!", 2, 4, fill),
    row("vector-copy", 1, 3, |rt, a| {
        let (start, end) = range(rt, a, 0, 1, "vector-copy")?;
        let copy = rt.alloc_values(kinds::VECTOR, end - start)?;
        let height = rt.height();
        rt.push(copy);
        copy_fields(rt, a.base, start..end, height, 0);
        Ok(rt.pop())
    }),
    row("vector-copy!", 3, 5, copy_into),
    rest("vector-append", 0, append),
    row("vector->string", 1, 3, vector_to_string),
    row("string->vector", 1, 3, string_to_vector),
];

/// The range that the optional arguments from `first` on give of the vector in argument `i`.
fn range(rt: &Rt, a: Args, i: usize, first: usize, who: &'static str) -> Result<(usize, usize)> {
    let v = rt.vector_arg(a, i, who)?;
    rt.range_args(a, first, who, object::length(v))
}

fn vector_to_list(rt: &mut Rt, a: Args) -> Result {
    let (start, end) = range(rt, a, 0, 1, "vector->list")?;
    let mut list = Value::NIL;
    for i in (start..end).rev() {
        let item = object::field(rt.arg(a, 0), 1 + i);
        list = rt.cons(item, list)?;
    }
    Ok(list)
}

fn list_to_vector(rt: &mut Rt, a: Args) -> Result {
    let n = rt.list_arg(a, 0, "list->vector")?;
    let mut v = rt.make_vector(n, Value::fixnum(0))?;
    let mut at = rt.arg(a, 0);
    for i in 1..=n {
        object::store(&mut rt.heap, v, i, car(at));
        at = cdr(at);
        if i % PIECE == 0 {
            rt.poll_keeping([&mut v, &mut at]);
        }
    }
    Ok(v)
}

fn fill(rt: &mut Rt, a: Args) -> Result {
    let (start, end) = range(rt, a, 0, 2, "vector-fill!")?;
    rt.in_pieces(start..end, |rt, piece| {
        let (v, x) = (rt.arg(a, 0), rt.arg(a, 1));
        for i in piece {
            object::store(&mut rt.heap, v, 1 + i, x);
        }
    });
    Ok(Value::UNSPECIFIED)
}

/// Copies elements between the vectors at two root stack positions, the first ones first.
fn copy_fields(rt: &mut Rt, from: usize, range: std::ops::Range<usize>, to: usize, at: usize) {
    let start = range.start;
    rt.in_pieces(range, |rt, piece| {
        let (from, to) = (rt.at(from), rt.at(to));
        for i in piece {
            let x = object::field(from, 1 + i);
            object::store(&mut rt.heap, to, 1 + at + i - start, x);
        }
    });
}

fn copy_into(rt: &mut Rt, a: Args) -> Result {
    let who = "vector-copy!";
    let to = rt.vector_arg(a, 0, who)?;
    let room = object::length(to) as i64;
    let at = rt.ranged(a, 1, who, "index", 0, room)? as usize;
    rt.vector_arg(a, 2, who)?;
    let (start, end) = range(rt, a, 2, 3, who)?;
    if end - start > room as usize - at {
        return super::no_room(rt, a, who, end - start, room as usize - at);
    }
    if start >= at {
        copy_fields(rt, a.base + 2, start..end, a.base, at);
        return Ok(Value::UNSPECIFIED);
    }
    // The two may be one: the last elements first.
    let n = end - start;
    rt.in_pieces(0..n, |rt, piece| {
        let (from, to) = (rt.arg(a, 2), rt.arg(a, 0));
        for i in piece {
            let x = object::field(from, end - i);
            object::store(&mut rt.heap, to, at + n - i, x);
        }
    });
    Ok(Value::UNSPECIFIED)
}

fn append(rt: &mut Rt, a: Args) -> Result {
    let mut n = 0;
    for i in 0..a.len {
        n += object::length(rt.vector_arg(a, i, "vector-append")?);
    }
    let result = rt.make_vector(n, Value::fixnum(0))?;
    let height = rt.height();
    rt.push(result);
    let mut at = 0;
    for i in 0..a.len {
        let n = object::length(rt.arg(a, i));
        copy_fields(rt, a.base + i, 0..n, height, at);
        at += n;
    }
    Ok(rt.pop())
}

fn vector_to_string(rt: &mut Rt, a: Args) -> Result {
    let who = "vector->string";
    let (start, end) = range(rt, a, 0, 1, who)?;
    let mut text = String::with_capacity(end - start);
    let mut good = true;
    rt.in_pieces(start..end, |rt, piece| {
        let v = rt.arg(a, 0);
        for i in piece {
            match object::field(v, 1 + i).as_char() {
                Some(c) => text.push(c),
                None => good = false,
            }
        }
    });
    if !good {
        return crate::Fault::wrong_type(who, 1, "a vector of characters", rt.arg(a, 0));
    }
    rt.make_string(&text)
}

fn string_to_vector(rt: &mut Rt, a: Args) -> Result {
    let who = "string->vector";
    let s = rt.string_arg(a, 0, who)?;
    let (start, end) = rt.range_args(a, 1, who, strings::counts(s).1)?;
    let mut v = rt.alloc_values(kinds::VECTOR, end - start)?;
    let text = rt.text_range(rt.arg(a, 0), start, end).to_owned();
    for (i, c) in text.chars().enumerate() {
        object::store(&mut rt.heap, v, 1 + i, Value::char(c));
        if (i + 1) % PIECE == 0 {
            rt.poll_keeping([&mut v]);
        }
    }
    Ok(v)
}
