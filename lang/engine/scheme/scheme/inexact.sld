;;; R7RS (scheme inexact).
(define-library (scheme inexact)
  (import (bowline primitives))
  (export acos asin atan cos exp finite? infinite? log nan? sin sqrt tan))
