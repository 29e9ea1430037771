//! Bytes to text: the one step before the lexer that can fail.

use crate::diagnostic::Diagnostic;
use crate::fault::Fault;
use crate::span::{SourceId, Span};

/// The text of `bytes`, which are to become the source `source`, and what is wrong with it. A byte
/// that is not UTF-8 becomes U+FFFD; only the first is reported.
pub fn decode(source: SourceId, bytes: Vec<u8>) -> (String, Option<Diagnostic>) {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return (text, None),
        Err(error) => error.into_bytes(),
    };
    let valid = bytes
        .utf8_chunks()
        .next()
        .map_or(0, |chunk| chunk.valid().len());
    let width = char::REPLACEMENT_CHARACTER.len_utf8();
    let span = match (u32::try_from(valid), u32::try_from(valid + width)) {
        (Ok(start), Ok(end)) => Span::new(source, start, end),
        _ => Span::new(source, 0, 0),
    };
    let fault = Fault::NotUtf8(bytes.get(valid).copied().unwrap_or(0));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (text, Some(fault.diagnostic(span)))
}
