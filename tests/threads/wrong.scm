;; A result of another type. Argument: the library.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library helper (cadr (command-line)))
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64 (on-exit -1)) int64) int64)
(write (on-thread (lambda (n) "text") 5))
(newline)
