//! What entries come to: values, definitions, errors, continuations, libraries.

use bowline_engine::Reply;
use bowline_gc::HeapConfig;

use crate::support::{Prompt, cases};

cases! {
    values
    names_of_values
    old_values_are_given_up
    definitions
    redefinitions
    structs
    use_before_definition
    unbound_variables
    words_of_other_prompts
    libraries
    a_library_that_fails
    errors_keep_the_session
    places_count_on
    nothing_is_run_of_what_cannot_be_read
    an_entry_stops_where_it_fails
    continuations_of_earlier_entries
    exit
    full_heap
    endless_recursion
    circles
    fresh_lines
    folding
    uncaught_objects
    files
}

fn values() {
    Prompt::new().check(&[
        ("(+ 1 2)", "3\n"),
        ("1 2 3", "3\n"),
        ("(values 1 \"b\" #\\c)", "1\n\"b\"\n#\\c\n"),
        ("(values)", ""),
        ("(if #f #f)", ""),
        ("", ""),
        (" ; nothing", ""),
        ("'(a . b)", "(a . b)\n"),
        ("car", "#<procedure car>\n"),
        ("(begin)", ""),
    ]);
}

fn names_of_values() {
    let mut p = Prompt::new();
    p.at.name_values(true);
    p.check(&[
        ("(* 6 7)", "$1 = 42\n"),
        ("(values 1 2)", "$2 = 1\n$3 = 2\n"),
        ("(if #f #f)", ""),
        ("(define x 1)", ""),
        ("(+ $1 $3)", "$4 = 44\n"),
        ("(list $4 $4)", "$5 = (44 44)\n"),
    ]);
    p.tells("$99", &["$99"]);
    p.at.name_values(false);
    p.check(&[("'six", "six\n"), ("$6", "six\n")]);
}

/// A long session keeps what its last values hold and no more.
fn old_values_are_given_up() {
    let mut p = Prompt::new();
    p.says("'first");
    for _ in 0..100 {
        p.says("1");
    }
    p.fails("$1");
    p.check(&[("$2", "1\n")]);
}

fn definitions() {
    let mut p = Prompt::new();
    p.check(&[
        ("(define x 5)", ""),
        ("x", "5\n"),
        ("(define (f a) (* a x))", ""),
        ("(f 2)", "10\n"),
        ("(define-values (a b . c) (values 1 2 3 4))", ""),
        ("(list a b c)", "(1 2 (3 4))\n"),
        (
            "(define-record-type point (make-point x y) point? (x point-x) (y point-y))",
            "",
        ),
        ("(point-x (make-point 7 8))", "7\n"),
        (
            "(define-syntax swap! (syntax-rules () ((_ a b) (let ((t a)) (set! a b) (set! b t)))))",
            "",
        ),
        ("(define y 6) (swap! x y) (list x y)", "(6 5)\n"),
        ("(define (g) (h)) (define (h) 1) (g)", "1\n"),
    ]);
}

/// The newest definition counts, also for what was compiled before it.
fn redefinitions() {
    let mut p = Prompt::new();
    p.check(&[
        ("(define (f) 1) (define (g) (f)) (g)", "1\n"),
        ("(define (f) 2) (g)", "2\n"),
        ("(define f (lambda () 3)) (g)", "3\n"),
        ("(define-syntax f (syntax-rules () ((_) 4))) (f)", "4\n"),
        ("(define (f) 5) (f)", "5\n"),
        ("(define (list . x) 'mine) (list 1)", "mine\n"),
        ("(import (only (scheme base) list)) (list 1)", "(1)\n"),
        ("(define if 3) if", "3\n"),
        ("(import (only (scheme base) if)) (if #f 1 2)", "2\n"),
        (
            "(import (rename (scheme base) (car kar))) (kar '(1))",
            "1\n",
        ),
        (
            "(import (prefix (only (scheme base) cdr) list:)) (list:cdr '(1))",
            "()\n",
        ),
    ]);
}

/// A struct may be defined otherwise than before; what is there of the old one is told from the new.
fn structs() {
    let mut p = Prompt::new();
    p.check(&[
        ("(import (bowline ffi))", ""),
        ("(define-foreign-struct point (x int) (y int))", ""),
        ("(define old (make-point 1 2)) (point-y old)", "2\n"),
        ("(define (size) (sizeof (struct point))) (size)", "8\n"),
        ("(define-foreign-struct point (x int) (y int))", ""),
        ("(point-y old)", "2\n"),
        ("(define-foreign-struct point (x double) (y double))", ""),
        (
            "(list (point? old) (point-y (make-point 1 2)))",
            "(#f 2.0)\n",
        ),
        ("(size)", "16\n"),
    ]);
    p.tells(
        "(point-y old)",
        &["(that is another definition of the same name)"],
    );
    p.check(&[
        ("(define-foreign-library libc #f)", ""),
        (
            "(define-foreign f (libc \"abs\") ((pointer (struct point))) void)",
            "",
        ),
        (
            "(define-foreign-struct line (start (pointer (struct point))))",
            "",
        ),
    ]);
    for entry in ["(f old)", "(set-line-start! (make-line) old)"] {
        p.tells(entry, &["(that is another definition of the same name)"]);
    }
    p.tells(
        "(let () (define-foreign-struct point (x int)) 1)",
        &["(struct point) is defined already, with other fields"],
    );
    p.check(&[("(sizeof (struct point))", "16\n")]);
}

/// Nobody has defined them, and what was merely mistyped before is nothing to suggest.
fn unbound_variables() {
    let mut p = Prompt::new();
    p.tells(
        "lenght",
        &[
            "repl:1:1: error: unbound variable `lenght`",
            "did you mean `length`?",
        ],
    );
    p.fails("zebraa");
    let told = p.fails("zebra");
    assert!(!told.contains("did you mean"), "{told}");
    p.fails("(define zebraa (car 1))");
    let told = p.fails("(zebra)");
    assert!(!told.contains("did you mean"), "{told}");
    p.says("(define zebraa 1)");
    p.tells(
        "(zebra)",
        &["unbound variable `zebra`", "did you mean `zebraa`?"],
    );
    p.tells("(set! zebra 1)", &["unbound variable `zebra`"]);
    p.tells(
        "(begin (define before after) (define after 1))",
        &["the variable `after` has no value yet"],
    );
    let long = "a".repeat(100_000);
    assert!(p.fails(&long).contains("unbound variable"));
}

fn words_of_other_prompts() {
    let mut p = Prompt::new();
    p.tells(
        "quit",
        &[
            "unbound variable `quit`",
            "to leave type ,quit or press Ctrl-D",
        ],
    );
    p.tells("(quit)", &["to leave type ,quit or press Ctrl-D"]);
    p.tells("help", &["unbound variable `help`", "type ,help for help"]);
    p.check(&[("exit", "#<procedure exit>\n")]);
    p.at.name_values(true);
    p.check(&[
        (
            "exit",
            "$2 = #<procedure exit>\nto leave type (exit) or ,quit, or press Ctrl-D\n",
        ),
        ("(define exit 1) exit", "$3 = 1\n"),
        ("(define quit 2) quit", "$4 = 2\n"),
    ]);
}

fn use_before_definition() {
    let mut p = Prompt::new();
    p.check(&[("(define (even n) (if (= n 0) #t (odd (- n 1))))", "")]);
    p.tells("(even 3)", &["odd", "in even"]);
    p.check(&[
        ("(define (odd n) (if (= n 0) #f (even (- n 1))))", ""),
        ("(even 100)", "#t\n"),
    ]);
    p.tells("(set! nowhere 1)", &["nowhere"]);
    // An import counts as a definition, too.
    p.check(&[
        ("(define (use) (list (late 1) (first-of '(2))))", ""),
        (
            "(define-library (late lib) (export late (rename car first-of)) (import (scheme base))
               (begin (define (late x) (* 10 x))))",
            "",
        ),
    ]);
    p.tells("(use)", &["late"]);
    p.check(&[("(import (late lib)) (use)", "(10 2)\n")]);
}

fn libraries() {
    let mut p = Prompt::new();
    p.check(&[
        (
            "(define-library (my lib) (export twice) (import (scheme base))
               (begin (define (twice x) (* 2 x))))",
            "",
        ),
        ("(import (my lib)) (twice 4)", "8\n"),
        ("(define (old) (twice 1))", ""),
        (
            "(define-library (my lib) (export twice) (import (scheme base))
               (begin (define (twice x) (list x x))))",
            "",
        ),
        ("(twice 4)", "8\n"),
        ("(import (my lib)) (twice 4)", "(4 4)\n"),
        ("(old)", "2\n"),
    ]);
    p.tells(
        "(import (my lob))",
        &["there is no library (my lob)", "did you mean (my lib)?"],
    );
    p.tells(
        "(define-library (scheme base) (export))",
        &["(scheme base) is already in use"],
    );
    p.tells(
        "(import (only (scheme base) kar))",
        &["does not export `kar`"],
    );
    p.check(&[("(+ 1 2)", "3\n")]);
}

/// Neither it nor what needs it is taken for loaded.
fn a_library_that_fails() {
    let mut p = Prompt::new();
    let folder = std::env::temp_dir().join(format!("bowline-prompt-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    write(
        "low.sld",
        "(define-library (low) (export low) (import (scheme base))
           (begin (define low (error \"not yet\"))))",
    );
    write(
        "high.sld",
        "(define-library (high) (export high) (import (scheme base) (low))
           (begin (define (high) low)))",
    );
    write(
        "use.scm",
        "(import (scheme base) (high)) (define result (high))",
    );
    let file = folder.join("use.scm");
    let Reply::Said { failure, .. } = p.at.load(&file) else {
        panic!("it does not end");
    };
    assert!(failure.expect("it fails").contains("not yet"));
    write(
        "low.sld",
        "(define-library (low) (export low) (import (scheme base)) (begin (define low 'now)))",
    );
    let Reply::Said { failure, .. } = p.at.load(&file) else {
        panic!("it does not end");
    };
    assert_eq!(failure, None);
    p.check(&[("result", "now\n")]);
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}

fn errors_keep_the_session() {
    let mut p = Prompt::new();
    p.says("(define (inner x) (+ 1 (car x)))\n(define (outer x) (+ 1 (inner x)))");
    p.tells(
        "(+ 1 (outer 5))",
        &[
            "repl:1:24: error: car: argument 1 must be a pair, not 5",
            "(car x)",
            "in inner",
            "called from outer at repl:2:24",
            "called from repl:3:6",
        ],
    );
    p.tells("(error \"odd:\" 'a \"b\")", &["odd: a \"b\""]);
    p.tells("(lambda)", &["bad `lambda`"]);
    p.tells("(vector-ref #(1 2) 2)", &["from 0 to 1"]);
    p.check(&[("(+ 1 2)", "3\n")]);
}

/// Lines are those of the whole session.
fn places_count_on() {
    let mut p = Prompt::new();
    p.says("1\n");
    p.says("2\n\n");
    p.says("(define (f)\n  (car 1))");
    p.tells("\n\n  (f)", &["repl:4:3", "called from repl:7:3"]);
    p.tells("(car 2)", &["repl:8:1", "8 | (car 2)"]);
}

fn nothing_is_run_of_what_cannot_be_read() {
    let mut p = Prompt::new();
    p.says("(define n 0)");
    p.tells(
        "(set! n 1) (car '(1 . ))",
        &["repl:2:", "datum must follow the dot"],
    );
    p.tells("(set! n 1) )", &["unexpected `)`"]);
    p.tells("(set! n 1) (", &["not closed"]);
    p.check(&[("n", "0\n")]);
}

fn an_entry_stops_where_it_fails() {
    let mut p = Prompt::new();
    p.says("(define n 0)");
    let Reply::Said { failure, .. } = p.at.submit("(set! n 1) (car n) (set! n 2)") else {
        panic!("it does not end");
    };
    assert!(failure.is_some());
    p.check(&[("n", "1\n")]);
}

/// What is left of the form runs again, and then the prompt is the one that is there now.
fn continuations_of_earlier_entries() {
    let mut p = Prompt::new();
    p.check(&[
        ("(define k #f) (define n 0)", ""),
        ("(+ 100 (call/cc (lambda (c) (set! k c) 1)))", "101\n"),
        ("(k 5)", "105\n"),
        ("(begin (k 6) 'not-here)", "106\n"),
        ("(list (k 7))", "107\n"),
        ("(define x (call/cc (lambda (c) (set! k c) 'first)))", ""),
        ("x", "first\n"),
        ("(k 'again) (list 'then x)", "(then again)\n"),
        ("x", "again\n"),
    ]);
    p.check(&[
        (
            "(define log '()) (define (note x) (set! log (cons x log)))",
            "",
        ),
        (
            "(dynamic-wind (lambda () (note 'in))
               (lambda () (call/cc (lambda (c) (set! k c))) 'inside)
               (lambda () (note 'out)))",
            "inside\n",
        ),
        ("(k 1)", "inside\n"),
        ("log", "(out in out in)\n"),
    ]);
}

fn exit() {
    let mut p = Prompt::new();
    p.says("(define log '())");
    let reply =
        p.at.submit("(dynamic-wind (lambda () #f) (lambda () (exit 3)) (lambda () (set! log 1)))");
    assert_eq!(reply, Reply::Quit(3));
    p.check(&[("log", "1\n")]);
    assert_eq!(p.at.submit("1 (exit) 2"), Reply::Quit(0));
    assert_eq!(p.at.submit("(exit #f)"), Reply::Quit(1));
    p.tells("(exit 1000)", &["exit"]);
}

fn small() -> HeapConfig {
    HeapConfig {
        limit: Some(48 << 20),
        ..HeapConfig::default()
    }
}

fn full_heap() {
    let mut p = Prompt::with(small());
    for _ in 0..12 {
        p.tells(
            "(let fill ((l '())) (fill (cons (make-vector 1000 0) l)))",
            &["out of memory"],
        );
        p.check(&[
            ("(+ 1 2)", "3\n"),
            ("(vector-length (make-vector 100000 0))", "100000\n"),
        ]);
    }
    p.tells("(make-vector 100000000 0)", &["out of memory"]);
    p.check(&[("(+ 1 2)", "3\n")]);
}

fn endless_recursion() {
    let mut p = Prompt::with(small());
    p.says("(define (f n) (+ 1 (f n)))");
    for _ in 0..3 {
        p.tells("(f 1)", &["out of memory"]);
        p.check(&[("(+ 1 2)", "3\n")]);
    }
}

fn circles() {
    Prompt::new().check(&[
        (
            "(define l (list 1 2)) (set-cdr! (cdr l) l) l",
            "#0=(1 2 . #0#)\n",
        ),
        (
            "(define v (vector 1 2)) (vector-set! v 0 v) v",
            "#0=#(#0# 2)\n",
        ),
        ("'#0=(a . #0#)", "#0=(a . #0#)\n"),
    ]);
}

/// Whatever the program has printed, a value begins a line.
fn fresh_lines() {
    let mut p = Prompt::new();
    p.check(&[
        ("(display \"abc\") 5", "\n5\n"),
        ("6", "6\n"),
        ("(display \"abc\\n\") 5", "5\n"),
        ("(display \"abc\")", ""),
        ("7", "7\n"),
    ]);
    p.at.name_values(true);
    p.check(&[
        ("(display \"abc\")", "\n"),
        ("(newline)", ""),
        ("8", "$5 = 8\n"),
    ]);
}

fn folding() {
    Prompt::new().check(&[
        ("'Abc", "Abc\n"),
        ("#!fold-case 'Abc", "abc\n"),
        ("'Def", "def\n"),
    ]);
}

fn uncaught_objects() {
    let mut p = Prompt::new();
    p.tells("(raise 'boom)", &["repl:1:1", "boom"]);
    p.tells(
        "(with-exception-handler (lambda (e) 1) (lambda () (raise 2)))",
        &["handler returned"],
    );
    p.check(&[(
        "(guard (e (#t (list 'caught e))) (raise 1))",
        "(caught 1)\n",
    )]);
    p.tells(
        "(dynamic-wind (lambda () #f) (lambda () 1) (lambda () (car 1)))",
        &["car: argument 1 must be a pair"],
    );
}

fn files() {
    let mut p = Prompt::new();
    let file = std::env::temp_dir().join(format!("bowline-load-{}.scm", std::process::id()));
    std::fs::write(&file, "(define loaded 1)\n(define (fail) (car loaded))\n").expect("a file");
    assert_eq!(
        p.at.load(&file),
        Reply::Said {
            text: String::new(),
            failure: None
        }
    );
    p.check(&[("loaded", "1\n")]);
    let place = format!("{}:2:16", file.display());
    p.tells("(fail)", &[&place, "in fail"]);
    std::fs::remove_file(&file).expect("it can be removed");
    let Reply::Said { failure, .. } = p.at.load(&file) else {
        panic!("it does not end");
    };
    assert!(failure.expect("it fails").contains("cannot read"));
}
