;;; Hash tables, after SRFI 69. The equivalence is `equal?` or what `make-hash-table` is given: one
;;; of the procedures `eq?` `eqv?` `equal?` `string=?`. Keys compared by identity stay found when
;;; the collector moves them.
(define-library (bowline hash-tables)
  (import (bowline primitives) (bowline support) (bowline core))
  (export
    hash-table->alist hash-table-clear! hash-table-contains? hash-table-copy hash-table-count
    hash-table-delete!
    hash-table-keys hash-table-ref hash-table-ref/default hash-table-set! hash-table-update!
    hash-table-update!/default hash-table-values hash-table-walk hash-table? make-hash-table)
  (begin

    (define (make-hash-table . equivalence)
      (cond
        ((null? equivalence) (%make-hash-table 'equal?))
        ((eq? (car equivalence) eq?) (%make-hash-table 'eq?))
        ((eq? (car equivalence) eqv?) (%make-hash-table 'eqv?))
        ((eq? (car equivalence) equal?) (%make-hash-table 'equal?))
        ((eq? (car equivalence) string=?) (%make-hash-table 'string=?))
        (else
         (%type-error 'make-hash-table 1 "one of eq? eqv? equal? string=?" (car equivalence)))))

    ;; Told apart from every value that a program can store.
    (define missing (list 'missing))

    (define (hash-table-ref table key . failure)
      (let ((value (hash-table-ref/default table key missing)))
        (cond
          ((not (eq? value missing)) value)
          ((pair? failure) ((car failure)))
          (else (error "hash-table-ref: no such key" key)))))

    (define (hash-table-update! table key procedure . failure)
      (hash-table-set! table key (procedure (apply hash-table-ref table key failure))))

    (define (hash-table-update!/default table key procedure default)
      (hash-table-set! table key (procedure (hash-table-ref/default table key default))))

    (define (hash-table-walk table procedure)
      (for-each
        (lambda (entry) (procedure (car entry) (cdr entry)))
        (hash-table->alist table)))))
