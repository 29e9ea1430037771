//! Hash tables as the library sees them.

use bowline_layout::Value;

use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, row};
use crate::rt::{Args, Rt};
use crate::strings;
use crate::table::{self, Equivalence};
use crate::walk::PIECE;

pub(super) const TABLE: &[Primitive] = &[
    row("%make-hash-table", 1, 2, |rt, a| {
        let v = rt.symbol_arg(a, 0, "make-hash-table")?;
        let equivalence = match rt.symbol_name(v) {
            "eq?" => Equivalence::Eq,
            "eqv?" => Equivalence::Eqv,
            "equal?" => Equivalence::Equal,
            "string=?" => Equivalence::String,
            _ => {
                let message = "the equivalence must be eq?, eqv?, equal? or string=?, not";
                return Fault::bad("make-hash-table", message, vec![v]);
            }
        };
        table::make(rt, equivalence, rt.opt(a, 1).is_some())
    }),
    row("hash-table?", 1, 1, |rt, a| {
        Ok(Value::bool(object::is(rt.arg(a, 0), kinds::HASH_TABLE)))
    }),
    row("hash-table-ref/default", 3, 3, |rt, a| {
        let (t, key) = entry(rt, a, "hash-table-ref/default")?;
        Ok(table::get(rt, t, key).unwrap_or_else(|| rt.arg(a, 2)))
    }),
    row("hash-table-set!", 3, 3, |rt, a| {
        entry(rt, a, "hash-table-set!")?;
        table::set(rt, a.base, a.base + 1, a.base + 2)?;
        Ok(Value::UNSPECIFIED)
    }),
    row("hash-table-weak?", 1, 1, |rt, a| {
        let t = table_arg(rt, a, "hash-table-weak?")?;
        Ok(Value::bool(table::is_weak(t)))
    }),
    row("hash-table-delete!", 2, 2, |rt, a| {
        let (t, key) = entry(rt, a, "hash-table-delete!")?;
        Ok(Value::bool(table::delete(rt, t, key)))
    }),
    row("hash-table-contains?", 2, 2, |rt, a| {
        let (t, key) = entry(rt, a, "hash-table-contains?")?;
        Ok(Value::bool(table::get(rt, t, key).is_some()))
    }),
    row("hash-table-count", 1, 1, |rt, a| {
        table_arg(rt, a, "hash-table-count")?;
        Ok(Value::fixnum(table::count_at(rt, a.base) as i64))
    }),
    row("hash-table-clear!", 1, 1, |rt, a| {
        table_arg(rt, a, "hash-table-clear!")?;
        table::clear(rt, a.base);
        Ok(Value::UNSPECIFIED)
    }),
    row("hash-table-keys", 1, 1, |rt, a| {
        list(rt, a, "hash-table-keys", |_, key, _| Ok(key))
    }),
    row("hash-table-values", 1, 1, |rt, a| {
        list(rt, a, "hash-table-values", |_, _, value| Ok(value))
    }),
    row("hash-table->alist", 1, 1, |rt, a| {
        list(rt, a, "hash-table->alist", |rt, key, value| {
            rt.cons(key, value)
        })
    }),
    row("hash-table-copy", 1, 2, copy),
    row("%hash-table-equivalence", 1, 1, |rt, a| {
        let t = table_arg(rt, a, "hash-table-equivalence")?;
        let name = match table::equivalence(t) {
            Equivalence::Eq => "eq?",
            Equivalence::Eqv => "eqv?",
            Equivalence::Equal => "equal?",
            Equivalence::String => "string=?",
        };
        rt.intern(name)
    }),
    row("equal-hash", 1, 1, |rt, a| {
        Ok(Value::fixnum(table::equal_hash(rt, rt.arg(a, 0))))
    }),
    row("string-hash", 1, 1, |rt, a| {
        let s = rt.string_arg(a, 0, "string-hash")?;
        Ok(Value::fixnum(table::equal_hash(rt, s)))
    }),
];

fn table_arg(rt: &Rt, a: Args, who: &'static str) -> Result {
    rt.typed(a, 0, who, kinds::HASH_TABLE, "a hash table")
}

fn entry(rt: &Rt, a: Args, who: &'static str) -> Result<(Value, Value)> {
    let t = table_arg(rt, a, who)?;
    let key = rt.arg(a, 1);
    if table::equivalence(t) == Equivalence::String && !strings::is_string(key) {
        return Fault::wrong_type(who, 2, "a string, as the table's keys are", key);
    }
    Ok((t, key))
}

/// Polls at the beginning of a piece (inv:walk.piece).
fn poll_at(rt: &mut Rt, i: usize) {
    if i.is_multiple_of(PIECE) {
        rt.heap.poll();
    }
}

type Part = fn(&mut Rt, Value, Value) -> Result;

/// The list of what `part` makes of each entry. A collection meanwhile moves entries, not slots.
fn list(rt: &mut Rt, a: Args, who: &'static str, part: Part) -> Result {
    table_arg(rt, a, who)?;
    let height = rt.height();
    rt.push(Value::NIL);
    for i in 0..table::capacity(rt.arg(a, 0)) {
        poll_at(rt, i);
        if let Some((key, value)) = table::entry(rt, rt.arg(a, 0), i) {
            let item = part(rt, key, value)?;
            let l = rt.cons(item, rt.at(height))?;
            rt.set_at(height, l);
        }
    }
    Ok(rt.pop())
}

fn copy(rt: &mut Rt, a: Args) -> Result {
    let t = table_arg(rt, a, "hash-table-copy")?;
    let new = table::make(rt, table::equivalence(t), table::is_weak(t))?;
    let height = rt.height();
    rt.push(new);
    for i in 0..table::capacity(rt.arg(a, 0)) {
        poll_at(rt, i);
        if let Some((key, value)) = table::entry(rt, rt.arg(a, 0), i) {
            rt.push(key);
            rt.push(value);
            table::set(rt, height, height + 1, height + 2)?;
            rt.truncate(height + 1);
        }
    }
    Ok(rt.pop())
}
