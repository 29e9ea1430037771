;;; Algebraic data types.
(define-library (bowline datatype)
  (import (bowline primitives))
  (export define-datatype match where))
