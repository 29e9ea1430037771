//! Pairs and lists.
//!
//! A list is copied front to back through a tail pointer that stands on the root stack beside its
//! head (inv:rooted).

use bowline_layout::Value;

use crate::addresses::WordSet;
use crate::check::list_length;
use crate::equal;
use crate::fault::{Fault, Result};
use crate::object::{self, car, cdr};
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};

pub(super) const TABLE: &[Primitive] = &[
    row("cons", 2, 2, |rt, a| rt.cons(rt.arg(a, 0), rt.arg(a, 1))),
    row("car", 1, 1, |rt, a| Ok(car(rt.pair_arg(a, 0, "car")?))),
    row("cdr", 1, 1, |rt, a| Ok(cdr(rt.pair_arg(a, 0, "cdr")?))),
    row("set-car!", 2, 2, |rt, a| set(rt, a, "set-car!", 0)),
    row("set-cdr!", 2, 2, |rt, a| set(rt, a, "set-cdr!", 1)),
    row("caar", 1, 1, |rt, a| cxr(rt, a, "caar", "aa")),
    row("cadr", 1, 1, |rt, a| cxr(rt, a, "cadr", "ad")),
    row("cdar", 1, 1, |rt, a| cxr(rt, a, "cdar", "da")),
    row("cddr", 1, 1, |rt, a| cxr(rt, a, "cddr", "dd")),
    row("caaar", 1, 1, |rt, a| cxr(rt, a, "caaar", "aaa")),
    row("caadr", 1, 1, |rt, a| cxr(rt, a, "caadr", "aad")),
    row("cadar", 1, 1, |rt, a| cxr(rt, a, "cadar", "ada")),
    row("caddr", 1, 1, |rt, a| cxr(rt, a, "caddr", "add")),
    row("cdaar", 1, 1, |rt, a| cxr(rt, a, "cdaar", "daa")),
    row("cdadr", 1, 1, |rt, a| cxr(rt, a, "cdadr", "dad")),
    row("cddar", 1, 1, |rt, a| cxr(rt, a, "cddar", "dda")),
    row("cdddr", 1, 1, |rt, a| cxr(rt, a, "cdddr", "ddd")),
    row("caaaar", 1, 1, |rt, a| cxr(rt, a, "caaaar", "aaaa")),
    row("caaadr", 1, 1, |rt, a| cxr(rt, a, "caaadr", "aaad")),
    row("caadar", 1, 1, |rt, a| cxr(rt, a, "caadar", "aada")),
    row("caaddr", 1, 1, |rt, a| cxr(rt, a, "caaddr", "aadd")),
    row("cadaar", 1, 1, |rt, a| cxr(rt, a, "cadaar", "adaa")),
    row("cadadr", 1, 1, |rt, a| cxr(rt, a, "cadadr", "adad")),
    row("caddar", 1, 1, |rt, a| cxr(rt, a, "caddar", "adda")),
    row("cadddr", 1, 1, |rt, a| cxr(rt, a, "cadddr", "addd")),
    row("cdaaar", 1, 1, |rt, a| cxr(rt, a, "cdaaar", "daaa")),
    row("cdaadr", 1, 1, |rt, a| cxr(rt, a, "cdaadr", "daad")),
    row("cdadar", 1, 1, |rt, a| cxr(rt, a, "cdadar", "dada")),
    row("cdaddr", 1, 1, |rt, a| cxr(rt, a, "cdaddr", "dadd")),
    row("cddaar", 1, 1, |rt, a| cxr(rt, a, "cddaar", "ddaa")),
    row("cddadr", 1, 1, |rt, a| cxr(rt, a, "cddadr", "ddad")),
    row("cdddar", 1, 1, |rt, a| cxr(rt, a, "cdddar", "ddda")),
    row("cddddr", 1, 1, |rt, a| cxr(rt, a, "cddddr", "dddd")),
    row("null?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0) == Value::NIL))
    }),
    row("pair?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0).is_pair()))
    }),
    row("list?", 1, 1, |rt, a| {
        Ok(Value::bool(list_length(rt.arg(a, 0)).is_some()))
    }),
    rest("list", 0, |rt, a| list(rt, a, 0)),
    rest("cons*", 1, cons_star),
    row("make-list", 1, 2, make_list),
    row("length", 1, 1, |rt, a| {
        Ok(Value::fixnum(rt.list_arg(a, 0, "length")? as i64))
    }),
    rest("append", 0, append),
    row("reverse", 1, 1, reverse),
    row("list-tail", 2, 2, |rt, a| list_tail(rt, a, "list-tail")),
    row("list-ref", 2, 2, |rt, a| {
        let at = list_tail(rt, a, "list-ref")?;
        if at.is_pair() {
            return Ok(car(at));
        }
        let n = list_prefix(rt.arg(a, 0));
        Fault::range("list-ref", "index", rt.arg(a, 1), 0, n - 1)
    }),
    row("list-set!", 3, 3, list_set),
    row("list-copy", 1, 1, |rt, a| {
        if !rt.arg(a, 0).is_pair() {
            return Ok(rt.arg(a, 0));
        }
        check_acyclic(rt, a)?;
        copy_before(rt, a.base, None)
    }),
    row("last-pair", 1, 1, last_pair),
    row("memq", 2, 2, |rt, a| {
        member(rt, a, "memq", |_, x, y| x == y)
    }),
    row("memv", 2, 2, |rt, a| member(rt, a, "memv", equal::eqv)),
    row("%member", 2, 2, |rt, a| {
        member(rt, a, "member", equal::equal)
    }),
    row("assq", 2, 2, |rt, a| assoc(rt, a, "assq", |_, x, y| x == y)),
    row("assv", 2, 2, |rt, a| assoc(rt, a, "assv", equal::eqv)),
    row("%assoc", 2, 2, |rt, a| assoc(rt, a, "assoc", equal::equal)),
];

fn set(rt: &mut Rt, a: Args, who: &'static str, word: usize) -> Result {
    let pair = rt.pair_arg(a, 0, who)?;
    if rt.heap().in_boot_heap(pair) {
        return Err(Box::new(Fault::Immutable { who, got: pair }));
    }
    let v = rt.arg(a, 1);
    object::store(&mut rt.heap, pair, word, v);
    Ok(Value::UNSPECIFIED)
}

/// Follows `path` from its right end, as the name `c…r` reads.
fn cxr(rt: &mut Rt, a: Args, who: &'static str, path: &str) -> Result {
    let mut v = rt.arg(a, 0);
    for step in path.bytes().rev() {
        if !v.is_pair() {
            return Fault::wrong_type(who, 1, "made of enough pairs", rt.arg(a, 0));
        }
        v = if step == b'a' { car(v) } else { cdr(v) };
    }
    Ok(v)
}

/// The list of the arguments from `first` on.
fn list(rt: &mut Rt, a: Args, first: usize) -> Result {
    let mut l = Value::NIL;
    for i in (first..a.len).rev() {
        l = rt.cons(rt.arg(a, i), l)?;
    }
    Ok(l)
}

fn cons_star(rt: &mut Rt, a: Args) -> Result {
    let mut l = rt.arg(a, a.len - 1);
    for i in (0..a.len - 1).rev() {
        l = rt.cons(rt.arg(a, i), l)?;
    }
    Ok(l)
}

fn make_list(rt: &mut Rt, a: Args) -> Result {
    let n = rt.size_arg(a, 0, "make-list")?;
    let mut l = Value::NIL;
    for _ in 0..n {
        let fill = rt.opt(a, 1).unwrap_or(Value::UNSPECIFIED);
        l = rt.cons(fill, l)?;
    }
    Ok(l)
}

/// A copy of the list at a root stack position up to its end or to the pair `stop` counted from the
/// front, before the same tail.
fn copy_before(rt: &mut Rt, position: usize, tail: Option<usize>) -> Result {
    let height = rt.height();
    rt.push(rt.at(position));
    let head = rt.cons(Value::NIL, Value::NIL)?;
    rt.push(head);
    rt.push(head);
    let (from, last) = (height, height + 2);
    while rt.at(from).is_pair() {
        let pair = rt.cons(car(rt.at(from)), Value::NIL)?;
        let end = rt.at(last);
        object::store(&mut rt.heap, end, 1, pair);
        rt.set_at(last, pair);
        rt.set_at(from, cdr(rt.at(from)));
    }
    let end = rt.at(last);
    let tail = match tail {
        Some(position) => rt.at(position),
        None => rt.at(from),
    };
    object::store(&mut rt.heap, end, 1, tail);
    let copy = cdr(rt.at(height + 1));
    rt.truncate(height);
    Ok(copy)
}

/// A cyclic list has no copy.
fn check_acyclic(rt: &Rt, a: Args) -> Result<()> {
    let (mut slow, mut fast) = (rt.arg(a, 0), rt.arg(a, 0));
    while fast.is_pair() && cdr(fast).is_pair() {
        fast = cdr(cdr(fast));
        slow = cdr(slow);
        if fast == slow {
            return Fault::wrong_type("list-copy", 1, "a list that ends", rt.arg(a, 0));
        }
    }
    Ok(())
}

fn append(rt: &mut Rt, a: Args) -> Result {
    if a.len == 0 {
        return Ok(Value::NIL);
    }
    for i in 0..a.len - 1 {
        rt.list_arg(a, i, "append")?;
    }
    let height = rt.height();
    rt.push(rt.arg(a, a.len - 1));
    for i in (0..a.len - 1).rev() {
        let l = copy_before(rt, a.base + i, Some(height))?;
        rt.set_at(height, l);
    }
    Ok(rt.pop())
}

fn reverse(rt: &mut Rt, a: Args) -> Result {
    rt.list_arg(a, 0, "reverse")?;
    let height = rt.height();
    rt.push(rt.arg(a, 0));
    let mut l = Value::NIL;
    while rt.at(height).is_pair() {
        l = rt.cons(car(rt.at(height)), l)?;
        rt.set_at(height, cdr(rt.at(height)));
    }
    rt.truncate(height);
    Ok(l)
}

/// How many pairs a list has before its end, or before it begins again.
fn list_prefix(v: Value) -> i64 {
    if let Some(n) = list_length(v) {
        return n as i64;
    }
    let (mut n, mut at) = (0, v);
    let mut seen = WordSet::default();
    while at.is_pair() && seen.insert(at.bits()) {
        at = cdr(at);
        n += 1;
    }
    n
}

fn list_tail(rt: &mut Rt, a: Args, who: &'static str) -> Result {
    let k = rt.ranged(a, 1, who, "index", 0, i64::MAX)?;
    let mut at = rt.arg(a, 0);
    for _ in 0..k {
        if !at.is_pair() {
            // A tail may be what stands behind the last pair.
            let n = list_prefix(rt.arg(a, 0)) - i64::from(who != "list-tail");
            return Fault::range(who, "index", rt.arg(a, 1), 0, n);
        }
        at = cdr(at);
    }
    Ok(at)
}

fn list_set(rt: &mut Rt, a: Args) -> Result {
    let who = "list-set!";
    let at = list_tail(rt, a, who)?;
    if !at.is_pair() {
        let n = list_prefix(rt.arg(a, 0));
        return Fault::range(who, "index", rt.arg(a, 1), 0, n - 1);
    }
    if rt.heap().in_boot_heap(at) {
        return Err(Box::new(Fault::Immutable { who, got: at }));
    }
    let v = rt.arg(a, 2);
    object::store(&mut rt.heap, at, 0, v);
    Ok(Value::UNSPECIFIED)
}

fn last_pair(rt: &mut Rt, a: Args) -> Result {
    let mut at = rt.pair_arg(a, 0, "last-pair")?;
    let mut slow = at;
    loop {
        for _ in 0..2 {
            if !cdr(at).is_pair() {
                return Ok(at);
            }
            at = cdr(at);
        }
        slow = cdr(slow);
        if slow == at {
            return Fault::wrong_type("last-pair", 1, "a list that ends", rt.arg(a, 0));
        }
    }
}

/// Walks the list in argument 1 and gives `found` each pair; ends at the first answer.
fn search(
    rt: &Rt,
    a: Args,
    who: &'static str,
    expected: &'static str,
    mut found: impl FnMut(Value) -> Option<Result>,
) -> Result {
    let list = rt.arg(a, 1);
    let (mut at, mut slow, mut odd) = (list, list, false);
    while at.is_pair() {
        if let Some(result) = found(at) {
            return result;
        }
        at = cdr(at);
        if odd {
            slow = cdr(slow);
            if slow == at && at.is_pair() {
                return Fault::wrong_type(who, 2, expected, list);
            }
        }
        odd = !odd;
    }
    if at == Value::NIL {
        Ok(Value::FALSE)
    } else {
        Fault::wrong_type(who, 2, expected, list)
    }
}

type Same = fn(&Rt, Value, Value) -> bool;

fn member(rt: &mut Rt, a: Args, who: &'static str, same: Same) -> Result {
    let key = rt.arg(a, 0);
    search(rt, a, who, "a list", |at| {
        same(rt, key, car(at)).then_some(Ok(at))
    })
}

fn assoc(rt: &mut Rt, a: Args, who: &'static str, same: Same) -> Result {
    let key = rt.arg(a, 0);
    search(rt, a, who, "a list of pairs", |at| {
        let entry = car(at);
        if !entry.is_pair() {
            return Some(Fault::wrong_type(who, 2, "a list of pairs", rt.arg(a, 1)));
        }
        same(rt, key, car(entry)).then_some(Ok(entry))
    })
}
