;;; Procedures over lists: the useful part of SRFI 1 under its names, and stable sorting
;;; (`list-sort` of SRFI 132; `sort` takes a list or a vector first).
;;;
;;; No list is changed in place, not even by `delete` (inv:lib.reentrant).
;;;
;;; Absent on purpose: SRFI 1's linear-update procedures and those that R7RS has.
(define-library (bowline list)
  (import (bowline primitives) (bowline support) (bowline core))
  (export
    any append-map append-reverse cons* count delete delete-duplicates drop drop-while every filter
    filter-map find find-tail fold fold-right iota last last-pair list-index list-sort partition
    reduce remove sort take take-while)
  (begin

    ;; What a walk along argument `position` of `who` has ended at must be the end of a list.
    (define (check-end who position tail)
      (if (not (null? tail)) (%type-error who position "a list" tail)))

    (define iota
      (case-lambda
        ((count) (iota count 0 1))
        ((count start) (iota count start 1))
        ((count start step)
         (if (not (exact-nonnegative-integer? count))
             (%type-error 'iota 1 "an exact non-negative integer" count))
         (let loop ((i (- count 1)) (results '()))
           (if (< i 0)
               results
               (loop (- i 1) (cons (+ start (* i step)) results)))))))

    (define (last list)
      (if (not (pair? list)) (%type-error 'last 1 "a pair" list))
      (car (last-pair list)))

    (define (append-reverse reversed tail)
      (if (pair? reversed)
          (append-reverse (cdr reversed) (cons (car reversed) tail))
          (begin (check-end 'append-reverse 1 reversed) tail)))

    (define (too-short who list k)
      (error (string-append (symbol->string who) ": the list is too short for") k list))

    (define (take list k)
      (let loop ((tail list) (left k) (results '()))
        (cond
          ((= left 0) (reverse results))
          ((pair? tail) (loop (cdr tail) (- left 1) (cons (car tail) results)))
          (else (too-short 'take list k)))))

    (define (drop list k)
      (let loop ((tail list) (left k))
        (cond
          ((= left 0) tail)
          ((pair? tail) (loop (cdr tail) (- left 1)))
          (else (too-short 'drop list k)))))

    (define (take-while keep? list)
      (let loop ((tail list) (results '()))
        (if (and (pair? tail) (keep? (car tail)))
            (loop (cdr tail) (cons (car tail) results))
            (reverse results))))

    (define (drop-while skip? list)
      (if (and (pair? list) (skip? (car list)))
          (drop-while skip? (cdr list))
          list))

    ;; Folding

    (define (any-null? lists)
      (and (pair? lists)
           (or (null? (car lists)) (any-null? (cdr lists)))))

    (define fold
      (case-lambda
        ((procedure state list)
         (let loop ((tail list) (state state))
           (if (pair? tail)
               (loop (cdr tail) (procedure (car tail) state))
               (begin (check-end 'fold 3 tail) state))))
        ((procedure state list1 . lists)
         (let loop ((state state) (lists (cons list1 lists)))
           (if (any-null? lists)
               state
               (loop (apply procedure (append (map car lists) (list state)))
                     (map cdr lists)))))))

    (define fold-right
      (case-lambda
        ((procedure state list)
         (if (not (list? list)) (%type-error 'fold-right 3 "a list" list))
         (fold procedure state (reverse list)))
        ((procedure state list1 . lists)
         (fold (lambda (arguments state) (apply procedure (append arguments (list state))))
               state
               (reverse (apply map list list1 lists))))))

    (define (reduce procedure default list)
      (if (not (list? list)) (%type-error 'reduce 3 "a list" list))
      (if (null? list)
          default
          (fold procedure (car list) (cdr list))))

    ;; Choosing

    (define (choose who keep? list)
      (let loop ((tail list) (results '()))
        (if (pair? tail)
            (loop (cdr tail)
                  (if (keep? (car tail)) (cons (car tail) results) results))
            (begin (check-end who 2 tail) (reverse results)))))

    (define (filter keep? list)
      (choose 'filter keep? list))

    (define (remove drop? list)
      (choose 'remove (lambda (element) (not (drop? element))) list))

    (define (partition first? list)
      (let loop ((tail list) (ins '()) (outs '()))
        (cond
          ((not (pair? tail))
           (check-end 'partition 2 tail)
           (values (reverse ins) (reverse outs)))
          ((first? (car tail)) (loop (cdr tail) (cons (car tail) ins) outs))
          (else (loop (cdr tail) ins (cons (car tail) outs))))))

    (define delete
      (case-lambda
        ((object list) (delete object list equal?))
        ((object list same?)
         (choose 'delete (lambda (element) (not (same? object element))) list))))

    (define delete-duplicates
      (case-lambda
        ((list) (delete-duplicates list equal?))
        ((list same?)
         (let loop ((tail list) (results '()))
           (cond
             ((not (pair? tail))
              (check-end 'delete-duplicates 1 tail)
              (reverse results))
             ((find-tail (lambda (kept) (same? kept (car tail))) results)
              (loop (cdr tail) results))
             (else (loop (cdr tail) (cons (car tail) results))))))))

    ;; Searching

    (define (search who wanted? list)
      (cond
        ((not (pair? list)) (check-end who 2 list) #f)
        ((wanted? (car list)) list)
        (else (search who wanted? (cdr list)))))

    (define (find-tail wanted? list)
      (search 'find-tail wanted? list))

    (define (find wanted? list)
      (let ((tail (search 'find wanted? list)))
        (and tail (car tail))))

    (define any
      (case-lambda
        ((wanted? list)
         (if (pair? list)
             (if (null? (cdr list))
                 (wanted? (car list))
                 (or (wanted? (car list)) (any wanted? (cdr list))))
             (begin (check-end 'any 2 list) #f)))
        ((wanted? list1 . lists)
         (let loop ((lists (cons list1 lists)))
           (and (not (any-null? lists))
                (or (apply wanted? (map car lists))
                    (loop (map cdr lists))))))))

    (define every
      (case-lambda
        ((wanted? list)
         (if (pair? list)
             (if (null? (cdr list))
                 (wanted? (car list))
                 (and (wanted? (car list)) (every wanted? (cdr list))))
             (begin (check-end 'every 2 list) #t)))
        ((wanted? list1 . lists)
         (let loop ((lists (cons list1 lists)) (result #t))
           (if (or (not result) (any-null? lists))
               result
               (loop (map cdr lists) (apply wanted? (map car lists))))))))

    (define (list-index wanted? list1 . lists)
      (let loop ((i 0) (lists (cons list1 lists)))
        (cond
          ((any-null? lists) #f)
          ((apply wanted? (map car lists)) i)
          (else (loop (+ i 1) (map cdr lists))))))

    (define (count wanted? list1 . lists)
      (let loop ((n 0) (lists (cons list1 lists)))
        (if (any-null? lists)
            n
            (loop (if (apply wanted? (map car lists)) (+ n 1) n) (map cdr lists)))))

    (define (filter-map procedure list1 . lists)
      (filter (lambda (result) result) (apply map procedure list1 lists)))

    (define (append-map procedure list1 . lists)
      (apply append (apply map procedure list1 lists)))

    ;; Sorting: a stable merge sort. `sort-prefix` sorts the first `n` elements of `list`.

    (define (merge before? a b)
      (let loop ((a a) (b b) (results '()))
        (cond
          ((null? a) (append-reverse results b))
          ((null? b) (append-reverse results a))
          ((before? (car b) (car a)) (loop a (cdr b) (cons (car b) results)))
          (else (loop (cdr a) b (cons (car a) results))))))

    (define (sort-prefix before? list n)
      (cond
        ((= n 0) '())
        ((= n 1) (cons (car list) '()))
        (else
         (let ((half (quotient n 2)))
           (merge before?
                  (sort-prefix before? list half)
                  (sort-prefix before? (list-tail list half) (- n half)))))))

    (define (list-sort before? list)
      (if (not (list? list)) (%type-error 'list-sort 2 "a list" list))
      (sort-prefix before? list (length list)))

    (define (sort sequence before?)
      (cond
        ((vector? sequence) (list->vector (list-sort before? (vector->list sequence))))
        ((list? sequence) (list-sort before? sequence))
        (else (%type-error 'sort 1 "a list or a vector" sequence))))))
