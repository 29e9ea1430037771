;;; R7RS (scheme cxr).
(define-library (scheme cxr)
  (import (bowline primitives))
  (export
    caaaar caaadr caaar caadar caaddr caadr cadaar cadadr cadar caddar cadddr caddr
    cdaaar cdaadr cdaar cdadar cdaddr cdadr cddaar cddadr cddar cdddar cddddr cdddr))
