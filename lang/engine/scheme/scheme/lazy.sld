;;; R7RS (scheme lazy).
(define-library (scheme lazy)
  (import (bowline primitives) (bowline support))
  (export delay delay-force force make-promise promise?))
