//! Strings: making, reading, changing, searching.

use bowline_layout::Value;

use crate::fault::{Fault, Result};
use crate::object::{car, cdr};
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};
use crate::strings::{self, counts, is_string};
use crate::walk::PIECE;

pub(super) const TABLE: &[Primitive] = &[
    row("string?", 1, 1, |rt, a| {
        Ok(Value::bool(is_string(rt.arg(a, 0))))
    }),
    row("make-string", 1, 2, make_string),
    rest("string", 0, |rt, a| {
        let mut text = String::with_capacity(a.len);
        for i in 0..a.len {
            text.push(rt.char_arg(a, i, "string")?);
        }
        rt.make_string(&text)
    }),
    row("string-length", 1, 1, |rt, a| {
        let s = rt.string_arg(a, 0, "string-length")?;
        Ok(Value::fixnum(counts(s).1 as i64))
    }),
    row("string-ref", 2, 2, |rt, a| {
        let s = rt.string_arg(a, 0, "string-ref")?;
        let i = rt.index_arg(a, 1, "string-ref", counts(s).1)?;
        Ok(Value::char(rt.char_at(s, i)))
    }),
    row("string-set!", 3, 3, string_set),
    row("substring", 3, 3, |rt, a| copy(rt, a, "substring")),
    row("string-copy", 1, 3, |rt, a| copy(rt, a, "string-copy")),
    row("string-copy!", 3, 5, copy_into),
    row("string-fill!", 2, 4, fill),
    rest("string-append", 0, append),
    row("string->list", 1, 3, string_to_list),
    row("list->string", 1, 1, list_to_string),
    row("string-search-forward", 3, 3, search_forward),
    row("string-index", 2, 3, index),
    row("string-null?", 1, 1, |rt, a| {
        let s = rt.string_arg(a, 0, "string-null?")?;
        Ok(Value::bool(counts(s).0 == 0))
    }),
];

/// The character range that the optional arguments from `first` on give of the string in `i`.
fn range(rt: &Rt, a: Args, i: usize, first: usize, who: &'static str) -> Result<(usize, usize)> {
    let s = rt.string_arg(a, i, who)?;
    rt.range_args(a, first, who, counts(s).1)
}

fn make_string(rt: &mut Rt, a: Args) -> Result {
    let n = rt.size_arg(a, 0, "make-string")?;
    let c = match rt.opt(a, 1) {
        Some(_) => rt.char_arg(a, 1, "make-string")?,
        None => ' ',
    };
    let mut buffer = [0; 4];
    let unit = c.encode_utf8(&mut buffer).as_bytes();
    rt.build_string(n * unit.len(), n, |out| {
        for slot in out.chunks_exact_mut(unit.len()) {
            slot.copy_from_slice(unit);
        }
    })
}

fn string_set(rt: &mut Rt, a: Args) -> Result {
    let who = "string-set!";
    let s = rt.mutable_string_arg(a, 0, who)?;
    let i = rt.index_arg(a, 1, who, counts(s).1)?;
    let c = rt.char_arg(a, 2, who)?;
    let old = rt.char_at(s, i);
    let at = strings::offset(rt, s, i);
    let mut buffer = [0; 4];
    let unit: &str = c.encode_utf8(&mut buffer);
    if old.len_utf8() == unit.len() {
        rt.overwrite_text(s, at, unit);
        return Ok(Value::UNSPECIFIED);
    }
    // inv:string.lent
    let text = rt.text(s);
    let changed = [&text[..at], unit, &text[at + old.len_utf8()..]].concat();
    rt.replace_text(a.base, &changed)?;
    Ok(Value::UNSPECIFIED)
}

fn copy(rt: &mut Rt, a: Args, who: &'static str) -> Result {
    let (start, end) = range(rt, a, 0, 1, who)?;
    let s = rt.arg(a, 0);
    let (from, to) = (strings::offset(rt, s, start), strings::offset(rt, s, end));
    rt.concat_strings(&[(a.base, from, to)], end - start)
}

fn copy_into(rt: &mut Rt, a: Args) -> Result {
    let who = "string-copy!";
    let to = rt.mutable_string_arg(a, 0, who)?;
    let room = counts(to).1;
    let at = rt.ranged(a, 1, who, "index", 0, room as i64)? as usize;
    let (start, end) = range(rt, a, 2, 3, who)?;
    let n = end - start;
    if n > room - at {
        return super::no_room(rt, a, who, n, room - at);
    }
    let part = rt.text_range(rt.arg(a, 2), start, end).to_owned();
    replace_range(rt, a.base, at, at + n, &part)?;
    Ok(Value::UNSPECIFIED)
}

/// Puts `part` in the place of the characters from `start` to `end` of the string at a root stack
/// position; `part` has as many characters.
fn replace_range(rt: &mut Rt, position: usize, start: usize, end: usize, part: &str) -> Result<()> {
    let s = rt.at(position);
    let (from, to) = (strings::offset(rt, s, start), strings::offset(rt, s, end));
    let same_widths = part.len() == to - from
        && (part.len() == end - start || {
            let old = rt.text(s)[from..to].chars().map(char::len_utf8);
            old.eq(part.chars().map(char::len_utf8))
        });
    if same_widths {
        rt.overwrite_text(s, from, part);
        return Ok(());
    }
    let text = rt.text(s);
    let changed = [&text[..from], part, &text[to..]].concat();
    rt.replace_text(position, &changed)
}

fn fill(rt: &mut Rt, a: Args) -> Result {
    let who = "string-fill!";
    rt.mutable_string_arg(a, 0, who)?;
    let c = rt.char_arg(a, 1, who)?;
    let (start, end) = range(rt, a, 0, 2, who)?;
    let part: String = std::iter::repeat_n(c, end - start).collect();
    replace_range(rt, a.base, start, end, &part)?;
    Ok(Value::UNSPECIFIED)
}

fn append(rt: &mut Rt, a: Args) -> Result {
    let (mut parts, mut chars) = (Vec::with_capacity(a.len), 0);
    for i in 0..a.len {
        let (bytes, n) = counts(rt.string_arg(a, i, "string-append")?);
        parts.push((a.base + i, 0, bytes));
        chars += n;
    }
    rt.concat_strings(&parts, chars)
}

fn string_to_list(rt: &mut Rt, a: Args) -> Result {
    let (start, end) = range(rt, a, 0, 1, "string->list")?;
    let chars: Vec<char> = rt.text_range(rt.arg(a, 0), start, end).chars().collect();
    let mut list = Value::NIL;
    for &c in chars.iter().rev() {
        list = rt.cons(Value::char(c), list)?;
    }
    Ok(list)
}

fn list_to_string(rt: &mut Rt, a: Args) -> Result {
    let length = rt.list_length(a.base);
    let (mut text, mut at) = (String::new(), rt.arg(a, 0));
    for n in 1..=length.unwrap_or(0) {
        match car(at).as_char() {
            Some(c) => text.push(c),
            None => break,
        }
        at = cdr(at);
        if n % PIECE == 0 {
            rt.poll_keeping([&mut at]);
        }
    }
    if length.is_none() || at.is_pair() {
        let list = rt.arg(a, 0);
        return Fault::wrong_type("list->string", 1, "a list of characters", list);
    }
    rt.make_string(&text)
}

/// The number of characters before a byte offset of a string.
fn chars_before(rt: &Rt, s: Value, bytes: usize) -> i64 {
    let n = if strings::is_ascii(s) {
        bytes
    } else {
        rt.text(s)[..bytes].chars().count()
    };
    n as i64
}

fn search_forward(rt: &mut Rt, a: Args) -> Result {
    let who = "string-search-forward";
    let pattern = rt.string_arg(a, 0, who)?;
    let s = rt.string_arg(a, 1, who)?;
    let start = rt.ranged(a, 2, who, "start", 0, counts(s).1 as i64)? as usize;
    let from = strings::offset(rt, s, start);
    match rt.text(s)[from..].find(rt.text(pattern)) {
        Some(at) => Ok(Value::fixnum(chars_before(rt, s, from + at))),
        None => Ok(Value::FALSE),
    }
}

fn index(rt: &mut Rt, a: Args) -> Result {
    let who = "string-index";
    let s = rt.string_arg(a, 0, who)?;
    let c = rt.char_arg(a, 1, who)?;
    let start = match rt.opt(a, 2) {
        Some(_) => rt.ranged(a, 2, who, "start", 0, counts(s).1 as i64)? as usize,
        None => 0,
    };
    let from = strings::offset(rt, s, start);
    match rt.text(s)[from..].find(c) {
        Some(at) => Ok(Value::fixnum(chars_before(rt, s, from + at))),
        None => Ok(Value::FALSE),
    }
}
