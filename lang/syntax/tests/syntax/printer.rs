//! What `write` and `display` print.

use bowline_syntax::{
    display, fold_case, is_plain_identifier, write, write_character, write_string, write_symbol,
};

use crate::{datum, rewritten};

#[test]
fn canonical_texts_stay_as_they_are() {
    let texts = [
        "()",
        "(a b c)",
        "(a . b)",
        "(a b . c)",
        "#()",
        "#(a #(b) ())",
        "#u8()",
        "#u8(0 255)",
        "'a",
        "`(a ,b ,@c)",
        "''a",
        "(quote)",
        "(quote a b)",
        "(quote . a)",
        "(a quote b c)",
        "#t",
        "#f",
        "\"a\\nb\"",
        "#\\a",
        "#\\space",
        "1/2",
        "-1.5",
        "|a b|",
        "||",
        "|1|",
        "|+i|",
        "|1/0|",
        "|.|",
        "...",
        "+",
        "-",
        "->x",
        "|a#b|",
        "|A\\|b|",
        "#!eof",
        "#!default",
        "#!unspecified",
        "λ",
        "#\\λ",
    ];
    for text in texts {
        assert_eq!(rewritten(text), text);
    }
}

#[test]
fn other_spellings_become_canonical() {
    assert_eq!(rewritten("(quote a)"), "'a");
    assert_eq!(rewritten("(a . (b . (c . ())))"), "(a b c)");
    assert_eq!(rewritten("(a . (b . c))"), "(a b . c)");
    assert_eq!(rewritten("(a . 'b)"), "(a quote b)");
    assert_eq!(rewritten("#\\x0"), "#\\null");
    assert_eq!(rewritten("#\\x20"), "#\\space");
    assert_eq!(rewritten("#\\x85"), "#\\x85");
    assert_eq!(rewritten("#\\x301"), "#\\x301");
    assert_eq!(rewritten("\"\\x3bb;\\x1;\\x7f;\""), "\"λ\\x1;\\x7f;\"");
    assert_eq!(rewritten("|abc|"), "abc");
    assert_eq!(rewritten("(unquote |@x|)"), ",|@x|");
    assert_eq!(rewritten("#true"), "#t");
}

#[test]
fn display_leaves_strings_characters_and_symbols_bare() {
    assert_eq!(
        display(&datum("(\"a\\nb\" #\\c |d e| #(\"f\") . \"g\")")),
        "(a\nb c d e #(f) . g)"
    );
    assert_eq!(write(&datum("(\"a\" #\\c)")), "(\"a\" #\\c)");
    assert_eq!(format!("{}", datum("(\"a\")")), "(\"a\")");
    assert_eq!(format!("{:?}", datum("(\"a\")")), "(\"a\") @0:0..5");
}

#[test]
fn parts_print_as_the_whole_does() {
    let mut out = String::new();
    write_character('\u{7f}', &mut out);
    write_string("a\"b", &mut out);
    write_symbol("c d", &mut out);
    assert_eq!(out, "#\\delete\"a\\\"b\"|c d|");
}

#[test]
fn plain_identifiers() {
    for name in [
        "a",
        "list->vector",
        "+",
        "-",
        "...",
        "..",
        "+a",
        "-.a",
        "->",
        "!$%&*/:<=>?^_~",
        "a@",
        "é",
        "日本",
        "x1",
    ] {
        assert!(is_plain_identifier(name), "{name}");
    }
    for name in [
        "", ".", "1", "+1", "1+", "-1+", "+i", "+inf.0", "-nan.0", "a b", "a|b", "a'b", "a#b",
        "#a", "@a", "a\"", "«", "+.", "1/0",
    ] {
        assert!(!is_plain_identifier(name), "{name}");
    }
}

#[test]
fn case_folding() {
    assert_eq!(fold_case("Abc-ΣΑΣ-ς-Straße-ıI"), "abc-σασ-σ-strasse-ıi");
}
