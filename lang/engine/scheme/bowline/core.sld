;;; The procedures of R7RS over sequences that call a procedure.
;;;
;;; inv:lib.reentrant  A procedure that calls its argument keeps its state in arguments only, so a
;;; continuation captured in the argument may be entered any number of times.
;;;
;;; Absent on purpose: every procedure that calls none of its arguments; those are primitives.
(define-library (bowline core)
  (import (bowline primitives) (bowline support))
  (export
    map for-each vector-map vector-for-each string-map string-for-each member assoc)
  (begin

    ;; Lists

    (define (end-of-list who position tail results)
      (if (null? tail)
          (reverse results)
          (%type-error who position "a list" tail)))

    (define (map1 procedure list)
      (let loop ((tail list) (results '()))
        (if (pair? tail)
            (loop (cdr tail) (cons (procedure (car tail)) results))
            (end-of-list 'map 2 tail results))))

    ;; The heads of all lists, or #f when one of them has ended.
    (define (heads who lists)
      (let loop ((rest lists) (position 2) (results '()))
        (cond
          ((null? rest) (reverse results))
          ((pair? (car rest)) (loop (cdr rest) (+ position 1) (cons (caar rest) results)))
          ((null? (car rest)) #f)
          (else (%type-error who position "a list" (car rest))))))

    (define map
      (case-lambda
        ((procedure list) (map1 procedure list))
        ((procedure list1 list2)
         (let loop ((tail1 list1) (tail2 list2) (results '()))
           (if (and (pair? tail1) (pair? tail2))
               (loop (cdr tail1)
                     (cdr tail2)
                     (cons (procedure (car tail1) (car tail2)) results))
               (begin
                 (heads 'map (list tail1 tail2))
                 (reverse results)))))
        ((procedure list1 . lists)
         (let loop ((lists (cons list1 lists)) (results '()))
           (let ((arguments (heads 'map lists)))
             (if arguments
                 (loop (map1 cdr lists) (cons (apply procedure arguments) results))
                 (reverse results)))))))

    (define for-each
      (case-lambda
        ((procedure list)
         (let loop ((tail list))
           (if (pair? tail)
               (begin
                 (procedure (car tail))
                 (loop (cdr tail)))
               (if (not (null? tail))
                   (%type-error 'for-each 2 "a list" tail)))))
        ((procedure list1 list2)
         (let loop ((tail1 list1) (tail2 list2))
           (if (and (pair? tail1) (pair? tail2))
               (begin
                 (procedure (car tail1) (car tail2))
                 (loop (cdr tail1) (cdr tail2)))
               (if (heads 'for-each (list tail1 tail2)) #f))))
        ((procedure list1 . lists)
         (let loop ((lists (cons list1 lists)))
           (let ((arguments (heads 'for-each lists)))
             (if arguments
                 (begin
                   (apply procedure arguments)
                   (loop (map1 cdr lists)))))))))

    (define member
      (case-lambda
        ((object list) (%member object list))
        ((object list same?)
         (let loop ((tail list))
           (cond
             ((pair? tail) (if (same? object (car tail)) tail (loop (cdr tail))))
             ((null? tail) #f)
             (else (%type-error 'member 2 "a list" tail)))))))

    (define assoc
      (case-lambda
        ((key alist) (%assoc key alist))
        ((key alist same?)
         (let loop ((tail alist))
           (cond
             ((pair? tail) (if (same? key (caar tail)) (car tail) (loop (cdr tail))))
             ((null? tail) #f)
             (else (%type-error 'assoc 2 "a list" tail)))))))

    ;; Vectors and strings

    (define (check-vector who position vector)
      (if (not (vector? vector)) (%type-error who position "a vector" vector)))

    (define (check-string who position string)
      (if (not (string? string)) (%type-error who position "a string" string)))

    ;; The length of the shortest.
    (define (shortest who check size sequences)
      (let loop ((rest sequences) (position 2) (lengths '()))
        (if (null? rest)
            (apply min lengths)
            (begin
              (check who position (car rest))
              (loop (cdr rest) (+ position 1) (cons (size (car rest)) lengths))))))

    (define (collect-indexed procedure ref end sequences)
      (let loop ((i 0) (results '()))
        (if (= i end)
            (reverse results)
            (loop (+ i 1)
                  (cons (apply procedure (map1 (lambda (s) (ref s i)) sequences)) results)))))

    (define (visit-indexed procedure ref end sequences)
      (let loop ((i 0))
        (if (< i end)
            (begin
              (apply procedure (map1 (lambda (s) (ref s i)) sequences))
              (loop (+ i 1))))))

    (define vector-map
      (case-lambda
        ((procedure vector)
         (check-vector 'vector-map 2 vector)
         (list->vector (map1 procedure (vector->list vector))))
        ((procedure vector1 . vectors)
         (let ((all (cons vector1 vectors)))
           (list->vector
             (collect-indexed procedure vector-ref
               (shortest 'vector-map check-vector vector-length all) all))))))

    (define vector-for-each
      (case-lambda
        ((procedure vector)
         (check-vector 'vector-for-each 2 vector)
         (let ((end (vector-length vector)))
           (let loop ((i 0))
             (if (< i end)
                 (begin
                   (procedure (vector-ref vector i))
                   (loop (+ i 1)))))))
        ((procedure vector1 . vectors)
         (let ((all (cons vector1 vectors)))
           (visit-indexed procedure vector-ref
             (shortest 'vector-for-each check-vector vector-length all) all)))))

    (define string-map
      (case-lambda
        ((procedure string)
         (check-string 'string-map 2 string)
         (list->string (map1 procedure (string->list string))))
        ((procedure string1 . strings)
         (let ((all (cons string1 strings)))
           (list->string
             (collect-indexed procedure string-ref
               (shortest 'string-map check-string string-length all) all))))))

    (define string-for-each
      (case-lambda
        ((procedure string)
         (check-string 'string-for-each 2 string)
         (for-each procedure (string->list string)))
        ((procedure string1 . strings)
         (let ((all (cons string1 strings)))
           (visit-indexed procedure string-ref
             (shortest 'string-for-each check-string string-length all) all)))))))
