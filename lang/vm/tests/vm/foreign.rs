//! Calls to C and back, and every way of leaving a callback.

use crate::support::{Case, SMALL, World};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a call of C",
        body: call,
        zeal: SMALL,
    },
    Case {
        name: "C sorts with a procedure",
        body: sort,
        zeal: SMALL,
    },
    Case {
        name: "errno",
        body: errno,
        zeal: SMALL,
    },
    Case {
        name: "a raise past C",
        body: raise,
        zeal: SMALL,
    },
    Case {
        name: "winders inside a callback",
        body: winders,
        zeal: SMALL,
    },
    Case {
        name: "a continuation of outside",
        body: escape,
        zeal: SMALL,
    },
    Case {
        name: "a continuation whose C frame has returned",
        body: gone,
        zeal: SMALL,
    },
    Case {
        name: "exit from a callback",
        body: exit,
        zeal: SMALL,
    },
    Case {
        name: "nobody handles what a callback raises",
        body: uncaught,
        zeal: SMALL,
    },
    Case {
        name: "a hundred nested crossings",
        body: nested,
        zeal: SMALL,
    },
    Case {
        name: "deep recursion inside a callback",
        body: deep,
        zeal: &[0],
    },
];

const SORT: &str = "
(define c (%foreign-library #f))
(define strlen (%make-foreign-procedure 'strlen c \"strlen\" '(string) 'size_t '()))
(define qsort (%make-foreign-procedure 'qsort c \"qsort\"
  '(bytevector size_t size_t (callback (pointer pointer) int)) 'void '()))
(define (sort! v less)
  (qsort v (bytevector-length v) 1
    (lambda (a b) (let ((x (%pointer-ref a 'uint8)) (y (%pointer-ref b 'uint8)))
      (if (less x y) -1 (if (less y x) 1 0))))))
(define calls 0)
(define (during thunk)
  (sort! (bytevector 3 1 2) (lambda (x y) (set! calls (+ calls 1)) (thunk) (< x y))))
";

fn world() -> World {
    let mut w = World::new();
    w.run(SORT).expect("C is there");
    w
}

fn call() {
    let mut w = world();
    w.check("(+ 1 (strlen \"four\"))", "5");
    w.check(
        "(message (lambda () (strlen 5)))",
        "\"argument 1 of `strlen` has type string: expected a string or #f, got 5\"",
    );
}

fn sort() {
    let mut w = world();
    w.check(
        "(define v (bytevector 5 3 9 1 7)) (sort! v <) v",
        "#u8(1 3 5 7 9)",
    );
    w.check("(sort! v >) v", "#u8(9 7 5 3 1)");
}

fn errno() {
    let mut w = world();
    w.check(
        "(define close (%make-foreign-procedure 'close c \"close\" '(int) 'int '(errno-when) (lambda (r) (< r 0))))
         (define e (catch (lambda () (close -1))))
         (list (condition-kind e) (condition-who e) (system-error-name e))",
        "(system close EBADF)",
    );
    w.check("(define (plain) (+ 1 (strlen \"abc\"))) (plain)", "4");
}

fn raise() {
    let mut w = world();
    w.check(
        "(catch (lambda () (during (lambda () (raise 'out)))))",
        "out",
    );
    w.check("calls", "1");
    w.check(
        "(message (lambda () (during (lambda () (car 1)))))",
        "\"car: argument 1 must be a pair, not\"",
    );
}

fn winders() {
    let mut w = world();
    w.check(
        "(define log '()) (define (note x) (set! log (cons x log)))
         (define r (catch (lambda ()
           (dynamic-wind (lambda () (note 'a))
             (lambda ()
               (during (lambda ()
                 (dynamic-wind (lambda () (note 'b)) (lambda () (raise 'x)) (lambda () (note 'c))))))
             (lambda () (note 'd))))))
         (list r (reverse log) (%winders))",
        "(x (a b c d) ())",
    );
}

fn escape() {
    let mut w = world();
    w.check(
        "(+ 1 (call/cc (lambda (k) (during (lambda () (k 41))))))",
        "42",
    );
    w.check(
        "(call-with-values (lambda () (call/cc (lambda (k) (during (lambda () (k 1 2)))))) list)",
        "(1 2)",
    );
    w.check(
        "(call/cc (lambda (k) (during (lambda () (during (lambda () (k 'far)))))))",
        "far",
    );
    w.check(
        "(sort! (bytevector 2 1) (lambda (x y) (call/cc (lambda (k) (k (< x y)))))) 'fine",
        "fine",
    );
}

fn gone() {
    let mut w = world();
    w.check(
        "(define k #f) (during (lambda () (call/cc (lambda (c) (set! k c))))) (procedure? k)",
        "#t",
    );
    w.check(
        "(message (lambda () (k 1)))",
        "\"a continuation was entered after the callback or finalizer that it belongs to had returned:\"",
    );
}

fn exit() {
    let mut w = world();
    w.check("(define log '()) 1", "1");
    let done = w.run(
        "(dynamic-wind list
           (lambda () (during (lambda ()
             (dynamic-wind list (lambda () (%exit-after-winding 7)) (lambda () (set! log (cons 'in log)))))))
           (lambda () (set! log (cons 'out log))))",
    );
    assert_eq!(w.describe(&done.expect_err("leaves")), "quit 7");
    w.check("log", "(out in)");
}

fn uncaught() {
    let mut w = world();
    let done = w
        .run("(during (lambda () (car 'x)))")
        .expect_err("nobody handles it");
    assert_eq!(w.describe(&done), "car: argument 1 must be a pair, not x");
    w.check("(+ 1 1)", "2");
}

fn nested() {
    let mut w = world();
    w.check(
        "(define (nest n) (if (= n 0) '()
           (let ((r #f))
             (sort! (bytevector 1 2) (lambda (x y) (if (not r) (set! r (cons n (nest (- n 1))))) #f))
             r)))
         (length (nest 100))",
        "100",
    );
}

fn deep() {
    let mut w = world();
    w.check(
        "(define (count n) (if (= n 0) 0 (+ 1 (count (- n 1)))))
         (define (below n) (if (= n 0) (begin (during (lambda () (count 200000))) 0) (+ 1 (below (- n 1)))))
         (list (below 10000) (below 500000))",
        "(10000 500000)",
    );
}
