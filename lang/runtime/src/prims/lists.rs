//! Pairs and lists.
//!
//! A list is copied front to back through a tail pointer that stands on the root stack beside its
//! head (inv:rooted).

use bowline_layout::Value;

use crate::equal::{self, Comparison};
use crate::fault::{Fault, Result};
use crate::object::{self, car, cdr};
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};
use crate::walk::{Extent, PIECE};

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
        Ok(Value::bool(rt.list_length(a.base).is_some()))
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
        let n = rt.list_prefix(a.base) as i64;
        Fault::range("list-ref", "index", rt.arg(a, 1), 0, n - 1)
    }),
    row("list-set!", 3, 3, list_set),
    row("list-copy", 1, 1, |rt, a| {
        if !rt.arg(a, 0).is_pair() {
            return Ok(rt.arg(a, 0));
        }
        if let Extent::Cyclic(_) = rt.extent(a.base) {
            return Fault::wrong_type("list-copy", 1, "a list that ends", rt.arg(a, 0));
        }
        copy_before(rt, a.base, None)
    }),
    row("last-pair", 1, 1, last_pair),
    row("memq", 2, 2, |rt, a| search(rt, a, "memq", Same::Eq, false)),
    row("memv", 2, 2, |rt, a| {
        search(rt, a, "memv", Same::Eqv, false)
    }),
    row("%member", 2, 2, |rt, a| {
        search(rt, a, "member", Same::Equal, false)
    }),
    row("assq", 2, 2, |rt, a| search(rt, a, "assq", Same::Eq, true)),
    row("assv", 2, 2, |rt, a| search(rt, a, "assv", Same::Eqv, true)),
    row("%assoc", 2, 2, |rt, a| {
        search(rt, a, "assoc", Same::Equal, true)
    }),
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

fn list_tail(rt: &mut Rt, a: Args, who: &'static str) -> Result {
    let k = rt.ranged(a, 1, who, "index", 0, i64::MAX)?;
    let mut at = rt.arg(a, 0);
    for i in 0..k {
        if i % PIECE as i64 == 0 {
            rt.poll_keeping([&mut at]);
        }
        if !at.is_pair() {
            // A tail may be what stands behind the last pair.
            let n = rt.list_prefix(a.base) as i64 - i64::from(who != "list-tail");
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
        let n = rt.list_prefix(a.base) as i64;
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
    rt.pair_arg(a, 0, "last-pair")?;
    if let Extent::Cyclic(_) = rt.extent(a.base) {
        return Fault::wrong_type("last-pair", 1, "a list that ends", rt.arg(a, 0));
    }
    let mut at = rt.arg(a, 0);
    for n in 1.. {
        if !cdr(at).is_pair() {
            break;
        }
        at = cdr(at);
        if n % PIECE == 0 {
            rt.poll_keeping([&mut at]);
        }
    }
    Ok(at)
}

/// What a search compares with.
#[derive(Clone, Copy)]
enum Same {
    Eq,
    Eqv,
    Equal,
}

/// Walks the list in argument 1 to the pair whose car is the same as argument 0, or to the entry whose car is.
fn search(rt: &mut Rt, a: Args, who: &'static str, same: Same, entries: bool) -> Result {
    let expected = match entries {
        true => "a list of pairs",
        false => "a list",
    };
    let (mut at, mut slow) = (rt.arg(a, 1), rt.arg(a, 1));
    let mut n = 0usize;
    while at.is_pair() {
        if entries && !car(at).is_pair() {
            return Fault::wrong_type(who, 2, expected, rt.arg(a, 1));
        }
        let item = if entries { car(car(at)) } else { car(at) };
        let key = rt.arg(a, 0);
        let found = match same {
            Same::Eq => key == item,
            Same::Eqv => equal::eqv(rt, key, item),
            Same::Equal => is_equal(rt, key, item, [&mut at, &mut slow])?,
        };
        if found {
            return Ok(if entries { car(at) } else { at });
        }
        at = cdr(at);
        n += 1;
        if n.is_multiple_of(2) {
            slow = cdr(slow);
            if slow == at && at.is_pair() {
                return Fault::wrong_type(who, 2, expected, rt.arg(a, 1));
            }
        }
        if n.is_multiple_of(PIECE) {
            rt.poll_keeping([&mut at, &mut slow]);
        }
    }
    if at == Value::NIL {
        Ok(Value::FALSE)
    } else {
        Fault::wrong_type(who, 2, expected, rt.arg(a, 1))
    }
}

/// Whether the two are equal. If that takes long, `kept` are where they are afterwards.
fn is_equal(rt: &mut Rt, key: Value, item: Value, kept: [&mut Value; 2]) -> Result<bool> {
    if !(key.is_pointer() && item.is_pointer()) {
        return Ok(key == item);
    }
    let mut comparison = Comparison::new(key, item);
    if let Some(same) = comparison.go(rt) {
        return Ok(same);
    }
    let height = rt.height();
    for v in &kept {
        rt.push(**v);
    }
    let same = comparison.finish(rt)?;
    for (i, v) in kept.into_iter().enumerate() {
        *v = rt.at(height + i);
    }
    rt.truncate(height);
    Ok(same)
}
