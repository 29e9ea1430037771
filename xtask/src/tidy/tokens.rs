//! Questions about Rust that token trees can answer.
//!
//! Absent on purpose: a parser. Tokens are enough to tell code from comments and strings, they reach
//! into macros, and they need no second opinion about the grammar when the language grows.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The tokens of a file, or where reading it failed.
pub(super) fn parse(text: &str) -> Result<TokenStream, (usize, String)> {
    // A byte-order mark or `#!` line would be read as tokens; the house has neither.
    text.parse()
        .map_err(|e: proc_macro2::LexError| (e.span().start().line, e.to_string()))
}

/// Calls `f` with every token in turn: the tokens of its level and its place among them.
pub(super) fn each(stream: TokenStream, f: &mut dyn FnMut(&[TokenTree], usize)) {
    let level: Vec<TokenTree> = stream.into_iter().collect();
    for i in 0..level.len() {
        f(&level, i);
        if let TokenTree::Group(group) = &level[i] {
            each(group.stream(), f);
        }
    }
}

/// The line on which a token begins.
pub(super) fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// Whether the token at `i` is the identifier or keyword `name`.
pub(super) fn is_ident(level: &[TokenTree], i: usize, name: &str) -> bool {
    matches!(level.get(i), Some(TokenTree::Ident(ident)) if *ident == name)
}

/// Whether the token at `i` is an identifier or keyword of any name.
pub(super) fn is_any_ident(level: &[TokenTree], i: usize) -> bool {
    matches!(level.get(i), Some(TokenTree::Ident(_)))
}

/// Whether the token at `i` is this punctuation.
pub(super) fn is_punct(level: &[TokenTree], i: usize, c: char) -> bool {
    matches!(level.get(i), Some(TokenTree::Punct(p)) if p.as_char() == c)
}

/// The contents of the group at `i`, if it is one with these delimiters.
pub(super) fn group(level: &[TokenTree], i: usize, delimiter: Delimiter) -> Option<TokenStream> {
    match level.get(i) {
        Some(TokenTree::Group(g)) if g.delimiter() == delimiter => Some(g.stream()),
        _ => None,
    }
}

/// The text inside the attribute whose `#` is at `i`, without blanks, and the place after it.
pub(super) fn attribute(level: &[TokenTree], i: usize) -> Option<(String, usize)> {
    if !is_punct(level, i, '#') {
        return None;
    }
    let open = if is_punct(level, i + 1, '!') {
        i + 2
    } else {
        i + 1
    };
    let inside = group(level, open, Delimiter::Bracket)?;
    let text: String = inside
        .to_string()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    Some((text, open + 1))
}

/// A function with a body.
pub(super) struct Function {
    /// Its name.
    pub(super) name: String,
    /// The line of its `fn`.
    pub(super) first: usize,
    /// The line of its closing brace.
    pub(super) last: usize,
}

/// Every function with a body, inner ones included.
pub(super) fn functions(stream: TokenStream) -> Vec<Function> {
    let mut found = Vec::new();
    each(stream, &mut |level, i| {
        if !is_ident(level, i, "fn") || !is_any_ident(level, i + 1) {
            return;
        }
        for token in &level[i + 2..] {
            match token {
                TokenTree::Punct(p) if p.as_char() == ';' => return,
                TokenTree::Group(g) if g.delimiter() == Delimiter::Brace => {
                    return found.push(Function {
                        name: level[i + 1].to_string(),
                        first: line(&level[i]),
                        last: g.span_close().start().line,
                    });
                }
                _ => {}
            }
        }
    });
    found
}

/// How a file uses the keyword `unsafe`.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Unsafe {
    /// The lines of its `unsafe { }` blocks.
    pub(super) blocks: Vec<usize>,
    /// The lines of its unsafe functions, impls, traits, extern blocks and attributes.
    pub(super) items: Vec<usize>,
}

/// Every use of `unsafe` that a safe crate may not have. A function pointer's type is none.
pub(super) fn unsafe_uses(stream: TokenStream) -> Unsafe {
    let mut uses = Unsafe::default();
    each(stream, &mut |level, i| {
        if !is_ident(level, i, "unsafe") {
            return;
        }
        let mut next = i + 1;
        if group(level, next, Delimiter::Brace).is_some() {
            return uses.blocks.push(line(&level[i]));
        }
        if is_ident(level, next, "extern") {
            next += 1;
            if matches!(level.get(next), Some(TokenTree::Literal(_))) {
                next += 1;
            }
        }
        let pointer_type =
            is_ident(level, next, "fn") && group(level, next + 1, Delimiter::Parenthesis).is_some();
        if !pointer_type {
            uses.items.push(line(&level[i]));
        }
    });
    uses
}

/// The lines of every `static mut`.
pub(super) fn static_muts(stream: TokenStream) -> Vec<usize> {
    let mut lines = Vec::new();
    each(stream, &mut |level, i| {
        // `&'static mut T` is a quote, `static`, `mut`.
        let lifetime = i > 0 && is_punct(level, i - 1, '\'');
        if is_ident(level, i, "static") && is_ident(level, i + 1, "mut") && !lifetime {
            lines.push(line(&level[i]));
        }
    });
    lines
}

/// The lines of every attribute whose text, without blanks, is accepted by `wanted`.
pub(super) fn attributes(stream: TokenStream, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
    let mut lines = Vec::new();
    each(stream, &mut |level, i| {
        if let Some((text, _)) = attribute(level, i)
            && wanted(&text)
        {
            lines.push(line(&level[i]));
        }
    });
    lines
}

/// The lines of every `.unwrap()` outside tests.
pub(super) fn unwraps(stream: TokenStream) -> Vec<usize> {
    let mut lines = Vec::new();
    each(without_tests(stream), &mut |level, i| {
        let call = group(level, i + 2, Delimiter::Parenthesis).is_some_and(|g| g.is_empty());
        if is_punct(level, i, '.') && is_ident(level, i + 1, "unwrap") && call {
            lines.push(line(&level[i + 1]));
        }
    });
    lines
}

/// The tokens of a file's own level without its `#[cfg(test)]` items and `#[test]` functions.
fn without_tests(stream: TokenStream) -> TokenStream {
    let level: Vec<TokenTree> = stream.into_iter().collect();
    let mut kept = Vec::new();
    let mut i = 0;
    while i < level.len() {
        match attribute(&level, i) {
            Some((text, after)) if text == "test" || text.starts_with("cfg(test") => {
                i = end_of_item(&level, after);
            }
            _ => {
                kept.push(level[i].clone());
                i += 1;
            }
        }
    }
    kept.into_iter().collect()
}

/// The place after the item that begins at `i`: after its braces or its semicolon.
fn end_of_item(level: &[TokenTree], mut i: usize) -> usize {
    while i < level.len() {
        let braces = group(level, i, Delimiter::Brace).is_some();
        i += 1;
        if braces || is_punct(level, i - 1, ';') {
            break;
        }
    }
    i
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> TokenStream {
        parse(text).expect("a sample that reads")
    }

    #[test]
    fn functions_are_found_with_their_lines() {
        let text = "trait T { fn no(&self) -> [u8; 3]; }\nfn a<T>(x: T)\nwhere T: Copy,\n{\n    fn b() {}\n}\n\
                    type F = fn(u8) -> u8;\nmacro_rules! m { ($n:ident) => { fn $n() {} } }\n";
        let found: Vec<_> = functions(tokens(text))
            .into_iter()
            .map(|f| (f.name, f.first, f.last))
            .collect();
        assert_eq!(found, [("a".to_string(), 2, 6), ("b".to_string(), 5, 5)]);
    }

    #[test]
    fn unsafe_is_told_from_words_and_types() {
        let text = "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn a(f: unsafe extern \"C\" fn(), g: unsafe fn()) {\n\
                    // unsafe { }\n    let s = \"unsafe { }\";\n    m! { unsafe { g() } }\n}\n\
                    unsafe impl Send for X {}\nunsafe extern \"C\" {\n}\n#[allow(unsafe_code)]\nmod x;\n";
        let uses = unsafe_uses(tokens(text));
        assert_eq!((uses.blocks, uses.items), (vec![5], vec![1, 2, 7, 8]));
    }

    #[test]
    fn static_mut_is_told_from_a_lifetime() {
        let text = "fn a(x: &'static mut u8) {}\nstatic X: u8 = 0;\nstatic mut Y: u8 = 0;\n";
        assert_eq!(static_muts(tokens(text)), [3]);
    }

    #[test]
    fn attributes_are_compared_without_blanks() {
        let text = "#[ignore]\nfn a() {}\n#[ignore = \"slow\"]\nfn b() {}\nfn ignore() {}\n";
        assert_eq!(attributes(tokens(text), |a| a == "ignore"), [1]);
        assert_eq!(attributes(tokens(text), |a| a.starts_with("ignore=")), [3]);
    }

    #[test]
    fn unwrap_counts_outside_tests_only() {
        let text = "fn a() { b.unwrap(); c.unwrap_or(1); }\n#[test]\nfn t() { b.unwrap(); }\n\
                    #[cfg(test)]\nmod tests { fn h() { b.unwrap(); } }\nfn d() {\n    e.unwrap();\n}\n";
        assert_eq!(unwraps(tokens(text)), [1, 7]);
    }

    #[test]
    fn a_file_that_is_no_rust_says_where() {
        assert_eq!(parse("fn a() {\n  '").map(|_| ()).unwrap_err().0, 2);
    }
}
