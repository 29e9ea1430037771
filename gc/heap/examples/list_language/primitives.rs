//! The procedures that are written in Rust.

use super::error::Error;
use bowline_gc::safe::{Immediate, Local, Pair, Scope};

/// A procedure of Rust's: from arguments to a value.
pub(crate) type Procedure = for<'s> fn(&mut Scope<'s>, &[Local<'_>]) -> Result<Local<'s>, Error>;

/// The procedures, by name.
pub(crate) const TABLE: &[(&str, Procedure)] = &[
    ("+", |s, v| arithmetic(s, v, i64::checked_add)),
    ("-", |s, v| arithmetic(s, v, i64::checked_sub)),
    ("*", |s, v| arithmetic(s, v, i64::checked_mul)),
    ("=", |s, v| compare(s, v, |a, b| a == b)),
    ("<", |s, v| compare(s, v, |a, b| a < b)),
    ("cons", cons),
    ("car", |s, v| part(s, v, false)),
    ("cdr", |s, v| part(s, v, true)),
    ("null?", |s, v| Ok(truth(s, s.view(*one(v)?).is_nil()))),
    ("pair?", |s, v| {
        Ok(truth(s, s.view(*one(v)?).as_pair().is_some()))
    }),
];

fn one<'a, 'l>(values: &'a [Local<'l>]) -> Result<&'a Local<'l>, Error> {
    match values {
        [value] => Ok(value),
        _ => Err(Error::Arity("a call of a procedure of one argument")),
    }
}

fn two<'a, 'l>(values: &'a [Local<'l>]) -> Result<(&'a Local<'l>, &'a Local<'l>), Error> {
    match values {
        [first, second] => Ok((first, second)),
        _ => Err(Error::Arity("a call of a procedure of two arguments")),
    }
}

fn truth<'s>(s: &Scope<'s>, b: bool) -> Local<'s> {
    s.local(Immediate::from(b))
}

fn numbers(s: &Scope<'_>, values: &[Local<'_>]) -> Result<(i64, i64), Error> {
    let (first, second) = two(values)?;
    Ok((s.view(*first).fixnum()?, s.view(*second).fixnum()?))
}

fn arithmetic<'s>(
    s: &mut Scope<'s>,
    values: &[Local<'_>],
    op: fn(i64, i64) -> Option<i64>,
) -> Result<Local<'s>, Error> {
    let (a, b) = numbers(s, values)?;
    let result = op(a, b).and_then(Immediate::fixnum);
    Ok(s.local(result.ok_or(Error::Overflow)?))
}

fn compare<'s>(
    s: &mut Scope<'s>,
    values: &[Local<'_>],
    op: fn(i64, i64) -> bool,
) -> Result<Local<'s>, Error> {
    let (a, b) = numbers(s, values)?;
    Ok(truth(s, op(a, b)))
}

fn cons<'s>(s: &mut Scope<'s>, values: &[Local<'_>]) -> Result<Local<'s>, Error> {
    let (car, cdr) = two(values)?;
    Ok(s.pair(*car, *cdr)?.erase())
}

fn part<'s>(s: &mut Scope<'s>, values: &[Local<'_>], rest: bool) -> Result<Local<'s>, Error> {
    let pair = s.view(*one(values)?).cast::<Pair>()?;
    Ok(s.local(if rest { pair.cdr() } else { pair.car() }))
}
