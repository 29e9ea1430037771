//! The reader as a stream, its spans, and sharing.

use std::rc::Rc;

use bowline_syntax::{Datum, DatumKind, ReadError, Reader, SourceId, Span, decode, read_all};

use crate::{SOURCE, data, datum, messages};

fn range(datum: &Datum) -> (u32, u32) {
    (datum.span.start, datum.span.end)
}

fn items(datum: &Datum) -> &[Datum] {
    datum.as_list().expect("a list")
}

#[test]
fn spans_cover_the_text_of_each_datum() {
    let list = datum("  (λ 'b #(c) . \"d\") ; end");
    assert_eq!(range(&list), (2, 20));
    let DatumKind::Improper(front, tail) = &list.kind else {
        panic!("an improper list")
    };
    let ranges: Vec<_> = front.iter().map(range).collect();
    assert_eq!(ranges, [(3, 5), (6, 8), (9, 13)]);
    assert_eq!(range(tail), (16, 19));
    let quoted = items(&front[1]);
    assert_eq!((range(&quoted[0]), range(&quoted[1])), ((6, 7), (7, 8)));
    assert_eq!(list.span.source, SOURCE);
}

#[test]
fn a_reader_yields_one_datum_at_a_time() {
    let mut reader = Reader::new(SourceId(7), "a ) (b \"\\q\") c (d");
    let mut next = || reader.next().map(|result| (result, reader.offset()));
    let (a, offset) = next().expect("a result");
    assert!(a.is_ok_and(|a| a.is_symbol("a")) && offset == 1);
    let (error, offset) = next().expect("a result");
    let error = error.expect_err("an unexpected parenthesis");
    assert!(!error.is_incomplete() && offset == 3);
    assert_eq!(error.diagnostic().primary, Span::new(SourceId(7), 2, 3));
    let (error, offset) = next().expect("a result");
    assert!(matches!(error, Err(ReadError::Invalid(_))) && offset == 12);
    assert!(next().expect("a result").0.is_ok());
    let (error, offset) = next().expect("a result");
    let error = error.expect_err("an unclosed list");
    assert!(error.is_incomplete() && offset == 17);
    assert_eq!(error.into_diagnostic().message, "this `(` is not closed");
    assert!(next().is_none());
    assert!(next().is_none());
}

#[test]
fn texts_that_more_text_may_complete() {
    let incomplete = [
        "(", "(a", "#(", "#u8(1", "\"abc", "\"abc\\", "|abc", "#|", "#| #| |#", "#\\", "'",
        "(a . ", "#;", "#0=", "(a #;", "(\"\\q\"", "(]) (",
    ];
    for text in incomplete {
        let last = Reader::new(SOURCE, text).last().expect("a result");
        assert!(last.expect_err(text).is_incomplete(), "{text}");
    }
    for text in ["", "  ", "; comment", "#;a", "#| a |#", "#!fold-case"] {
        assert!(Reader::new(SOURCE, text).next().is_none(), "{text}");
    }
}

#[test]
fn labels_share_their_datum() {
    let list = datum("(#0=(a b) #0# #1=\"s\" #1#)");
    let items = items(&list);
    let (DatumKind::List(first), DatumKind::List(second)) = (&items[0].kind, &items[1].kind) else {
        panic!("two lists")
    };
    assert!(Rc::ptr_eq(first, second));
    assert_eq!(range(&items[1]), (10, 13));
    let (DatumKind::String(first), DatumKind::String(second)) = (&items[2].kind, &items[3].kind)
    else {
        panic!("two strings")
    };
    assert!(Rc::ptr_eq(first, second));
}

#[test]
fn folding_lasts_until_told_otherwise() {
    let mut reader = Reader::new(SOURCE, "A #!no-fold-case B #!fold-case C").fold_case(true);
    assert!(reader.is_folding());
    let names: Vec<String> = reader
        .by_ref()
        .map(|datum| datum.expect("a symbol").to_string())
        .collect();
    assert_eq!(names, ["a", "B", "c"]);
    assert!(reader.is_folding());
}

#[test]
fn the_first_line_may_say_who_runs_the_script() {
    assert_eq!(data("#!/usr/bin/env -S bowline run\n(a)").len(), 1);
    assert_eq!(data("\u{feff}#! /usr/bin/bowline\n(a)").len(), 1);
    assert_eq!(messages("(a)\n#!/usr/bin/env\n").len(), 1);
}

#[test]
fn line_ends_in_strings_are_newlines() {
    assert_eq!(datum("\"a\r\nb\rc\nd\""), datum("\"a\\nb\\nc\\nd\""));
    assert_eq!(datum("\"a\\  \r\n \t b\""), datum("\"ab\""));
    assert_eq!(datum("\"a\\\n\n b\""), datum("\"a\\n b\""));
    assert_eq!(messages("|a\\\nb|").len(), 1);
}

#[test]
fn comments_end_where_lines_do() {
    assert_eq!(data("a ; x\rb ; y\r\nc ; z").len(), 3);
}

#[test]
fn delimiters_end_tokens() {
    assert_eq!(data("a(b)\"c\"|d|e;f\n#\\a(g)#\\((h)").len(), 9);
    assert_eq!(
        messages(r"#t#f a#\b"),
        [
            "unknown syntax `#t#f`",
            r"`\` may not stand bare in a symbol"
        ]
    );
}

#[test]
fn bytes_that_are_not_utf8_are_reported() {
    let (text, found) = decode(SOURCE, b"(a \"b\")".to_vec());
    assert_eq!((text.as_str(), found), ("(a \"b\")", None));
    let (text, found) = decode(SOURCE, b"(\xce\xbb \xff\xfe c)".to_vec());
    assert_eq!(text, "(λ \u{fffd}\u{fffd} c)");
    let found = found.expect("a finding");
    assert_eq!(found.message, "the byte 0xff is not UTF-8");
    assert_eq!(
        &text[found.primary.start as usize..found.primary.end as usize],
        "\u{fffd}"
    );
    let (_, found) = decode(SOURCE, b"ab\xe2\x82".to_vec());
    assert_eq!(
        found.expect("a finding").message,
        "the byte 0xe2 is not UTF-8"
    );
}

#[test]
fn equality_ignores_places_and_respects_kinds() {
    assert_eq!(
        datum("(a #(b \"c\" #u8(1)) . #\\d)"),
        datum("  (a #( b \"c\" #u8( 1 )) . #\\d )")
    );
    for (a, b) in [
        ("(a)", "#(a)"),
        ("(a)", "(a a)"),
        ("(a . b)", "(a b)"),
        ("(a . b)", "(a . c)"),
        ("1", "1.0"),
        ("a", "\"a\""),
    ] {
        assert_ne!(datum(a), datum(b), "{a} {b}");
    }
    let kept = |text| {
        Reader::new(SOURCE, text)
            .keep_cycles()
            .next()
            .expect("a datum")
            .expect("no error")
    };
    assert_eq!(kept("#0=(a #0#)"), kept("#0=(a . (#0#))"));
    assert_ne!(kept("#0=(a #0#)"), kept("#1=(a #1#)"));
    assert_ne!(kept("#0=(a #0#)"), kept("(a)"));
}

#[test]
fn accessors() {
    assert!(datum("()").is_null() && !datum("(a)").is_null() && !datum("#()").is_null());
    assert_eq!(
        datum("a")
            .as_symbol()
            .map(|symbol| symbol.as_str().to_owned()),
        Some("a".to_owned())
    );
    assert_eq!(datum("1").as_symbol(), None);
    assert!(datum("(a . b)").as_list().is_none());
    let tail = Datum::list_with_tail(vec![datum("a")], datum("(b . c)"), Span::NONE);
    assert_eq!(tail, datum("(a b . c)"));
    assert_eq!(
        Datum::list_with_tail(Vec::new(), datum("b"), Span::NONE),
        datum("b")
    );
}

#[test]
fn a_thousand_errors_stop_the_reader() {
    let (data, diagnostics) = read_all(SOURCE, &"(\"\\q\" a) ".repeat(1000));
    assert!(data.is_empty());
    assert_eq!(diagnostics.len(), 101);
    assert_eq!(
        diagnostics[100].message,
        "more than 100 errors: reading stops here"
    );
    let (_, diagnostics) = read_all(SOURCE, &format!("({})", "\"\\q\" ".repeat(1000)));
    assert_eq!(diagnostics.len(), 101);
}
