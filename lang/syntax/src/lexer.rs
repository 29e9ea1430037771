//! Text to tokens.
//!
//! The lexer is total: every text is a sequence of tokens. A token that is wrong carries a fault
//! and a kind to go on with, and is always consumed, so reading never stops at an error.
//!
//! Absent on purpose: nesting, which is the reader's.

mod literal;

use crate::character::{NameError, check_name, fold_case, is_delimiter};
use crate::datum::DatumKind;
use crate::fault::Fault;
use crate::number::{Number, NumberError};
use crate::span::{SourceId, Span};
use crate::symbol::Symbol;

/// One token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
    /// What is wrong with it, and where exactly.
    pub(crate) fault: Option<(Fault, Span)>,
}

/// What a token is.
#[derive(Clone, Debug)]
pub(crate) enum TokenKind {
    /// `(`.
    Open,
    /// `#(`.
    OpenVector,
    /// `#u8(`.
    OpenBytes,
    /// `)`.
    Close,
    /// `.` alone.
    Dot,
    /// `'` and its kin, by the name of the form.
    Prefix(&'static str),
    /// `#;`.
    DatumComment,
    /// `#N=`.
    Label(u32),
    /// `#N#`.
    Reference(u32),
    /// A datum in itself.
    Atom(DatumKind),
    /// The end of the text, for ever.
    End,
}

/// A fault with the bytes it is about.
type Found = (Fault, std::ops::Range<usize>);

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    source: SourceId,
    /// Whether names are folded, as `#!fold-case` and `include-ci` ask.
    pub(crate) fold: bool,
}

impl<'a> Lexer<'a> {
    /// `text` must be short enough for 32-bit offsets.
    pub(crate) fn new(source: SourceId, text: &'a str) -> Self {
        let mut lexer = Self {
            text,
            at: 0,
            source,
            fold: false,
        };
        lexer.eat('\u{feff}');
        // A script's first line says who runs it.
        if lexer.rest().starts_with("#!/") || lexer.rest().starts_with("#! ") {
            lexer.skip_line();
        }
        lexer
    }

    /// The offset of the first byte that has not been read.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// Goes to the end of the text.
    pub(crate) fn stop(&mut self) {
        self.at = self.text.len();
    }

    /// Whether nothing but a line's indentation-free beginning stands before `span`.
    pub(crate) fn begins_line(&self, span: Span) -> bool {
        let start = span.start as usize;
        start == 0 || self.text.as_bytes()[start - 1] == b'\n'
    }

    /// The text of a span of this source.
    pub(crate) fn text_of(&self, span: Span) -> &'a str {
        &self.text[span.start as usize..span.end as usize]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.source, range.start as u32, range.end as u32)
    }

    /// Skips to the next delimiter and returns the text from `start` up to it.
    fn word(&mut self, start: usize) -> &'a str {
        let rest = self.rest();
        self.at += rest.find(is_delimiter).unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    fn skip_line(&mut self) {
        let rest = self.rest();
        self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
    }

    /// The next token.
    pub(crate) fn next_token(&mut self) -> Token {
        let (start, result) = match self.skip_atmosphere() {
            Ok(()) => (self.at, self.scan(self.at)),
            Err((fault, range)) => (range.start, Err((fault, range))),
        };
        let (kind, fault) = match result {
            Ok(kind) => (kind, None),
            Err((fault, range)) => (instead_of(&fault), Some((fault, self.span(range)))),
        };
        Token {
            kind,
            span: self.span(start..self.at),
            fault,
        }
    }

    /// Skips white space, comments and directives.
    fn skip_atmosphere(&mut self) -> Result<(), Found> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let rest = self.rest();
            if rest.starts_with(';') {
                self.skip_line();
            } else if rest.starts_with("#|") {
                self.skip_block_comment()?;
            } else if rest.starts_with("#!") && self.skip_directive()? {
                continue;
            } else {
                return Ok(());
            }
        }
    }

    fn skip_block_comment(&mut self) -> Result<(), Found> {
        let start = self.at;
        let mut depth = 0usize;
        loop {
            let Some(next) = self.rest().find(['#', '|']) else {
                self.stop();
                return Err((Fault::UnterminatedComment, start..start + 2));
            };
            self.at += next;
            let rest = self.rest();
            if rest.starts_with("#|") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("|#") {
                depth -= 1;
                self.at += 2;
            } else {
                self.at += 1;
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Obeys a directive; false when it is one of the `#!` objects instead.
    fn skip_directive(&mut self) -> Result<bool, Found> {
        let start = self.at;
        match self.word(start) {
            "#!fold-case" => self.fold = true,
            "#!no-fold-case" => self.fold = false,
            "#!eof" | "#!unspecified" | "#!default" => {
                self.at = start;
                return Ok(false);
            }
            word => return Err((Fault::UnknownDirective(word.to_owned()), start..self.at)),
        }
        Ok(true)
    }

    /// Reads the token that begins at `start`.
    fn scan(&mut self, start: usize) -> Result<TokenKind, Found> {
        let Some(c) = self.bump() else {
            return Ok(TokenKind::End);
        };
        match c {
            '(' => Ok(TokenKind::Open),
            ')' => Ok(TokenKind::Close),
            '[' | ']' | '{' | '}' => Err((Fault::Bracket(c), start..self.at)),
            '\'' => Ok(TokenKind::Prefix("quote")),
            '`' => Ok(TokenKind::Prefix("quasiquote")),
            ',' if self.eat('@') => Ok(TokenKind::Prefix("unquote-splicing")),
            ',' => Ok(TokenKind::Prefix("unquote")),
            '"' => self.string(start).map(TokenKind::Atom),
            '|' => self.bar_symbol(start).map(TokenKind::Atom),
            '#' => self.hash(start),
            _ => match self.word(start) {
                "." => Ok(TokenKind::Dot),
                word => self.name_or_number(word, start),
            },
        }
    }

    /// A token that begins with `#`, which has been read.
    fn hash(&mut self, start: usize) -> Result<TokenKind, Found> {
        match self.peek() {
            Some('(') => {
                self.bump();
                return Ok(TokenKind::OpenVector);
            }
            Some(';') => {
                self.bump();
                return Ok(TokenKind::DatumComment);
            }
            Some('\\') => {
                self.bump();
                return self.character(start).map(TokenKind::Atom);
            }
            Some('0'..='9') => return self.label(start),
            _ => {}
        }
        let word = self.word(start);
        let kind = match word.to_ascii_lowercase().as_str() {
            "#t" | "#true" => DatumKind::Boolean(true),
            "#f" | "#false" => DatumKind::Boolean(false),
            "#!eof" => DatumKind::Eof,
            "#!unspecified" => DatumKind::Unspecified,
            "#!default" => DatumKind::Default,
            "#u8" if self.eat('(') => return Ok(TokenKind::OpenBytes),
            _ if word.starts_with("#<") => {
                self.skip_unreadable();
                return Err((Fault::Unreadable, start..self.at));
            }
            lower if lower[1..].starts_with(['x', 'b', 'o', 'd', 'e', 'i']) => {
                return match Number::parse_or_reason(word, 10) {
                    Ok(number) => Ok(TokenKind::Atom(DatumKind::Number(number))),
                    Err(reason) => Err((Fault::Number(reason, word.to_owned()), start..self.at)),
                };
            }
            _ => return Err((Fault::UnknownHash(word.to_owned()), start..self.at)),
        };
        Ok(TokenKind::Atom(kind))
    }

    /// Skips to the `>` that closes a printed form, when it stands on the same line.
    fn skip_unreadable(&mut self) {
        let rest = self.rest();
        let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
        let before = &self.text[..self.at];
        if !before.ends_with('>') {
            self.at += line.find('>').map_or(0, |n| n + 1);
        }
    }

    /// `#N=` or `#N#`.
    fn label(&mut self, start: usize) -> Result<TokenKind, Found> {
        let rest = self.rest();
        let digits = &rest[..rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len())];
        self.at += digits.len();
        let is_definition = match self.peek() {
            Some('=') => true,
            Some('#') => false,
            _ => {
                let word = self.word(start);
                return Err((Fault::UnknownHash(word.to_owned()), start..self.at));
            }
        };
        self.bump();
        match digits.parse() {
            Ok(n) if is_definition => Ok(TokenKind::Label(n)),
            Ok(n) => Ok(TokenKind::Reference(n)),
            Err(_) => {
                let text = self.text[start..self.at].to_owned();
                Err((Fault::LabelTooLarge(text), start..self.at))
            }
        }
    }

    /// A number or a symbol without bars.
    fn name_or_number(&self, word: &str, start: usize) -> Result<TokenKind, Found> {
        if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
            match Number::parse_or_reason(word, 10) {
                Ok(number) => return Ok(TokenKind::Atom(DatumKind::Number(number))),
                Err(NumberError::Malformed) => {}
                Err(reason) => {
                    return Err((Fault::Number(reason, word.to_owned()), start..self.at));
                }
            }
        }
        match check_name(word) {
            Ok(()) => Ok(TokenKind::Atom(DatumKind::Symbol(self.symbol(word)))),
            Err(NameError::Character(at, c)) => {
                let at = start + at;
                Err((Fault::SymbolCharacter(c), at..at + c.len_utf8()))
            }
            Err(NameError::LikeNumber) => Err((Fault::LikeNumber(word.to_owned()), start..self.at)),
        }
    }

    fn symbol(&self, name: &str) -> Symbol {
        if self.fold {
            Symbol::new(&fold_case(name))
        } else {
            Symbol::new(name)
        }
    }
}

/// What a faulty token is read as: brackets balance like parentheses, the rest counts as a datum.
fn instead_of(fault: &Fault) -> TokenKind {
    match fault {
        Fault::Bracket('[' | '{') => TokenKind::Open,
        Fault::Bracket(_) => TokenKind::Close,
        _ => TokenKind::Atom(DatumKind::Unspecified),
    }
}
