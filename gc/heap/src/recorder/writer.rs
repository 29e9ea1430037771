//! The file of a trace: Chrome's trace events, one a line, in one JSON array.
//!
//! Each event after the first begins with a comma, and the array is closed last. So what is in the file
//! whenever the process dies is an array that is merely not closed, which readers accept.
//!
//! `inv:writer.bounded` The file does not outgrow its limit by more than the closing words: what does not fit
//! is left out from there on, and an event says so.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io;

/// What stands between two events.
const NEXT: &str = ",\n";
/// Kept free for the words that close a trace.
const CLOSING: u64 = 64 << 10;

/// Text within the quotes of a JSON string.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Nanoseconds as the microseconds that the format wants, exactly.
pub(super) struct Micros(pub(super) u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Numbers by name, as they stand within the braces of an object.
pub(super) struct Fields<'a>(pub(super) &'a [(&'a str, u64)]);

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, number)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, r#"{comma}"{name}":{number}"#)?;
        }
        Ok(())
    }
}

/// Adds an event to `text`.
pub(super) fn event(text: &mut String, event: fmt::Arguments<'_>) {
    text.push_str(NEXT);
    // Writing to a string does not fail.
    let _ = text.write_fmt(event);
}

/// The file.
pub(super) struct Writer<W: io::Write = File> {
    file: W,
    written: u64,
    limit: u64,
    truncated: bool,
    failed: Option<io::Error>,
}

impl<W: io::Write> Writer<W> {
    /// Begins the array with an event.
    pub(super) fn new(file: W, limit: u64, first: fmt::Arguments<'_>) -> Self {
        let mut writer = Writer {
            file,
            written: 0,
            limit,
            truncated: false,
            failed: None,
        };
        writer.put(&format!("[\n{first}"));
        writer
    }

    fn put(&mut self, text: &str) {
        if self.failed.is_some() {
            return;
        }
        match self.file.write_all(text.as_bytes()) {
            Ok(()) => self.written += text.len() as u64,
            Err(error) => self.failed = Some(error),
        }
    }

    /// Whether events are still taken.
    pub(super) fn takes(&self) -> bool {
        !self.truncated && self.failed.is_none()
    }

    /// Adds what [`event`] has made, as far as there is room (`inv:writer.bounded`). `now` is for the event that
    /// tells of its lack.
    pub(super) fn append(&mut self, events: &str, pid: u32, now: u64) {
        if !self.takes() {
            return;
        }
        let room = self.limit.saturating_sub(self.written + CLOSING);
        if events.len() as u64 <= room {
            return self.put(events);
        }
        let fits = events.as_bytes()[..=room as usize]
            .windows(NEXT.len())
            .rposition(|w| w == NEXT.as_bytes());
        self.put(&events[..fits.unwrap_or(0)]);
        self.truncated = true;
        let mut marker = String::new();
        event(
            &mut marker,
            format_args!(
                r#"{{"ph":"i","s":"g","name":"truncated at {} bytes","pid":{pid},"tid":1,"ts":{}}}"#,
                self.written,
                Micros(now)
            ),
        );
        self.put(&marker);
    }

    /// Adds the last events, and closes the array.
    pub(super) fn close(mut self, events: &str) -> io::Result<()> {
        self.put(events);
        self.put("\n]\n");
        match self.failed {
            None => self.file.flush(),
            Some(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(limit: u64, events: usize) -> String {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file, limit, format_args!("{{\"n\":0}}"));
        for n in 1..=events {
            let mut text = String::new();
            event(&mut text, format_args!("{{\"n\":{n}}}"));
            event(&mut text, format_args!("{{\"m\":{n}}}"));
            writer.append(&text, 7, 1_234_567);
        }
        writer.close("").unwrap();
        String::from_utf8(file).unwrap()
    }

    #[test]
    fn events_stand_one_a_line_in_one_array() {
        assert_eq!(
            trace(1 << 30, 1),
            "[\n{\"n\":0},\n{\"n\":1},\n{\"m\":1}\n]\n"
        );
    }

    #[test]
    fn beyond_the_limit_one_event_tells_so() {
        let all = trace(1 << 30, 20);
        for limit in CLOSING + 20..CLOSING + 60 {
            let text = trace(limit, 20);
            let (kept, rest) = text.split_once(",\n{\"ph\":\"i\"").expect("it is told");
            assert!(all.starts_with(kept) && kept.ends_with('}'), "{text}");
            assert!(rest.contains("truncated at") && rest.contains("\"ts\":1234.567}\n]"));
            assert!(kept.len() as u64 <= limit - CLOSING);
        }
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(
            Quoted("a\"b\\c\nd\u{7f}é").to_string(),
            "a\\\"b\\\\c\\u000ad\\u007fé"
        );
        assert_eq!(Micros(1_000_007).to_string(), "1000.007");
        assert_eq!(Fields(&[("a", 1), ("b", 2)]).to_string(), "\"a\":1,\"b\":2");
    }

    #[test]
    fn a_failure_to_write_is_told_at_the_end() {
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(28))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = Writer::new(Full, 1 << 20, format_args!("{{}}"));
        assert!(!writer.takes());
        writer.append(",\n{}", 1, 0);
        assert_eq!(writer.close("").unwrap_err().raw_os_error(), Some(28));
    }
}
