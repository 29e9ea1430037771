//! Everything that can be wrong with text, and how each is said.
//!
//! The lexer and the reader find a [`Fault`] with the facts inside; only here does it become words.
//! Every variant has a golden test in `tests/golden/reader`.

use crate::character::{character_names, is_visible};
use crate::diagnostic::Diagnostic;
use crate::number::NumberError;
use crate::span::Span;

/// What is wrong with a text.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Fault {
    /// `"` or `|` without its partner.
    Unterminated(&'static str),
    /// `#|` without `|#`.
    UnterminatedComment,
    /// `#\` at the end of the text.
    UnterminatedCharacter,
    /// A backslash before this character in a string or between bars.
    UnknownEscape(char),
    /// `\x` without digits and a semicolon.
    HexEscape,
    /// A hexadecimal number that is no character.
    NotACharacter(String),
    /// `#\` and this name.
    UnknownCharacterName(String),
    /// A `#` token of no known form.
    UnknownHash(String),
    /// `#<`.
    Unreadable,
    /// `#!` and this name.
    UnknownDirective(String),
    /// This character bare in a symbol.
    SymbolCharacter(char),
    /// A token that begins like a number and is none.
    LikeNumber(String),
    /// A number that is refused.
    Number(NumberError, String),
    /// A square bracket or a brace.
    Bracket(char),
    /// `#N=` or `#N#` with too great an N.
    LabelTooLarge(String),
    /// An opening token without its parenthesis.
    Unclosed {
        /// The token.
        opening: String,
        /// The first token that is open, if it is another.
        outermost: Option<Span>,
        /// A `(` in column 1 behind it.
        suspect: Option<Span>,
    },
    /// `)` without anything to close.
    UnexpectedClose,
    /// `.` outside a list.
    DotOutsideList,
    /// `.` as the first thing of a list.
    DotFirst,
    /// `.` as the last thing of a list.
    DotLast,
    /// A second datum, or a second dot, behind the dot at this place.
    DotExtra(Span),
    /// A prefix such as `'` or `#;` or `#0=` before a parenthesis that closes.
    NoDatum(String),
    /// Such a prefix at the end of the text.
    DatumMissing(String),
    /// Something else than a byte in a bytevector.
    NotAByte,
    /// `#N#` without `#N=` before it.
    UnknownLabel(u32),
    /// `#N=` twice; the place of the first.
    LabelTwice(u32, Span),
    /// `#N#` inside what it stands for; the place of `#N=`.
    Cycle(u32, Span),
    /// `#N#` in another literal than the circular datum it stands for.
    CycleElsewhere(u32),
    /// `#N=#N#`.
    LabelOfItself(u32),
    /// Labels that would multiply the data beyond this many parts.
    LabelsMultiply(u64),
    /// More faults than anybody wants to read.
    TooMany(usize),
    /// A text that 32-bit offsets cannot address.
    TooLong,
    /// A byte that does not belong to UTF-8.
    NotUtf8(u8),
}

/// A character as a message shows it: itself with its number, or the number alone.
fn shown(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    if c.is_ascii_graphic() {
        format!("`{c}`")
    } else if !is_visible(c) {
        number
    } else {
        format!("`{c}` ({number})")
    }
}

/// A token as a message shows it: the beginning if it is long.
fn excerpt(text: &str) -> String {
    const LIMIT: usize = 40;
    match text.char_indices().nth(LIMIT) {
        Some((at, _)) => format!("`{}…`", &text[..at]),
        None => format!("`{text}`"),
    }
}

impl Fault {
    /// Whether more text could make it good: a REPL asks for another line, a port reads on.
    pub(crate) fn is_incomplete(&self) -> bool {
        matches!(
            self,
            Self::Unterminated(_)
                | Self::UnterminatedComment
                | Self::UnterminatedCharacter
                | Self::Unclosed { .. }
                | Self::DatumMissing(_)
        )
    }

    /// The fault in words, found at `span`.
    pub(crate) fn diagnostic(&self, span: Span) -> Diagnostic {
        let error = Diagnostic::error(self.message(), span).with_label(self.label());
        let error = match self {
            Self::Unclosed {
                outermost, suspect, ..
            } => {
                let labels = [
                    (outermost, "the whole datum begins here"),
                    (suspect, "this begins a line: does a `)` belong before it?"),
                ];
                labels
                    .into_iter()
                    .fold(error, |error, (span, label)| match span {
                        Some(span) => error.with_secondary(*span, label),
                        None => error,
                    })
            }
            Self::DotExtra(dot) => error.with_secondary(*dot, "the dot stands here"),
            Self::LabelTwice(_, first) => error.with_secondary(*first, "defined here first"),
            Self::Cycle(_, definition) => {
                error.with_secondary(*definition, "its datum begins here")
            }
            _ => error,
        };
        match self.note() {
            Some(note) => error.with_note(note),
            None => error,
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unterminated("|") => "this symbol has no closing `|`".into(),
            Self::Unterminated(_) => "this string is not closed".into(),
            Self::UnterminatedComment => "this comment is not closed".into(),
            Self::UnterminatedCharacter => "a character must follow `#\\`".into(),
            Self::UnknownEscape(c) => format!("unknown escape: a backslash before {}", shown(*c)),
            Self::HexEscape => "a hex escape is `\\x`, hexadecimal digits and a semicolon".into(),
            Self::NotACharacter(digits) => {
                format!("{} is not the number of a character", excerpt(digits))
            }
            Self::UnknownCharacterName(name) => format!("unknown character name {}", excerpt(name)),
            Self::UnknownHash(text) => format!("unknown syntax {}", excerpt(text)),
            Self::Unreadable => {
                "`#<` begins the printed form of something that cannot be read".into()
            }
            Self::UnknownDirective(text) => format!("unknown directive {}", excerpt(text)),
            Self::SymbolCharacter(c) => format!("{} may not stand bare in a symbol", shown(*c)),
            Self::LikeNumber(text) => format!("{} is neither a number nor a symbol", excerpt(text)),
            Self::Number(NumberError::Malformed, text) => {
                format!("{} is not a number", excerpt(text))
            }
            Self::Number(reason, text) => format!("cannot read {}: {reason}", excerpt(text)),
            Self::Bracket(c) => format!("`{c}` is not a parenthesis"),
            Self::LabelTooLarge(text) => format!("the datum label {} is too large", excerpt(text)),
            Self::Unclosed { opening, .. } => format!("this `{opening}` is not closed"),
            Self::UnexpectedClose => "unexpected `)`".into(),
            Self::DotOutsideList => "`.` may stand only inside a list".into(),
            Self::DotFirst => "nothing stands before the dot".into(),
            Self::DotLast => "a datum must follow the dot".into(),
            Self::DotExtra(_) => "only one datum may follow the dot of a list".into(),
            Self::NoDatum(prefix) | Self::DatumMissing(prefix) => match prefix.as_str() {
                "`" => "a datum must follow the backquote".into(),
                prefix => format!("a datum must follow `{prefix}`"),
            },
            Self::NotAByte => {
                "an element of a bytevector must be an exact integer from 0 to 255".into()
            }
            Self::UnknownLabel(n) => format!("no datum is labelled `#{n}=`"),
            Self::LabelTwice(n, _) => format!("the datum label `#{n}=` is defined twice"),
            Self::Cycle(n, _) => format!("`#{n}#` makes this datum contain itself"),
            Self::CycleElsewhere(n) => {
                format!("`#{n}#` stands for a circular datum that is not in the same literal")
            }
            Self::LabelOfItself(n) => format!("`#{n}=#{n}#` labels nothing"),
            Self::LabelsMultiply(limit) => {
                format!("datum labels repeat more than {limit} parts in one datum")
            }
            Self::TooMany(count) => format!("more than {count} errors: reading stops here"),
            Self::TooLong => "a source may not be longer than 4 GiB".into(),
            Self::NotUtf8(byte) => format!("the byte 0x{byte:02x} is not UTF-8"),
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Unterminated(_) | Self::UnterminatedComment => "it begins here",
            Self::Unclosed { .. } => "opened here",
            Self::UnexpectedClose => "nothing is open here",
            Self::Cycle(..) => "inside its own datum",
            _ => "",
        }
    }

    fn note(&self) -> Option<String> {
        Some(match self {
            Self::UnknownEscape(_) => "the escapes are \\a \\b \\t \\n \\r \\\" \\\\ \\| \\xHEX; \
                 and, in a string, a backslash at the end of a line"
                .into(),
            Self::NotACharacter(_) => {
                "characters are U+0000 to U+10FFFF without the surrogates U+D800 to U+DFFF".into()
            }
            Self::UnknownCharacterName(_) => {
                format!("the names are {}, or xHEX for any other", character_names())
            }
            Self::UnknownDirective(_) => "the directives are #!fold-case and #!no-fold-case".into(),
            Self::SymbolCharacter('“' | '”' | '„') => {
                "a string is written between plain \" signs".into()
            }
            Self::SymbolCharacter(_) => {
                "a symbol with other characters is written between bars: |…|".into()
            }
            Self::LikeNumber(text) if text == "1+" => "write (+ N 1)".into(),
            Self::LikeNumber(text) if text == "-1+" || text == "1-" => "write (- N 1)".into(),
            Self::LikeNumber(text) if !text.contains('|') => {
                format!(
                    "the symbol of this name is written {}",
                    excerpt(&format!("|{text}|"))
                )
            }
            Self::Bracket('[' | '{') => "write `(`".into(),
            Self::Bracket(_) => "write `)`".into(),
            Self::Cycle(..) => "a datum that contains itself must be quoted: '#0=(a . #0#)".into(),
            Self::CycleElsewhere(_) => {
                "bind a variable to the whole literal and take what is wanted out of it".into()
            }
            _ => return None,
        })
    }
}
