//! Reading a trace: a JSON array of Chrome's trace events, or an object that has one as `traceEvents`.
//!
//! An array is read event by event, so that one which was never closed, because its program was killed or
//! still runs, gives what it has.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// An event, as it stands in the file. What is not asked for is skipped.
#[derive(Deserialize, Debug)]
#[serde(expecting = "an event")]
pub(super) struct Event<'a> {
    #[serde(borrow)]
    pub(super) ph: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) cat: Cow<'a, str>,
    /// Microseconds.
    #[serde(default)]
    pub(super) ts: f64,
    #[serde(default)]
    pub(super) dur: f64,
    #[serde(default)]
    pub(super) pid: Value,
    #[serde(default)]
    pub(super) tid: Value,
    #[serde(default)]
    pub(super) args: Value,
}

/// What a file has.
#[derive(Debug)]
pub(super) struct Trace<'a> {
    pub(super) events: Vec<Event<'a>>,
    /// Where it ends too early, if it does: a byte's number.
    pub(super) cut: Option<usize>,
}

/// Why a file is no trace.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// There is nothing in it.
    Empty,
    /// It is not text.
    NotUtf8 { at: usize },
    /// It is not JSON, or an event is none.
    Bad {
        line: usize,
        column: usize,
        why: String,
    },
    /// It is JSON and something else.
    NotATrace,
    /// It has no event that can be drawn.
    NothingToDraw,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("the file is empty"),
            Fault::NotUtf8 { at } => write!(f, "byte {at} is not UTF-8 text"),
            Fault::Bad { line, column, why } => write!(f, "line {line}, column {column}: {why}"),
            Fault::NotATrace => f.write_str(
                "this is no trace: neither an array of events nor an object with \"traceEvents\"",
            ),
            Fault::NothingToDraw => f.write_str("no event in it can be drawn"),
        }
    }
}

/// The object form.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, rename = "traceEvents")]
    events: Option<Vec<Event<'a>>>,
}

/// Reads a trace.
pub(super) fn read(bytes: &[u8]) -> Result<Trace<'_>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| Fault::NotUtf8 {
        at: error.valid_up_to(),
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let start = text.len() - text.trim_start().len();
    match text.as_bytes().get(start) {
        None => Err(Fault::Empty),
        Some(b'[') => array(text, start + 1),
        Some(b'{') => {
            let object: Object<'_> =
                serde_json::from_str(text).map_err(|error| bad(text, 0, &error))?;
            let events = object.events.ok_or(Fault::NotATrace)?;
            Ok(Trace { events, cut: None })
        }
        Some(_) => match serde_json::from_str::<Value>(text) {
            Ok(_) => Err(Fault::NotATrace),
            Err(error) => Err(bad(text, 0, &error)),
        },
    }
}

/// An error of the part of `text` that begins at `at`, as one of the whole.
fn bad(text: &str, at: usize, error: &serde_json::Error) -> Fault {
    let before = &text[..at];
    let lines = before.matches('\n').count();
    let column = match error.line() {
        1 => before.len() - before.rfind('\n').map_or(0, |end| end + 1) + error.column(),
        _ => error.column(),
    };
    let why = error.to_string();
    // The place within the part is none that anybody could look up.
    let why = why.split(" at line ").next().unwrap_or(&why).to_owned();
    Fault::Bad {
        line: lines + error.line(),
        column,
        why,
    }
}

/// The events from `at` on, behind the bracket.
fn array(text: &str, mut at: usize) -> Result<Trace<'_>, Fault> {
    let mut events = Vec::new();
    let cut = |events, at| {
        Ok(Trace {
            events,
            cut: Some(at),
        })
    };
    loop {
        let separators = [' ', '\t', '\r', '\n', ','];
        at += text[at..].len() - text[at..].trim_start_matches(separators).len();
        match text.as_bytes().get(at) {
            None => return cut(events, at),
            Some(b']') => break,
            Some(_) => {}
        }
        let mut stream = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Event<'_>>();
        match stream.next() {
            Some(Ok(event)) => events.push(event),
            Some(Err(error)) if error.is_eof() => return cut(events, at),
            Some(Err(error)) => return Err(bad(text, at, &error)),
            None => return cut(events, at),
        }
        at += stream.byte_offset();
    }
    match text[at + 1..].trim().is_empty() {
        true => Ok(Trace { events, cut: None }),
        false => Err(Fault::Bad {
            line: text[..=at].matches('\n').count() + 1,
            column: at + 2 - text[..at].rfind('\n').map_or(0, |end| end + 1),
            why: "there is more behind the end of the trace".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> (Vec<String>, Option<usize>) {
        let trace = read(text.as_bytes()).expect("a trace");
        let names = trace.events.iter().map(|event| event.name.to_string());
        (names.collect(), trace.cut)
    }

    fn told(bytes: &[u8]) -> String {
        read(bytes).expect_err("no trace").to_string()
    }

    #[test]
    fn both_forms_are_read() {
        let events = r#"{"ph":"X","name":"a","ts":1.5,"dur":2},{"name":"b\n","ph":"i","pid":"x"}"#;
        let wanted = (vec!["a".to_owned(), "b\n".to_owned()], None);
        assert_eq!(names(&format!("\u{feff} [{events}]\n")), wanted);
        assert_eq!(
            names(&format!("[\n{},\n]", events.replace("},{", "},\n{"))),
            wanted
        );
        assert_eq!(
            names(&format!(r#"{{"unit":"ns","traceEvents":[{events}]}}"#)),
            wanted
        );
    }

    #[test]
    fn what_is_cut_off_gives_what_it_has() {
        let whole = "[\n{\"ph\":\"X\",\"name\":\"a\"},\n{\"ph\":\"X\",\"name\":\"b\"}\n]";
        let second = whole.find(",\n{").expect("two events") + 2;
        for end in 2..whole.len() {
            let (names, cut) = names(&whole[..end]);
            let wanted: &[&str] = match end {
                _ if end >= whole.len() - 2 => &["a", "b"],
                _ if end >= second - 2 => &["a"],
                _ => &[],
            };
            assert_eq!(names, wanted, "{}", &whole[..end]);
            assert!(cut.is_some_and(|at| at <= end));
        }
    }

    #[test]
    fn what_is_no_trace_is_told_with_its_place() {
        assert_eq!(told(b""), "the file is empty");
        assert_eq!(told(b" \n"), "the file is empty");
        assert_eq!(told(b"[{\"ph\":\"\xff\"}]"), "byte 8 is not UTF-8 text");
        let no_trace =
            "this is no trace: neither an array of events nor an object with \"traceEvents\"";
        assert_eq!(told(b"{\"a\":1}"), no_trace);
        assert_eq!(told(b"3"), no_trace);
        assert_eq!(told(b"hello"), "line 1, column 1: expected value");
        assert_eq!(
            told(b"[\n{\"ph\":\"X\"},\n{\"ph\":\"X\" 3}]"),
            "line 3, column 11: expected `,` or `}`"
        );
        assert_eq!(
            told(b"[\n{\"name\":\"X\"}]"),
            "line 2, column 12: missing field `ph`"
        );
        assert_eq!(
            told(b"[{\"ph\":\"X\"}, 7]"),
            "line 1, column 14: invalid type: integer `7`, expected an event"
        );
        assert_eq!(
            told(b"[\n{\"ph\":\"X\"}\n] x"),
            "line 3, column 2: there is more behind the end of the trace"
        );
        assert_eq!(
            told(b"{\"traceEvents\":[{\"ph\":\"X\"}"),
            "line 1, column 26: EOF while parsing a list"
        );
    }
}
