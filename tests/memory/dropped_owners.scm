;; Twenty gibibytes of C memory, a mebibyte at a time, that nobody frees. Tells the most memory that this
;; process ever had.
(import (scheme base) (scheme write) (scheme file) (bowline ffi) (bowline gc))
(include "dropped.scm")
(repeat 20480
  (lambda () (make-foreign-memory mebi)))
(tell)
