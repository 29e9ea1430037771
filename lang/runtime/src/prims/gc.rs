//! What `(bowline gc)` is made of: collections and figures. Weak things are in `weak`.

use bowline_gc::Collect;
use bowline_layout::Value;

use crate::fault::{Fault, Result};
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
        ("stack-words", s.stack_words),
        ("chunk-words", s.chunk_words),
        ("concurrent", s.concurrent),
        ("fallbacks", s.fallbacks),
        ("stalls", s.stalls),
        ("stalled-ns", s.stalled_ns),
    ];
    let at = rt.height() - 1;
    let list = list_of(rt, rows.len() + 2, |rt, i| {
        // Figures are fixnums for the next century; symbols do not move (inv:symbol.boot).
        let (name, v) = match i.checked_sub(rows.len()) {
            None => (rows[i].0, rt.make_unsigned(rows[i].1)?),
            Some(0) => ("degraded", Value::bool(s.degraded)),
            Some(_) => ("owners", rt.at(at)),
        };
        let name = rt.intern(name)?;
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
