//! Input ports: a buffer in front of a file, standard input, or nothing (memory).
//!
//! End of file on a terminal is not for ever: it is reported once, and reading goes on after it.

use std::fs::File;
use std::io::{self, Read};

use bowline_gc::Interrupter;
use bowline_syntax::{Datum, ReadError, Reader, SourceId};

use super::{flags, has_room};

/// Where input comes from.
pub enum Source {
    /// What is in the buffer already.
    Memory,
    /// A file.
    File(File),
    /// Standard input.
    Stdin,
}

const CHUNK: usize = 16 * 1024;

/// An input port.
pub struct Input {
    source: Source,
    buffer: Vec<u8>,
    at: usize,
    textual: bool,
    /// Whether the end was seen and not yet reported.
    ended: bool,
    fold_case: bool,
    /// Who may end a read that waits.
    pub(super) interrupter: Option<Interrupter>,
    /// How much may be kept in memory.
    pub(super) limit: usize,
}

/// What `read` found.
pub(crate) enum Found {
    Datum(Datum),
    End,
    Error(String),
}

impl Input {
    /// A port that reads from `source`, after what `content` holds.
    pub fn new(source: Source, content: Vec<u8>, textual: bool) -> Input {
        Input {
            source,
            buffer: content,
            at: 0,
            textual,
            ended: false,
            fold_case: false,
            interrupter: None,
            limit: usize::MAX,
        }
    }

    pub(super) fn stdin() -> Input {
        Input::new(Source::Stdin, Vec::new(), true)
    }

    pub(super) fn flags(&self) -> i64 {
        match (&self.source, self.textual) {
            // Standard input gives both, as C's does.
            (Source::Stdin, _) => flags::TEXTUAL | flags::BINARY,
            (_, true) => flags::TEXTUAL,
            (_, false) => flags::BINARY,
        }
    }

    /// Whether the next read would wait for somebody.
    pub(super) fn would_wait(&self) -> bool {
        !self.is_ready()
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Gets more bytes from the source; false at its end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        let old = self.buffer.len();
        // A line, or a datum, that has no end.
        if old > self.limit || !has_room(&mut self.buffer, CHUNK) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.buffer.resize(old + CHUNK, 0);
        let got = loop {
            let space = &mut self.buffer[old..];
            let result = match &mut self.source {
                Source::Memory => Ok(0),
                Source::File(file) => file.read(space),
                Source::Stdin => io::stdin().lock().read(space),
            };
            match result {
                // A signal that wants nothing of us: once more.
                Err(e) if e.kind() == io::ErrorKind::Interrupted && !self.is_interrupted() => {}
                other => break other,
            }
        };
        let n = match &got {
            Ok(n) => *n,
            Err(_) => 0,
        };
        self.buffer.truncate(old + n);
        self.ended = matches!(got, Ok(0));
        Ok(got? > 0)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupter
            .as_ref()
            .is_some_and(Interrupter::is_requested)
    }

    /// The end is reported; a terminal may go on after it.
    fn report_end(&mut self) {
        if matches!(self.source, Source::Stdin) {
            self.ended = false;
        }
    }

    /// Whether at least one byte can be had without waiting, or the end.
    pub(crate) fn is_ready(&self) -> bool {
        if !self.rest().is_empty() || self.ended {
            return true;
        }
        match self.source {
            Source::Stdin => crate::object::input_ready(libc::STDIN_FILENO),
            _ => true,
        }
    }

    /// The next byte, which stays.
    pub(crate) fn peek_byte(&mut self) -> io::Result<Option<u8>> {
        if self.rest().is_empty() && !self.fill()? {
            return Ok(None);
        }
        Ok(self.rest().first().copied())
    }

    /// The next byte.
    pub(crate) fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek_byte()?;
        match byte {
            Some(_) => self.at += 1,
            None => self.report_end(),
        }
        Ok(byte)
    }

    /// How many bytes there are, up to `n`, which [`Input::take`] gives; none at the end.
    pub(crate) fn ahead(&mut self, n: usize) -> io::Result<Option<usize>> {
        while self.rest().len() < n && self.fill()? {}
        let got = n.min(self.rest().len());
        if got == 0 && n > 0 {
            self.report_end();
            return Ok(None);
        }
        Ok(Some(got))
    }

    /// The next `n` bytes, which are there.
    pub(super) fn take(&mut self, n: usize) -> &[u8] {
        self.at += n;
        &self.buffer[self.at - n..self.at]
    }

    /// The next character and its width in the buffer.
    fn decode(&mut self) -> io::Result<Option<(char, usize)>> {
        let Some(first) = self.peek_byte()? else {
            return Ok(None);
        };
        let wanted = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        while self.rest().len() < wanted && self.fill()? {}
        let rest = self.rest();
        let head = &rest[..wanted.min(rest.len())];
        Ok(Some(match std::str::from_utf8(head) {
            Ok(text) => (text.chars().next().unwrap_or('\u{fffd}'), head.len()),
            Err(e) => {
                let bad = e.error_len().unwrap_or(head.len());
                (char::REPLACEMENT_CHARACTER, bad.max(1))
            }
        }))
    }

    /// The next character, which stays.
    pub(crate) fn peek_char(&mut self) -> io::Result<Option<char>> {
        Ok(self.decode()?.map(|(c, _)| c))
    }

    /// The next character.
    pub(crate) fn char(&mut self) -> io::Result<Option<char>> {
        if let Some(&b) = self.buffer.get(self.at)
            && b < 0x80
        {
            self.at += 1;
            return Ok(Some(char::from(b)));
        }
        match self.decode()? {
            Some((c, width)) => {
                self.at += width;
                Ok(Some(c))
            }
            None => {
                self.report_end();
                Ok(None)
            }
        }
    }

    /// Up to `n` characters; none at the end.
    pub(crate) fn string(&mut self, n: usize) -> io::Result<Option<String>> {
        let mut out = Vec::new();
        for _ in 0..n {
            match self.decode()? {
                Some((c, width)) => {
                    if out.len() > self.limit || !has_room(&mut out, c.len_utf8()) {
                        return Err(io::ErrorKind::OutOfMemory.into());
                    }
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    self.at += width;
                }
                None => break,
            }
        }
        if out.is_empty() && n > 0 {
            self.report_end();
            return Ok(None);
        }
        // Made of characters.
        Ok(String::from_utf8(out).ok())
    }

    /// A line without its end (LF or CR LF); none at the end.
    pub(crate) fn line(&mut self) -> io::Result<Option<String>> {
        let mut searched = 0;
        let end = loop {
            let rest = self.rest();
            if let Some(i) = rest[searched..].iter().position(|&b| b == b'\n') {
                break Some(searched + i);
            }
            searched = rest.len();
            if !self.fill()? {
                break None;
            }
        };
        let len = end.unwrap_or(self.rest().len());
        if end.is_none() && len == 0 {
            self.report_end();
            return Ok(None);
        }
        let line = &self.rest()[..len];
        let text = match end {
            Some(_) => line.strip_suffix(b"\r").unwrap_or(line),
            None => line,
        };
        let text = String::from_utf8_lossy(text).into_owned();
        self.at += len + usize::from(end.is_some());
        Ok(Some(text))
    }

    /// The next datum.
    pub(crate) fn datum(&mut self) -> io::Result<Found> {
        // Each retry needs more text than the one before by as much again: linear in all.
        let mut tried = 0;
        loop {
            while self.rest().len() < tried * 2 && self.fill()? {}
            if self.rest().is_empty() {
                self.fill()?;
            }
            let complete = self.ended || matches!(self.source, Source::Memory);
            let rest = &self.buffer[self.at..];
            tried = rest.len();
            // A character that is cut off at the end of what is there is not an error yet.
            let text = match std::str::from_utf8(rest) {
                Err(e) if e.error_len().is_none() && !complete => {
                    String::from_utf8_lossy(&rest[..e.valid_up_to()]).into_owned()
                }
                Ok(text) => text.to_owned(),
                Err(_) => String::from_utf8_lossy(rest).into_owned(),
            };
            let mut reader = Reader::new(SourceId(0), &text)
                .fold_case(self.fold_case)
                .keep_cycles();
            let found = reader.next();
            let used = reader.offset();
            let folding = reader.is_folding();
            let undecided = match &found {
                None => true,
                Some(Ok(_)) => used == text.len(),
                Some(Err(e)) => e.is_incomplete(),
            };
            if undecided && !complete {
                self.fill()?;
                continue;
            }
            self.fold_case = folding;
            self.at += consumed(&self.buffer[self.at..], &text, used);
            return Ok(match found {
                None => {
                    self.report_end();
                    Found::End
                }
                Some(Ok(datum)) => Found::Datum(datum),
                Some(Err(ReadError::Incomplete(d) | ReadError::Invalid(d))) => {
                    Found::Error(d.message.clone())
                }
            });
        }
    }
}

/// How many bytes of `raw` the first `used` bytes of its lossy decoding `text` stand for.
fn consumed(raw: &[u8], text: &str, used: usize) -> usize {
    if raw.starts_with(&text.as_bytes()[..used]) {
        return used;
    }
    // Something was replaced: count what each chunk stands for.
    let (mut from_text, mut from_raw) = (0, 0);
    for chunk in raw.utf8_chunks() {
        let valid = chunk.valid().len();
        if from_text + valid >= used {
            return from_raw + (used - from_text);
        }
        from_text += valid;
        from_raw += valid;
        if !chunk.invalid().is_empty() {
            from_text += char::REPLACEMENT_CHARACTER.len_utf8();
            from_raw += chunk.invalid().len();
        }
    }
    from_raw.min(raw.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(content: &[u8]) -> Input {
        Input::new(Source::Memory, content.to_vec(), true)
    }

    #[test]
    fn lines_end_in_lf_or_crlf() {
        let mut port = memory(b"a\r\nb\n\nlast");
        for expected in ["a", "b", "", "last"] {
            assert_eq!(port.line().unwrap().as_deref(), Some(expected));
        }
        assert_eq!(port.line().unwrap(), None);
    }

    #[test]
    fn invalid_utf8_is_replaced_and_passed() {
        let mut port = memory(b"\xffa\xe2\x82b\xc3\xa9");
        assert_eq!(
            port.string(10).unwrap().as_deref(),
            Some("\u{fffd}a\u{fffd}b\u{e9}")
        );
        assert_eq!(port.char().unwrap(), None);
    }

    #[test]
    fn data_come_one_after_another() {
        let mut port = memory("(a b) #;x \"é\" 12".as_bytes());
        let mut texts = Vec::new();
        while let Found::Datum(d) = port.datum().unwrap() {
            texts.push(d.to_string());
        }
        assert_eq!(texts, ["(a b)", "\"é\"", "12"]);
        assert!(matches!(memory(b"(a").datum().unwrap(), Found::Error(_)));
        assert!(matches!(memory(b" ; x").datum().unwrap(), Found::End));
    }

    #[test]
    fn data_are_found_across_chunks() {
        let path = std::env::temp_dir().join(format!("bowline-datum-{}", std::process::id()));
        let long = format!("({}) tail", "word ".repeat(20_000));
        std::fs::write(&path, &long).unwrap();
        let file = File::open(&path).unwrap();
        let mut port = Input::new(Source::File(file), Vec::new(), true);
        let Found::Datum(d) = port.datum().unwrap() else {
            panic!("no datum")
        };
        assert_eq!(d.as_list().map(<[Datum]>::len), Some(20_000));
        assert!(matches!(port.datum().unwrap(), Found::Datum(d) if d.is_symbol("tail")));
        assert!(matches!(port.datum().unwrap(), Found::End));
        std::fs::remove_file(&path).unwrap();
    }
}
