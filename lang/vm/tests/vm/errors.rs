//! Faults, conditions, call chains, running out of room.

use crate::support::{Case, LONG, SMALL, World};
use bowline_vm::{CompileError, Exit};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "wrong numbers of arguments",
        body: arity,
        zeal: SMALL,
    },
    Case {
        name: "what is no procedure",
        body: not_procedure,
        zeal: SMALL,
    },
    Case {
        name: "variables without a value",
        body: unbound,
        zeal: SMALL,
    },
    Case {
        name: "wrong types in every inline operation",
        body: types,
        zeal: SMALL,
    },
    Case {
        name: "nobody handles it",
        body: uncaught,
        zeal: SMALL,
    },
    Case {
        name: "the call chain of an error",
        body: chain,
        zeal: SMALL,
    },
    Case {
        name: "the call chain goes through captured frames",
        body: captured_chain,
        zeal: SMALL,
    },
    Case {
        name: "exit",
        body: exit,
        zeal: SMALL,
    },
    Case {
        name: "a full heap is a condition",
        body: out_of_memory,
        zeal: LONG,
    },
    Case {
        name: "endless recursion is a condition",
        body: endless,
        zeal: LONG,
    },
    Case {
        name: "malformed IR is refused",
        body: malformed,
        zeal: LONG,
    },
];

fn arity() {
    let mut w = World::new();
    w.check(
        "(define (f a b) a) (message (lambda () (f 1)))",
        "\"procedure `f` takes 2 arguments, but was called with 1\"",
    );
    w.check(
        "(define (g a . b) a) (message (lambda () (g)))",
        "\"procedure `g` takes at least 1 argument, but was called with 0\"",
    );
    w.check(
        "(message (lambda () ((lambda () 1) 2)))",
        "\"procedure takes no arguments, but was called with 1\"",
    );
    w.check(
        "(define h car) (message (lambda () (h 1 2)))",
        "\"procedure `car` takes 1 argument, but was called with 2\"",
    );
    w.check(
        "(define p (%make-parameter 1 #f)) (message (lambda () (p 1)))",
        "\"parameter takes no arguments, but was called with 1\"",
    );
}

fn not_procedure() {
    let mut w = World::new();
    let said = "\"called an object that is not a procedure:\"";
    w.check("(message (lambda () (5 6)))", said);
    w.check("(define x \"text\") (message (lambda () (x)))", said);
    w.check(
        "(define (t f) (f 1)) (message (lambda () (+ 1 (t 'a))))",
        said,
    );
    w.check(
        "(error-object-irritants (catch (lambda () (x))))",
        "(\"text\")",
    );
    w.check(
        "(message (lambda () (call/cc 5)))",
        "\"call/cc: argument 1 must be a procedure, not\"",
    );
    w.check(
        "(message (lambda () (call-with-values 1 list)))",
        "\"call-with-values: argument 1 must be a procedure, not\"",
    );
    w.check(
        "(message (lambda () (call-with-values list 2)))",
        "\"call-with-values: argument 2 must be a procedure, not\"",
    );
    w.check(
        "(message (lambda () (%throw 1 '())))",
        "\"%throw: argument 1 must be a continuation, not\"",
    );
    w.check(
        "(message (lambda () (%with-dyn 1 list)))",
        "\"%with-dyn: argument 1 must be a dynamic state, not\"",
    );
    w.check(
        "(message (lambda () (%install-hook! 'other list)))",
        "\"%install-hook!: argument 1 must be raise, rewind, exit or interrupt, not\"",
    );
}

fn unbound() {
    let mut w = World::new();
    w.check(
        "(message (lambda () nothing))",
        "\"the variable `nothing` has no value yet\"",
    );
    w.check(
        "(message (lambda () (nothing 1)))",
        "\"the variable `nothing` has no value yet\"",
    );
    w.check(
        "(message (lambda () (list 1 nothing)))",
        "\"the variable `nothing` has no value yet\"",
    );
    w.check(
        "(message (lambda () (set! nothing 1)))",
        "\"the variable `nothing` has no value yet\"",
    );
    let text = "(module (entry f0) (globals)
      (function f0 - (params 0) (captures 0) (locals 1)
        (let* ((s0 (box-new (unassigned)))) (check-bound (box-get s0) x))))";
    let entry = w.load_ir(text);
    let exit = w.run_entry(entry).expect_err("an error");
    assert_eq!(
        w.describe(&exit),
        "the variable `x` is used before its initialisation"
    );
}

fn types() {
    let mut w = World::new();
    for (call, who) in [
        ("(car x)", "car"),
        ("(cdr x)", "cdr"),
        ("(cadr x)", "cadr"),
        ("(cddr '(1))", "cddr"),
        ("(list (car x))", "car"),
        ("(list (cdr x))", "cdr"),
        ("(car (list-tail '(1) 1))", "car"),
        ("(set-car! x 1)", "set-car!"),
        ("(set-cdr! x 1)", "set-cdr!"),
        ("(+ x 1)", "+"),
        ("(- x 1)", "-"),
        ("(list (+ x 1))", "+"),
        ("(list (- x 1))", "-"),
        ("(+ x x)", "+"),
        ("(- x x)", "-"),
        ("(* x 2)", "*"),
        ("(+ (car '(a)) 1)", "+"),
        ("(< x 1)", "<"),
        ("(if (< x 1) 1 2)", "<"),
        ("(if (<= x x) 1 2)", "<="),
        ("(if (> 1 x) 1 2)", ">"),
        ("(if (>= (car '(a)) x) 1 2)", ">="),
        ("(= 1 x)", "="),
        ("(if (= x 1) 1 2)", "="),
        ("(zero? x)", "zero?"),
        ("(if (zero? x) 1 2)", "zero?"),
        ("(if (zero? (car '(a))) 1 2)", "zero?"),
        ("(quotient x 1)", "quotient"),
        ("(remainder 1 x)", "remainder"),
        ("(modulo x 2)", "modulo"),
        ("(vector-ref x 0)", "vector-ref"),
        ("(vector-set! x 0 0)", "vector-set!"),
        ("(vector-length x)", "vector-length"),
        ("(string-ref x 0)", "string-ref"),
        ("(string-length x)", "string-length"),
        ("(char=? x x)", "char=?"),
        ("(char<? #\\a x)", "char<?"),
        ("(char->integer x)", "char->integer"),
        ("(bytevector-u8-ref x 0)", "bytevector-u8-ref"),
    ] {
        let program = format!(
            "(define x 'sym) (define (run x) {call}) (condition-who (catch (lambda () (run x))))"
        );
        w.check(&program, who);
    }
    w.check(
        "(message (lambda () (quotient 1 0)))",
        "\"quotient: division by zero\"",
    );
    w.check(
        "(message (lambda () (vector-ref (vector 1 2) 2)))",
        "\"vector-ref: the index must be from 0 to 1, not\"",
    );
    w.check(
        "(message (lambda () (vector-ref (vector 1 2) -1)))",
        "\"vector-ref: the index must be from 0 to 1, not\"",
    );
    w.check(
        "(message (lambda () (string-ref \"ab\" 2)))",
        "\"string-ref: the index must be from 0 to 1, not\"",
    );
}

fn uncaught() {
    let mut w = World::bare();
    let exit = w.run("(car 1)").expect_err("no library yet");
    assert_eq!(w.describe(&exit), "car: argument 1 must be a pair, not 1");
    let mut w = w.library();
    let exit = w.run("(raise (list 1 2))").expect_err("nobody handles it");
    let Exit::Uncaught { condition, .. } = exit else {
        panic!("{exit:?}")
    };
    assert_eq!(w.vm.rt.describe(condition), "(1 2)");
    w.check("(+ 1 1)", "2");
}

/// The texts of an uncaught error's call chain, as `name: text`.
fn chain_of(w: &mut World, program: &str) -> Vec<String> {
    let exit = w.run(program).expect_err("an error");
    let Exit::Uncaught { trace, .. } = exit else {
        panic!("{exit:?}")
    };
    let text = |f: &bowline_vm::TraceFrame| {
        let source = w.sources.text(f.span.source);
        let name = f.name.as_deref().unwrap_or("-");
        format!(
            "{name}: {}",
            &source[f.span.start as usize..f.span.end as usize]
        )
    };
    trace.iter().map(text).collect()
}

fn chain() {
    let mut w = World::new();
    let program =
        "(define (inner x) (+ 1 (car x))) (define (outer x) (list (inner x))) (list (outer 5))";
    let wanted = ["inner: (car x)", "outer: (inner x)", "-: (outer 5)"];
    assert_eq!(chain_of(&mut w, program), wanted);
    let program = "(define (two a b) a) (define (calls) (list (two 1))) (list (calls))";
    assert_eq!(chain_of(&mut w, program), ["calls: (two 1)", "-: (calls)"]);
    let program = "(define (cmp x) (if (< x 1) 1 2)) (list (cmp 'a))";
    assert_eq!(chain_of(&mut w, program), ["cmp: (< x 1)", "-: (cmp 'a)"]);
    let program = "(define (glob) (list gone)) (list (glob))";
    assert_eq!(chain_of(&mut w, program), ["glob: gone", "-: (glob)"]);
    let program = "(define (deep n) (if (= n 0) (car n) (+ 1 (deep (- n 1))))) (list (deep 1000))";
    assert_eq!(chain_of(&mut w, program).len(), 50);
}

fn captured_chain() {
    let mut w = World::new();
    let program = "(define (inner x) (+ 1 (call/cc (lambda (k) (+ 1 (car x))))))
                   (define (outer x) (list (inner x))) (list (outer 5))";
    let wanted = [
        "-: (car x)",
        "inner: (call/cc (lambda (k) (+ 1 (car x))))",
        "outer: (inner x)",
        "-: (outer 5)",
    ];
    assert_eq!(chain_of(&mut w, program), wanted);
}

fn exit() {
    let mut w = World::new();
    let done = w.run("(%exit 3) 5").expect_err("leaves");
    assert_eq!(w.describe(&done), "quit 3");
    w.check("(define log '())", "#<unspecified>");
    let done = w.run(
        "(dynamic-wind list (lambda () (%exit-after-winding 4)) (lambda () (set! log 'after)))",
    );
    assert_eq!(w.describe(&done.expect_err("leaves")), "quit 4");
    w.check("log", "after");
    w.check("(%winders)", "()");
}

fn out_of_memory() {
    let mut w = World::with(|c| c.limit = Some(16 << 20)).library();
    for _ in 0..2 {
        w.check(
            "(define (fill l) (fill (cons 1 l))) (message (lambda () (fill '())))",
            "\"out of memory: the heap is full\"",
        );
        w.check(
            "(message (lambda () (make-vector 100000000 0)))",
            "\"out of memory: the heap is full\"",
        );
        w.check("(length (make-list 1000 1))", "1000");
    }
}

fn endless() {
    let mut w = World::with(|c| c.limit = Some(16 << 20)).library();
    for _ in 0..2 {
        w.check(
            "(define (down n) (+ 1 (down n))) (message (lambda () (down 1)))",
            "\"out of memory: the heap is full\"",
        );
    }
    w.check(
        "(define (count n) (if (= n 0) 0 (+ 1 (count (- n 1))))) (count 100000)",
        "100000",
    );
}

fn malformed() {
    let mut w = World::bare();
    let mut module = w.module("(define (f x) x) 5");
    module.functions[1].body = bowline_middle::ir::Ir::Local(bowline_middle::ir::Slot(9));
    assert_eq!(
        w.vm.load(&module).err(),
        Some(CompileError::BadIr { function: 1 })
    );
    let many: Vec<String> = (0..66_000).map(|i| i.to_string()).collect();
    let module = w.module(&format!("(define (f) (list {}))", many.join(" ")));
    let error = w.vm.load(&module).err();
    assert!(
        matches!(error, Some(CompileError::FrameTooLarge { .. })),
        "{error:?}"
    );
    // The top level was not written as one thing: the call has the place.
    let module = w.module(&format!("(list {})", many.join(" ")));
    assert!(
        matches!(w.vm.load(&module).err(), Some(CompileError::FrameTooLarge { span }) if !span.is_none())
    );
}
