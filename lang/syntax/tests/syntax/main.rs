//! Tests of the whole crate through its public face.

mod depth;
mod golden;
mod hostile;
mod numbers;
mod printer;
mod reader;
mod render;
mod round_trip;
mod source_map;

use bowline_syntax::{Datum, SourceId, read_all, write};

/// The source id that tests use when none matters.
const SOURCE: SourceId = SourceId(0);

/// The data of a text that has no errors.
fn data(text: &str) -> Vec<Datum> {
    let (data, diagnostics) = read_all(SOURCE, text);
    assert!(diagnostics.is_empty(), "{text:?}: {diagnostics:?}");
    data
}

/// The one datum of a text that has no errors.
fn datum(text: &str) -> Datum {
    let mut data = data(text);
    assert_eq!(data.len(), 1, "{text:?}: {data:?}");
    data.remove(0)
}

/// What `write` prints for the one datum of `text`.
fn rewritten(text: &str) -> String {
    write(&datum(text))
}

/// The messages of all errors in a text.
fn messages(text: &str) -> Vec<String> {
    let (_, diagnostics) = read_all(SOURCE, text);
    diagnostics.into_iter().map(|found| found.message).collect()
}
