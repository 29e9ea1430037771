;;; R7RS (scheme write).
(define-library (scheme write)
  (import (bowline ports))
  (export display write write-shared write-simple))
