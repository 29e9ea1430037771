//! E21 and E32 to E37: words, text and numbers on their way, and errno.
//!
//! Absent on purpose: every type and register, `numbers` and `byvalue` of `bowline-ffi`.

use crate::case::{CROSSINGS, Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "e21_static_addresses_in_objects",
        r#"
(define-foreign malloc (libc "malloc") (size_t) pointer)
(define-foreign odd-malloc (helper "odd_malloc") (int) pointer)
(define-foreign-struct node (next pointer) (n int))
(define-datatype held (held-pointer (p pointer)) (held-word (n uint64)))
(define-record-type kept (make-kept a b) kept? (a kept-a) (b kept-b))
(define text (malloc 100))
(pointer-set! text uint8 0 77)
(pointer-set! text uint8 1 0)
(define (holders p)
  (let ((address (pointer->integer p)) (bytes (make-bytevector 16 0)) (cell (make-foreign-memory 16)))
    (pointer-set! cell pointer 0 p)
    (pointer-set! cell uint64 8 (+ address 1))
    (list p (cons p p) (vector p address (+ address 1) (+ address 3)) (lambda () p) (make-kept p address)
          (held-pointer p) (held-word (+ address 5)) (make-node p 5) (make-parameter p) (delay p) cell
          (bytevector-view p 8) (weak-cons p address) (integer->pointer (+ address 1)) (pointer+ p 3)
          (inexact address) (string->symbol (number->string address)))))
(define all (map holders (list text (odd-malloc 0) (odd-malloc 1) (odd-malloc 7))))
(define (work n) (when (> n 0) (make-vector 3000 (holders text)) (collect) (work (- n 1))))
(work 5)
(define first (car all))
(show (list (pointer-ref (car first) uint8) (equal? (car (cadr first)) text) (equal? ((list-ref first 3)) text)
            (= (vector-ref (list-ref first 2) 2) (+ 1 (pointer->integer text)))
            (match (list-ref first 5) ((held-pointer p) (equal? p text)))
            (pointer-ref (pointer-ref (list-ref first 10) pointer) uint8)
            (bytevector-u8-ref (list-ref first 11) 0)))
"#,
        "(77 #t #t #t #t 77 77)\n",
    )
    .calls("values.c")
    .under(&[
        &["--plan=compact-test", "--verify"],
        &["--zeal=crossing:1", "--verify"],
        &["--plan=latency", "--verify"],
    ]),
    case(
        "e32_integers_at_their_limits",
        r#"
(define-syntax width
  (syntax-rules ()
    ((_ type name least most)
     (let ()
       (define-foreign same (helper name) (type) type)
       (show (list (= least (same least)) (= most (same most))))
       (told (same (- least 1)))
       (told (same (+ most 1)))))))
(define (two n) (expt 2 n))
(width int8 "same_int8" -128 127)
(width int16 "same_int16" (- (two 15)) (- (two 15) 1))
(width int32 "same_int32" (- (two 31)) (- (two 31) 1))
(width int64 "same_int64" (- (two 63)) (- (two 63) 1))
(width uint8 "same_uint8" 0 255)
(width uint16 "same_uint16" 0 65535)
(width uint32 "same_uint32" 0 (- (two 32) 1))
(width uint64 "same_uint64" 0 (- (two 64) 1))
;; About the smallest and the largest integer that is a word of the heap.
(define-foreign same (helper "same_int64") (int64) int64)
(show (map (lambda (n) (= n (same n)))
           (list (two 62) (- (two 62)) (- (two 62) 1) (- -1 (two 62)) (two 61) (- (two 61)) (- (two 61) 1) (- -1 (two 61)))))
"#,
        "(#t #t)\n\
         argument 1 of `same` has type int8: -129 is not between -128 and 127\n\
         argument 1 of `same` has type int8: 128 is not between -128 and 127\n\
         (#t #t)\n\
         argument 1 of `same` has type int16: -32769 is not between -32768 and 32767\n\
         argument 1 of `same` has type int16: 32768 is not between -32768 and 32767\n\
         (#t #t)\n\
         argument 1 of `same` has type int32: -2147483649 is not between -2147483648 and 2147483647\n\
         argument 1 of `same` has type int32: 2147483648 is not between -2147483648 and 2147483647\n\
         (#t #t)\n\
         argument 1 of `same` has type int64: -9223372036854775809 is not between -9223372036854775808 and 9223372036854775807\n\
         argument 1 of `same` has type int64: 9223372036854775808 is not between -9223372036854775808 and 9223372036854775807\n\
         (#t #t)\n\
         argument 1 of `same` has type uint8: -1 is not between 0 and 255\n\
         argument 1 of `same` has type uint8: 256 is not between 0 and 255\n\
         (#t #t)\n\
         argument 1 of `same` has type uint16: -1 is not between 0 and 65535\n\
         argument 1 of `same` has type uint16: 65536 is not between 0 and 65535\n\
         (#t #t)\n\
         argument 1 of `same` has type uint32: -1 is not between 0 and 4294967295\n\
         argument 1 of `same` has type uint32: 4294967296 is not between 0 and 4294967295\n\
         (#t #t)\n\
         argument 1 of `same` has type uint64: -1 is not between 0 and 18446744073709551615\n\
         argument 1 of `same` has type uint64: 18446744073709551616 is not between 0 and 18446744073709551615\n\
         (#t #t #t #t #t #t #t #t)\n",
    )
    .calls("values.c"),
    case(
        "e33_odd_pointers",
        r#"
(define-foreign-struct odd (first pointer) (n int) (second pointer))
(define-foreign odd-result (helper "odd_result") (int) pointer)
(define-foreign odd-argument? (helper "odd_argument") (pointer int) bool)
(define-foreign odd-out (helper "odd_out") (int (out pointer)) void)
(define-foreign odd-callback? (helper "odd_callback") ((callback (pointer) pointer) int) bool)
(define-foreign odd-fields (helper "odd_fields") ((inout (struct odd)) int) void)
(define (right? n)
  (let* ((p (odd-result n))
         (s (odd-fields (make-odd) n))
         (others (list (odd-out n) (odd-first s) (integer->pointer (pointer->integer p)))))
    (collect)
    (and (odd-argument? p n)
         (equal? (list p p p) others)
         (= (pointer->integer (odd-second s)) (+ 1 (pointer->integer p)))
         (string=? (pointer->string p) (substring "0123456789abcdef" n 16))
         (odd-callback? (lambda (q) (collect) (if (equal? p q) q #f)) n))))
(show (map right? '(0 1 2 3 4 5 6 7 15)))
"#,
        "(#t #t #t #t #t #t #t #t #t)\n",
    )
    .calls("values.c")
    .under(&[
        &["--plan=compact-test", "--verify"],
        &["--zeal=crossing:1", "--verify"],
    ]),
    case(
        "e34_strings_that_are_not",
        r#"
(define-foreign length (helper "length") (string) size_t)
(define-foreign at-the-end (helper "at_the_end") (size_t) pointer)
(define-foreign not-utf8 (helper "not_utf8") () string)
(define-foreign empty (helper "empty") () string)
(told (length "a\x0;b"))
(told (length (string-append "abc" (string #\null))))
(show (list (length "") (length "\x3bb;") (empty) (not-utf8)))
;; No byte behind those that were asked for is read.
(show (list (pointer->string (at-the-end 20) 20) (pointer->string (at-the-end 5) 3)
            (bytevector-length (pointer->bytevector (at-the-end 4096) 4096))))
"#,
        "argument 1 of `length` is a string with a NUL character at byte 1, where C would take it to end\n\
         argument 1 of `length` is a string with a NUL character at byte 3, where C would take it to end\n\
         (0 2 \"\" \"a\u{fffd}b\u{fffd}(\u{fffd}z\")\n(\"xxxxxxxxxxxxxxxxxxxx\" \"xxx\" 4096)\n",
    )
    .calls("values.c")
    .under(CROSSINGS),
    case(
        "e36_errno_over_a_collection",
        r#"
(define-foreign fails (helper "fails_and_allocates") () int (errno-when negative?))
(define-foreign fails-blocking (helper "fails_and_allocates") () int (errno-when negative?) (blocking))
(define before (stat 'in-foreign-calls))
(define (number thunk) (guard (e ((system-error? e) (collect) (system-error-name e))) (thunk)))
(show (list (number fails) (number fails-blocking) (> (stat 'in-foreign-calls) before)))
"#,
        "(ENOENT ENOENT #t)\n",
    )
    .calls("lending.c")
    .under(&[&["--zeal=malloc:1"]]),
    case(
        "e37_interrupted_read",
        r#"
(define-foreign disturb (helper "disturb") () int (errno-result))
(define-foreign quiet (helper "quiet") () int (errno-result))
(define-foreign pipe (libc "pipe") ((out (array int 2))) int (errno-when negative?))
(define-foreign write-to (libc "write") (int bytevector size_t) ssize_t (errno-when negative?))
(define-foreign close (libc "close") (int) int (errno-when negative?))
(define-foreign read-plain (libc "read") (int bytevector size_t) ssize_t (errno-when negative?))
(define-foreign read-blocking (libc "read") (int bytevector size_t) ssize_t (errno-when negative?) (blocking))
(define (trial read)
  (define ends (call-with-values pipe (lambda (status ends) ends)))
  (define from (foreign-array-ref ends 0))
  (define to (foreign-array-ref ends 1))
  (define buffer (make-bytevector 8 255))
  (define (attempt) (guard (e ((system-error? e) (system-error-name e))) (read from buffer 8)))
  (disturb)
  (let ((first (attempt)))
    (quiet)
    (write-to to (string->utf8 "four") 4)
    (collect)
    (let ((second (attempt)))
      (close to)
      (show (list first second (utf8->string buffer 0 4) (attempt) (begin (close from) (attempt)) (pinned))))))
(trial read-plain)
(trial read-blocking)
"#,
        "(EINTR 4 \"four\" 0 EBADF 0)\n(EINTR 4 \"four\" 0 EBADF 0)\n",
    )
    .calls("lending.c")
    .under(CROSSINGS),
];
