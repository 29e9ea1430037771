;;; The control part of the standard library: winders, exceptions, parameters, promises, and the
;;; procedures over sequences that call procedures.
;;;
;;; Invariants
;;; - No procedure here is known to Rust except through `%install-hook!`; Rust never calls back.
;;; - inv:lib.reentrant  A procedure that calls its argument keeps its state in arguments only, so a
;;;   continuation captured in the argument may be entered any number of times.
;;; - inv:lib.winders  The list of winders changes by one winder at a time, outside of its thunks.
;;;
;;; Absent on purpose: whatever the expander treats itself, and every procedure that calls none of
;;; its arguments; those are primitives.
(define-library (bowline core)
  (import (bowline primitives))
  (export
    dynamic-wind raise-continuable with-exception-handler guard %exit-after-winding
    make-parameter parameterize delay delay-force make-promise force
    map for-each vector-map vector-for-each string-map string-for-each
    member assoc %type-error)
  (begin

    (define (%type-error who position expected value)
      (raise (%make-condition
               'type
               (string-append "argument " (number->string position) " must be " expected)
               (list value)
               who)))

    ;; Winders: a list, innermost first, of #(before after dyn).

    (define (dynamic-wind before thunk after)
      (before)
      (%set-winders! (cons (vector before after (%dyn)) (%winders)))
      (call-with-values thunk
        (case-lambda
          ((result)
           (%set-winders! (cdr (%winders)))
           (after)
           result)
          (results
           (%set-winders! (cdr (%winders)))
           (after)
           (apply values results)))))

    (define (run-winder winder index)
      (%with-dyn (vector-ref winder 2) (vector-ref winder index)))

    (define (common-tail a b)
      (let ((m (length a)) (n (length b)))
        (let loop ((a (if (> m n) (list-tail a (- m n)) a))
                   (b (if (> n m) (list-tail b (- n m)) b)))
          (if (eq? a b) a (loop (cdr a) (cdr b))))))

    (define (wind-to target)
      (let ((common (common-tail (%winders) target)))
        (let unwind ((winders (%winders)))
          (if (not (eq? winders common))
              (begin
                (%set-winders! (cdr winders))
                (run-winder (car winders) 1)
                (unwind (cdr winders)))))
        (let rewind ((winders target))
          (if (not (eq? winders common))
              (begin
                (rewind (cdr winders))
                (run-winder (car winders) 0)
                (%set-winders! winders))))))

    (%install-hook! 'rewind
      (lambda (k results)
        (wind-to (%kont-winders k))
        (%throw k results)))

    ;; A callback's winders are left before C is; the rest when the exit goes on outside of C.
    (define (%exit-after-winding code)
      (wind-to (%activation-winders))
      (%exit code))

    (%install-hook! 'exit %exit-after-winding)

    ;; Exceptions. A handler runs where the object was raised, with the handlers outside of it.

    (define (with-handlers handlers thunk)
      (%with-dyn (%make-dyn handlers (%dyn-params (%dyn))) thunk))

    (define (with-exception-handler handler thunk)
      (if (not (procedure? handler))
          (%type-error 'with-exception-handler 1 "a procedure" handler))
      (with-handlers (cons handler (%dyn-handlers (%dyn))) thunk))

    (define (handle object continuable?)
      (let ((handlers (%dyn-handlers (%dyn))))
        (if (null? handlers)
            (%uncaught object)
            (with-handlers (cdr handlers)
              (lambda ()
                (let ((handler (car handlers)))
                  (if continuable?
                      (handler object)
                      (begin
                        (handler object)
                        (raise (%make-condition
                                 'handler-returned
                                 "exception handler returned"
                                 (list object)
                                 #f))))))))))

    (%install-hook! 'raise handle)

    (define (raise-continuable object)
      (handle object #t))

    ;; The body and the clauses return the thunk that the outermost call runs, in the dynamic
    ;; environment of `guard`. `reraise` goes back to where the object was raised.
    (define (call-with-guard body clauses)
      ((%call/cc
         (lambda (guard-k)
           (with-exception-handler
             (lambda (object)
               ((%call/cc
                  (lambda (raise-k)
                    (guard-k
                      (lambda ()
                        (clauses
                          object
                          (lambda ()
                            (raise-k (lambda () (raise-continuable object)))))))))))
             (lambda ()
               (call-with-values body
                 (case-lambda
                   ((result) (lambda () result))
                   (results (lambda () (apply values results)))))))))))

    (define-syntax guard
      (syntax-rules (else)
        ((_ (variable clause ... (else result ...)) body0 body ...)
         (call-with-guard
           (lambda () body0 body ...)
           (lambda (variable reraise) (cond clause ... (else result ...)))))
        ((_ (variable clause ...) body0 body ...)
         (call-with-guard
           (lambda () body0 body ...)
           (lambda (variable reraise) (cond clause ... (else (reraise))))))))

    ;; Parameters

    (define make-parameter
      (case-lambda
        ((value) (%make-parameter value #f))
        ((value converter) (%make-parameter (converter value) converter))))

    (define (call-with-parameters bindings thunk)
      (let* ((dyn (%dyn))
             (params
               (let loop ((bindings bindings))
                 (if (null? bindings)
                     (%dyn-params dyn)
                     (let* ((parameter (caar bindings))
                            (value (cdar bindings))
                            (converter (%parameter-converter parameter)))
                       (cons (cons parameter (if converter (converter value) value))
                             (loop (cdr bindings))))))))
        (%with-dyn (%make-dyn (%dyn-handlers dyn) params) thunk)))

    (define-syntax parameterize
      (syntax-rules ()
        ((_ ((parameter value) ...) body0 body ...)
         (call-with-parameters
           (list (cons parameter value) ...)
           (lambda () body0 body ...)))))

    ;; Promises

    (define-syntax delay-force
      (syntax-rules ()
        ((_ expression) (%make-promise #f (lambda () expression)))))

    (define-syntax delay
      (syntax-rules ()
        ((_ expression) (%make-promise #f (lambda () (%make-promise #t expression))))))

    (define (make-promise value)
      (if (promise? value) value (%make-promise #t value)))

    (define (force promise)
      (if (promise? promise)
          (let loop ()
            (if (%promise-done? promise)
                (%promise-value promise)
                (let ((next ((%promise-value promise))))
                  ;; The thunk may have forced the promise itself: the first value stays.
                  (if (not (%promise-done? promise))
                      (%promise-share! promise next))
                  (loop))))
          promise))

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
        ((procedure . lists)
         (let loop ((lists lists) (results '()))
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
        ((procedure . lists)
         (let loop ((lists lists))
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

    (define (shortest size sequences)
      (apply min (map1 size sequences)))

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
         (list->vector (map1 procedure (vector->list vector))))
        ((procedure . vectors)
         (list->vector
           (collect-indexed procedure vector-ref (shortest vector-length vectors) vectors)))))

    (define vector-for-each
      (case-lambda
        ((procedure vector)
         (let ((end (vector-length vector)))
           (let loop ((i 0))
             (if (< i end)
                 (begin
                   (procedure (vector-ref vector i))
                   (loop (+ i 1)))))))
        ((procedure . vectors)
         (visit-indexed procedure vector-ref (shortest vector-length vectors) vectors))))

    (define string-map
      (case-lambda
        ((procedure string)
         (list->string (map1 procedure (string->list string))))
        ((procedure . strings)
         (list->string
           (collect-indexed procedure string-ref (shortest string-length strings) strings)))))

    (define string-for-each
      (case-lambda
        ((procedure string)
         (for-each procedure (string->list string)))
        ((procedure . strings)
         (visit-indexed procedure string-ref (shortest string-length strings) strings))))))
