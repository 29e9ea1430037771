//! A text in pieces, for those who show it or lay it out: as the lexer reads it, but with the space
//! and the comments in between, and without a fault that would stop anybody.
//!
//! inv:syntax.pieces — the pieces of any text follow each other without a gap, from its first byte to
//! its last, and none is empty.

use std::ops::Range;

use crate::datum::DatumKind;
use crate::lexer::{Lexer, Token, TokenKind};
use crate::span::SourceId;

/// A piece of text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Its bytes.
    pub range: Range<usize>,
    /// What it is.
    pub kind: PieceKind,
    /// Whether it goes on after the end of the text: a string without its last quote.
    pub open: bool,
}

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceKind {
    /// White space.
    Space,
    /// A comment or a directive; of `#;` the two characters.
    Comment,
    /// `(`, `#(` or `#u8(`.
    Open,
    /// `)`.
    Close,
    /// `'` and its kin, `.`, labels.
    Mark,
    /// A symbol.
    Symbol,
    /// A string.
    String,
    /// A number.
    Number,
    /// A character.
    Character,
    /// `#t`, `#f`, and the other objects that are written with a name.
    Constant,
    /// What cannot be read.
    Wrong,
}

/// The pieces of a text (inv:syntax.pieces).
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    if u32::try_from(text.len()).is_err() {
        push(&mut out, 0..text.len(), PieceKind::Wrong);
        return out;
    }
    let mut lexer = Lexer::new(SourceId::NONE, text);
    let mut done = 0;
    loop {
        let token = lexer.next_token();
        let (start, end) = (token.span.start as usize, token.span.end as usize);
        between(&mut out, text, done..start);
        push(&mut out, start..end, kind(&token, &text[start..end]));
        done = end;
        let incomplete = token.fault.is_some_and(|(fault, _)| fault.is_incomplete());
        if let Some(last) = out.last_mut().filter(|_| incomplete) {
            last.open = true;
        }
        if matches!(token.kind, TokenKind::End) {
            return out;
        }
    }
}

fn push(out: &mut Vec<Piece>, range: Range<usize>, kind: PieceKind) {
    if !range.is_empty() {
        let open = false;
        out.push(Piece { range, kind, open });
    }
}

fn kind(token: &Token, text: &str) -> PieceKind {
    // A string is one while it is being typed, whatever is still wrong with it.
    match text.as_bytes() {
        [b'"', ..] => return PieceKind::String,
        [b'|', ..] => return PieceKind::Symbol,
        [b'#', b'|', ..] | [b'#', b';'] => return PieceKind::Comment,
        [b'#', b'\\', ..] => return PieceKind::Character,
        _ if token.fault.is_some() => return PieceKind::Wrong,
        _ => {}
    }
    match &token.kind {
        TokenKind::Open | TokenKind::OpenVector | TokenKind::OpenBytes => PieceKind::Open,
        TokenKind::Close => PieceKind::Close,
        TokenKind::Atom(DatumKind::Symbol(_)) => PieceKind::Symbol,
        TokenKind::Atom(DatumKind::Number(_)) => PieceKind::Number,
        TokenKind::Atom(_) => PieceKind::Constant,
        _ => PieceKind::Mark,
    }
}

/// What the lexer skips: white space, and comments one by one.
fn between(out: &mut Vec<Piece>, text: &str, gap: Range<usize>) {
    let mut at = gap.start;
    while at < gap.end {
        let rest = &text[at..gap.end];
        let space = rest.len() - rest.trim_start().len();
        push(out, at..at + space, PieceKind::Space);
        at += space;
        let rest = &rest[space..];
        let comment = if rest.starts_with("#|") {
            block_comment(rest)
        } else if rest.starts_with("#!") && at > 0 {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        } else {
            rest.find(['\n', '\r']).unwrap_or(rest.len())
        };
        push(out, at..at + comment, PieceKind::Comment);
        at += comment;
    }
}

/// The length of the block comment at the beginning of `text`, which has its end.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(next) = text[at..].find(['#', '|']) {
        at += next;
        match &text.as_bytes()[at..] {
            [b'#', b'|', ..] => depth += 1,
            [b'|', b'#', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{PieceKind, pieces};

    fn shown(text: &str) -> String {
        let letter = |kind| match kind {
            PieceKind::Space => '_',
            PieceKind::Comment => ';',
            PieceKind::Open => '(',
            PieceKind::Close => ')',
            PieceKind::Mark => '\'',
            PieceKind::Symbol => 'a',
            PieceKind::String => '"',
            PieceKind::Number => '1',
            PieceKind::Character => 'c',
            PieceKind::Constant => '#',
            PieceKind::Wrong => '!',
        };
        pieces(text)
            .iter()
            .flat_map(|p| std::iter::repeat_n(letter(p.kind), p.range.len()))
            .collect()
    }

    #[test]
    fn every_piece_is_what_it_is() {
        for (text, wanted) in [
            ("(car '(1 . b))", "(aaa_'(1_'_a))"),
            ("#(#t \"a b\" #\\x)", "((##_\"\"\"\"\"_ccc)"),
            ("a ; b\nc", "a_;;;_a"),
            ("#| a #| b |# |# c", ";;;;;;;;;;;;;;;_a"),
            ("a #!fold-case A #!eof", "a_;;;;;;;;;;;_a_#####"),
            ("#!/bin/bowline run\na", ";;;;;;;;;;;;;;;;;;_a"),
            ("#;a |b c|", ";;a_aaaaa"),
            ("[1] #<x> #z", "!1!_!!!!_!!"),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_goes_on_is_open() {
        for (text, open) in [
            ("\"a", true),
            ("\"a\"", false),
            ("#| b", true),
            ("|c", true),
            ("(", false),
            ("\"\\q", true),
        ] {
            let last = pieces(text).pop().expect("a piece");
            assert_eq!(last.open, open, "{text}");
        }
    }

    #[test]
    fn pieces_cover_any_text() {
        let seeds = [
            "(", ")", "#|", "|#", "\"", "|", "#\\", "é", " ", "\n", ";", "#;", "'", "1", "a", "\\",
        ];
        let mut state = 1_u32;
        for _ in 0..2000 {
            let mut text = String::new();
            for _ in 0..8 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text += seeds[(state >> 16) as usize % seeds.len()];
            }
            let mut at = 0;
            for piece in pieces(&text) {
                assert!(
                    piece.range.start == at && !piece.range.is_empty(),
                    "{text:?}"
                );
                at = piece.range.end;
            }
            assert_eq!(at, text.len(), "{text:?}");
        }
    }
}
