//! E12 to E19: handles, by the program and by C that knows `bowline.h`.
//!
//! Absent on purpose: many threads at one table, `holding` of `bowline-ffi` and its models under loom.

use crate::case::{CROSSINGS, Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "e12_handle_freed_twice",
        r#"
(define-foreign freed-twice (helper "freed_twice") (handle) string)
(define handle (make-handle (list 1 2)))
(handle-free! handle)
(told (handle-free! handle))
(display (freed-twice (list 1 2)))
(newline)
"#,
        "handle-free!: handle ….… was freed #<handle>\nBL_E_STALE bl_free: handle ….… was freed\n",
    )
    .calls("handles.c")
    .under(CROSSINGS),
    case(
        "e13_stale_handle",
        r#"
(define-foreign used-again (helper "used_again") (handle) string)
(define old (make-handle 'old))
(define number (handle->integer old))
(handle-free! old)
(define new (make-handle 'new))
(told (handle-ref (integer->handle number)))
(show (handle-ref new))
(display (used-again 5))
(newline)
"#,
        "handle-ref: handle ….… is stale: it was freed and its slot is now ….… #<handle>\nnew\n\
         BL_E_STALE bl_to_int: handle ….… is stale: it was freed and its slot is now ….…\n",
    )
    .calls("handles.c")
    .under(CROSSINGS),
    case(
        "e14_the_table_grows",
        r#"
(define handles
  (let loop ((i 0) (handles '()))
    (cond ((= i 30000) handles)
          (else
            (when (= 0 (modulo i 3000)) (collect))
            (loop (+ i 1) (cons (make-handle (list i)) handles))))))
(define (right? handles i)
  (or (null? handles)
      (and (equal? (handle-ref (car handles)) (list i)) (right? (cdr handles) (- i 1)))))
(show (right? handles 29999))
(collect)
(show (right? handles 29999))
"#,
        "#t\n#t\n",
    )
    .under(&[&["--plan=compact-test"], &["--plan=latency"]]),
    case(
        "e15_no_handle",
        r#"
(define-foreign number (helper "number") (uint64) string)
(define handle (make-handle 5))
(define bits (handle->integer handle))
(for-each
  (lambda (bits) (display (number bits)) (newline))
  
  ;; Numbers that are none, that of a process with another tag, and one that comes later.
  (list 0 1 (- (expt 2 64) 1) (bitwise-xor bits (expt 2 58)) (+ bits 1000000)))
(told (handle-ref (integer->handle 12345)))
"#,
        "BL_E_STALE bl_to_int: 0x0 is not a handle of this process\n\
         BL_E_STALE bl_to_int: 0x1 is not a handle of this process\n\
         BL_E_STALE bl_to_int: 0xffffffffffffffff is not a handle of this process\n\
         BL_E_STALE bl_to_int: 0x… is not a handle of this process\n\
         BL_E_STALE bl_to_int: 0x… is not a handle: none like it was made\n\
         handle-ref: 0x3039 is not a handle of this process #<handle>\n",
    )
    .calls("handles.c"),
    case(
        "e16_freed_on_another_thread",
        r#"
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64) int64 int) int64)
(define handle (make-handle (list 1 2)))
(show (on-thread
        (lambda (n)
          (collect)
          (let ((sum (apply + n (handle-ref handle))))
            (handle-free! handle)
            sum))
        39 1))
(told (handle-ref handle))
(define made #f)
(on-thread (lambda (n) (set! made (make-handle (list n))) n) 7 1)
(collect)
(show (handle-ref made))
(handle-free! made)
"#,
        "42\nhandle-ref: handle ….… was freed #<handle>\n(7)\n",
    )
    .calls("threads.c")
    .under(CROSSINGS),
    case(
        "e17_local_handle_after_its_scope",
        r#"
(define-foreign left-its-scope (helper "left_its_scope") (handle) string)
(define-foreign bits (libc "memmove") (handle pointer size_t) uint64)
(define-foreign back (libc "memmove") (uint64 pointer size_t) handle)
(display (left-its-scope (list 1)))
(newline)
(define left (bits (list 2) #f 0))
(told (back left #f 0))
"#,
        "BL_E_STALE bl_to_int: local handle ….… is used after its scope ended\n\
         the result of `back`: local handle ….… is used after its scope ended\n",
    )
    .calls("handles.c")
    .under(CROSSINGS),
    case(
        "e18_a_million_local_handles",
        r#"
(define-foreign scopes (helper "scopes") (handle int64) int64)
(define-foreign no-scopes (helper "no_scopes") (handle int64) string)
(show (scopes 42 1000000))
(display (no-scopes 42 1000000))
(newline)
(show (scopes 42 10))
"#,
        "1000000\n\
         BL_E_LIMIT bl_local: too many local handles: 65536 in one scope is the limit; open a scope in the loop\n10\n",
    )
    .calls("handles.c"),
    case(
        "e19_weak_handle_during_marking",
        r#"
;; Half of the objects die. A weak handle that is read all the time gives its own object, or says that it has died.
(define count 200)
(define kept '())
(define handles
  (let loop ((i 0) (handles '()))
    (if (= i count)
        handles
        (let ((object (list i)))
          (if (even? i) (set! kept (cons object kept)))
          (loop (+ i 1) (cons (cons i (make-weak-handle object)) handles))))))
(define dead 0)
(define wrong 0)
(define (look entry)
  (let ((found (handle-ref (cdr entry))))
    (cond ((broken-object? found) (set! dead (+ dead 1)))
          ((not (equal? found (list (car entry)))) (set! wrong (+ wrong 1))))))
(define (turn n)
  (when (> n 0)
    (set! dead 0)
    (for-each look handles)
    (make-vector 30000 n)
    (turn (- n 1))))
(turn 100)
(collect)
(turn 1)
(show (list wrong dead (length kept)))
"#,
        "(0 100 100)\n",
    )
    .under(&[&["--plan=latency"], &["--plan=latency", "--verify"], &[]]),
];
