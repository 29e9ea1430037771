;; What nobody handles on a thread of C's is told, and the program goes on. Argument: the library.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi))
(define-foreign-library helper (cadr (command-line)))
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64 (on-exit -1)) int64) int64)
(define result (guard (e (#t 'not-here))
  (on-thread (lambda (n) (car n)) 5)))
(write result)
(newline)
