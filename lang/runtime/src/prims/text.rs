//! Comparing strings and changing their case.
//!
//! UTF-8 sorts by bytes as its characters sort, so strings compare by their bytes. Folding is full
//! folding as far as Rust's case tables give it: `ß` folds to `ss`, both small sigmas to one.

use std::cmp::Ordering;

use bowline_layout::Value;
use bowline_syntax::fold_case;

use crate::fault::Result;
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};

pub(super) const TABLE: &[Primitive] = &[
    rest("string=?", 1, |rt, a| {
        compare(rt, a, "string=?", Ordering::is_eq)
    }),
    rest("string<?", 1, |rt, a| {
        compare(rt, a, "string<?", Ordering::is_lt)
    }),
    rest("string>?", 1, |rt, a| {
        compare(rt, a, "string>?", Ordering::is_gt)
    }),
    rest("string<=?", 1, |rt, a| {
        compare(rt, a, "string<=?", Ordering::is_le)
    }),
    rest("string>=?", 1, |rt, a| {
        compare(rt, a, "string>=?", Ordering::is_ge)
    }),
    rest("string-ci=?", 1, |rt, a| {
        compare_ci(rt, a, "string-ci=?", Ordering::is_eq)
    }),
    rest("string-ci<?", 1, |rt, a| {
        compare_ci(rt, a, "string-ci<?", Ordering::is_lt)
    }),
    rest("string-ci>?", 1, |rt, a| {
        compare_ci(rt, a, "string-ci>?", Ordering::is_gt)
    }),
    rest("string-ci<=?", 1, |rt, a| {
        compare_ci(rt, a, "string-ci<=?", Ordering::is_le)
    }),
    rest("string-ci>=?", 1, |rt, a| {
        compare_ci(rt, a, "string-ci>=?", Ordering::is_ge)
    }),
    row("string-upcase", 1, 1, |rt, a| {
        mapped(rt, a, "string-upcase", str::to_uppercase)
    }),
    row("string-downcase", 1, 1, |rt, a| {
        mapped(rt, a, "string-downcase", str::to_lowercase)
    }),
    row("string-foldcase", 1, 1, |rt, a| {
        mapped(rt, a, "string-foldcase", fold)
    }),
];

fn fold(text: &str) -> String {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        fold_case(text)
    }
}

fn mapped(rt: &mut Rt, a: Args, who: &'static str, map: fn(&str) -> String) -> Result {
    let s = rt.string_arg(a, 0, who)?;
    let text = map(rt.text(s));
    rt.make_string(&text)
}

fn compare(rt: &mut Rt, a: Args, who: &'static str, holds: fn(Ordering) -> bool) -> Result {
    let mut last = rt.string_arg(a, 0, who)?;
    let mut result = true;
    for i in 1..a.len {
        let next = rt.string_arg(a, i, who)?;
        result = result && holds(rt.text(last).cmp(rt.text(next)));
        last = next;
    }
    Ok(Value::bool(result))
}

fn compare_ci(rt: &mut Rt, a: Args, who: &'static str, holds: fn(Ordering) -> bool) -> Result {
    let mut last = fold(rt.text(rt.string_arg(a, 0, who)?));
    let mut result = true;
    for i in 1..a.len {
        let next = fold(rt.text(rt.string_arg(a, i, who)?));
        result = result && holds(last.cmp(&next));
        last = next;
    }
    Ok(Value::bool(result))
}
