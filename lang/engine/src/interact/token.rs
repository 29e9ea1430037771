//! A text in pieces for colour. Total: every byte of any text is in one piece, in order
//! (inv:syntax.pieces).

use std::ops::Range;

use bowline_syntax::{Piece, PieceKind, pieces};

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenClass {
    /// A comment.
    Comment,
    /// A string.
    String,
    /// A number.
    Number,
    /// A character.
    Character,
    /// A boolean.
    Boolean,
    /// A name that is bound to syntax here.
    Keyword,
    /// A name that is bound to a variable here.
    Bound,
    /// A name that is not bound, or bound further out in the text.
    Name,
    /// A parenthesis and how many forms lie around it.
    Paren(usize),
    /// A command's name, with its comma.
    Command,
    /// What cannot be read.
    Wrong,
    /// White space and everything else.
    Other,
}

/// A piece of text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// Its bytes.
    pub range: Range<usize>,
    /// What it is.
    pub class: TokenClass,
}

/// The pieces of `text`, of which `name` says what a name is.
pub(super) fn tokens(text: &str, name: impl Fn(&str) -> TokenClass) -> Vec<Token> {
    let start = command(text);
    let mut depth = 0_usize;
    let class = |Piece { range, kind, .. }: Piece| {
        let range = range.start + start..range.end + start;
        let class = match kind {
            PieceKind::Comment => TokenClass::Comment,
            PieceKind::String => TokenClass::String,
            PieceKind::Number => TokenClass::Number,
            PieceKind::Character => TokenClass::Character,
            PieceKind::Constant => TokenClass::Boolean,
            PieceKind::Symbol => name(&text[range.clone()]),
            PieceKind::Open => {
                depth += 1;
                TokenClass::Paren(depth - 1)
            }
            PieceKind::Close if depth == 0 => TokenClass::Wrong,
            PieceKind::Close => {
                depth -= 1;
                TokenClass::Paren(depth)
            }
            PieceKind::Wrong => TokenClass::Wrong,
            PieceKind::Space | PieceKind::Mark => TokenClass::Other,
        };
        Token { range, class }
    };
    let first = (start > 0).then_some(Token {
        range: 0..start,
        class: TokenClass::Command,
    });
    let rest = pieces(&text[start..]).into_iter().map(class);
    first.into_iter().chain(rest).collect()
}

/// The length of a command's name with what stands before it; 0 without a command.
fn command(text: &str) -> usize {
    let body = text.trim_start();
    if !body.starts_with(',') {
        return 0;
    }
    let name = body.find(char::is_whitespace).unwrap_or(body.len());
    text.len() - body.len() + name
}

#[cfg(test)]
mod tests {
    use super::{TokenClass, tokens};

    fn classes(text: &str) -> Vec<(&str, TokenClass)> {
        let name = |name: &str| match name {
            "if" => TokenClass::Keyword,
            "car" => TokenClass::Bound,
            _ => TokenClass::Name,
        };
        tokens(text, name)
            .into_iter()
            .map(|token| (&text[token.range], token.class))
            .filter(|(_, class)| *class != TokenClass::Other)
            .collect()
    }

    #[test]
    fn names_are_asked_for_and_parentheses_counted() {
        use TokenClass::{Bound, Command, Keyword, Name, Number, Paren, String, Wrong};
        assert_eq!(
            classes("(if (car x) \"s"),
            [
                ("(", Paren(0)),
                ("if", Keyword),
                ("(", Paren(1)),
                ("car", Bound),
                ("x", Name),
                (")", Paren(1)),
                ("\"s", String),
            ]
        );
        assert_eq!(classes("1)"), [("1", Number), (")", Wrong)]);
        assert_eq!(classes(" ,doc car"), [(" ,doc", Command), ("car", Bound)]);
    }
}
