//! Continuations: capture, re-entry, winders, overflow.

use crate::support::{Case, LARGE, LONG, SMALL, World};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "escape",
        body: escape,
        zeal: SMALL,
    },
    Case {
        name: "generators",
        body: generators,
        zeal: LARGE,
    },
    Case {
        name: "a generator, small",
        body: small_generator,
        zeal: SMALL,
    },
    Case {
        name: "one continuation entered many times",
        body: many_times,
        zeal: LONG,
    },
    Case {
        name: "one continuation entered some times",
        body: some_times,
        zeal: LARGE,
    },
    Case {
        name: "capture in tail position copies nothing",
        body: tail_capture,
        zeal: LONG,
    },
    Case {
        name: "winders",
        body: winders,
        zeal: SMALL,
    },
    Case {
        name: "a continuation with a deep stack",
        body: deep,
        zeal: LONG,
    },
    Case {
        name: "capture at every level",
        body: every_level,
        zeal: LARGE,
    },
    Case {
        name: "several values to a continuation",
        body: several,
        zeal: SMALL,
    },
    Case {
        name: "handlers",
        body: handlers,
        zeal: SMALL,
    },
    Case {
        name: "ctak",
        body: ctak,
        zeal: LARGE,
    },
    Case {
        name: "continuations of a finished run",
        body: finished,
        zeal: SMALL,
    },
];

fn escape() {
    let mut w = World::new();
    w.check("(+ 1 (call/cc (lambda (k) (+ 10 (k 1)))))", "2");
    w.check("(+ 1 (call/cc (lambda (k) 41)))", "42");
    w.check("(define (find p l) (call/cc (lambda (return)
               (let loop ((l l)) (if (null? l) #f (begin (if (p (car l)) (return (car l))) (loop (cdr l))))))))
             (list (find even? '(1 3 4 5)) (find even? '(1 3)))", "(4 #f)");
}

const GENERATOR: &str = "
(define (make-generator tree)
  (define return #f)
  (define (yield v) (call/cc (lambda (next) (set! resume (lambda () (next #f))) (return v))))
  (define (walk t) (if (pair? t) (begin (walk (car t)) (walk (cdr t))) (if (null? t) #f (yield t))))
  (define resume (lambda () (walk tree) (return 'end)))
  (lambda () (call/cc (lambda (r) (set! return r) (resume)))))
(define (drain g) (let loop ((l '())) (let ((v (g))) (if (eq? v 'end) (reverse l) (loop (cons v l))))))
";

fn generators() {
    let mut w = World::new();
    w.check(
        &format!(
            "{GENERATOR}
        (define (tree n) (if (= n 0) n (cons (tree (- n 1)) n)))
        (length (drain (make-generator (tree 1000))))"
        ),
        "1001",
    );
    w.check(
        "(define a (make-generator '(1 (2 3) 4))) (define b (make-generator '((((x)))  y)))
             (list (a) (b) (a) (b) (a) (b) (a) (a))",
        "(1 x 2 y 3 end 4 end)",
    );
}

fn small_generator() {
    let mut w = World::new();
    w.check(
        &format!("{GENERATOR} (drain (make-generator '((1 2) (3 (4)) 5)))"),
        "(1 2 3 4 5)",
    );
}

const AGAIN: &str = "
(define k #f) (define count 0)
(define (deep n) (if (= n 0) (call/cc (lambda (c) (set! k c) 0)) (+ 1 (deep (- n 1)))))
(define (go depth times)
  (let ((v (deep depth)))
    (set! count (+ count 1))
    (if (< count times) (k count) (list v count))))
";

fn many_times() {
    let mut w = World::new();
    w.check(&format!("{AGAIN} (go 5 100000)"), "(100004 100000)");
}

fn some_times() {
    let mut w = World::new();
    w.check(&format!("{AGAIN} (go 20 300)"), "(319 300)");
}

fn tail_capture() {
    let mut w = World::with(|c| c.limit = Some(32 << 20)).library();
    w.check("(define (loop n k) (if (= n 0) 'done (%call/cc (lambda (k) (loop (- n 1) k))))) (loop 1000000 #f)", "done");
    w.check("(define (inner n) (if (= n 0) 0 (+ 1 (%call/cc (lambda (k) (inner (- n 1))))))) (inner 10000)", "10000");
}

fn winders() {
    let mut w = World::new();
    w.check(
        "(define log '()) (define (note x) (set! log (cons x log)))
         (define k #f)
         (define (run)
           (dynamic-wind (lambda () (note 'in)) (lambda () (call/cc (lambda (c) (set! k c) 'first))) (lambda () (note 'out))))
         (define first (run))
         (if (< (length log) 6) (k 'again))
         (list first (reverse log))",
        "(again (in out in out in out))",
    );
    w.check(
        "(set! log '())
         (define r (call/cc (lambda (escape)
           (dynamic-wind (lambda () (note 1))
             (lambda () (dynamic-wind (lambda () (note 2)) (lambda () (escape 'x)) (lambda () (note 3))))
             (lambda () (note 4))))))
         (list r (reverse log) (%winders))",
        "(x (1 2 3 4) ())",
    );
}

fn deep() {
    let mut w = World::new();
    w.check(&format!("{AGAIN} (go 1000000 3)"), "(1000002 3)");
}

fn every_level() {
    let mut w = World::new();
    w.check(
        "(define ks '())
         (define (deep n) (if (= n 0) 0 (+ 1 (call/cc (lambda (k) (set! ks (cons k ks)) (deep (- n 1)))))))
         (define v (deep 2000))
         (define seen '())
         (set! seen (cons v seen))
         (if (pair? ks) (let ((k (car ks))) (set! ks (if (> (length ks) 500) (list-tail ks 500) '())) (k 0)))
         seen",
        "(500)",
    );
}

fn several() {
    let mut w = World::new();
    w.check(
        "(call-with-values (lambda () (call/cc (lambda (k) (k 1 2 3)))) list)",
        "(1 2 3)",
    );
    w.check(
        "(call-with-values (lambda () (call/cc (lambda (k) (k)))) list)",
        "()",
    );
    w.check("(call-with-values (lambda () (call/cc (lambda (k) (dynamic-wind list (lambda () (k 1 2)) list)))) list)", "(1 2)");
}

fn handlers() {
    let mut w = World::new();
    w.check("(catch (lambda () (+ 1 (raise 'oops))))", "oops");
    w.check(
        "(with-exception-handler (lambda (e) (* e 2)) (lambda () (+ 1 (raise-continuable 20))))",
        "41",
    );
    w.check(
        "(message (lambda () (car 5)))",
        "\"car: argument 1 must be a pair, not\"",
    );
    w.check(
        "(catch (lambda () (catch (lambda () (raise 1))) (raise 2)))",
        "2",
    );
    w.check(
        "(message (lambda () (with-exception-handler (lambda (e) 'back) (lambda () (raise 1)))))",
        "\"handler returned\"",
    );
}

fn ctak() {
    let mut w = World::new();
    w.check(
        "(define (ctak x y z) (call/cc (lambda (k) (ctak-aux k x y z))))
         (define (ctak-aux k x y z)
           (if (not (< y x)) (k z)
             (call/cc (lambda (k)
               (ctak-aux k
                 (call/cc (lambda (k) (ctak-aux k (- x 1) y z)))
                 (call/cc (lambda (k) (ctak-aux k (- y 1) z x)))
                 (call/cc (lambda (k) (ctak-aux k (- z 1) x y))))))))
         (ctak 8 4 2)",
        "3",
    );
}

fn finished() {
    let mut w = World::new();
    w.check(
        "(define k #f) (+ 1 (call/cc (lambda (c) (set! k c) 1)))",
        "2",
    );
    w.check("(k 41)", "42");
    w.check("(list 'outside (k 1))", "2");
}
