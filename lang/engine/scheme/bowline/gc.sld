;;; The collector as a program sees it.
(define-library (bowline gc)
  (import (bowline primitives))
  (export
    collect gc-stats make-guardian object-address set-weak-car! set-weak-cdr! weak-broken?
    weak-car weak-cdr weak-cons weak-pair?)
  (begin

    ;; A guardian is a procedure: with an object it watches the object (and gives back the
    ;; representative, if there is one); without, it gives an object that only it still held, or #f.
    (define (make-guardian)
      (let ((guardian (%make-guardian)))
        (case-lambda
          (() (%guardian-next guardian))
          ((object) (%guardian-register guardian object object))
          ((object representative) (%guardian-register guardian object representative)))))))
