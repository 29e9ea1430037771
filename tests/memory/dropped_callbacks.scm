;; A million callbacks that nobody holds, each of a procedure of its own; C has called each. Tells the most memory
;; that this process ever had.
(import (scheme base) (scheme write) (scheme file) (bowline ffi) (bowline gc))
(include "dropped.scm")
(define-foreign bsearch (c "bsearch") (bytevector bytevector size_t size_t pointer) pointer)
(define bytes (bytevector 1))
(define calls 0)
(let loop ((i 0))
  (when (< i 1000000)
    (bsearch bytes bytes 1 1
      (make-callback (lambda (a b) (set! calls (+ calls (if (>= i 0) 1 0))) 0) (pointer pointer) int))
    (loop (+ i 1))))
(if (not (= calls 1000000)) (error "calls were lost" calls))
(tell)
