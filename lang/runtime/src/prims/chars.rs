//! Characters.
//!
//! Classes and cases are Unicode's, as Rust's library and the general category have them. Simple
//! case mappings map a character to one character or leave it as it is; folding is shared with the
//! reader.

use bowline_layout::Value;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::fault::{Fault, Result};
use crate::primitive::{Primitive, rest, row};
use crate::rt::{Args, Rt};

pub(super) const TABLE: &[Primitive] = &[
    row("char?", 1, 1, |rt, a| {
        Ok(Value::bool(rt.arg(a, 0).is_char()))
    }),
    row("char->integer", 1, 1, |rt, a| {
        Ok(Value::fixnum(
            u32::from(rt.char_arg(a, 0, "char->integer")?).into(),
        ))
    }),
    row("integer->char", 1, 1, integer_to_char),
    rest("char=?", 1, |rt, a| {
        compare(rt, a, "char=?", same, |x, y| x == y)
    }),
    rest("char<?", 1, |rt, a| {
        compare(rt, a, "char<?", same, |x, y| x < y)
    }),
    rest("char>?", 1, |rt, a| {
        compare(rt, a, "char>?", same, |x, y| x > y)
    }),
    rest("char<=?", 1, |rt, a| {
        compare(rt, a, "char<=?", same, |x, y| x <= y)
    }),
    rest("char>=?", 1, |rt, a| {
        compare(rt, a, "char>=?", same, |x, y| x >= y)
    }),
    rest("char-ci=?", 1, |rt, a| {
        compare(rt, a, "char-ci=?", fold, |x, y| x == y)
    }),
    rest("char-ci<?", 1, |rt, a| {
        compare(rt, a, "char-ci<?", fold, |x, y| x < y)
    }),
    rest("char-ci>?", 1, |rt, a| {
        compare(rt, a, "char-ci>?", fold, |x, y| x > y)
    }),
    rest("char-ci<=?", 1, |rt, a| {
        compare(rt, a, "char-ci<=?", fold, |x, y| x <= y)
    }),
    rest("char-ci>=?", 1, |rt, a| {
        compare(rt, a, "char-ci>=?", fold, |x, y| x >= y)
    }),
    row("char-upcase", 1, 1, |rt, a| {
        Ok(Value::char(upcase(rt.char_arg(a, 0, "char-upcase")?)))
    }),
    row("char-downcase", 1, 1, |rt, a| {
        Ok(Value::char(downcase(rt.char_arg(a, 0, "char-downcase")?)))
    }),
    row("char-foldcase", 1, 1, |rt, a| {
        Ok(Value::char(fold(rt.char_arg(a, 0, "char-foldcase")?)))
    }),
    row("char-alphabetic?", 1, 1, |rt, a| {
        Ok(Value::bool(
            rt.char_arg(a, 0, "char-alphabetic?")?.is_alphabetic(),
        ))
    }),
    row("char-numeric?", 1, 1, |rt, a| {
        Ok(Value::bool(is_digit(rt.char_arg(a, 0, "char-numeric?")?)))
    }),
    row("char-whitespace?", 1, 1, |rt, a| {
        Ok(Value::bool(
            rt.char_arg(a, 0, "char-whitespace?")?.is_whitespace(),
        ))
    }),
    row("char-upper-case?", 1, 1, |rt, a| {
        Ok(Value::bool(
            rt.char_arg(a, 0, "char-upper-case?")?.is_uppercase(),
        ))
    }),
    row("char-lower-case?", 1, 1, |rt, a| {
        Ok(Value::bool(
            rt.char_arg(a, 0, "char-lower-case?")?.is_lowercase(),
        ))
    }),
    row("digit-value", 1, 1, |rt, a| {
        let c = rt.char_arg(a, 0, "digit-value")?;
        Ok(digit_value(c).map_or(Value::FALSE, |n| Value::fixnum(n.into())))
    }),
];

fn same(c: char) -> char {
    c
}

/// The one character that an iterator over a case mapping gives, or `c` when there are several.
fn only(mut mapped: impl Iterator<Item = char>, c: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

pub(super) fn upcase(c: char) -> char {
    only(c.to_uppercase(), c)
}

pub(super) fn downcase(c: char) -> char {
    only(c.to_lowercase(), c)
}

/// The simple case folding of a character.
pub(super) fn fold(c: char) -> char {
    match c {
        // The two dotless letters fold to themselves outside Turkic languages.
        'İ' | 'ı' => c,
        _ => downcase(upcase(c)),
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || !c.is_ascii() && c.general_category() == GeneralCategory::DecimalNumber
}

/// The value of a decimal digit. Unicode encodes digits in runs of ten from zero on; runs may touch
/// one another, so the distance to the start of the run counts modulo ten.
fn digit_value(c: char) -> Option<u32> {
    if !is_digit(c) {
        return None;
    }
    let code = u32::from(c);
    let mut start = code;
    while let Some(before) = char::from_u32(start - 1)
        && is_digit(before)
    {
        start -= 1;
    }
    Some((code - start) % 10)
}

fn integer_to_char(rt: &mut Rt, a: Args) -> Result {
    let who = "integer->char";
    let n = rt.ranged(a, 0, who, "code point", 0, 0x10_ffff)?;
    match u32::try_from(n).ok().and_then(char::from_u32) {
        Some(c) => Ok(Value::char(c)),
        None => Fault::bad(who, "a surrogate is no character:", vec![rt.arg(a, 0)]),
    }
}

fn compare(
    rt: &mut Rt,
    a: Args,
    who: &'static str,
    key: fn(char) -> char,
    holds: fn(char, char) -> bool,
) -> Result {
    let mut result = true;
    let mut last = key(rt.char_arg(a, 0, who)?);
    // Every argument is checked, also after the answer is known.
    for i in 1..a.len {
        let next = key(rt.char_arg(a, i, who)?);
        result &= holds(last, next);
        last = next;
    }
    Ok(Value::bool(result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_have_values() {
        assert_eq!(digit_value('7'), Some(7));
        assert_eq!(digit_value('\u{0664}'), Some(4));
        assert_eq!(digit_value('\u{0ae6}'), Some(0));
        assert_eq!(digit_value('\u{1d7d9}'), Some(1));
        assert_eq!(digit_value('\u{1d7ff}'), Some(9));
        assert_eq!(digit_value('x'), None);
        assert_eq!(digit_value('\u{00bd}'), None);
    }

    #[test]
    fn case_maps_one_to_one() {
        assert_eq!(
            (upcase('ß'), downcase('ẞ'), fold('Σ'), fold('ς')),
            ('ß', 'ß', 'σ', 'σ')
        );
        assert_eq!((fold('İ'), fold('ı'), fold('K')), ('İ', 'ı', 'k'));
    }
}
