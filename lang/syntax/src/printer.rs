//! Data to text: `write` and `display` for data that was read.
//!
//! What `write` prints reads back as an equal datum. Abbreviations are used for `quote` and its
//! kin. Works from its own stack (inv:syntax.depth).
//!
//! Absent on purpose: line breaking, and anything about heap values, which have a printer of their
//! own in `lang/runtime`; the rules for single characters, strings and symbols are shared with it.

use std::collections::HashMap;

use crate::character::{character_name, is_plain_identifier, is_visible};
use crate::datum::{Datum, DatumKind};

/// The text that `read` turns back into an equal datum.
pub fn write(datum: &Datum) -> String {
    print(datum, true)
}

/// The text for people: strings, characters and symbols stand bare.
pub fn display(datum: &Datum) -> String {
    print(datum, false)
}

/// What is left to print.
enum Task<'a> {
    Datum(&'a Datum),
    /// The rest of a sequence; `first` means that no space is wanted before it.
    Items(&'a [Datum], bool),
    Text(&'static str),
}

fn print(datum: &Datum, quoted: bool) -> String {
    print_with(datum, quoted, &mut |label, _| label)
}

/// What `write` prints, with labels numbered from `next` on, so that texts which are read as one
/// datum do not define a label twice. `next` becomes the first free one.
pub fn write_apart(datum: &Datum, next: &mut u32) -> String {
    let mut names = HashMap::new();
    print_with(datum, true, &mut |label, defined| {
        if !defined {
            return names.get(&label).copied().unwrap_or(label);
        }
        names.insert(label, *next);
        *next += 1;
        *next - 1
    })
}

/// What a label is called in the text; whether it is defined there.
type Name<'a> = &'a mut dyn FnMut(u32, bool) -> u32;

fn print_with(datum: &Datum, quoted: bool, name: Name<'_>) -> String {
    let mut out = String::new();
    let mut tasks = vec![Task::Datum(datum)];
    while let Some(task) = tasks.pop() {
        match task {
            Task::Text(text) => out.push_str(text),
            Task::Items([], _) => {}
            Task::Items([item, rest @ ..], first) => {
                if !first {
                    out.push(' ');
                }
                tasks.push(Task::Items(rest, false));
                tasks.push(Task::Datum(item));
            }
            Task::Datum(datum) => begin(datum, quoted, name, &mut out, &mut tasks),
        }
    }
    out
}

/// Prints an atom, or the opening of a compound whose rest goes onto `tasks`.
fn begin<'a>(
    datum: &'a Datum,
    quoted: bool,
    name: Name<'_>,
    out: &mut String,
    tasks: &mut Vec<Task<'a>>,
) {
    match &datum.kind {
        DatumKind::List(items) => {
            if let Some((prefix, quoted_datum)) = abbreviation(items) {
                out.push_str(prefix);
                tasks.push(Task::Datum(quoted_datum));
                return;
            }
            out.push('(');
            tasks.push(Task::Text(")"));
            tasks.push(Task::Items(items, true));
        }
        DatumKind::Vector(items) => {
            out.push_str("#(");
            tasks.push(Task::Text(")"));
            tasks.push(Task::Items(items, true));
        }
        DatumKind::Improper(items, tail) => {
            out.push('(');
            tasks.push(Task::Text(")"));
            tasks.push(Task::Datum(tail));
            tasks.push(Task::Text(" . "));
            tasks.push(Task::Items(items, true));
        }
        DatumKind::Labelled(label, inner) => {
            out.push_str(&format!("#{}=", name(*label, true)));
            tasks.push(Task::Datum(inner));
        }
        DatumKind::Reference(label) => out.push_str(&format!("#{}#", name(*label, false))),
        atom => write_atom(atom, quoted, out),
    }
}

fn write_atom(atom: &DatumKind, quoted: bool, out: &mut String) {
    match atom {
        DatumKind::Boolean(true) => out.push_str("#t"),
        DatumKind::Boolean(false) => out.push_str("#f"),
        DatumKind::Number(number) => out.push_str(&number.to_string(10)),
        DatumKind::Character(c) if quoted => write_character(*c, out),
        DatumKind::Character(c) => out.push(*c),
        DatumKind::String(text) if quoted => write_string(text, out),
        DatumKind::String(text) => out.push_str(text),
        DatumKind::Symbol(symbol) if quoted => write_symbol(symbol.as_str(), out),
        DatumKind::Symbol(symbol) => out.push_str(symbol.as_str()),
        DatumKind::Bytevector(bytes) => {
            let bytes: Vec<String> = bytes.iter().map(u8::to_string).collect();
            out.push_str(&format!("#u8({})", bytes.join(" ")));
        }
        DatumKind::Eof => out.push_str("#!eof"),
        DatumKind::Unspecified => out.push_str("#!unspecified"),
        DatumKind::Default => out.push_str("#!default"),
        DatumKind::List(_)
        | DatumKind::Vector(_)
        | DatumKind::Improper(..)
        | DatumKind::Labelled(..)
        | DatumKind::Reference(_) => {}
    }
}

fn abbreviation(items: &[Datum]) -> Option<(&'static str, &Datum)> {
    let [head, datum] = items else { return None };
    let prefix = match head.as_symbol()?.as_str() {
        "quote" => "'",
        "quasiquote" => "`",
        "unquote" => ",",
        "unquote-splicing" => ",@",
        _ => return None,
    };
    Some((prefix, datum))
}

/// Appends a character as `write` prints it: `#\a`, `#\space`, `#\x7f`.
pub fn write_character(c: char, out: &mut String) {
    out.push_str("#\\");
    match character_name(c) {
        Some(name) => out.push_str(name),
        None if is_visible(c) => out.push(c),
        None => out.push_str(&format!("x{:x}", u32::from(c))),
    }
}

/// Appends a string as `write` prints it, with its quotes and escapes.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    text.chars().for_each(|c| escape(c, '"', out));
    out.push('"');
}

/// Appends a symbol as `write` prints it: between bars when its characters bare would be read as
/// something else.
pub fn write_symbol(name: &str, out: &mut String) {
    if is_plain_identifier(name) {
        out.push_str(name);
        return;
    }
    out.push('|');
    name.chars().for_each(|c| escape(c, '|', out));
    out.push('|');
}

fn escape(c: char, quote: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\\' => out.push_str("\\\\"),
        c if c == quote => {
            out.push('\\');
            out.push(c);
        }
        c if c.is_control() => out.push_str(&format!("\\x{:x};", u32::from(c))),
        c => out.push(c),
    }
}
