//! E47, E48, E50 and E51: finalizers, memory that is refused, interrupts, and limits of the system.
//!
//! Absent on purpose: a terminal, `repl` of `bowline-tests`; every allocation refused in turn, `refusals` there; C's memory
//! at the limit, `memory` there and `docs/memory.md`.

use crate::case::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "e47_finalizers",
        r#"
(define-foreign call (helper "call") ((callback (int64) int64) int64) int64)
(define log '())
(define (note x) (set! log (cons x log)))
(define (notes) (let ((all (reverse log))) (set! log '()) all))
(define kept #f)
(define (attach n proc) (attach-finalizer! (integer->pointer (+ 4096 n)) proc 0) #t)
(define (clear n) (if (= n 0) 0 (+ 1 (clear (- n 1)))))
(define (several)
  (attach 1 (lambda (p) (set! kept p) (note 'resurrected)))
  (attach 2 (lambda (p) (collect) (note (vector-length (make-vector 100000 0)))))
  (attach 3 (lambda (p) (car p)))
  (attach 4 (lambda (p) (attach-finalizer! p (lambda (p) (note 'again)) 0) (note 'once)))
  (let* ((p (integer->pointer 4101)) (cycle (list p)))
    (set-cdr! cycle cycle)
    (attach-finalizer! p (lambda (p) (note 'of-a-cycle)) 0))
  #t)
(several)
(clear 1000)
;; Not within a call of C.
(show (call (lambda (n) (collect) (clear 1000) (length log)) 1))
(collect)
(collect)
(show (list (notes) (pointer->integer kept)))
;; Not by itself at the end.
(define held (integer->pointer 8192))
(attach-finalizer! held (lambda (p) (display "never")) 0)
"#,
        "0\n((resurrected 100000 once of-a-cycle again) 4097)\n",
    )
    .calls("life.c")
    .says(
        "\
main.scm:…: error: in a finalizer: car: argument 1 must be a pair, not #<pointer 0x1003>
   |
… |   (attach 3 (lambda (p) (car p)))
   |                         ^^^^^^^
   |
   = note: the program goes on
",
    ),
    case(
        "e48_the_heap_is_full",
        r#"
(define (grow all) (grow (cons (make-vector 1000 0) all)))
(told (grow '()))
(define handles '())
(define (hold n) (set! handles (cons (make-handle (make-vector 10000 n)) handles)) (hold (+ n 1)))
(told (hold 0))
(for-each handle-free! handles)
(set! handles '())
(show (vector-length (make-vector 500000 0)))
"#,
        "out of memory: the heap is full\nout of memory: the heap is full\n500000\n",
    )
    .under(&[&["--heap=16m"], &["--heap=16m", "--plan=latency"]]),
    case(
        "e48_no_executable_memory",
        r#"
(define-foreign refuse-code (helper "refuse_code") () int)
(define-foreign call (helper "call") ((callback (int64) int64) int64) int64)
(define-foreign call-env (helper "call_env") ((callback/env (env int64) int64) env int64) int64)
(show (refuse-code))
(told (call (lambda (n) (+ n 1)) 41))
(define (make n) (make-callback (lambda (m) (+ n m)) (int64) int64))
(told (make 1))
(show (call-env (lambda (n) (collect) (+ n 1)) 41))
"#,
        "0\ncannot make a C function for argument 1 of `call`: the system gives no executable memory\n\
         cannot make a C function for argument 1 of `make-callback`: the system gives no executable memory\n42\n",
    )
    .calls("life.c"),
    case(
        "e50_interrupted",
        r#"
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library helper (get-environment-variable "HELPER"))
(define-foreign interrupt-soon (helper "interrupt_soon") () bool)
(define-foreign loops (helper "loops") () void)
(define-foreign sleep-long (helper "sleep_long") () uint)
(define-foreign sleep-blocking (helper "sleep_long") () uint (blocking))
(define-foreign call (helper "call") ((callback (int64) int64) int64) int64)
(define after 0)
(define (wound thunk)
  (dynamic-wind
    (lambda () (interrupt-soon))
    thunk
    (lambda () (set! after (+ after 1)))))
(define (loop n) (loop (+ n 1)))
(wound (lambda () (loops) (loop 0)))
(wound sleep-long)
(wound sleep-blocking)
(call (lambda (n) (wound sleep-long) n) 1)
(list 'lives after (begin (collect) (call (lambda (n) (+ n 1)) 41)))
"#,
        "repl:…: note: interrupted\nrepl:…: note: interrupted\nrepl:…: note: interrupted\nrepl:…: note: interrupted\n\
         (lives 4 42)\n",
    )
    .calls("life.c")
    .at_the_prompt(),
    case("e51_little_address_space", "(show 'never)", "")
        .after("ulimit -v 30000000")
        .fails(
            2,
            "bowline: the collector reserves address space (it does not use it) and the limit of 30720000000 bytes is too \
             small: raise it with \"ulimit -v unlimited\"\n",
        ),
    case("e51_too_little_address_space", "(show 'never)", "")
        .after("ulimit -v 200000")
        .fails(
            2,
            "bowline: the collector reserves address space (it does not use it) and the limit of 204800000 bytes is too \
             small: raise it with \"ulimit -v unlimited\"\n",
        ),
    case(
        "e51_little_data",
        r#"
(define (grow all) (grow (cons (make-vector 1000 0) all)))
(told (grow '()))
(show (vector-length (make-vector 500000 0)))
"#,
        "out of memory: the heap is full\n500000\n",
    )
    .after("ulimit -d 600000"),
    case("e51_much_too_little_data", "(show 'never)", "")
        .after("ulimit -d 300000")
        .fails(
            2,
            "bowline: the system lets this process map … KiB more, and the collector needs … KiB: see \"ulimit -d\" and \
             vm.overcommit_memory\n",
        ),
];
