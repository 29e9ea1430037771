//! What `(bowline gc)` is made of: collections, figures, weak pairs, guardians.

use bowline_gc::Collect;
use bowline_layout::{Value, weak_pair};

use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, row};
use crate::rt::{Args, Rt};

use super::system::list_of;

pub(super) const TABLE: &[Primitive] = &[
    row("collect", 0, 1, collect),
    row("gc-stats", 0, 0, stats),
    row("object-address", 1, 1, |rt, a| {
        let v = rt.arg(a, 0);
        let address = if v.is_pointer() { v.addr().raw() } else { 0 };
        rt.make_unsigned(address as u64)
    }),
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
            get(rt, a, "weak-broken?", weak_pair::CAR)? == Value::BROKEN,
        ))
    }),
    row("broken-object?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0) == Value::BROKEN))
    }),
    row("%make-guardian", 0, 0, |rt, _| {
        rt.make_object(kinds::GUARDIAN, &[Value::FALSE])
    }),
    row("%guardian-register", 3, 3, |rt, a| {
        let g = guardian(rt, a, "%guardian-register")?;
        let (object, representative) = (rt.arg(a, 1), rt.arg(a, 2));
        rt.heap.guard(g, object, representative);
        Ok(Value::UNSPECIFIED)
    }),
    row("%guardian-next", 1, 1, |rt, a| {
        let g = guardian(rt, a, "%guardian-next")?;
        Ok(rt.heap.guardian_next(g).unwrap_or(Value::FALSE))
    }),
];

fn collect(rt: &mut Rt, a: Args) -> Result {
    let kind = match rt.opt(a, 0) {
        None => Collect::Full,
        Some(v) if v == rt.known.minor => Collect::Minor,
        Some(v) => {
            let message = "the only kind to ask for is minor, not";
            return Fault::bad("collect", message, vec![v]);
        }
    };
    rt.heap.collect(kind);
    Ok(Value::UNSPECIFIED)
}

/// The most labels of owners that `gc-stats` lists.
const TOP_OWNERS: usize = 20;

fn stats(rt: &mut Rt, _: Args) -> Result {
    let owners = owners(rt)?;
    rt.push(owners);
    let s = rt.heap().stats();
    let rows = [
        ("collections", s.collections),
        ("minor", s.minor),
        ("major", s.major),
        ("in-foreign-calls", s.in_foreign_calls),
        ("moved-objects", s.moved_objects),
        ("moved-bytes", s.moved_bytes),
        ("pinned-objects", s.pinned_objects),
        ("heap-bytes", s.heap_bytes),
        ("static-bytes", s.static_bytes),
        ("max-pause-ns", s.max_pause_ns),
        ("total-pause-ns", s.total_pause_ns),
        ("client-bytes", s.client_bytes),
        ("runtime-bytes", s.runtime_bytes),
        ("declared-bytes", s.declared_bytes),
        ("pressure-collections", s.pressure_collections),
        ("pressure-waits", s.pressure_waits),
        ("pressure-refusals", s.pressure_refusals),
    ];
    let at = rt.height() - 1;
    let list = list_of(rt, rows.len() + 2, |rt, i| {
        // Figures are fixnums for the next century; symbols do not move (inv:symbol.boot).
        let (name, v) = match i.checked_sub(rows.len()) {
            None => (rows[i].0, rt.make_unsigned(rows[i].1)?),
            Some(0) => ("degraded", Value::bool(s.degraded)),
            Some(_) => ("owners", rt.at(at)),
        };
        let name = rt.intern(name);
        rt.cons(name, v)
    })?;
    rt.truncate(at);
    Ok(list)
}

/// `((label count bytes) …)`, those with the most bytes first.
fn owners(rt: &mut Rt) -> Result {
    let owners = rt.heap().owners(TOP_OWNERS);
    list_of(rt, owners.len(), |rt, i| {
        let owner = &owners[i];
        let label = rt.make_string(&owner.label)?;
        rt.push(label);
        let bytes = rt.make_unsigned(owner.bytes as u64)?;
        let bytes = rt.cons(bytes, Value::NIL)?;
        let rest = rt.cons(Value::fixnum(owner.count as i64), bytes)?;
        let label = rt.pop();
        rt.cons(label, rest)
    })
}

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

fn guardian(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::GUARDIAN, "a guardian")
}
