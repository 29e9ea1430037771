//! What a foreign call leaves outside the heap, as the heap's table of owners is to call it.
//!
//! Absent on purpose: where in the program that was. Only the host knows its frames.

use crate::types::CType;
use std::fmt;

/// What an object holds that a crossing has made.
#[derive(Clone, Copy, Debug)]
pub enum Held<'a> {
    /// A value of this type, which a call of this function has given.
    Result(&'a CType, &'a str),
    /// A struct of this type, which a callback of this function was handed.
    Argument(&'a CType, &'a str),
    /// A callback, which this function was handed.
    Callback(&'a str),
}

impl Held<'_> {
    /// What tells it from all others as long as the function is known: the same texts have the same key.
    pub fn key(&self) -> (u64, usize) {
        let (kind, number, function) = match self {
            Held::Result(ctype, function) => (0, ctype.number(), function),
            Held::Argument(ctype, function) => (1, ctype.number(), function),
            Held::Callback(function) => (2, 0, function),
        };
        (u64::from(number) * 4 + kind, function.as_ptr().addr())
    }
}

impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Held::Result(ctype, function) => write!(f, "{ctype} of {function}"),
            Held::Argument(ctype, function) => write!(f, "{ctype} for a callback from {function}"),
            Held::Callback(function) => f.write_str(function),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_says_its_type_and_who_gave_it() {
        let name = String::from("f");
        let all = [
            (Held::Result(&CType::Pointer, &name), "pointer of f"),
            (
                Held::Argument(&CType::Int, &name),
                "int for a callback from f",
            ),
            (Held::Callback(&name), "f"),
        ];
        for (i, (held, text)) in all.iter().enumerate() {
            assert_eq!(held.to_string(), *text);
            let same = all.iter().filter(|(other, _)| other.key() == held.key());
            assert_eq!(same.count(), 1, "{i}");
        }
    }
}
