;;; R7RS (scheme case-lambda).
(define-library (scheme case-lambda)
  (import (only (bowline primitives) case-lambda))
  (export case-lambda))
