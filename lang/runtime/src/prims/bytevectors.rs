//! Bytevectors, their conversion from and to strings, and numbers stored in them.

use bowline_layout::{Value, string};

use crate::fault::{Fault, Result};
use crate::object;
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};
use crate::strings;

pub(super) const TABLE: &[Primitive] = &[
    row("bytevector?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is_bytevector(rt.arg(a, 0))))
    }),
    row("make-bytevector", 1, 2, |rt, a| {
        let n = rt.size_arg(a, 0, "make-bytevector")?;
        let fill = match rt.opt(a, 1) {
            Some(_) => byte(rt, a, 1, "make-bytevector")?,
            None => 0,
        };
        let v = rt.alloc_bytevector(n)?;
        if fill != 0 {
            rt.bytevector_mut(v).fill(fill);
        }
        Ok(v)
    }),
    rest("bytevector", 0, |rt, a| {
        let mut bytes = Vec::with_capacity(a.len);
        for i in 0..a.len {
            bytes.push(byte(rt, a, i, "bytevector")?);
        }
        rt.make_bytevector(&bytes)
    }),
    row("bytevector-length", 1, 1, |rt, a| {
        let v = rt.bytevector_arg(a, 0, "bytevector-length")?;
        Ok(Value::fixnum(object::byte_count(v) as i64))
    }),
    row("bytevector-u8-ref", 2, 2, |rt, a| {
        let v = rt.bytevector_arg(a, 0, "bytevector-u8-ref")?;
        let i = rt.index_arg(a, 1, "bytevector-u8-ref", object::byte_count(v))?;
        Ok(Value::fixnum(rt.bytevector(v)[i].into()))
    }),
    row("bytevector-u8-set!", 3, 3, |rt, a| {
        let v = rt.bytevector_arg(a, 0, "bytevector-u8-set!")?;
        let i = rt.index_arg(a, 1, "bytevector-u8-set!", object::byte_count(v))?;
        let x = byte(rt, a, 2, "bytevector-u8-set!")?;
        rt.bytevector_mut(v)[i] = x;
        Ok(Value::UNSPECIFIED)
    }),
    row("bytevector-fill!", 2, 4, |rt, a| {
        let x = byte(rt, a, 1, "bytevector-fill!")?;
        let (start, end) = range(rt, a, 0, 2, "bytevector-fill!")?;
        let v = rt.arg(a, 0);
        rt.bytevector_mut(v)[start..end].fill(x);
        Ok(Value::UNSPECIFIED)
    }),
    row("bytevector-copy", 1, 3, |rt, a| {
        let (start, end) = range(rt, a, 0, 1, "bytevector-copy")?;
        let copy = rt.alloc_bytevector(end - start)?;
        object::copy_bytes(rt.arg(a, 0), start, copy, 0, end - start);
        Ok(copy)
    }),
    row("bytevector-copy!", 3, 5, copy_into),
    rest("bytevector-append", 0, append),
    row("utf8->string", 1, 3, utf8_to_string),
    row("string->utf8", 1, 3, string_to_utf8),
    row("bytevector-s8-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-s8-ref", Number::Int(1))
    }),
    row("bytevector-u16-native-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-u16-native-ref", Number::Unsigned(2))
    }),
    row("bytevector-s16-native-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-s16-native-ref", Number::Int(2))
    }),
    row("bytevector-u32-native-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-u32-native-ref", Number::Unsigned(4))
    }),
    row("bytevector-s32-native-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-s32-native-ref", Number::Int(4))
    }),
    row("bytevector-u64-native-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-u64-native-ref", Number::Unsigned(8))
    }),
    row("bytevector-s64-native-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-s64-native-ref", Number::Int(8))
    }),
    row("bytevector-ieee-single-native-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-ieee-single-native-ref", Number::Single)
    }),
    row("bytevector-ieee-double-native-ref", 2, 2, |rt, a| {
        get(rt, a, "bytevector-ieee-double-native-ref", Number::Double)
    }),
    row("bytevector-s8-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-s8-set!", Number::Int(1))
    }),
    row("bytevector-u16-native-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-u16-native-set!", Number::Unsigned(2))
    }),
    row("bytevector-s16-native-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-s16-native-set!", Number::Int(2))
    }),
    row("bytevector-u32-native-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-u32-native-set!", Number::Unsigned(4))
    }),
    row("bytevector-s32-native-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-s32-native-set!", Number::Int(4))
    }),
    row("bytevector-u64-native-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-u64-native-set!", Number::Unsigned(8))
    }),
    row("bytevector-s64-native-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-s64-native-set!", Number::Int(8))
    }),
    row("bytevector-ieee-single-native-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-ieee-single-native-set!", Number::Single)
    }),
    row("bytevector-ieee-double-native-set!", 3, 3, |rt, a| {
        put(rt, a, "bytevector-ieee-double-native-set!", Number::Double)
    }),
];

/// How a number lies in memory, in the machine's byte order.
#[derive(Clone, Copy)]
enum Number {
    Int(usize),
    Unsigned(usize),
    Single,
    Double,
}

impl Number {
    fn size(self) -> usize {
        match self {
            Number::Int(n) | Number::Unsigned(n) => n,
            Number::Single => 4,
            Number::Double => 8,
        }
    }
}

pub(super) fn byte(rt: &Rt, a: Args, i: usize, who: &'static str) -> Result<u8> {
    Ok(rt.ranged(a, i, who, "byte", 0, 255)? as u8)
}

pub(super) fn range(
    rt: &Rt,
    a: Args,
    i: usize,
    first: usize,
    who: &'static str,
) -> Result<(usize, usize)> {
    let v = rt.bytevector_arg(a, i, who)?;
    rt.range_args(a, first, who, object::byte_count(v))
}

fn copy_into(rt: &mut Rt, a: Args) -> Result {
    let who = "bytevector-copy!";
    let to = rt.bytevector_arg(a, 0, who)?;
    let room = object::byte_count(to);
    let at = rt.ranged(a, 1, who, "index", 0, room as i64)? as usize;
    let (start, end) = range(rt, a, 2, 3, who)?;
    if end - start > room - at {
        return super::no_room(rt, a, who, end - start, room - at);
    }
    object::copy_bytes(rt.arg(a, 2), start, to, at, end - start);
    Ok(Value::UNSPECIFIED)
}

fn append(rt: &mut Rt, a: Args) -> Result {
    let mut n = 0usize;
    for i in 0..a.len {
        let v = rt.bytevector_arg(a, i, "bytevector-append")?;
        n = n.saturating_add(object::byte_count(v));
    }
    let result = rt.alloc_bytevector(n)?;
    let mut at = 0;
    for i in 0..a.len {
        let v = rt.arg(a, i);
        object::copy_bytes(v, 0, result, at, object::byte_count(v));
        at += object::byte_count(v);
    }
    Ok(result)
}

fn utf8_to_string(rt: &mut Rt, a: Args) -> Result {
    let who = "utf8->string";
    let (start, end) = range(rt, a, 0, 1, who)?;
    let n = end - start;
    let body = rt.string_body(n)?;
    // C may be writing to a view: what is looked at is the copy.
    object::copy_bytes(rt.arg(a, 0), start, body, 0, n);
    match rt.string_on(body, n)? {
        Ok(s) => Ok(s),
        Err(valid) => {
            let at = Value::fixnum((start + valid) as i64);
            Fault::bad(who, "not UTF-8 at byte", vec![at])
        }
    }
}

fn string_to_utf8(rt: &mut Rt, a: Args) -> Result {
    let who = "string->utf8";
    let s = rt.string_arg(a, 0, who)?;
    let (start, end) = rt.range_args(a, 1, who, strings::counts(s).1)?;
    let (from, to) = (strings::offset(rt, s, start), strings::offset(rt, s, end));
    let v = rt.alloc_bytevector(to - from)?;
    let body = object::field(rt.arg(a, 0), string::BODY);
    object::copy_bytes(body, from, v, 0, to - from);
    Ok(v)
}

/// The byte offset in argument 1, where a number of this size must fit.
fn place(rt: &Rt, a: Args, who: &'static str, size: usize) -> Result<(Value, usize)> {
    let v = rt.bytevector_arg(a, 0, who)?;
    let high = object::byte_count(v) as i64 - size as i64;
    Ok((v, rt.ranged(a, 1, who, "index", 0, high)? as usize))
}

fn get(rt: &mut Rt, a: Args, who: &'static str, number: Number) -> Result {
    let size = number.size();
    let (v, at) = place(rt, a, who, size)?;
    let mut word = [0; 8];
    word[..size].copy_from_slice(&rt.bytevector(v)[at..at + size]);
    let bits = if cfg!(target_endian = "little") {
        u64::from_le_bytes(word)
    } else {
        u64::from_be_bytes(word) >> (64 - 8 * size)
    };
    match number {
        Number::Unsigned(_) => rt.make_unsigned(bits),
        Number::Int(_) => {
            let unused = 64 - 8 * size;
            rt.make_int((bits << unused) as i64 >> unused)
        }
        Number::Single => rt.make_flonum(f32::from_bits(bits as u32).into()),
        Number::Double => rt.make_flonum(f64::from_bits(bits)),
    }
}

fn put(rt: &mut Rt, a: Args, who: &'static str, number: Number) -> Result {
    let size = number.size();
    let (v, at) = place(rt, a, who, size)?;
    let bits = match number {
        Number::Single => u64::from((real(rt, a, who)? as f32).to_bits()),
        Number::Double => real(rt, a, who)?.to_bits(),
        Number::Int(_) | Number::Unsigned(_) => integer_bits(rt, a, who, number)?,
    };
    let bytes = bits.to_le_bytes();
    let target = &mut rt.bytevector_mut(v)[at..at + size];
    target.copy_from_slice(&bytes[..size]);
    if cfg!(target_endian = "big") {
        target.reverse();
    }
    Ok(Value::UNSPECIFIED)
}

fn real(rt: &Rt, a: Args, who: &'static str) -> Result<f64> {
    let x = rt.arg(a, 2);
    match rt.to_double(x) {
        Some(x) => Ok(x),
        None => Fault::wrong_type(who, 3, "a number", x),
    }
}

fn integer_bits(rt: &Rt, a: Args, who: &'static str, number: Number) -> Result<u64> {
    use bowline_syntax::Number as N;
    let got = rt.arg(a, 2);
    let n = match rt.number(got) {
        Some(N::Fixnum(n)) => i128::from(n),
        Some(N::Big(n)) => i128::try_from(&n).unwrap_or(i128::MAX),
        _ => return Fault::wrong_type(who, 3, "an exact integer", got),
    };
    let bits = 8 * number.size();
    let (low, high) = match number {
        Number::Unsigned(_) => (0, (1i128 << bits) - 1),
        _ => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
    };
    if (low..=high).contains(&n) {
        Ok(n as u64)
    } else {
        let message = format!("the value must be from {low} to {high}, not");
        Fault::bad(who, message, vec![got])
    }
}
