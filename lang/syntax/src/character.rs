//! Classes of characters: what ends a token, what may stand in a symbol, which characters have
//! names, and case folding.
//!
//! Absent on purpose: normalisation. Two spellings of an accented letter are two symbols, as R7RS
//! has it.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::number::{Number, NumberError};

/// The characters that have names, each with its name.
const NAMES: [(char, &str); 9] = [
    ('\u{7}', "alarm"),
    ('\u{8}', "backspace"),
    ('\u{7f}', "delete"),
    ('\u{1b}', "escape"),
    ('\n', "newline"),
    ('\0', "null"),
    ('\r', "return"),
    (' ', "space"),
    ('\t', "tab"),
];

/// The name of a character that R7RS names: `space`, `newline`, ….
pub fn character_name(c: char) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|&&(named, _)| named == c)
        .map(|&(_, name)| name)
}

/// The character of this name.
pub fn named_character(name: &str) -> Option<char> {
    NAMES
        .iter()
        .find(|&&(_, known)| known == name)
        .map(|&(c, _)| c)
}

/// All character names, for messages.
pub(crate) fn character_names() -> String {
    NAMES.map(|(_, name)| name).join(", ")
}

/// Whether `c` ends a token. Brackets and braces do, so that each is reported by itself.
pub(crate) fn is_delimiter(c: char) -> bool {
    matches!(c, '(' | ')' | '"' | ';' | '|' | '[' | ']' | '{' | '}') || c.is_whitespace()
}

/// Why a text without delimiters is not the bare name of a symbol.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum NameError {
    /// This character, at this byte, may not stand in a bare name.
    Character(usize, char),
    /// It begins as a number does.
    LikeNumber,
}

/// Checks that `text`, which is no number, is an R7RS identifier. `#` is let through behind the
/// first character, as most readers do.
pub(crate) fn check_name(text: &str) -> Result<(), NameError> {
    let mut chars = text.char_indices();
    let strange = |&(at, c): &(usize, char)| !is_subsequent(c) && (at == 0 || c != '#');
    if let Some((at, c)) = chars.clone().find(strange) {
        return Err(NameError::Character(at, c));
    }
    let mut next = || chars.next().map(|(_, c)| c);
    let sign_subsequent = |c: char| is_initial(c) || matches!(c, '+' | '-' | '@');
    let dot_subsequent = |c: char| sign_subsequent(c) || c == '.';
    let peculiar = match next() {
        None => false,
        Some('.') => next().is_some_and(dot_subsequent),
        Some('+' | '-') => match next() {
            None => true,
            Some('.') => next().is_some_and(dot_subsequent),
            Some(c) => sign_subsequent(c),
        },
        Some(c) if is_initial(c) => true,
        Some(c) if c.is_numeric() => false,
        Some(c) => return Err(NameError::Character(0, c)),
    };
    if peculiar {
        Ok(())
    } else {
        Err(NameError::LikeNumber)
    }
}

/// Whether `name` reads back as the symbol of that name without bars.
pub fn is_plain_identifier(name: &str) -> bool {
    check_name(name).is_ok()
        && !name.contains('#')
        && Number::parse_or_reason(name, 10) == Err(NumberError::Malformed)
}

fn is_initial(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic() || "!$%&*/:<=>?^_~".contains(c);
    }
    use GeneralCategory::*;
    !matches!(
        c.general_category(),
        DecimalNumber | SpacingMark | EnclosingMark
    ) && is_subsequent(c)
}

fn is_subsequent(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!$%&*/:<=>?^_~+-.@".contains(c);
    }
    use GeneralCategory::*;
    match c.general_category() {
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter => true,
        NonspacingMark | SpacingMark | EnclosingMark => true,
        DecimalNumber | LetterNumber | OtherNumber => true,
        DashPunctuation | ConnectorPunctuation | OtherPunctuation => true,
        CurrencySymbol | MathSymbol | ModifierSymbol | OtherSymbol | PrivateUse => true,
        // The zero-width joiners that some scripts need inside words.
        _ => matches!(c, '\u{200c}' | '\u{200d}'),
    }
}

/// Whether a character may stand in program text as itself and be seen.
pub(crate) fn is_visible(c: char) -> bool {
    match c {
        '\'' | '"' | '\\' => true,
        // What the standard library would escape is a control, a space, unassigned, or combines
        // with the character before it.
        _ => c.escape_debug().len() == 1 && c != ' ',
    }
}

/// Folds the case of a text character by character: to upper case and back, which also brings
/// together the letters that have several lower-case forms. The dotless i has no partner.
pub fn fold_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'ı' => out.push(c),
            _ => out.extend(c.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    out
}
