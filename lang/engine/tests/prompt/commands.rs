//! Commands.

use bowline_engine::Reply;

use crate::support::{Prompt, cases};

cases! {
    help
    unknown_commands
    doc_of_the_library
    doc_of_own_definitions
    doc_of_what_was_mentioned_before
    doc_of_what_was_defined_again
    doc_of_nothing
    expand
    expand_once
    bytecode
    time
    gc
    backtrace
    load
    import
    apropos
    env
    quit
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => panic!("{text}\nlacks {part}"),
        }
    }
}

fn help() {
    let mut p = Prompt::new();
    let commands = [
        ",apropos TEXT",
        ",bt",
        ",dis",
        ",doc NAME",
        ",env",
        ",expand FORM",
        ",expand1",
        ",gc",
        ",help",
        ",import SET",
        ",load FILE",
        ",quit",
        ",time EXPR",
    ];
    has(&p.says(",help"), &commands);
    has(&p.says("  ,h  "), &commands);
    assert_eq!(
        p.says(",help doc"),
        ",doc NAME\n  what NAME is and how it is used\n"
    );
    assert_eq!(
        p.says(",help ,bt"),
        ",bt\n  all that was told of the last error, with every call\n"
    );
}

fn unknown_commands() {
    let mut p = Prompt::new();
    p.tells(
        ",hepl",
        &["there is no command `,hepl`: did you mean `,help`?"],
    );
    p.tells(",zzz", &["there is no command `,zzz`: ,help lists them"]);
    p.tells(",", &["there is no command `,`"]);
    p.tells(",e", &["`,e` may be any of ,env ,expand ,expand1"]);
    p.tells(",doc", &["it is used so: ,doc NAME"]);
    p.tells(",bt now", &["it is used so: ,bt"]);
    p.tells(",gc now", &["it is used so: ,gc [minor | stats]"]);
    p.tells(",expand a b", &["it is used so: ,expand FORM"]);
    p.tells(",time (car", &["not closed"]);
    p.check(&[("(+ 1 2)", "3\n")]);
}

fn doc_of_the_library() {
    let mut p = Prompt::new();
    has(
        &p.says(",doc car"),
        &[
            "(car pair) → object\n  procedure (scheme base)\n",
            "The first part",
            "> (car '(a b c)) ⇒ a",
        ],
    );
    has(&p.says(",doc if"), &["(if ", "syntax (scheme base)"]);
    has(&p.says(",do else"), &["keyword (scheme base)"]);
}

fn doc_of_own_definitions() {
    let mut p = Prompt::new();
    p.says(
        ";; The area of a circle.\n;; R is its radius.\n(define (area r . more)\n  (* 3 r r))\n\n\
         ; not this\n\n(define limit 10)\n(define twice (lambda (x) (* 2 x)))\n\
         (define f (case-lambda ((a) 1) ((a b . c) 2)))\n\
         (define-syntax unless* (syntax-rules () ((_ test body ...) (if test #f (begin body ...)))))\n\
         (define-record-type <point> (make-point x y) point? (x point-x set-point-x!) (y point-y))\n\
         (define g car)\n(define compose (let ((n 1)) (lambda (a b) n)))",
    );
    p.check(&[
        (
            ",doc area",
            "(area r . more)\n  procedure, yours, defined at repl:3:10\n  The area of a circle.\n  R is its radius.\n",
        ),
        (",doc limit", "limit\n  yours, defined at repl:8:9\n  its value: 10\n"),
        (",doc twice", "(twice x)\n  procedure, yours, defined at repl:9:9\n"),
        (",doc f", "(f a)\n(f a b . c)\n  procedure, yours, defined at repl:10:9\n"),
        (
            ",doc unless*",
            "(unless* test body ...)\n  syntax, yours, defined at repl:11:16\n",
        ),
        (",doc make-point", "(make-point x y)\n  procedure, yours, defined at repl:12:30\n"),
        (",doc point?", "(point? object)\n  procedure, yours, defined at repl:12:46\n"),
        (",doc point-x", "(point-x <point>)\n  procedure, yours, defined at repl:12:56\n"),
        (",doc set-point-x!", "(set-point-x! <point> value)\n  procedure, yours, defined at repl:12:64\n"),
        (",doc g", "(g arg1)\n  procedure, yours, defined at repl:13:9\n"),
        (",doc compose", "(compose a b)\n  procedure, yours, defined at repl:14:9\n"),
    ]);
    p.says(
        "(define-library (my lib) (export go) (import (scheme base)) (begin (define (go x y) x)))",
    );
    p.says("(import (my lib))");
    has(
        &p.says(",doc go"),
        &["(go arg1 arg2)", "procedure (my lib), imported at repl:"],
    );
    // Its own name for something of the library's is described by what it is.
    p.says("(define (car x) 'mine)");
    has(&p.says(",doc car"), &["(car x)\n  procedure, yours"]);
}

/// What counts is the definition, not where a name stood first.
fn doc_of_what_was_mentioned_before() {
    let mut p = Prompt::new();
    p.says("(define (f a) (list (g a) limit (point? a)))");
    p.says("(define (g x y) (* x y)) (define limit 10)");
    p.says(
        "(define (even2? n) (if (= n 0) #t (odd2? (- n 1))))\n(define (odd2? m) (even2? (- m 1)))",
    );
    p.says("(define-record-type point (make-point x) point? (x point-x))");
    p.check(&[
        (
            ",doc g",
            "(g x y)\n  procedure, yours, defined at repl:2:10\n",
        ),
        (
            ",doc limit",
            "limit\n  yours, defined at repl:2:34\n  its value: 10\n",
        ),
        (
            ",doc odd2?",
            "(odd2? m)\n  procedure, yours, defined at repl:4:10\n",
        ),
        (
            ",doc point?",
            "(point? object)\n  procedure, yours, defined at repl:5:42\n",
        ),
        (
            ",env",
            "  even2?      (even2? n)\n  f           (f a)\n  g           (g x y)\n  \
             limit       10\n  make-point  (make-point x)\n  odd2?       (odd2? m)\n  point       #<record-type point>\n  \
             point-x     (point-x point)\n  point?      (point? object)\n",
        ),
    ]);
    assert_eq!(p.at.hint("(g ", 3).as_deref(), Some("(g x y)"));
}

fn doc_of_what_was_defined_again() {
    let mut p = Prompt::new();
    p.says("(define (f a) a) (define (g a) a) (define (h a) a) (define k f)");
    p.says("(define (f b c) b)");
    p.says("(set! g (lambda (d . e) d)) (set! h 5)");
    p.fails("(define k (car 1))");
    p.check(&[
        (
            ",doc f",
            "(f b c)\n  procedure, yours, defined at repl:2:10\n",
        ),
        (
            ",doc g",
            "(g d . e)\n  procedure, yours, defined at repl:1:27\n",
        ),
        (
            ",doc h",
            "h\n  yours, defined at repl:1:44\n  its value: 5\n",
        ),
        (
            ",doc k",
            "(k a)\n  procedure, yours, defined at repl:1:60\n",
        ),
    ]);
    p.fails("(begin (define new (lambda (x) x)) (define never (car 1)))");
    p.check(&[(
        ",doc new",
        "(new x)\n  procedure, yours, defined at repl:5:16\n",
    )]);
    p.tells(",doc never", &["means nothing here"]);
    p.says("(define-syntax twice (syntax-rules () ((_ n) (define (n x y) x)))) (twice made)");
    p.check(&[(
        ",doc made",
        "(made arg1 arg2)\n  procedure, yours, defined at repl:6:75\n",
    )]);
}

fn doc_of_nothing() {
    let mut p = Prompt::new();
    p.tells(
        ",doc vecotr-ref",
        &["`vecotr-ref` means nothing here: did you mean `vector-ref`?"],
    );
    p.tells(",doc qqqq", &["means nothing here: ,apropos"]);
    // A name that was only mentioned still means nothing.
    p.fails("(mentioned)");
    p.tells(",doc mentioned", &["means nothing here"]);
}

fn expand() {
    let mut p = Prompt::new();
    p.says("(define-syntax my-or (syntax-rules () ((_ a b) (let ((t a)) (if t t b)))))");
    has(
        &p.says(",expand (lambda (t) (my-or #f t))"),
        &["lambda", "t.0", "let", "t.1", "if t.1 t.1 t.0"],
    );
    has(
        &p.says(",expand (define (f x) (when x 1 2))"),
        &["define", "f", "if x."],
    );
    // Nothing was defined by that.
    p.tells(",doc f", &["means nothing"]);
    p.tells(",expand (if)", &["repl:4:9: error: bad `if`"]);
    p.check(&[(",expand (import (scheme base))", "")]);
}

fn expand_once() {
    let mut p = Prompt::new();
    p.says("(define-syntax swap! (syntax-rules () ((_ a b) (let ((t a)) (set! a b) (set! b t)))))");
    p.check(&[(
        ",expand1 (swap! x y)",
        "(let ((t x)) (set! x y) (set! y t))\n",
    )]);
    p.tells(",expand1 (car x)", &["no use of a macro"]);
    p.tells(",expand1 (swap! x)", &["swap!"]);
    p.tells(
        ",expand1 (when 1 2)",
        &["`when` is built in, no macro: ,expand shows what becomes of the form"],
    );
}

fn bytecode() {
    let mut p = Prompt::new();
    p.says("(define (f x) (if (null? x) 1 (g (cdr x)))) (define (g x) (f x))");
    has(
        &p.says(",dis f"),
        &[" f:\n", "enter", "tail_call_global", "g"],
    );
    assert!(
        !p.says(",dis f").contains("g:\n"),
        "the other function is left out"
    );
    has(
        &p.says(",dis (lambda (a) (+ a 1))"),
        &["f0 -:", "f1 -:", "return"],
    );
    p.tells(",dis car", &["the procedure `car` is not bytecode"]);
    p.says("(define n 1)");
    p.tells(",dis n", &["the value of `n` is no procedure"]);
    p.tells(",dis nobody", &["nobody"]);
}

fn time() {
    let mut p = Prompt::new();
    let text = p.says(",time (vector-length (make-vector 100000 0))");
    has(
        &text,
        &[
            "100000\n",
            "wall",
            "cpu",
            "allocated",
            "KiB\n",
            "collections",
            "minor",
            "foreign calls",
            "0\n",
        ],
    );
    let allocated = text.lines().find(|line| line.contains("allocated"));
    assert!(
        allocated.is_some_and(|line| line.contains("78") && line.contains("KiB")),
        "{text}"
    );
    has(&p.says(",time 1 (+ 1 1)"), &["2\n", "wall"]);
    p.says("(define-foreign-library c #f) (define-foreign getpid (c \"getpid\") () int)");
    has(
        &p.says(",time (begin (getpid) (getpid))"),
        &["foreign calls  2\n"],
    );
    has(&p.says(",time (collect)"), &["1 minor, 1 full"]);
    p.tells(",time (car 1)", &["repl:6:7: error: car"]);
}

fn gc() {
    let mut p = Prompt::new();
    has(
        &p.says(",gc stats"),
        &["collections", "0 minor, 0 full", "pauses", "heap", "iB\n"],
    );
    has(&p.says(",gc"), &["1 minor, 1 full"]);
    has(&p.says(",gc minor"), &["2 minor, 1 full"]);
    has(&p.says(",gc stats"), &["2 minor, 1 full"]);
}

fn backtrace() {
    let mut p = Prompt::new();
    p.check(&[(",bt", "nothing has failed yet\n")]);
    let mut chain = "(define (f0 x) (+ 1 (car x)))".to_string();
    for i in 1..20 {
        chain += &format!("(define (f{i} x) (+ 1 (f{} x)))", i - 1);
    }
    p.says(&chain);
    let brief = p.fails("(f19 0)");
    has(
        &brief,
        &[
            "car: argument 1",
            "called from f6",
            "14 more calls: ,bt shows them",
        ],
    );
    assert!(!brief.contains("called from f7"), "{brief}");
    p.says("1");
    has(
        &p.says(",bt"),
        &[
            "car: argument 1",
            "called from f7",
            "called from f19",
            "called from repl:2:1",
        ],
    );
}

fn load() {
    let mut p = Prompt::new();
    let folder = std::env::temp_dir().join(format!("bowline-commands-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("some file.scm");
    std::fs::write(&file, "(define loaded 'yes) (display \"hello\\n\")").expect("a file");
    let path = file.display();
    p.check(&[
        (&format!(",load {path}"), ""),
        ("loaded", "yes\n"),
        (&format!(",load \"{path}\""), ""),
        (&format!("(load \"{path}\")"), ""),
        ("(define (load x) 'mine) (load \"none\")", "mine\n"),
    ]);
    std::fs::remove_dir_all(&folder).expect("it can be removed");
    p.tells(",load nowhere.scm", &["cannot read nowhere.scm"]);
}

fn import() {
    let mut p = Prompt::new();
    p.check(&[
        (
            ",import (prefix (scheme base) b:) (only (scheme cxr) caddr)",
            "",
        ),
        ("(b:car '(1))", "1\n"),
    ]);
    p.tells(
        ",import (scheme bose)",
        &[
            "repl:3:9",
            "there is no library (scheme bose)",
            "did you mean (scheme base)?",
        ],
    );
    let told = p.fails(",import (scheme foo)");
    assert!(!told.contains("did you mean"), "{told}");
}

fn apropos() {
    let mut p = Prompt::new();
    p.says("(define my-vector-thing 1)");
    let text = p.says(",apropos vector-");
    has(
        &text,
        &[
            "bytevector-append",
            "procedure (scheme base)",
            "my-vector-thing",
            "yours",
            "vector-ref",
        ],
    );
    assert!(text.lines().all(|line| line.contains("vector-")), "{text}");
    p.tells(",apropos qqqq", &["no name contains `qqqq`"]);
}

fn env() {
    let mut p = Prompt::new();
    p.check(&[(",env", "nothing is defined yet\n")]);
    p.says(
        "(define (f a b) (unknown)) (define n 5) (define-syntax m (syntax-rules () ((_ x) x))) 7",
    );
    p.check(&[(",env", "  f  (f a b)\n  m  (m x)\n  n  5\n")]);
}

fn quit() {
    assert_eq!(Prompt::new().at.submit(",quit"), Reply::Quit(0));
}
