//! Sources, spans and locations.

use bowline_syntax::{Diagnostic, SourceId, SourceMap, Span, Symbol, render};

#[test]
fn locations_count_lines_and_characters_from_one() {
    let mut sources = SourceMap::new();
    let id = sources.add("a.scm", "λx\r\n\ny");
    let at = |start| {
        sources
            .location(Span::new(id, start, start))
            .expect("a place")
            .to_string()
    };
    assert_eq!(at(0), "a.scm:1:1");
    assert_eq!(at(2), "a.scm:1:2");
    assert_eq!(at(1), "a.scm:1:1", "inside a character is at its beginning");
    assert_eq!(at(5), "a.scm:2:1");
    assert_eq!(at(6), "a.scm:3:1");
    assert_eq!(at(7), "a.scm:3:2");
    assert_eq!(at(1000), "a.scm:3:2");
    let line = |start| sources.line_text(Span::new(id, start, start));
    assert_eq!((line(0), line(5), line(6)), ("λx", "", "y"));
}

#[test]
fn an_empty_source_has_one_line() {
    let mut sources = SourceMap::new();
    let id = sources.add("empty", "");
    assert_eq!(
        sources
            .location(Span::new(id, 0, 0))
            .expect("a place")
            .to_string(),
        "empty:1:1"
    );
    assert_eq!(sources.line_text(Span::new(id, 0, 0)), "");
}

#[test]
fn unknown_sources_have_no_place() {
    let sources = SourceMap::new();
    assert_eq!(sources.location(Span::NONE), None);
    assert_eq!(sources.location(Span::new(SourceId(0), 0, 0)), None);
    assert_eq!(
        (sources.text(SourceId(3)), sources.name(SourceId(3))),
        ("", "<unknown>")
    );
    assert_eq!(
        (
            sources.line_text(Span::NONE),
            sources.shared_text(SourceId::NONE)
        ),
        ("", None)
    );
}

#[test]
fn libraries_are_marked() {
    let mut sources = SourceMap::new();
    let (user, library) = (
        sources.add("a", "x"),
        sources.add_library("b", String::from("y")),
    );
    assert!(
        !sources.is_library(user)
            && sources.is_library(library)
            && !sources.is_library(SourceId::NONE)
    );
    assert_eq!((sources.text(library), sources.name(library)), ("y", "b"));
    assert_eq!(sources.shared_text(user).as_deref(), Some("x"));
}

#[test]
fn spans_join() {
    let a = Span::new(SourceId(0), 3, 5);
    let b = Span::new(SourceId(0), 1, 4);
    let other = Span::new(SourceId(1), 0, 9);
    assert_eq!(a.to(b), Span::new(SourceId(0), 1, 5));
    assert_eq!((a.to(other), a.to(Span::NONE), Span::NONE.to(a)), (a, a, a));
    assert!(Span::NONE.is_none() && !a.is_none());
}

#[test]
fn symbols_compare_by_their_characters() {
    let (a, b) = (Symbol::new("a"), Symbol::from("b"));
    assert!(a == Symbol::new("a") && a == a.clone() && a != b && a < b);
    assert!(a == "a" && a == *"a");
    assert_eq!(
        (format!("{a}"), format!("{a:?}"), &*a.shared()),
        ("a".into(), "\"a\"".into(), "a")
    );
}

#[test]
fn a_text_may_continue_the_lines_of_another() {
    let mut sources = SourceMap::new();
    sources.add_from_line("repl", "(a)", 1);
    let second = sources.add_from_line("repl", "(b\n c)", 2);
    let place = |at| sources.location(Span::new(second, at, at + 1)).unwrap();
    assert_eq!(place(1).to_string(), "repl:2:2");
    assert_eq!(place(4).to_string(), "repl:3:2");
    let error = Diagnostic::error("odd", Span::new(second, 4, 5));
    let text = render(&[error], &sources, false);
    assert!(
        text.starts_with("repl:3:2: error: odd") && text.contains("3 |  c)"),
        "{text}"
    );
}
