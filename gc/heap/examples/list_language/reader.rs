//! The reader: from text to objects.

use super::data::Symbol;
use super::error::Error;
use bowline_gc::safe::{Immediate, Local, Rootable, Scope, Table, View};
use std::collections::HashMap;

/// The table of all names. The collector finds the symbols in it, and moves them.
pub(crate) struct Symbols;

impl Rootable for Symbols {
    type Of<'r> = HashMap<String, View<'r, Symbol>>;
}

/// The symbol of this name.
fn intern<'s>(
    s: &mut Scope<'s>,
    symbols: &Table<Symbols>,
    name: &str,
) -> Result<Local<'s, Symbol>, Error> {
    let known = symbols.with(s, |table, s| table.get(name).map(|symbol| s.local(*symbol)));
    if let Some(symbol) = known {
        return Ok(symbol);
    }
    let symbol = s.text::<Symbol>(name)?;
    symbols.with(s, |table, s| {
        table.insert(name.into(), s.view(symbol));
    });
    Ok(symbol)
}

/// Reads one datum after the other from a text.
pub(crate) struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// A reader of `text`.
    pub(crate) fn new(text: &'t str) -> Self {
        Reader { rest: text }
    }

    /// The next token: a parenthesis, a quote or a word. Comments are skipped.
    fn token(&mut self) -> Option<&'t str> {
        self.rest = self.rest.trim_start();
        while self.rest.starts_with(';') {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.rest = self.rest[end..].trim_start();
        }
        let first = self.rest.chars().next()?;
        let ends = |c: char| c.is_whitespace() || "()';".contains(c);
        let end = match first {
            '(' | ')' | '\'' => 1,
            _ => self.rest.find(ends).unwrap_or(self.rest.len()),
        };
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(token)
    }

    /// The next datum, if there is one.
    pub(crate) fn read<'s>(
        &mut self,
        s: &mut Scope<'s>,
        symbols: &Table<Symbols>,
    ) -> Result<Option<Local<'s>>, Error> {
        match self.token() {
            None => Ok(None),
            Some(")") => Err(Error::Syntax("a parenthesis closes nothing")),
            Some(token) => self.datum(s, symbols, token).map(Some),
        }
    }

    fn datum<'s>(
        &mut self,
        s: &mut Scope<'s>,
        symbols: &Table<Symbols>,
        token: &str,
    ) -> Result<Local<'s>, Error> {
        match token {
            "(" => self.list(s, symbols),
            "'" => s.escape(|s| {
                let quote = intern(s, symbols, "quote")?;
                let quoted = self.read(s, symbols)?;
                let quoted = quoted.ok_or(Error::Syntax("a quote has nothing to quote"))?;
                let rest = s.pair(quoted, Immediate::NIL)?;
                Ok(s.pair(quote, rest)?.erase())
            }),
            "#t" => Ok(s.local(Immediate::TRUE)),
            "#f" => Ok(s.local(Immediate::FALSE)),
            word => match word.parse() {
                Ok(n) => Ok(s.local(Immediate::fixnum(n).ok_or(Error::Overflow)?)),
                Err(_) => Ok(intern(s, symbols, word)?.erase()),
            },
        }
    }

    /// The rest of a list. Of all handles that are needed on the way one is kept.
    fn list<'s>(
        &mut self,
        s: &mut Scope<'s>,
        symbols: &Table<Symbols>,
    ) -> Result<Local<'s>, Error> {
        s.escape(|s| {
            let mut items = Vec::new();
            loop {
                match self.token() {
                    None => return Err(Error::Syntax("a parenthesis is not closed")),
                    Some(")") => break,
                    Some(token) => items.push(self.datum(s, symbols, token)?),
                }
            }
            let mut list = s.local(Immediate::NIL);
            for item in items.into_iter().rev() {
                list = s.pair(item, list)?.erase();
            }
            Ok(list)
        })
    }
}
