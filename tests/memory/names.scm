;; Prints those of its arguments, all but the first, that are no functions of the executable's. The
;; first is the library that finds out.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi))
(define-foreign-library helper (cadr (command-line)))
(define-foreign is-the-executables (helper "is_the_executables") (string) int)
(for-each
  (lambda (name)
    (when (= 0 (is-the-executables name))
      (write-string name)
      (newline)))
  (list-tail (command-line) 2))
