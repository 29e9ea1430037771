;;; Algebraic data types.
(define-library (bowline datatype)
  (import (bowline primitives))
  (export
    define-datatype match where foreign-export
    foreign-export-du-construction foreign-export-du-deconstruction foreign-export-du-test
    foreign-export-enum))
