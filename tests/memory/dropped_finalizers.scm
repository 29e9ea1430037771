;; Twenty gibibytes of C's own blocks, a mebibyte at a time, that finalizers free. Tells the most memory
;; that this process ever had.
(import (scheme base) (scheme write) (scheme file) (bowline ffi) (bowline gc))
(include "dropped.scm")
(define-foreign-library libc "libc.so.6")
(define-foreign c-malloc (libc "malloc") (size_t) pointer (errno-when pointer-null?))
(define-foreign c-free (libc "free") (pointer) void)
(repeat 20480
  (lambda () (attach-finalizer! (c-malloc mebi) c-free mebi)))
(tell)
