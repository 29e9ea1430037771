;;; The collector as a program sees it.
(define-library (bowline gc)
  (import (rename (bowline primitives) (collect %collect)))
  (export
    broken-object? collect ephemeron-broken? ephemeron-datum ephemeron-key ephemeron-value ephemeron?
    finalize-all! gc-stats list->weak-vector make-ephemeron make-guardian make-weak-vector
    object-address reference-barrier set-weak-car! set-weak-cdr! weak-broken? weak-car weak-cdr
    weak-cons weak-pair? weak-vector weak-vector->list weak-vector-length weak-vector-ref
    weak-vector-set! weak-vector?)
  (begin

    ;; What was found dead is finalized before this returns, unless a callback calls it.
    (define collect
      (case-lambda
        (() (%collect) (%run-finalizers))
        ((kind) (%collect kind) (%run-finalizers))))

    ;; Also the finalizers of pointers that live: for a program's end.
    (define (finalize-all!)
      (%hurry-finalizers)
      (%run-finalizers))

    (define (list->weak-vector list)
      (let ((v (make-weak-vector (length list))))
        (let loop ((i 0) (rest list))
          (if (pair? rest)
              (begin
                (weak-vector-set! v i (car rest))
                (loop (+ i 1) (cdr rest)))
              v))))

    (define (weak-vector->list v)
      (let loop ((i (- (weak-vector-length v) 1)) (list '()))
        (if (< i 0) list (loop (- i 1) (cons (weak-vector-ref v i) list)))))

    ;; A guardian is a procedure: with an object it watches the object (and gives back the
    ;; representative, if there is one); without, it gives an object that only it still held, or #f.
    (define (make-guardian)
      (let ((guardian (%make-guardian)))
        (case-lambda
          (() (%guardian-next guardian))
          ((object) (%guardian-register guardian object object))
          ((object representative) (%guardian-register guardian object representative)))))))
