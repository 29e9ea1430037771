;;; Hash tables, after SRFI 69. The equivalence is `equal?` or what `make-hash-table` is given: one
;;; of the procedures `eq?` `eqv?` `equal?` `string=?`. Keys compared by identity stay found when
;;; the collector moves them.
(define-library (bowline hash-tables)
  (import (bowline primitives) (bowline support) (bowline core))
  (export
    hash-table->alist hash-table-clear! hash-table-contains? hash-table-copy hash-table-count
    hash-table-delete!
    hash-table-keys hash-table-ref hash-table-ref/default hash-table-set! hash-table-update!
    hash-table-update!/default hash-table-values hash-table-walk hash-table-weak?
    hash-table? make-hash-table make-weak-hash-table)
  (begin

    (define make-hash-table
      (case-lambda
        (() (%make-hash-table 'equal?))
        ((equivalence) (%make-hash-table (equivalence-name 'make-hash-table equivalence)))))

    ;; An entry lives while its key does, and a key that lives only by way of values here does not.
    (define make-weak-hash-table
      (case-lambda
        (() (%make-hash-table 'eq? 'weak))
        ((equivalence)
         (%make-hash-table (equivalence-name 'make-weak-hash-table equivalence) 'weak))))

    (define (equivalence-name who equivalence)
      (cond
        ((eq? equivalence eq?) 'eq?)
        ((eq? equivalence eqv?) 'eqv?)
        ((eq? equivalence equal?) 'equal?)
        ((eq? equivalence string=?) 'string=?)
        (else (%type-error who 1 "one of eq? eqv? equal? string=?" equivalence))))

    (define (check-table who table)
      (if (not (hash-table? table)) (%type-error who 1 "a hash table" table)))

    ;; Told apart from every value that a program can store.
    (define missing (list 'missing))

    (define (lookup who table key failure)
      (check-table who table)
      (let ((value (hash-table-ref/default table key missing)))
        (if (eq? value missing) (failure) value)))

    (define hash-table-ref
      (case-lambda
        ((table key)
         (lookup 'hash-table-ref table key
           (lambda () (error "hash-table-ref: no such key" key))))
        ((table key failure) (lookup 'hash-table-ref table key failure))))

    (define hash-table-update!
      (case-lambda
        ((table key procedure)
         (hash-table-update! table key procedure
           (lambda () (error "hash-table-update!: no such key" key))))
        ((table key procedure failure)
         (hash-table-set! table key
           (procedure (lookup 'hash-table-update! table key failure))))))

    (define (hash-table-update!/default table key procedure default)
      (check-table 'hash-table-update!/default table)
      (hash-table-set! table key (procedure (hash-table-ref/default table key default))))

    (define (hash-table-walk table procedure)
      (check-table 'hash-table-walk table)
      (for-each
        (lambda (entry) (procedure (car entry) (cdr entry)))
        (hash-table->alist table)))))
