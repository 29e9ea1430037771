//! E1 to E11: what C was lent, and what was pinned, while the heap is collected.
//!
//! Absent on purpose: C's memory at its limit, `memory::lent` of `bowline-tests`; pins in every line and block of the
//! heap, `pins` of `bowline-gc`.

use crate::case::{CROSSINGS, Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "e01_malloc_collects",
        r#"
(define-foreign hold (helper "hold_malloc") (string) int)
(define text (string-append "lent " "text"))
(define neighbour (string-append "another " "text"))
(define at (object-address neighbour))
(define before (stat 'in-foreign-calls))
(show (list (hold text) (> (stat 'in-foreign-calls) before)))
(show (list (= at (object-address neighbour)) text (pinned)))
"#,
        "(1 #t)\n(#f \"lent text\" 0)\n",
    )
    .calls("lending.c")
    .under(&[&["--zeal=malloc:1"]]),
    case(
        "e02_what_calls_malloc_collects",
        r#"
(define text (string-append "/dev/../dev" "/zero"))
(for-each
  (lambda (name)
    (define-foreign hold (helper name) (string) int)
    (define before (stat 'in-foreign-calls))
    (show (list name (hold text) (> (stat 'in-foreign-calls) before))))
  '("hold_realloc" "hold_strdup" "hold_fopen" "hold_getline" "hold_qsort"))
(show (pinned))
"#,
        "(\"hold_realloc\" 1 #t)\n(\"hold_strdup\" 1 #t)\n(\"hold_fopen\" 1 #t)\n(\"hold_getline\" 1 #t)\n\
         (\"hold_qsort\" 1 #t)\n0\n",
    )
    .calls("lending.c")
    .under(&[&["--zeal=malloc:1"]]),
    case(
        "e03_callback_collects",
        r#"
(define-foreign has-all (helper "has_all")
  (string bytevector size_t double (out int64) (callback (int64) int64) int64) int64)
(define bytes (make-bytevector 200 0))
(define (collects n)
  (let ((neighbour (list n)))
    (if (moves? neighbour) (+ n 1) -3)))
(let-values (((result cell) (has-all (string-append "a " "text") bytes 200 1/2 collects 6)))
  (show (list result cell (bytevector-u8-ref bytes 199) (pinned))))
"#,
        "(7 42 199 0)\n",
    )
    .calls("lending.c")
    .under(&[&["--plan=compact-test"], &["--zeal=crossing:1"]]),
    case(
        "e04_a_hundred_crossings",
        r#"
(define-foreign through (helper "through") (string (callback (int64) int64) int64) int64)
(define (nest n)
  (if (= n 0)
      0
      (let* ((text (number->string n))
             (local (list n text))
             (below (through text (lambda (n) (collect 'minor) (nest (- n 1))) n)))
        (if (equal? local (list n (number->string n))) (+ 1 below) -10000))))
(show (list (nest 100) (pinned)))
"#,
        "(100 0)\n",
    )
    .calls("lending.c")
    .under(CROSSINGS),
    case(
        "e05_pinned_twice",
        r#"
(define bytes (bytevector 1 2 3))
(pin! bytes)
(pin! bytes)
(unpin! bytes)
(show (list (pinned) (moves? bytes) (moves? (list 1))))
(unpin! bytes)
(show (pinned))
"#,
        "(1 #f #t)\n0\n",
    )
    .under(&[&["--plan=compact-test"], &["--zeal=crossing:1"]]),
    case(
        "e06_unpinned_too_often",
        r#"
(define bytes (bytevector 1 2 3))
(pin! bytes)
(unpin! bytes)
(told (unpin! bytes))
(told (unpin! (bytevector)))
"#,
        "unpin!: the object is unpinned more often than it was pinned: #u8(1 2 3)\n\
         unpin!: the object is unpinned more often than it was pinned: #u8()\n",
    ),
    case(
        "e07_pinned_in_the_nursery",
        r#"
(define before (bytevector 1))
(define bytes (bytevector 1 2 3))
(define after (bytevector 2))
(pin! bytes)
(define (places) (map object-address (list before bytes after)))
(define at (places))
(collect 'minor)
(show (map = at (places)))
(show bytes)
"#,
        "(#f #t #f)\n#u8(1 2 3)\n",
    ),
    case(
        "e08_the_middle_of_what_was_lent",
        r#"
(define-foreign keep-middle (helper "keep_middle") ((bytevector-at) (callback (int64) void)) int64)
(define-foreign kept-add (helper "kept_add") (int) void)
(define bytes (make-bytevector 1000 0))
(define (collects n) (kept-add 100) (collect) (kept-add 100))
(show (list (keep-middle bytes 500 collects) (bytevector-u8-ref bytes 500) (pinned)))
"#,
        "(211 211 0)\n",
    )
    .calls("lending.c")
    .under(&[&["--plan=compact-test"], &["--zeal=crossing:1"]]),
    case(
        "e09_nothing_lent",
        r#"
(define-foreign null? (helper "is_null") (bytevector) bool)
(define-foreign null-at? (helper "is_null") ((bytevector-at)) bool)
(define-foreign null-blocking? (helper "is_null") (bytevector) bool (blocking))
(define-foreign empty? (helper "is_empty") (string) bool)
(define-foreign null-string? (helper "is_null") (string) bool)
(show (list (null? (bytevector)) (null-at? (bytevector) 0) (null-at? (bytevector 1) 1) (null-blocking? (bytevector))))
(show (list (empty? "") (empty? (string)) (null-string? #f)))
"#,
        "(#f #f #f #f)\n(#t #t #t)\n",
    )
    .calls("lending.c")
    .under(CROSSINGS),
    case(
        "e10_a_large_object_lent",
        r#"
(define-foreign stays-at (helper "stays_at") (bytevector size_t (callback (int64) void)) uint64)
(define size 10000000)
(define bytes (make-bytevector size 0))
(define (place) (with-pinned ((p bytes)) (pointer->integer p)))
(define at (place))
(show (list (= at (stays-at bytes size (lambda (n) (collect)))) (= at (place))))
(show (list (bytevector-u8-ref bytes (- size 1)) (pinned)))
"#,
        "(#t #t)\n(77 0)\n",
    )
    .calls("lending.c")
    .under(&[&["--plan=compact-test"], &["--zeal=crossing:1"]]),
    case(
        "e11_pins_everywhere",
        r#"
;; Of every page something is pinned, until there is no room for more.
(define pins '())
(define (fill)
  (let ((bytes (make-bytevector 1500 7)))
    (pin! bytes)
    (set! pins (cons bytes pins))
    (fill)))
(told (fill))
;; What is given up makes room again.
(define (give-up n)
  (when (> n 0)
    (unpin! (car pins))
    (set! pins (cdr pins))
    (give-up (- n 1))))
(give-up 2000)
(define places (map object-address pins))
(collect)
(show (list (> (length pins) 1000) (equal? places (map object-address pins)) (= (stat 'pinned-objects) (length pins))))
(for-each unpin! pins)
(set! pins '())
(show (list (pinned) (bytevector-length (make-bytevector 8000000))))
"#,
        "out of memory: the heap is full\n(#t #t #t)\n(0 8000000)\n",
    )
    .under(&[&["--heap=16m"]]),
];
