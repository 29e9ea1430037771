//! Any bytes at all: no panic, no hang, and every complaint has a place that can be shown.

use bowline_syntax::{Reader, SourceId, SourceMap, decode, read_all, render};
use proptest::prelude::*;

/// Reads bytes in every mode and renders what was found.
fn survive(bytes: Vec<u8>) {
    let mut sources = SourceMap::new();
    let (text, found) = decode(SourceId(0), bytes);
    let id = sources.add("bytes", text.as_str());
    let (data, mut diagnostics) = read_all(id, &text);
    diagnostics.extend(found);
    for found in &diagnostics {
        let (start, end) = (found.primary.start as usize, found.primary.end as usize);
        assert!(
            text.get(start..end).is_some(),
            "a span on character boundaries"
        );
        assert!(sources.location(found.primary).is_some());
    }
    let _ = render(&diagnostics, &sources, true);
    let plain = render(&diagnostics, &sources, false);
    assert_eq!(plain.is_empty(), diagnostics.is_empty());
    for datum in &data {
        let again = read_all(id, &datum.to_string());
        assert!(
            again.1.is_empty() && again.0.len() == 1 && again.0[0] == *datum,
            "{datum}"
        );
    }
    let kept = Reader::new(id, &text).fold_case(true).keep_cycles();
    assert!(kept.count() <= text.len() + 1);
}

/// Texts made of pieces that mean something to the reader.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "(",
        ")",
        "#(",
        "#u8(",
        "'",
        "`",
        ",",
        ",@",
        ".",
        " . ",
        "#;",
        "#|",
        "|#",
        "|",
        "\"",
        "\\",
        "#\\",
        "#\\x",
        "\\x",
        ";",
        "#0=",
        "#0#",
        "#1=",
        "#1#",
        "#!fold-case",
        "#!eof",
        "#!",
        "#x",
        "#e",
        "#i",
        "1",
        "-",
        "+",
        "/",
        "e",
        "i",
        "@",
        "a",
        "λ",
        "\u{301}",
        "\r",
        "\n",
        " ",
        "\t",
        "[",
        "]",
        "{",
        "}",
        "#",
        "#t",
        "#true",
        "#<",
        ">",
        "inf.0",
        "nan.0",
        "\u{feff}",
        "0",
        "255",
        "256",
        "\0",
        "“",
        "\u{200d}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive(bytes);
    }

    #[test]
    fn arbitrary_text(text in "\\PC*") {
        survive(text.into_bytes());
    }

    #[test]
    fn arbitrary_syntax(text in pieces()) {
        survive(text.into_bytes());
    }

    #[test]
    fn cut_programs(at in 0usize..400) {
        let program = include_str!("../golden/reader/notation.txt");
        survive(program.as_bytes()[..at.min(program.len())].to_vec());
    }
}
