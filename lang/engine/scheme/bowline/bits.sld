;;; Exact integers as bits, under the names of SRFI 151.
(define-library (bowline bits)
  (import (bowline primitives))
  (export arithmetic-shift bitwise-and bitwise-not bitwise-or bitwise-xor))
