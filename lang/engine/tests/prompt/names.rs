//! Completion, hints and colours.

use bowline_engine::TokenClass;

use crate::support::{Prompt, cases};

cases! {
    names
    commands
    files
    libraries
    hints
    colours
    any_text
}

fn texts(p: &Prompt, line: &str) -> (usize, Vec<String>) {
    let (start, found) = p.at.complete(line, line.len());
    (
        start,
        found.into_iter().map(|candidate| candidate.text).collect(),
    )
}

fn names() {
    let mut p = Prompt::new();
    let (start, found) = p.at.complete("(vector-ma", 10);
    assert_eq!(start, 1);
    let shown: Vec<_> = found
        .iter()
        .map(|c| (c.text.as_str(), c.about.as_str()))
        .collect();
    assert_eq!(shown, [("vector-map", "procedure (scheme base)")]);
    p.says("(define vector-mine 1) (define-syntax vector-mac (syntax-rules ()))");
    p.fails("(vector-mentioned)");
    let (_, found) = p.at.complete("(vector-m 5)", 9);
    let shown: Vec<_> = found
        .iter()
        .map(|c| (c.text.as_str(), c.about.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("vector-mac", "syntax, yours"),
            ("vector-map", "procedure (scheme base)"),
            ("vector-mine", "yours"),
        ]
    );
    assert_eq!(
        texts(&p, "(define-rec"),
        (1, vec!["define-record-type".to_string()])
    );
    assert_eq!(texts(&p, "(f 'vector-mi").1, ["vector-mine"]);
    assert_eq!(texts(&p, "(car ").1, [""; 0]);
    assert_eq!(texts(&p, "; vec").1, [""; 0]);
    assert_eq!(texts(&p, "\"vec").1, [""; 0]);
    assert_eq!(texts(&p, "zzz").1, [""; 0]);
}

fn commands() {
    let p = Prompt::new();
    assert_eq!(
        texts(&p, ",ex"),
        (0, vec![",expand".to_string(), ",expand1".to_string()])
    );
    assert_eq!(texts(&p, " ,q"), (1, vec![",quit".to_string()]));
    assert_eq!(texts(&p, ",").1.len(), 13);
    assert_eq!(
        texts(&p, ",doc vector-ma"),
        (5, vec!["vector-map".to_string()])
    );
    assert_eq!(
        texts(&p, ",time (vector-ma"),
        (7, vec!["vector-map".to_string()])
    );
    assert_eq!(
        texts(&p, ",import (scheme proc"),
        (16, vec!["process-context".to_string()])
    );
}

fn files() {
    let p = Prompt::new();
    let folder = std::env::temp_dir().join(format!("bowline-names-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("inner")).expect("a folder");
    for name in ["one.scm", "onto.scm", ".hidden"] {
        std::fs::write(folder.join(name), "").expect("a file");
    }
    let path = folder.display().to_string();
    let line = format!(",load {path}/on");
    assert_eq!(
        texts(&p, &line),
        (
            6,
            vec![format!("{path}/one.scm"), format!("{path}/onto.scm")]
        )
    );
    let line = format!("(load \"{path}/i");
    assert_eq!(texts(&p, &line), (7, vec![format!("{path}/inner/")]));
    let line = format!("(open-input-file \"{path}/");
    assert_eq!(texts(&p, &line).1.len(), 3);
    assert_eq!(texts(&p, &format!("(string-append \"{path}/")).1, [""; 0]);
    assert_eq!(texts(&p, ",load /no/such/folder/").1, [""; 0]);
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}

fn libraries() {
    let mut p = Prompt::new();
    assert_eq!(texts(&p, "(import (sch"), (9, vec!["scheme".to_string()]));
    assert_eq!(
        texts(&p, "(import (only (scheme ca"),
        (22, vec!["case-lambda".to_string()])
    );
    assert!(
        !texts(&p, "(import (bowline ")
            .1
            .contains(&"primitives".to_string())
    );
    p.says("(define-library (my own) (export))");
    assert_eq!(texts(&p, "(import (my o").1, ["own"]);
}

fn hints() {
    let mut p = Prompt::new();
    let hint = |p: &Prompt, line: &str| p.at.hint(line, line.len());
    assert_eq!(
        hint(&p, "(cons 1 ").as_deref(),
        Some("(cons object1 object2) → pair")
    );
    assert_eq!(
        hint(&p, "(cons (list 1) ").as_deref(),
        Some("(cons object1 object2) → pair")
    );
    assert_eq!(
        hint(&p, "(let ((x (car ").as_deref(),
        Some("(car pair) → object")
    );
    assert!(hint(&p, "(let ((nothing ").is_some_and(|hint| hint.starts_with("(let ")));
    assert_eq!(hint(&p, "(nothing "), None);
    assert_eq!(hint(&p, "'(cons 1 "), None);
    assert_eq!(hint(&p, "cons "), None);
    p.says("(define (area width height) (* width height))");
    assert_eq!(hint(&p, "(area ").as_deref(), Some("(area width height)"));
    assert_eq!(
        hint(&p, ",time (area ").as_deref(),
        Some("(area width height)")
    );
    assert_eq!(
        p.at.hint("(area (car 1))", 6).as_deref(),
        Some("(area width height)")
    );
}

fn colours() {
    let mut p = Prompt::new();
    p.says("(define mine 1)");
    let text = "(if mine (car x) \"s\")";
    let classes: Vec<_> =
        p.at.tokens(text)
            .into_iter()
            .filter(|token| token.class != TokenClass::Other)
            .map(|token| (&text[token.range], token.class))
            .collect();
    use TokenClass::{Bound, Keyword, Name, Paren, String};
    assert_eq!(
        classes,
        [
            ("(", Paren(0)),
            ("if", Keyword),
            ("mine", Bound),
            ("(", Paren(1)),
            ("car", Bound),
            ("x", Name),
            (")", Paren(1)),
            ("\"s\"", String),
            (")", Paren(0)),
        ]
    );
}

/// Whatever stands there, and wherever the cursor is, there is an answer.
fn any_text() {
    let p = Prompt::new();
    let texts = [
        "",
        "(",
        ")",
        "'",
        ",",
        ",,",
        ", doc",
        "(import",
        "(import (",
        "(import (scheme",
        "\"",
        "\"é",
        "#\\",
        "#",
        "#;",
        "#|",
        "|a",
        "(λ é",
        ",load ",
        ",import",
        ",time",
        "#u8(",
        "(load \"",
        "`(,@",
        ";",
        "(a . ",
        "\u{1f600}(",
        "[",
        "{car",
        "#0=(a . #0#)",
        ",expand1 (",
        "(import . x",
    ];
    for text in texts {
        for at in 0..=text.len() + 1 {
            let at = at.min(text.len());
            let (start, _) = p.at.complete(text, at);
            assert!(
                start <= text.len() && text.is_char_boundary(start),
                "{text:?} {at}"
            );
            p.at.hint(text, at);
        }
        let covered: usize =
            p.at.tokens(text)
                .iter()
                .map(|token| token.range.len())
                .sum();
        assert_eq!(covered, text.len(), "{text:?}");
    }
}
