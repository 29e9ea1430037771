//! How diagnostics look.

use bowline_syntax::{Diagnostic, Severity, SourceMap, Span, render};

fn two_sources() -> (SourceMap, Span, Span) {
    let mut sources = SourceMap::new();
    let user = sources.add("user.scm", "(define x 1)\n(when x y)\n");
    let library = sources.add(
        "lib.scm",
        "; macros\n(define-syntax when\n  (syntax-rules () …))\n",
    );
    (sources, Span::new(user, 13, 23), Span::new(library, 9, 40))
}

#[test]
fn a_place_in_another_source_is_shown_with_its_name() {
    let (sources, user, library) = two_sources();
    let found = Diagnostic::error("no clause of `when` matches", user)
        .with_label("this use")
        .with_secondary(library, "defined here")
        .with_note("`when` wants a test\nand a body");
    let text = render(&[found], &sources, false);
    let expected = "\
user.scm:2:1: error: no clause of `when` matches
  |
2 | (when x y)
  | ^^^^^^^^^^ this use
  |
 ::: lib.scm:2:1
  |
2 | (define-syntax when
  | ------------------- defined here
  |
  = note: `when` wants a test
          and a body
";
    assert_eq!(text, expected);
}

#[test]
fn severities_have_names() {
    let (sources, user, _) = two_sources();
    let found = [
        Diagnostic::warning("w", user),
        Diagnostic::new(Severity::Note, "n", user),
        Diagnostic::error("e", Span::NONE),
    ];
    let text = render(&found, &sources, false);
    assert!(text.starts_with("user.scm:2:1: warning: w\n"));
    assert!(text.contains("\nuser.scm:2:1: note: n\n"));
    assert!(text.ends_with("\nerror: e\n"));
    assert_eq!(found[0].to_string(), "warning: w");
    assert!(Severity::Error > Severity::Warning && Severity::Warning > Severity::Note);
}

#[test]
fn made_up_code_still_shows_its_notes_and_other_places() {
    let (sources, user, _) = two_sources();
    let found = Diagnostic::error("e", Span::NONE)
        .with_secondary(user, "from here")
        .with_note("advice");
    let text = render(&[found], &sources, false);
    assert!(
        text.starts_with("error: e\n")
            && text.contains("from here")
            && text.contains("note: advice"),
        "{text}"
    );
    let text = render(
        &[Diagnostic::error("e", Span::NONE).with_note("advice")],
        &sources,
        false,
    );
    assert!(text.contains("note: advice"), "{text}");
}

#[test]
fn colour_is_only_added() {
    let (sources, user, library) = two_sources();
    let found = [Diagnostic::error("e", user)
        .with_label("l")
        .with_secondary(library, "s")
        .with_note("n")];
    let colored = render(&found, &sources, true);
    assert!(colored.starts_with("user.scm:2:1: \u{1b}["));
    let mut bare = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        bare.push_str(before);
        rest = after.split_once('m').expect("a colour code ends with m").1;
    }
    bare.push_str(rest);
    assert_eq!(bare, render(&found, &sources, false));
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let mut sources = SourceMap::new();
    let id = sources.add("a\u{1b}[31m.scm", "x \u{1b}[31m y\n");
    let found = Diagnostic::error("bad \u{1b}[31m\nname", Span::new(id, 0, 1));
    let text = render(&[found], &sources, false);
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(
        text.starts_with("a\u{fffd}[31m.scm:1:1: error: bad \u{fffd}[31m name\n"),
        "{text:?}"
    );
}

#[test]
fn an_empty_span_at_the_end_is_shown() {
    let mut sources = SourceMap::new();
    let id = sources.add("a.scm", "ab\n");
    for at in [2, 3] {
        let text = render(
            &[Diagnostic::error("end", Span::new(id, at, at))],
            &sources,
            false,
        );
        assert!(text.starts_with("a.scm:") && text.contains('^'), "{text}");
    }
    let empty = sources.add("b.scm", "");
    let text = render(
        &[Diagnostic::error("end", Span::new(empty, 0, 0))],
        &sources,
        false,
    );
    assert!(text.starts_with("b.scm:1:1: error: end\n"), "{text}");
}

/// Only the lines between the first and the last mark are drawn, so a large source costs nothing.
#[test]
fn a_large_source_is_rendered_quickly() {
    let mut sources = SourceMap::new();
    let text = "(a b c)\n".repeat(500_000);
    let id = sources.add("large.scm", text.as_str());
    let found: Vec<_> = (0..1000)
        .map(|n| Diagnostic::error("e", Span::new(id, n * 4000, n * 4000 + 1)))
        .collect();
    let text = render(&found, &sources, false);
    assert!(text.contains("large.scm:499501:1: error: e\n"));
}
