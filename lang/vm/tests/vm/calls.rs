//! Calls, frames, closures, loops, arithmetic.

use crate::support::{Case, LARGE, LONG, SMALL, World};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "fib",
        body: fib,
        zeal: LARGE,
    },
    Case {
        name: "closures keep what they captured",
        body: closures,
        zeal: SMALL,
    },
    Case {
        name: "assigned variables are shared",
        body: boxes,
        zeal: SMALL,
    },
    Case {
        name: "rest arguments",
        body: rest,
        zeal: SMALL,
    },
    Case {
        name: "case-lambda",
        body: case_lambda,
        zeal: SMALL,
    },
    Case {
        name: "fix",
        body: fix,
        zeal: SMALL,
    },
    Case {
        name: "loops",
        body: loops,
        zeal: LARGE,
    },
    Case {
        name: "known calls",
        body: known,
        zeal: LARGE,
    },
    Case {
        name: "constants",
        body: constants,
        zeal: SMALL,
    },
    Case {
        name: "arithmetic leaves the fixnums and comes back",
        body: arithmetic,
        zeal: SMALL,
    },
    Case {
        name: "branches",
        body: branches,
        zeal: SMALL,
    },
    Case {
        name: "pairs, vectors, strings, records",
        body: data,
        zeal: SMALL,
    },
    Case {
        name: "apply",
        body: apply,
        zeal: SMALL,
    },
    Case {
        name: "apply to many arguments",
        body: apply_many,
        zeal: LONG,
    },
    Case {
        name: "several values",
        body: values,
        zeal: SMALL,
    },
    Case {
        name: "parameters and dynamic state",
        body: dynamic,
        zeal: SMALL,
    },
    Case {
        name: "frames with hundreds of words",
        body: large_frames,
        zeal: LARGE,
    },
    Case {
        name: "ten million tail calls",
        body: tail_calls,
        zeal: LONG,
    },
    Case {
        name: "a million frames",
        body: deep,
        zeal: LONG,
    },
    Case {
        name: "a hundred thousand frames",
        body: deep_small,
        zeal: LARGE,
    },
    Case {
        name: "listing",
        body: listing,
        zeal: LONG,
    },
];

const FIB: &str = "(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))";

fn fib() {
    let mut w = World::bare();
    w.check(&format!("{FIB} (fib 20)"), "6765");
    w.check("(fib 1)", "1");
    w.check("(fib 2.0)", "1.0");
}

fn closures() {
    let mut w = World::bare();
    w.check(
        "(define (adder a b) (lambda (x) (lambda (y) (list a b x y))))
         (((adder 1 (cons 2 3)) 4) 5)",
        "(1 (2 . 3) 4 5)",
    );
    w.check("(let ((f (lambda (x) (* x x)))) (+ (f 3) (f 4)))", "25");
}

fn boxes() {
    let mut w = World::bare();
    w.check(
        "(define (counter) (let ((n 0)) (lambda () (set! n (+ n 1)) n)))
         (define a (counter)) (define b (counter))
         (a) (a) (b) (list (a) (b))",
        "(3 2)",
    );
    w.check("(define (f x) (set! x (cons x x)) x) (f 1)", "(1 . 1)");
    w.check(
        "(define (g n) (define (even n) (if (= n 0) #t (odd (- n 1))))
                       (define (odd n) (if (= n 0) #f (even (- n 1))))
                       (even n))
         (list (g 10) (g 7))",
        "(#t #f)",
    );
    w.check("(define z 1) (set! z (list z)) z", "(1)");
}

fn rest() {
    let mut w = World::bare();
    w.check(
        "(define (f . all) all) (list (f) (f 1) (f 1 2 3))",
        "(() (1) (1 2 3))",
    );
    w.check(
        "(define (g a b . more) (list a b more)) (list (g 1 2) (g 1 2 3 4))",
        "((1 2 ()) (1 2 (3 4)))",
    );
    w.check("(define (h a . more) (apply + a more)) (h 1 2 3)", "6");
}

fn case_lambda() {
    let mut w = World::bare();
    let text = "(module (entry f0) (globals)
      (function f0 - (params 0) (captures 0) (locals 2)
        (let* ((s0 (prim cons 1 2))
               (s1 (case-lambda (f1) (f2 s0) (f3 s0))))
          (prim list (call s1) (call s1 7) (call s1 7 8 9))))
      (function f1 none (params 0) (captures 0) (locals 0) 'zero)
      (function f2 one (params 1) (captures 1) (locals 1) (prim list s0 c0))
      (function f3 more (params 2 rest) (captures 1) (locals 3) (prim list s0 s1 s2 c0)))";
    assert_eq!(w.run_ir(text), "(zero (7 (1 . 2)) (7 8 (9) (1 . 2)))");
    let text = "(module (entry f0) (globals)
      (function f0 - (params 0) (captures 0) (locals 1)
        (let* ((s0 (case-lambda (f1) (f2)))) (prim list (call s0 1) (call s0 1 2))))
      (function f1 - (params 1) (captures 0) (locals 1) (prim - s0))
      (function f2 - (params 2) (captures 0) (locals 2) (prim - s0 s1)))";
    assert_eq!(w.run_ir(text), "(-1 -1)");
}

fn fix() {
    let mut w = World::bare();
    let text = "(module (entry f0) (globals)
      (function f0 - (params 0) (captures 0) (locals 3)
        (let* ((s0 (prim list 5)))
          (fix ((s1 f1 s2 s0) (s2 f2 s1 s0 s2))
            (prim list (call s1 10) (call s2 10) (call s1 7)))))
      (function f1 even (params 1) (captures 2) (locals 1)
        (if (prim = s0 0) c1 (tail-call c0 (prim - s0 1))))
      (function f2 odd (params 1) (captures 3) (locals 1)
        (if (prim = s0 0) (prim list (prim procedure? c2) c1) (tail-call c0 (prim - s0 1)))))";
    assert_eq!(w.run_ir(text), "((5) (#t (5)) (#t (5)))");
}

fn loops() {
    let mut w = World::bare();
    let text = "(module (entry f0) (globals)
      (function f0 - (params 0) (captures 0) (locals 6)
        (prim list
          (loop L0 ((s0 0) (s1 '()))
            (if (prim = s0 1000) (prim length s1)
              (let* ((s2 (prim + s0 1))) (jump L0 s2 (prim cons s0 s1)))))
          (let* ((s0 3))
            (loop L1 ((s1 10)) (if (prim < s1 s0) s1 (jump L1 (prim - s1 s0)))))
          (loop L2 ((s0 0) (s1 0))
            (if (prim = s0 10) s1
              (let* ((s2 (loop L3 ((s3 0) (s4 0))
                           (if (prim = s3 s0) s4 (jump L3 (prim + s3 1) (prim + s4 s3))))))
                (jump L2 (prim + s0 1) (prim + s1 s2))))))))";
    assert_eq!(w.run_ir(text), "(1000 1 120)");
}

fn known() {
    let mut w = World::bare();
    let text = "(module (entry f0) (globals)
      (function f0 - (params 0) (captures 0) (locals 2)
        (let* ((s0 (prim list 1)) (s1 (closure f2 s0)))
          (prim list (call-known f1 10) (call-closure f2 s1 3))))
      (function f1 fib (params 1) (captures 0) (locals 1)
        (if (prim < s0 2) s0
          (prim + (call-known f1 (prim - s0 1)) (call-known f1 (prim - s0 2)))))
      (function f2 down (params 1) (captures 1) (locals 1)
        (if (prim zero? s0) (tail-call-known f3 c0)
          (tail-call-closure f2 (closure f2 (prim cons s0 c0)) (prim - s0 1))))
      (function f3 done (params 1) (captures 0) (locals 1) (prim reverse s0)))";
    assert_eq!(w.run_ir(text), "(55 (1 3 2 1))");
}

fn constants() {
    let mut w = World::bare();
    w.check(
        "(list 1 -1 1073741823 -1073741824 4611686018427387903 4611686018427387904 'sym #\\x \"text\"
               '() #t #f 2.5 '(1 . 2) '#(a b) 1/3)",
        "(1 -1 1073741823 -1073741824 4611686018427387903 4611686018427387904 sym #\\x \"text\" () #t #f 2.5 (1 . 2) #(a b) 1/3)",
    );
    w.check("(define (f) '(a b)) (eq? (f) (f))", "#t");
    w.check("(define (g) (lambda () 1)) (eq? (g) (g))", "#t");
    w.check("(eq? car car)", "#t");
}

fn arithmetic() {
    let mut w = World::bare();
    w.check(
        "(define big 4611686018427387903) (define (inc x) (+ x 1)) (inc big)",
        "4611686018427387904",
    );
    w.check(
        "(define (dec x) (- x 1)) (dec (inc big))",
        "4611686018427387903",
    );
    w.check(
        "(define (f a b) (list (+ a b) (- a b) (* a b))) (f big big)",
        "(9223372036854775806 0 21267647932558653957237540927630737409)",
    );
    w.check("(f 1/2 1/2)", "(1 0 1/4)");
    w.check("(f 1.5 2)", "(3.5 -0.5 3.0)");
    w.check("(define (d a b) (list (quotient a b) (remainder a b) (modulo a b))) (list (d 7 2) (d -7 2) (d 7 -2))", "((3 1 1) (-3 -1 1) (-3 1 -1))");
    w.check(
        "(define (m a b c) (list (+ a b c) (* a b c) (- a b c))) (m 1 2 3)",
        "(6 6 -4)",
    );
    w.check("(list (+) (+ 5) (- 5) (*))", "(0 5 -5 1)");
}

fn branches() {
    let mut w = World::bare();
    w.check(
        "(define (cmp a b) (list (if (< a b) 1 0) (if (<= a b) 1 0) (if (> a b) 1 0) (if (>= a b) 1 0) (if (= a b) 1 0)))
         (list (cmp 1 2) (cmp 2 1) (cmp 2 2) (cmp 1.5 2) (cmp 1/2 1/2))",
        "((1 1 0 0 0) (0 0 1 1 0) (0 1 0 1 1) (1 1 0 0 0) (0 1 0 1 1))",
    );
    w.check(
        "(define (small a) (list (if (< a 3) 1 0) (if (= a 3) 1 0) (if (not (> a 3)) 1 0)))
         (list (small 2) (small 3) (small 4) (small 2.5))",
        "((1 0 1) (0 1 1) (0 0 0) (1 0 1))",
    );
    w.check(
        "(define (values-of a b) (list (< a b) (<= a b) (> a b) (>= a b) (= a b))) (values-of 1 2)",
        "(#t #t #f #f #f)",
    );
    w.check(
        "(define (kind x) (if (null? x) 'null (if (pair? x) 'pair (if (eq? x 'a) 'a (if (eq? x #\\z) 'z (if (not x) 'false 'other))))))
         (list (kind '()) (kind '(1)) (kind 'a) (kind #\\z) (kind #f) (kind 7))",
        "(null pair a z false other)",
    );
    w.check(
        "(define (z x) (if (zero? x) 'zero 'not)) (list (z 0) (z 1) (z 0.0) (zero? 0) (z (- 1 1)))",
        "(zero not zero #t zero)",
    );
    w.check(
        "(define (and2 a b) (if (and a b) 1 2)) (list (and2 1 1) (and2 1 #f) (and2 #f 1))",
        "(1 2 2)",
    );
    w.check("(define (nn a b) (if (not (and (pair? a) (null? b))) 1 2)) (list (nn 1 '()) (nn '(1) '()) (nn '(1) 2))", "(1 2 1)");
    w.check("(list (null? '()) (pair? '()) (not #f) (eq? 1 2) (procedure? car) (char? #\\a) (symbol? 'a) (vector? 1))", "(#t #f #t #f #t #t #t #f)");
}

fn data() {
    let mut w = World::bare();
    w.check(
        "(define p (cons 1 2)) (set-car! p 3) (set-cdr! p '(4)) (list p (cadr p) (cddr p) (car p))",
        "((3 4) 4 () 3)",
    );
    w.check("(define v (make-vector 3 'x)) (vector-set! v 1 'y) (list v (vector-ref v 1) (vector-length v))", "(#(x y x) y 3)");
    w.check("(list (string-ref \"abc\" 1) (string-length \"aäc\") (string-ref \"aäc\" 1) (char->integer #\\A))", "(#\\b 3 #\\ä 65)");
    w.check(
        "(list (char=? #\\a #\\a) (char<? #\\b #\\a) (bytevector-u8-ref (bytevector 1 2 3) 2))",
        "(#t #f 3)",
    );
    w.check(
        "(define t (%make-record-type 'point '#(x y))) (define r (%make-record t 1 2))
         (%record-set! r t 0 (list 9) 'set)
         (list (%record-ref r t 0 'point-x) (%record-ref r t 1 'point-y) (%record? r t) (%record? 5 t))",
        "((9) 2 #t #f)",
    );
}

fn apply() {
    let mut w = World::new();
    w.check(
        "(list (apply + '(1 2 3)) (apply list 1 2 '(3)) (apply car '((1))))",
        "(6 (1 2 3) 1)",
    );
    w.check(
        "(message (lambda () (apply + 1)))",
        "\"apply: argument 2 must be a list, not\"",
    );
    w.check(
        "(message (lambda () (apply 5 '())))",
        "\"apply: argument 1 must be a procedure, not\"",
    );
}

fn apply_many() {
    let mut w = World::new();
    w.check(
        "(define (f . l) (length l)) (apply f (make-list 50000 1))",
        "50000",
    );
    w.check(
        "(message (lambda () (apply f (make-list 140000 1))))",
        "\"apply: more arguments than the stack has room for\"",
    );
}

fn values() {
    let mut w = World::bare();
    w.check(
        "(define (two) (values 1 (list 2)))
         (list (call-with-values two list)
               (call-with-values (lambda () 5) list)
               (call-with-values values list)
               (call-with-values (lambda () (values 1 2 3)) (lambda (a . b) (list b a))))",
        "((1 (2)) (5) () ((2 3) 1))",
    );
    w.check(
        "(define (f) (call-with-values (lambda () (values 1 2)) +)) (+ 1 (f))",
        "4",
    );
}

fn dynamic() {
    let mut w = World::new();
    w.check(
        "(define p (%make-parameter 10 #f))
         (define (with v thunk) (%with-dyn (%make-dyn '() (cons (cons p v) (%dyn-params (%dyn)))) thunk))
         (list (p) (with 20 (lambda () (list (p) (with 30 p) (p)))) (p))",
        "(10 (20 30 20) 10)",
    );
    w.check(
        "(define k #f) (define n 0)
             (define r (with 5 (lambda () (call/cc (lambda (c) (set! k c) 0)) (p))))
             (set! n (+ n 1))
             (list r (p) n)",
        "(5 10 1)",
    );
    w.check("(if (< n 3) (k 0) (list r n))", "(5 10 2)");
}

fn large_frames() {
    let mut w = World::bare();
    let args: Vec<String> = (0..3000).map(|i| i.to_string()).collect();
    w.check(
        &format!("(define (f . l) (length l)) (f {})", args.join(" ")),
        "3000",
    );
    let params: Vec<String> = (0..700).map(|i| format!("a{i}")).collect();
    w.check(
        &format!(
            "(define (g n {p}) (if (= n 0) (+ {p}) (+ 1 (g (- n 1) {p})))) (g 2000 {a})",
            p = params.join(" "),
            a = args[..700].join(" ")
        ),
        &(699 * 700 / 2 + 2000).to_string(),
    );
}

fn tail_calls() {
    let mut w = World::bare();
    w.check(
        "(define (loop n) (if (= n 0) 'done (loop (- n 1)))) (loop 10000000)",
        "done",
    );
    w.check(
        "(define (even n) (if (= n 0) #t (odd (- n 1)))) (define (odd n) (if (= n 0) #f (even (- n 1))))
         (even 1000000)",
        "#t",
    );
    w.check("(define (many n a b c d e) (if (= n 0) (list a b c d e) (many (- n 1) b c d e a))) (many 100001 1 2 3 4 5)", "(2 3 4 5 1)");
    w.check(
        "(define (ap n) (if (= n 0) 'done (apply ap (list (- n 1))))) (ap 100000)",
        "done",
    );
    w.check(
        "(define (cv n) (if (= n 0) 'done (call-with-values (lambda () (- n 1)) cv))) (cv 100000)",
        "done",
    );
}

const COUNT: &str = "(define (count n) (if (= n 0) 0 (+ 1 (count (- n 1)))))";

fn deep() {
    let mut w = World::bare();
    w.check(&format!("{COUNT} (count 1000000)"), "1000000");
    w.check(
        "(define (build n) (if (= n 0) '() (cons n (build (- n 1))))) (length (build 1000000))",
        "1000000",
    );
    w.check("(+ (count 1000000) (count 10))", "1000010");
}

fn deep_small() {
    let mut w = World::bare();
    w.check(&format!("{COUNT} (count 100000)"), "100000");
}

fn listing() {
    let mut w = World::bare();
    let entry = w.load(FIB);
    assert_eq!(w.vm.disassemble(entry), FIB_LISTING);
}

const FIB_LISTING: &str = "\
f0 -:
     0  enter                  0
     1  poll
     2  literal                #<procedure fib>
     4  define_global          fib
     6  const_bits             #<unspecified>
     7  return_acc

f1 fib:
     8  enter                  1
     9  poll
    10  unless_lt_small        [0] 2 -> 12
    11  return_local           [0]
    12  frame                  4 -> 16
    13  push_sub_small         [0] 1
    14  call_global            1 fib
    16  push
    17  frame                  5 -> 21
    18  push_sub_small         [0] 2
    19  call_global            1 fib
    21  add
    22  return_acc
";
