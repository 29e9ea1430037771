//! Tests of inv:syntax.depth: deep data on a small stack.

use std::thread;

use bowline_syntax::{
    Datum, Reader, Span, check_literal, check_unquoted, display, read_all, write, write_apart,
};

use crate::SOURCE;

/// How deep each form is nested: a level of recursion takes far more than three bytes of stack.
const DEPTH: usize = 100_000;

/// Runs on a stack that a few thousand recursive calls would overflow.
fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(256 * 1024).spawn(body);
    thread.expect("a thread").join().expect("no panic");
}

/// Reads, prints, compares, clones and drops a text that is its own canonical form.
fn round_trip(text: String) {
    on_a_small_stack(move || {
        let (data, diagnostics) = read_all(SOURCE, &text);
        assert!(diagnostics.is_empty() && data.len() == 1);
        assert!(write(&data[0]) == text);
        assert_eq!(display(&data[0]).len(), text.len());
        let clone = data[0].clone();
        let (again, _) = read_all(SOURCE, &text);
        assert!(again == data);
        drop(data);
        assert!(format!("{clone:?}").len() > text.len());
        drop(clone);
    });
}

#[test]
fn a_million_lists() {
    let depth = 1_000_000;
    round_trip(format!("{}{}", "(".repeat(depth), ")".repeat(depth)));
}

#[test]
fn lists_with_siblings() {
    round_trip(format!("{}(){}", "(a ".repeat(DEPTH), " b)".repeat(DEPTH)));
}

#[test]
fn vectors() {
    round_trip(format!("{}{}", "#(".repeat(DEPTH), ")".repeat(DEPTH)));
}

#[test]
fn quotes() {
    round_trip(format!("{}a", "'".repeat(DEPTH)));
}

#[test]
fn mixed() {
    let count = DEPTH / 4;
    round_trip(format!(
        "{}x{}",
        "(a #('#(b ".repeat(count),
        ")))".repeat(count)
    ));
}

#[test]
fn tails() {
    on_a_small_stack(|| {
        let text = format!("{}b{}", "(a . ".repeat(DEPTH), ")".repeat(DEPTH));
        let (data, diagnostics) = read_all(SOURCE, &text);
        assert!(diagnostics.is_empty());
        assert_eq!(write(&data[0]).len(), "a ".len() * DEPTH + "(. b)".len());
    });
}

#[test]
fn vectors_in_tails() {
    round_trip(format!(
        "{}b{}",
        "(a . #(".repeat(DEPTH / 2),
        "))".repeat(DEPTH / 2)
    ));
}

#[test]
fn labels_and_comments() {
    on_a_small_stack(|| {
        let text = format!("{}a{}", "#;(".repeat(DEPTH), ")".repeat(DEPTH));
        assert_eq!(read_all(SOURCE, &text), (Vec::new(), Vec::new()));
        let text = format!("{}{}", "#;".repeat(DEPTH), "a ".repeat(DEPTH));
        assert_eq!(read_all(SOURCE, &text), (Vec::new(), Vec::new()));
        let text: String = (0..DEPTH / 4).map(|n| format!("(#{n}=")).collect();
        let text = format!("{text}a{}", ")".repeat(DEPTH / 4));
        assert_eq!(read_all(SOURCE, &text).0.len(), 1);
        let mut kept: String = (0..DEPTH / 4).map(|n| format!("#{n}=(#{n}# ")).collect();
        kept.push_str(&")".repeat(DEPTH / 4));
        let datum = Reader::new(SOURCE, &kept).keep_cycles().next();
        let datum = datum.expect("a datum").expect("no error");
        assert!(datum == datum.clone());
        assert!(write(&datum).starts_with("#0=(#0# #1=(#1# "));
        let mut next = 7;
        assert!(write_apart(&datum, &mut next).starts_with("#7=(#7# #8=(#8# "));
        assert_eq!(next as usize, 7 + DEPTH / 4);
        assert_eq!(check_literal(&datum), None);
        assert!(check_unquoted(&datum).is_some());
    });
}

#[test]
fn block_comments() {
    on_a_small_stack(|| {
        let text = format!("{}{} a", "#|".repeat(DEPTH), "|#".repeat(DEPTH));
        assert_eq!(read_all(SOURCE, &text).0.len(), 1);
        assert_eq!(read_all(SOURCE, &"#|".repeat(DEPTH)).1.len(), 1);
    });
}

#[test]
fn what_is_not_closed() {
    on_a_small_stack(|| {
        for opening in ["(", "#(", "'", "(a . ", "#;", "'(", "(a . '", "#u8("] {
            let (data, diagnostics) = read_all(SOURCE, &opening.repeat(DEPTH));
            assert!(data.is_empty(), "{opening}");
            assert!(!diagnostics.is_empty(), "{opening}");
        }
        assert_eq!(read_all(SOURCE, &")".repeat(DEPTH)).1.len(), 101);
    });
}

/// Each labelled tail must be copied into its front; the copies are bounded, not quadratic.
#[test]
fn labelled_tails() {
    on_a_small_stack(|| {
        let count = DEPTH;
        let mut text: String = (0..count).map(|n| format!("(a . #{n}=")).collect();
        text.push('b');
        text.push_str(&")".repeat(count));
        let (data, diagnostics) = read_all(SOURCE, &text);
        assert!(data.is_empty());
        assert_eq!(diagnostics.len(), 1);
        assert_eq!(
            diagnostics[0].message,
            "datum labels repeat more than 1000000 parts in one datum"
        );
    });
}

#[test]
fn data_made_by_hand() {
    on_a_small_stack(|| {
        let build = || {
            (0..DEPTH).fold(Datum::symbol("a", Span::NONE), |datum, _| {
                Datum::list([datum], Span::NONE)
            })
        };
        let (a, b) = (build(), build());
        assert!(a == b);
        let shared = a.clone();
        drop(a);
        drop(b);
        assert_eq!(write(&shared).len(), 2 * DEPTH + 1);
    });
}
