//! Strings in the heap: UTF-8 bodies, their counts, and the index cache.
//!
//! The layout is `bowline_layout::string` (inv:string.nul). A string whose two counts are equal is
//! all ASCII and is indexed directly; any other remembers the last place it was indexed at and
//! walks from the nearest of start, that place, and end.
//!
//! inv:string.lent — a change that does not keep every character's width makes a new body; the old
//! one, which C may have been lent, is left as it is.

use bowline_layout::{Flags, Header, Shape, Tag, Value, string, type_id};

use crate::fault::{Fault, Result};
use crate::kinds;
use crate::object;
use crate::rt::Rt;

/// Whether `v` is a string.
#[inline]
pub fn is_string(v: Value) -> bool {
    object::is(v, kinds::STRING)
}

/// Bytes and characters of a string.
#[inline]
pub fn counts(v: Value) -> (usize, usize) {
    string::unpack(object::raw(v, string::LENGTHS))
}

/// Whether a string has ASCII characters only.
#[inline]
pub fn is_ascii(v: Value) -> bool {
    let (bytes, chars) = counts(v);
    bytes == chars
}

/// Whether the object may not be changed.
#[inline]
pub fn is_immutable(v: Value) -> bool {
    object::header(v).flags().has(Flags::IMMUTABLE)
}

/// The byte offset of character `index` of a string, which must not be beyond its end.
pub fn offset(rt: &Rt, v: Value, index: usize) -> usize {
    let (bytes, chars) = counts(v);
    debug_assert!(index <= chars);
    if bytes == chars || index == 0 {
        return index;
    }
    if index == chars {
        return bytes;
    }
    let (cached_byte, cached_char) = string::unpack(object::raw(v, string::CACHE));
    let body = object::bytes(&rt.heap, object::field(v, string::BODY), 0, bytes);
    let from_cache = index.abs_diff(cached_char);
    let found = if index <= from_cache {
        forward(body, 0, index)
    } else if chars - index < from_cache {
        backward(body, bytes, chars - index)
    } else if index >= cached_char {
        forward(body, cached_byte, from_cache)
    } else {
        backward(body, cached_byte, from_cache)
    };
    object::set_raw(v, string::CACHE, string::pack(found as u32, index as u32));
    found
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn forward(body: &[u8], mut at: usize, steps: usize) -> usize {
    for _ in 0..steps {
        at += 1;
        while at < body.len() && is_continuation(body[at]) {
            at += 1;
        }
    }
    at
}

fn backward(body: &[u8], mut at: usize, steps: usize) -> usize {
    for _ in 0..steps {
        at -= 1;
        while is_continuation(body[at]) {
            at -= 1;
        }
    }
    at
}

impl Rt {
    /// A mutable string with this content.
    pub fn make_string(&mut self, text: &str) -> Result {
        let chars = if text.is_ascii() {
            text.len()
        } else {
            text.chars().count()
        };
        self.build_string(text.len(), chars, |out| {
            out.copy_from_slice(text.as_bytes());
        })
    }

    /// An immutable string with this content.
    pub fn make_literal_string(&mut self, text: &str) -> Result {
        let chars = text.chars().count();
        let header = string::HEADER.with_flags(Flags::IMMUTABLE);
        self.build(header, text.len(), chars, |out| {
            out.copy_from_slice(text.as_bytes());
        })
    }

    /// A mutable string of these counts whose bytes `fill` writes. `fill` must write UTF-8 of
    /// exactly `chars` characters.
    pub(crate) fn build_string(
        &mut self,
        bytes: usize,
        chars: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result {
        self.build(string::HEADER, bytes, chars, fill)
    }

    fn build(
        &mut self,
        header: Header,
        bytes: usize,
        chars: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result {
        let body = self.string_body(bytes)?;
        fill(object::bytes_mut(&mut self.heap, body, 0, bytes));
        self.string_of(header, body, bytes, chars)
    }

    /// A mutable string on this fresh body, the first `bytes` of which others have written; nothing if they are not UTF-8,
    /// but how many of them are.
    pub(crate) fn string_on(
        &mut self,
        body: Value,
        bytes: usize,
    ) -> Result<std::result::Result<Value, usize>> {
        match std::str::from_utf8(object::bytes(&self.heap, body, 0, bytes)) {
            Err(e) => Ok(Err(e.valid_up_to())),
            Ok(text) => {
                let chars = text.chars().count();
                self.string_of(string::HEADER, body, bytes, chars).map(Ok)
            }
        }
    }

    fn string_of(&mut self, header: Header, body: Value, bytes: usize, chars: usize) -> Result {
        self.push(body);
        let object = self.heap.alloc(header, Tag::Object)?;
        let body = self.pop();
        object::set_raw(
            object,
            string::LENGTHS,
            string::pack(bytes as u32, chars as u32),
        );
        object::init(object, string::BODY, body);
        Ok(object)
    }

    /// A string of the same counts as the concatenation of `parts`, which are pairs of a root
    /// stack position and the byte range of the string there.
    pub(crate) fn concat_strings(
        &mut self,
        parts: &[(usize, usize, usize)],
        chars: usize,
    ) -> Result {
        let bytes = parts.iter().map(|p| p.2 - p.1).sum();
        let result = self.build_string(bytes, chars, |_| ())?;
        let body = object::field(result, string::BODY);
        let mut at = 0;
        for &(position, start, end) in parts {
            let from = object::field(self.at(position), string::BODY);
            object::copy_bytes(from, start, body, at, end - start);
            at += end - start;
        }
        Ok(result)
    }

    /// A fresh body with room for `bytes` and the NUL, all zero.
    pub(crate) fn string_body(&mut self, bytes: usize) -> Result {
        if bytes > string::MAX_BYTES {
            return Err(Box::new(Fault::OutOfMemory));
        }
        self.alloc_buffer(Header::new(Shape::Bytes, type_id::STRING_BODY, bytes + 1))
    }

    /// The content of a string.
    pub fn text(&self, v: Value) -> &str {
        object::text(&self.heap, object::field(v, string::BODY), counts(v).0)
    }

    /// The content of a string between two character indices.
    pub fn text_range(&self, v: Value, start: usize, end: usize) -> &str {
        let (from, to) = (offset(self, v, start), offset(self, v, end));
        &self.text(v)[from..to]
    }

    /// Character `index` of a string, which must be within it.
    #[inline]
    pub fn char_at(&self, v: Value, index: usize) -> char {
        let (bytes, chars) = counts(v);
        debug_assert!(index < chars);
        let body = object::field(v, string::BODY);
        if bytes == chars {
            return char::from(object::bytes(&self.heap, body, index, 1)[0]);
        }
        let at = offset(self, v, index);
        let rest = &object::text(&self.heap, body, bytes)[at..];
        rest.chars().next().expect("an index within the string")
    }

    /// Replaces the content of the string at a root stack position by what `text` says.
    pub(crate) fn replace_text(&mut self, position: usize, text: &str) -> Result<()> {
        let body = self.string_body(text.len())?;
        object::bytes_mut(&mut self.heap, body, 0, text.len()).copy_from_slice(text.as_bytes());
        let chars = text.chars().count();
        let v = self.at(position);
        object::set_raw(
            v,
            string::LENGTHS,
            string::pack(text.len() as u32, chars as u32),
        );
        object::set_raw(v, string::CACHE, 0);
        object::store(&mut self.heap, v, string::BODY, body);
        Ok(())
    }

    /// Overwrites the bytes of a string from `at` on by text of the same widths.
    pub(crate) fn overwrite_text(&mut self, v: Value, at: usize, text: &str) {
        let body = object::field(v, string::BODY);
        if text.contains('\0') {
            forget_no_nul(body);
        }
        object::bytes_mut(&mut self.heap, body, at, text.len()).copy_from_slice(text.as_bytes());
    }
}

/// Nothing is known of a string's body any more (`inv:string.known`).
fn forget_no_nul(body: Value) {
    let flags = object::header(body).flags();
    object::set_flags(body, flags.without(string::NO_NUL));
}

/// C may write to a string's body from now on (`inv:string.known`).
pub(crate) fn share(body: Value) {
    let flags = object::header(body).flags();
    object::set_flags(body, flags.without(string::NO_NUL).with(string::SHARED));
}
