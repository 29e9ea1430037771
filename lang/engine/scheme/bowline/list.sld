;;; Procedures over lists: the useful part of SRFI 1 under its names, and stable sorting
;;; (`list-sort` of SRFI 132; `sort` takes a list or a vector first).
;;;
;;; No list is changed in place, not even by `delete` (inv:lib.reentrant).
;;;
;;; Absent on purpose: SRFI 1's linear-update procedures and those that R7RS has.
(define-library (bowline list)
  (import (bowline primitives) (bowline core))
  (export
    any append-map append-reverse cons* count delete delete-duplicates drop drop-while every filter
    filter-map find find-tail fold fold-right iota last last-pair list-index list-sort partition
    reduce remove sort take take-while)
  (begin

    (define (iota count . start+step)
      (let* ((start (if (pair? start+step) (car start+step) 0))
             (step (if (and (pair? start+step) (pair? (cdr start+step))) (cadr start+step) 1)))
        (let loop ((i (- count 1)) (results '()))
          (if (< i 0)
              results
              (loop (- i 1) (cons (+ start (* i step)) results))))))

    (define (last list)
      (car (last-pair list)))

    (define (append-reverse reversed tail)
      (if (pair? reversed)
          (append-reverse (cdr reversed) (cons (car reversed) tail))
          tail))

    (define (take list k)
      (let loop ((tail list) (k k) (results '()))
        (if (= k 0)
            (reverse results)
            (loop (cdr tail) (- k 1) (cons (car tail) results)))))

    (define drop list-tail)

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
         (if (null? list)
             state
             (fold procedure (procedure (car list) state) (cdr list))))
        ((procedure state . lists)
         (let loop ((state state) (lists lists))
           (if (any-null? lists)
               state
               (loop (apply procedure (append (map car lists) (list state)))
                     (map cdr lists)))))))

    (define fold-right
      (case-lambda
        ((procedure state list)
         (fold procedure state (reverse list)))
        ((procedure state . lists)
         (fold (lambda (arguments state) (apply procedure (append arguments (list state))))
               state
               (reverse (apply map list lists))))))

    (define (reduce procedure default list)
      (if (null? list)
          default
          (fold procedure (car list) (cdr list))))

    ;; Choosing

    (define (filter keep? list)
      (let loop ((tail list) (results '()))
        (if (null? tail)
            (reverse results)
            (loop (cdr tail)
                  (if (keep? (car tail)) (cons (car tail) results) results)))))

    (define (remove drop? list)
      (filter (lambda (element) (not (drop? element))) list))

    (define (partition first? list)
      (let loop ((tail list) (ins '()) (outs '()))
        (cond
          ((null? tail) (values (reverse ins) (reverse outs)))
          ((first? (car tail)) (loop (cdr tail) (cons (car tail) ins) outs))
          (else (loop (cdr tail) ins (cons (car tail) outs))))))

    (define (delete object list . same)
      (let ((same? (if (pair? same) (car same) equal?)))
        (remove (lambda (element) (same? object element)) list)))

    (define (delete-duplicates list . same)
      (let ((same? (if (pair? same) (car same) equal?)))
        (let loop ((tail list) (results '()))
          (cond
            ((null? tail) (reverse results))
            ((find-tail (lambda (kept) (same? kept (car tail))) results)
             (loop (cdr tail) results))
            (else (loop (cdr tail) (cons (car tail) results)))))))

    ;; Searching

    (define (find-tail wanted? list)
      (cond
        ((null? list) #f)
        ((wanted? (car list)) list)
        (else (find-tail wanted? (cdr list)))))

    (define (find wanted? list)
      (let ((tail (find-tail wanted? list)))
        (and tail (car tail))))

    (define any
      (case-lambda
        ((wanted? list)
         (and (pair? list)
              (if (null? (cdr list))
                  (wanted? (car list))
                  (or (wanted? (car list)) (any wanted? (cdr list))))))
        ((wanted? . lists)
         (and (not (any-null? lists))
              (or (apply wanted? (map car lists))
                  (apply any wanted? (map cdr lists)))))))

    (define every
      (case-lambda
        ((wanted? list)
         (or (null? list)
             (if (null? (cdr list))
                 (wanted? (car list))
                 (and (wanted? (car list)) (every wanted? (cdr list))))))
        ((wanted? . lists)
         (let loop ((lists lists) (result #t))
           (if (or (not result) (any-null? lists))
               result
               (loop (map cdr lists) (apply wanted? (map car lists))))))))

    (define (list-index wanted? . lists)
      (let loop ((i 0) (lists lists))
        (cond
          ((any-null? lists) #f)
          ((apply wanted? (map car lists)) i)
          (else (loop (+ i 1) (map cdr lists))))))

    (define (count wanted? . lists)
      (let loop ((n 0) (lists lists))
        (if (any-null? lists)
            n
            (loop (if (apply wanted? (map car lists)) (+ n 1) n) (map cdr lists)))))

    (define (filter-map procedure . lists)
      (filter (lambda (result) result) (apply map procedure lists)))

    (define (append-map procedure . lists)
      (apply append (apply map procedure lists)))

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
      (sort-prefix before? list (length list)))

    (define (sort sequence before?)
      (if (vector? sequence)
          (list->vector (list-sort before? (vector->list sequence)))
          (list-sort before? sequence)))))
