;; A callback that C keeps, called by a thread of C's while the program loops and calls no C. Argument: the library.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library helper (cadr (command-line)))
(define-foreign begins (helper "keeper_begins") (pointer) int)
(define-foreign ends (helper "keeper_ends") () int)
(define seen 0)
(define callback
  (make-callback
    (lambda (n)
      (when (= 0 (modulo n 10)) (collect))
      (set! seen n)
      (if (< n 50) 1 0))
    (int64) int64))
(begins callback)
(let loop ((turns 0)) (if (< seen 50) (loop (+ turns 1))))
(write (list (ends) seen))
(newline)
