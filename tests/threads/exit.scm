;; `exit` on a thread of C's runs what is wound there, and ends the process. Argument: the library.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library helper (cadr (command-line)))
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64 (on-exit -1)) int64) int64)
(dynamic-wind
  (lambda () #f)
  (lambda ()
    (on-thread (lambda (n)
      (display "inside\n")
      (dynamic-wind (lambda () #f) (lambda () (exit 7)) (lambda () (display "after\n"))))
      1))
  (lambda () (display "the program's\n")))
