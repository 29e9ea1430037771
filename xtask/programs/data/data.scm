;;; What C pays to look at a program's data, and to call its procedures: data.scm LIBRARY. Nanoseconds for each element of a
;;; list, or for each call.
(import (scheme base) (scheme write) (scheme process-context) (bowline datatype) (bowline ffi))

(foreign-export-du-deconstruction "C" (list cons 2) "uncons")
(define (head l) (car l))
(define (tail l) (cdr l))
(define (next n) (+ n 1))
;; A loop of one turn: as little, but not light.
(define (next-in-loop n)
  (let loop ((i 0) (n n)) (if (= i 1) n (loop (+ i 1) (+ n 1)))))
(foreign-export "C" head (handle) handle "head")
(foreign-export "C" tail (handle) handle "tail")
(foreign-export "C" next (int) int "next_light")
(foreign-export "C" next-in-loop (int) int "next_full")

(define-foreign-library data (list-ref (command-line) 1))
(define-foreign by-words (data "by_words") (handle) double)
(define-foreign by-assigning (data "by_assigning") (handle) double)
(define-foreign by-handles (data "by_handles") (handle) double)
(define-foreign by-procedures (data "by_procedures") (handle) double)
(define-foreign calls-light (data "calls_light") () double)
(define-foreign calls-full (data "calls_full") () double)
(define-foreign calls-back (data "calls_back") ((callback (int) int)) double)

(define elements
  (let loop ((i 1000) (l '()))
    (if (= i 0) l (loop (- i 1) (cons i l)))))

(define (tell name ns)
  (display name)
  (display "=")
  (display ns)
  (newline))

(tell "words" (by-words elements))
(tell "assign" (by-assigning elements))
(tell "handles" (by-handles elements))
(tell "procedures" (by-procedures elements))
(tell "light" (calls-light))
(tell "full" (calls-full))
(tell "callback" (calls-back (lambda (n) (+ n 1))))
