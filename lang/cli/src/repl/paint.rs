//! Colours for what is being typed.
//!
//! Only the eight colours that every terminal lets its user choose are used, so they can be read on
//! light and on dark.

use bowline_engine::{Token, TokenClass};

/// Grey, for what nobody typed.
pub(super) const FAINT: &str = "\x1b[90m";
/// A pair of parentheses of which one is at the cursor.
const PAIR: &str = "\x1b[1;4m";
/// Back to plain.
pub(super) const PLAIN: &str = "\x1b[0m";

fn style(class: TokenClass) -> Option<&'static str> {
    Some(match class {
        TokenClass::Comment => FAINT,
        TokenClass::String | TokenClass::Character => "\x1b[32m",
        TokenClass::Number | TokenClass::Boolean => "\x1b[33m",
        TokenClass::Keyword => "\x1b[35m",
        TokenClass::Bound => "\x1b[36m",
        TokenClass::Command => "\x1b[1m",
        TokenClass::Wrong => "\x1b[31m",
        TokenClass::Name | TokenClass::Paren(_) | TokenClass::Other => return None,
    })
}

/// The text in colour; `pair` are the places of two parentheses to be shown as belonging together.
pub(super) fn paint(text: &str, tokens: &[Token], pair: Option<(usize, usize)>) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for token in tokens {
        let start = token.range.start;
        let paired = pair.is_some_and(|(open, close)| start == open || start == close);
        let style = if paired {
            Some(PAIR)
        } else {
            style(token.class)
        };
        let piece = &text[token.range.clone()];
        match style {
            Some(style) => out.extend([style, piece, PLAIN]),
            None => out.push_str(piece),
        }
    }
    out
}

/// The parenthesis before the cursor, or the one under it, and its partner: the opening one first.
pub(super) fn pair(text: &str, tokens: &[Token], cursor: usize) -> Option<(usize, usize)> {
    let parens: Vec<(usize, bool)> = tokens
        .iter()
        .filter(|token| matches!(token.class, TokenClass::Paren(_)))
        .map(|token| {
            let closes = text[token.range.clone()].ends_with(')');
            (token.range.start, closes)
        })
        .collect();
    let at = |place: usize, closing: bool| {
        parens
            .iter()
            .position(|&(start, closes)| start == place && closes == closing)
    };
    let before = cursor.checked_sub(1).and_then(|place| at(place, true));
    let here = before
        .or_else(|| at(cursor, true))
        .or_else(|| at(cursor, false))?;
    let partner = partner(&parens, here)?;
    let (open, close) = (here.min(partner), here.max(partner));
    Some((parens[open].0, parens[close].0))
}

fn partner(parens: &[(usize, bool)], here: usize) -> Option<usize> {
    let closes = parens[here].1;
    let rest: Box<dyn Iterator<Item = usize>> = if closes {
        Box::new((0..=here).rev())
    } else {
        Box::new(here..parens.len())
    };
    let mut depth = 0_usize;
    for i in rest {
        if parens[i].1 == closes {
            depth += 1;
        } else {
            depth -= 1;
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{PAIR, PLAIN, paint, pair};
    use bowline_engine::{Token, TokenClass};

    /// Every parenthesis, and strings in double quotes.
    fn tokens(text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let (len, class) = match text.as_bytes()[at] {
                b'(' | b')' => (1, TokenClass::Paren(0)),
                b'"' => (
                    text[at + 1..].find('"').map_or(text.len() - at, |n| n + 2),
                    TokenClass::String,
                ),
                _ => (1, TokenClass::Other),
            };
            tokens.push(Token {
                range: at..at + len,
                class,
            });
            at += len;
        }
        tokens
    }

    #[test]
    fn partners_are_found_from_both_sides() {
        let text = "(a (b \")\") c)";
        let find = |cursor| pair(text, &tokens(text), cursor);
        assert_eq!(find(text.len()), Some((0, 12)));
        assert_eq!(find(0), Some((0, 12)));
        assert_eq!(find(10), Some((3, 9)));
        assert_eq!(find(3), Some((3, 9)));
        assert_eq!(find(5), None);
        let open = "((a";
        assert_eq!(pair(open, &tokens(open), 0), None);
        let stray = "a)";
        assert_eq!(pair(stray, &tokens(stray), 2), None);
    }

    #[test]
    fn colour_adds_nothing_that_is_seen() {
        let text = "(a \"s\")";
        let painted = paint(text, &tokens(text), Some((0, 6)));
        assert_eq!(
            painted,
            format!("{PAIR}({PLAIN}a \x1b[32m\"s\"{PLAIN}{PAIR}){PLAIN}")
        );
    }
}
