;;; R7RS (scheme read).
(define-library (scheme read)
  (import (bowline ports))
  (export read))
