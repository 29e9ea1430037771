//! E38 to E41 and E49: callbacks that are left, jumped over, dead or entered again.
//!
//! Absent on purpose: each lifetime under load, `lifetimes` and `kept` of `bowline-ffi`.

use crate::case::{CROSSINGS, Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "e38_raise_in_a_callback",
        r#"
(define-foreign ask (helper "ask") ((callback (int64) int64 (on-exit 0)) int64) int64)
(define log '())
(define (note x) (set! log (cons x log)))
(define result
  (guard (e (#t (note 'caught) e))
    (dynamic-wind
      (lambda () (note 'in))
      (lambda ()
        (ask (lambda (n)
               (note n)
               (dynamic-wind (lambda () #f) (lambda () (raise 'stop)) (lambda () (note 'after))))
             5)
        (note 'never))
      (lambda () (note 'out)))))
(show (list result (reverse log) (pinned)))
;; C asked on: it got the default each time, and nobody was called.
(define asked 0)
(guard (e (#t (show e)))
  (ask (lambda (n) (set! asked (+ asked 1)) (if (= n 2) (car n) 0)) 10))
"#,
        "(stop (in 0 after out caught) 0)\n#<condition type: car: argument 1 must be a pair, not>\n",
    )
    .calls("threads.c")
    .under(CROSSINGS),
    case(
        "e39_raise_in_every_comparison",
        r#"
(define-foreign qsort (libc "qsort") (bytevector size_t size_t (callback (pointer pointer) int)) void)
(define size 50000)
(define bytes (make-bytevector size 0))
(define (fill i) (when (< i size) (bytevector-u8-set! bytes i (modulo (* i 7919) 251)) (fill (+ i 1))))
(fill 0)
(define called 0)
(define (compare a b) (set! called (+ called 1)) (raise 'no))
(show (list (guard (e ((symbol? e) e)) (qsort bytes size 1 compare)) called (pinned)))
(qsort bytes size 1 (lambda (a b) (- (pointer-ref a uint8) (pointer-ref b uint8))))
(show (list (bytevector-u8-ref bytes 0) (bytevector-u8-ref bytes (- size 1))))
"#,
        "(no 1 0)\n(0 250)\n",
    ),
    case(
        "e40_jump_past_a_callback",
        r#"
(define-foreign place (helper "jump_place") ((callback (int64) int64) int64) int64)
(define-foreign jump (helper "jump") (string) void)
(define-foreign same (libc "memmove") (handle pointer size_t) handle)
(define level (make-parameter 'outside))
(define after 0)
(told
  (place
    (lambda (n)
      (parameterize ((level n))
        (dynamic-wind
          (lambda () #f)
          (lambda () (same (list 1) #f 0) (jump (string-append "lent " "text")) n)
          (lambda () (set! after (+ after 1))))))
    5))
(show (list (level) after (pinned) (place (lambda (n) (collect) (+ n 1)) 41)))
"#,
        "C jumped (longjmp) back into `place`, past a callback of it: what the callback was doing is lost, and its \
         `after` thunks did not run\n(outside 0 0 42)\n",
    )
    .calls("threads.c")
    .under(CROSSINGS),
    case(
        "e41_called_after_its_death",
        r#"
(define-foreign keep (helper "keep") (pointer) void)
(define-foreign call-kept (helper "call_kept") (int64) int64)
(define (made n) (make-callback (lambda (m) (+ n m)) (int64) int64 gc (on-exit -1)))
(define (lend n) (keep (made n)))
(lend 5)
(define (clear n) (if (= n 0) 0 (+ 1 (clear (- n 1)))))
(clear 1000)
(collect)
(collect)
(show (call-kept 1))
(define freed (make-callback (lambda (m) m) (int64) int64))
(keep freed)
(callback-free! freed)
(show (call-kept 1))
"#,
        "-1\n0\n",
    )
    .calls("threads.c")
    .says(
        "bowline: callback from (make-callback at main.scm:…) called when it had ended: nobody in the program had it any \
         more\n\
         bowline: callback from (make-callback at main.scm:…) called when it had ended: callback-free! has freed it\n",
    )
    .under(CROSSINGS),
    case(
        "e41_called_in_its_own_free",
        r#"
(define-foreign keep (helper "keep") (pointer) void)
(define-foreign call-kept (helper "call_kept") (int64) int64)
(define again #f)
(define callback
  (make-callback
    (lambda (n)
      (callback-free! callback)
      (set! again (call-kept n))
      (collect)
      (+ n 1))
    (int64) int64 gc (on-exit -1)))
(keep callback)
(show (list (call-kept 41) again))
(told (callback-free! callback))
"#,
        "(42 -1)\nthe callback of `make-callback at main.scm:…` has ended: callback-free! has freed it\n",
    )
    .calls("threads.c")
    .says("bowline: callback from (make-callback at main.scm:…) called when it had ended: callback-free! has freed it\n")
    .under(CROSSINGS),
    case(
        "e41_freed_while_another_thread_runs_it",
        r#"
(define-foreign keep (helper "keep") (pointer) void)
(define-foreign begin-beside (helper "begin_beside") (int64) void)
(define-foreign end-beside (helper "end_beside") () int64)
(define state 'none)
(define (wait-for wanted) (unless (eq? state wanted) (wait-for wanted)))
(define callback
  (make-callback
    (lambda (n) (set! state 'running) (wait-for 'freed) (collect) (* 2 n))
    (int64) int64))
(keep callback)
(begin-beside 21)
(wait-for 'running)
(callback-free! callback)
(collect)
(set! state 'freed)
(show (end-beside))
"#,
        "42\n",
    )
    .calls("threads.c")
    .under(CROSSINGS),
    case(
        "e49_continuation_after_its_c_frame",
        r#"
(define-foreign call (helper "call") ((callback (int64) int64) int64) int64)
(define inside #f)
(show (call (lambda (n) (call/cc (lambda (k) (set! inside k) n))) 1))
(told (inside 2))
(show (call/cc (lambda (outside) (call (lambda (n) (outside 'left)) 1))))
"#,
        "1\na continuation was entered after the callback or finalizer that it belongs to had returned: #<continuation>\nleft\n",
    )
    .calls("threads.c")
    .under(CROSSINGS),
    case(
        "e49_continuation_on_another_thread",
        r#"
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64) int64 int) int64)
(define inside #f)
(define said #f)
(define (message thunk) (guard (e ((error-object? e) (error-object-message e))) (thunk)))
(show
  (call/cc
    (lambda (outside)
      (on-thread
        (lambda (n)
          (call/cc (lambda (k) (set! inside k)))
          (set! said (message (lambda () (outside 'jumped))))
          n)
        5 1))))
(show said)
(told (inside 1))
"#,
        "5\n\"a continuation was entered on another thread than the one it belongs to:\"\n\
         a continuation was entered after the callback or finalizer that it belongs to had returned: #<continuation>\n",
    )
    .calls("threads.c")
    .under(CROSSINGS),
];
