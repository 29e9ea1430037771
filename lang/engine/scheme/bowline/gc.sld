;;; The collector as a program sees it.
(define-library (bowline gc)
  (import (rename (bowline primitives) (collect %collect)))
  (export
    collect gc-stats make-guardian object-address set-weak-car! set-weak-cdr! weak-broken?
    weak-car weak-cdr weak-cons weak-pair?)
  (begin

    ;; What was found dead is finalized before this returns, unless a callback calls it.
    (define collect
      (case-lambda
        (() (%collect) (%run-finalizers))
        ((kind) (%collect kind) (%run-finalizers))))

    ;; A guardian is a procedure: with an object it watches the object (and gives back the
    ;; representative, if there is one); without, it gives an object that only it still held, or #f.
    (define (make-guardian)
      (let ((guardian (%make-guardian)))
        (case-lambda
          (() (%guardian-next guardian))
          ((object) (%guardian-register guardian object object))
          ((object representative) (%guardian-register guardian object representative)))))))
