;; Asks a library in C about the malloc of this process; the library is the argument.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline list))
(define-foreign-library helper (cadr (command-line)))
(define-foreign regions (helper "regions") () int)
(define-foreign elsewhere (helper "elsewhere") () string)
(define texts (map (lambda (i) (make-string 1000 #\x)) (iota 1000)))
(write (list (regions) (elsewhere) (length texts)))
(newline)
