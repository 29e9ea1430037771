;; Finalizers wait until the program itself can run them. Argument: the library.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library helper (cadr (command-line)))
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64 (on-exit -1)) int64) int64)
(define ran 0)
(define (drop) (attach-finalizer! (integer->pointer 4096) (lambda (p) (set! ran (+ ran 1))) 0) #f)
(define seen
  (on-thread (lambda (n) (drop) (collect) (collect) (let loop ((i 0)) (if (< i 100000) (loop (+ i 1)))) ran) 1))
(collect)
(let loop ((i 0)) (if (< i 100000) (loop (+ i 1))))
(write (list seen ran))
(newline)
