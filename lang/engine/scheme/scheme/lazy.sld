;;; R7RS (scheme lazy).
(define-library (scheme lazy)
  (import (bowline primitives) (bowline core))
  (export delay delay-force force make-promise promise?))
