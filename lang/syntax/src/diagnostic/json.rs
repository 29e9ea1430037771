//! Diagnostics as JSON: an object on each line, its fields always in the same order.
//!
//! Lines and columns count from 1, columns in characters (Unicode scalar values); `start` and `end`
//! are offsets in bytes. What stands nowhere has no file and no numbers. `docs/check.md` describes
//! the fields.

use serde::Serialize;

use super::{Call, Diagnostic};
use crate::span::{Location, SourceMap, Span};

#[derive(Serialize)]
struct Place {
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    end_line: Option<u32>,
    end_column: Option<u32>,
    start: Option<u32>,
    end: Option<u32>,
}

impl Place {
    fn new(span: Span, sources: &SourceMap) -> Self {
        let begin = sources.location(span);
        let end = sources.location(Span::new(span.source, span.end, span.end));
        let known = begin.is_some();
        let line = |at: &Option<Location>| at.as_ref().map(|at| at.line);
        let column = |at: &Option<Location>| at.as_ref().map(|at| at.column);
        Place {
            line: line(&begin),
            column: column(&begin),
            end_line: line(&end),
            end_column: column(&end),
            start: known.then_some(span.start),
            end: known.then_some(span.end),
            file: begin.map(|at| at.file.to_string()),
        }
    }
}

#[derive(Serialize)]
struct Labelled {
    #[serde(flatten)]
    place: Place,
    label: String,
}

#[derive(Serialize)]
struct CallObject<'a> {
    name: Option<&'a str>,
    #[serde(flatten)]
    place: Place,
    text: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    severity: String,
    code: Option<&'a str>,
    message: &'a str,
    #[serde(flatten)]
    place: Place,
    label: &'a str,
    secondary: Vec<Labelled>,
    calls: Vec<CallObject<'a>>,
    notes: &'a [String],
}

fn call<'a>(call: &'a Call, sources: &SourceMap) -> CallObject<'a> {
    CallObject {
        name: call.name.as_deref(),
        place: Place::new(call.place, sources),
        text: &call.text,
    }
}

fn object<'a>(diagnostic: &'a Diagnostic, sources: &SourceMap) -> Object<'a> {
    let labelled = |(span, label)| Labelled {
        place: Place::new(span, sources),
        label,
    };
    let places = diagnostic.other_places(sources).into_iter();
    Object {
        severity: diagnostic.severity.to_string(),
        code: diagnostic.code,
        message: &diagnostic.message,
        place: Place::new(diagnostic.primary, sources),
        label: &diagnostic.primary_label,
        secondary: places.map(labelled).collect(),
        calls: diagnostic.calls.iter().map(|c| call(c, sources)).collect(),
        notes: &diagnostic.notes,
    }
}

/// These diagnostics as JSON, each an object on a line of its own.
pub fn to_json(diagnostics: &[Diagnostic], sources: &SourceMap) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        // Strings and numbers always have a form in JSON.
        if let Ok(line) = serde_json::to_string(&object(diagnostic, sources)) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_field_comes_in_its_place() {
        let mut sources = SourceMap::new();
        let id = sources.add("ä.scm", "(é\n \"x\")\n");
        let diagnostic = Diagnostic::warning("said \"so\"", Span::new(id, 1, 8))
            .with_code("odd")
            .with_label("here")
            .with_secondary(Span::new(id, 5, 8), "there")
            .with_call(Call {
                name: Some("f".into()),
                place: Span::new(id, 0, 1),
                text: "called".into(),
            })
            .with_note("n\u{1b}");
        let text = to_json(&[diagnostic], &sources);
        let expected = concat!(
            r#"{"severity":"warning","code":"odd","message":"said \"so\"","file":"ä.scm","line":1,"#,
            r#""column":2,"end_line":2,"end_column":5,"start":1,"end":8,"label":"here","#,
            r#""secondary":[{"file":"ä.scm","line":2,"column":2,"end_line":2,"end_column":5,"#,
            r#""start":5,"end":8,"label":"there"}],"calls":[{"name":"f","file":"ä.scm","line":1,"#,
            r#""column":1,"end_line":1,"end_column":2,"start":0,"end":1,"text":"called"}],"#,
            r#""notes":["n\u001b"]}"#,
            "\n"
        );
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<Value>(text.trim_end()).is_ok());
    }

    #[test]
    fn what_stands_nowhere_has_no_place() {
        let text = to_json(&[Diagnostic::error("no", Span::NONE)], &SourceMap::new());
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(value["severity"], "error");
        for field in ["code", "file", "line", "column", "end_line", "start", "end"] {
            assert!(value[field].is_null(), "{field}");
        }
        assert_eq!(value["notes"], Value::Array(Vec::new()));
    }
}
