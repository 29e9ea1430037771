//! A small Lisp on the safe interface: `list_language [FILE]` runs a file, or what is typed.
//!
//! The modules in reading order: `data` (its objects), `error`, `reader` (text to objects), `printer` (objects
//! to text), `primitives` and `eval`. `bowline_gc::safe::guide` goes through them.

#![forbid(unsafe_code)]

mod data;
mod error;
mod eval;
mod primitives;
mod printer;
mod reader;

use bowline_gc::safe::{Heap, HeapConfig, Scope};
use error::Error;
use eval::Language;
use std::io::{BufRead, Write};

/// Runs `text` and prints the last value.
fn show(s: &mut Scope<'_>, language: &Language, text: &str) -> Result<String, Error> {
    s.scope(|s| {
        let value = language.run(s, text)?;
        Ok(printer::print(s.view(value)))
    })
}

/// Reads a line, runs it and prints its value, until there are no more.
fn converse(s: &mut Scope<'_>, language: &Language) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    loop {
        write!(out, "> ")?;
        out.flush()?;
        let mut line = String::new();
        // Nobody waits for this thread while it waits for its user.
        if s.native(|| std::io::stdin().lock().read_line(&mut line))? == 0 {
            return writeln!(out);
        }
        match show(s, language, &line) {
            Ok(value) => writeln!(out, "{value}")?,
            Err(e) => writeln!(out, "error: {e}")?,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let heap = Heap::start_with(HeapConfig::default(), data::KINDS)?;
    let mut mutator = heap.attach()?;
    mutator.scope(|s| {
        let language = Language::new(s)?;
        match std::env::args().nth(1) {
            Some(file) => {
                let text = std::fs::read_to_string(file)?;
                writeln!(std::io::stdout(), "{}", show(s, &language, &text)?)?;
            }
            None => converse(s, &language)?,
        }
        Ok(())
    })
}
