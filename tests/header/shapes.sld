(define-library (shapes)
  (import (scheme base) (bowline datatype))
  (export circle)
  (begin
    (define-datatype shape (circle (r double)) (dot))
    (foreign-export-du-deconstruction "C" (shape circle 1) "shape_circle")))
