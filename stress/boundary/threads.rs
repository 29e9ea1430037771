//! E42 to E46: threads, processes and libraries that come and go.
//!
//! Absent on purpose: storms of threads, `threads` of `bowline-tests` and of `bowline-gc`; a fork at every moment of a
//! collection, `forked` of `bowline-gc`.

use crate::case::{CROSSINGS, Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "e42_threads_never_attached",
        r#"
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64) int64 int) int64)
(define calls 0)
;; It is detached after each of its calls, and attached again for the next one.
(show (list (on-thread (lambda (n) (collect) (set! calls (+ calls 1)) (+ n calls)) 100 3) calls))
"#,
        "(306 3)\n",
    )
    .calls("threads.c")
    .under(CROSSINGS),
    case(
        "e42_callback_at_exit",
        r#"
(define-foreign keep (helper "keep") (pointer) void)
(define-foreign call-at-exit (helper "call_at_exit") () int)
(define callback (make-callback (lambda (n) (display "never") n) (int64) int64 forever))
(keep callback)
(show (call-at-exit))
"#,
        "0\n",
    )
    .calls("threads.c")
    .says("bowline: callback from (make-callback at main.scm:…) called when the program had ended\n"),
    case(
        "e43_attached_during_a_collection",
        r#"
(define-foreign on-threads (helper "on_threads") ((callback (int64) int64) int) int64)
(define (work n)
  (if (= n 1)
      (do ((i 0 (+ i 1))) ((= i 60)) (collect))
      (let ((mine (list n (number->string n))))
        (collect 'minor)
        (unless (equal? mine (list n (number->string n))) (error "lost" n))))
  n)
(show (list (on-threads work 20) (pinned)))
"#,
        "(210 0)\n",
    )
    .calls("threads.c")
    .under(&[&[], &["--plan=latency"], &["--zeal=crossing:1"]]),
    case(
        "e44_blocked_while_others_collect",
        r#"
(define-foreign keep (helper "keep") (pointer) void)
(define-foreign begin-beside (helper "begin_beside") (int64) void)
(define-foreign end-beside (helper "end_beside") () int64)
(define-foreign pipe (libc "pipe") ((out (array int 2))) int (errno-when negative?))
(define-foreign read (libc "read") (int bytevector size_t) ssize_t (errno-when negative?))
(define-foreign write-to (libc "write") (int bytevector size_t) ssize_t (errno-when negative?))
(define ends (call-with-values pipe (lambda (status ends) ends)))
(define waiting #f)
(define bytes (make-bytevector 10 0))
(define callback
  (make-callback (lambda (n) (set! waiting #t) (read n bytes 10)) (int64) int64))
(keep callback)
(begin-beside (foreign-array-ref ends 0))
(define (wait) (unless waiting (wait)))
(wait)
;; It waits in C for what only this thread can give it, and meanwhile the heap is collected.
(define at (stat 'collections))
(do ((i 0 (+ i 1))) ((= i 30)) (collect))
(show (>= (- (stat 'collections) at) 30))
(write-to (foreign-array-ref ends 1) (string->utf8 "here") 4)
(do ((i 0 (+ i 1))) ((= i 30)) (collect))
(show (list (end-beside) (utf8->string bytes 0 4) (pinned)))
"#,
        "#t\n(4 \"here\" 0)\n",
    )
    .calls("threads.c")
    .under(&[&[], &["--plan=compact-test"], &["--zeal=crossing:1"]]),
    case(
        "e45_fork_and_exec",
        r#"
(define-foreign keep (helper "keep") (pointer) void)
(define-foreign call-kept (helper "call_kept") (int64) int64)
(define-foreign call (helper "call") ((callback (int64) int64) int64) int64)
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64) int64 int) int64)
(define-foreign fork-and-exec (helper "fork_and_exec") (string) int)
(define-foreign fork (libc "fork") () int (errno-when negative?))
(define-foreign leave (libc "_exit") (int) void)
(define-foreign waitpid (libc "waitpid") (int (out int) int) int)
(define bytes (bytevector 1 2 3))
(pin! bytes)
(define place (object-address bytes))
(define handle (make-handle (list 'held)))
(define callback (make-callback (lambda (n) (collect) (+ n 1)) (int64) int64))
(define lasting (make-callback (lambda (n) (collect) (* n n)) (int64) int64 forever))
(define (well?)
  (collect)
  (keep lasting)
  (let ((square (call-kept 5)))
    (keep callback)
    (and (= square 25) (= place (object-address bytes)) (equal? (handle-ref handle) '(held)) (= (call-kept 41) 42)
         (= 42 (on-thread (lambda (n) (collect) (* 2 n)) 21 1)))))
(define (in-child thunk)
  (flush-output-port)
  (let ((child (fork)))
    (if (= child 0) (leave (if (guard (e (#t #f)) (thunk)) 7 2)))
    (let-values (((waited status) (waitpid child 0))) (quotient status 256))))
(show (list (in-child well?) (well?)))
(show (call (lambda (n) (collect) (in-child well?)) 1))
(show (list (call (lambda (n) (fork-and-exec "/bin/true")) 1) (fork-and-exec "/bin/false") (well?)))
"#,
        "(7 #t)\n7\n(0 256 #t)\n",
    )
    .calls("threads.c")
    .under(&[&[], &["--plan=latency"], &["--zeal=crossing:1"]]),
    case(
        "e46_library_closed_while_in_use",
        r#"
(define path (get-environment-variable "HELPER"))
(define-foreign close-and-call (helper "close_and_call") (string (callback (int64) int64) int64) int64)
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64) int64 int) int64)
(define-foreign keep (helper "keep") (pointer) void)
(define-foreign call-kept (helper "call_kept") (int64) int64)
(define-foreign dlopen (libc "dlopen") (string int) pointer)
(define-foreign dlclose (libc "dlclose") (pointer) int)
(define (twice n)
  ;; While its own function runs.
  (dlclose (dlopen path 2))
  (collect)
  (* 2 n))
(keep (make-callback twice (int64) int64 forever))
(show (list (close-and-call path twice 21) (on-thread twice 21 1) (call-kept 21) (close-and-call path twice 1)))
"#,
        "(42 42 42 2)\n",
    )
    .calls("threads.c")
    .under(CROSSINGS),
];
