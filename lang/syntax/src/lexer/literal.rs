//! Strings, symbols between bars, and characters.
//!
//! A string that has something wrong inside is read to its end all the same, and reports the first
//! thing that is wrong. A line end inside a string is one newline character whatever the file uses.

use std::rc::Rc;

use super::{Found, Lexer};
use crate::character::{fold_case, is_delimiter, named_character};
use crate::datum::DatumKind;
use crate::fault::Fault;
use crate::symbol::Symbol;

impl Lexer<'_> {
    /// A string, whose opening quote has been read.
    pub(super) fn string(&mut self, start: usize) -> Result<DatumKind, Found> {
        let text = self.quoted(start, '"')?;
        Ok(DatumKind::String(Rc::from(text)))
    }

    /// A symbol between bars, the first of which has been read.
    pub(super) fn bar_symbol(&mut self, start: usize) -> Result<DatumKind, Found> {
        let name = self.quoted(start, '|')?;
        Ok(DatumKind::Symbol(Symbol::new(&name)))
    }

    fn quoted(&mut self, start: usize, quote: char) -> Result<String, Found> {
        let mut out = String::new();
        let mut fault = None;
        loop {
            let at = self.at;
            match self.bump() {
                None => {
                    let opening = if quote == '|' { "|" } else { "\"" };
                    return Err((Fault::Unterminated(opening), start..start + 1));
                }
                Some(c) if c == quote => break,
                Some('\\') => {
                    let result = self.escape(quote, &mut out);
                    if let Err(found) = result {
                        fault.get_or_insert((found, at..self.at));
                    }
                }
                Some('\r') => {
                    self.eat('\n');
                    out.push('\n');
                }
                Some(c) => out.push(c),
            }
        }
        fault.map_or(Ok(out), Err)
    }

    /// What stands behind a backslash. At the end of the text it leaves the complaint to the caller,
    /// who finds the quote missing.
    fn escape(&mut self, quote: char, out: &mut String) -> Result<(), Fault> {
        if quote == '"' && self.skip_line_continuation() {
            return Ok(());
        }
        let Some(c) = self.bump() else { return Ok(()) };
        out.push(match c {
            'a' => '\u{7}',
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            '"' | '\\' | '|' => c,
            'x' | 'X' => return self.hex_escape(out),
            _ => return Err(Fault::UnknownEscape(c)),
        });
        Ok(())
    }

    /// The digits and the semicolon of `\xHEX;`.
    fn hex_escape(&mut self, out: &mut String) -> Result<(), Fault> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(rest.len());
        self.at += length;
        if length == 0 || !self.eat(';') {
            return Err(Fault::HexEscape);
        }
        out.push(scalar(&rest[..length])?);
        Ok(())
    }

    /// Skips blanks, a line end and the next line's indentation; false, and nothing skipped, when
    /// no line ends here.
    fn skip_line_continuation(&mut self) -> bool {
        let blank = |c: char| c.is_whitespace() && c != '\n' && c != '\r';
        let rest = self.rest();
        let line_end = rest.trim_start_matches(blank);
        let next = match line_end.strip_prefix('\r') {
            Some(next) => next.strip_prefix('\n').unwrap_or(next),
            None => match line_end.strip_prefix('\n') {
                Some(next) => next,
                None => return false,
            },
        };
        self.at += rest.len() - next.trim_start_matches(blank).len();
        true
    }

    /// A character, whose `#\` has been read. The first character behind it belongs to it even when
    /// it is a delimiter.
    pub(super) fn character(&mut self, start: usize) -> Result<DatumKind, Found> {
        let first_at = self.at;
        let Some(first) = self.bump() else {
            return Err((Fault::UnterminatedCharacter, start..self.at));
        };
        if is_delimiter(first) {
            return Ok(DatumKind::Character(first));
        }
        let name = self.word(first_at);
        if name.len() == first.len_utf8() {
            return Ok(DatumKind::Character(first));
        }
        let folded;
        let name = match self.fold {
            true => {
                folded = fold_case(name);
                folded.as_str()
            }
            false => name,
        };
        let hex = name.strip_prefix(['x', 'X']);
        let result = match hex {
            Some(digits) if digits.chars().all(|c| c.is_ascii_hexdigit()) => scalar(digits),
            _ => named_character(name).ok_or_else(|| Fault::UnknownCharacterName(name.to_owned())),
        };
        match result {
            Ok(c) => Ok(DatumKind::Character(c)),
            Err(fault) => Err((fault, start..self.at)),
        }
    }
}

/// The character with this hexadecimal number.
fn scalar(digits: &str) -> Result<char, Fault> {
    u32::from_str_radix(digits, 16)
        .ok()
        .and_then(char::from_u32)
        .ok_or_else(|| Fault::NotACharacter(format!("x{digits}")))
}
