;;; Dynamic state: winders, exceptions, parameters, promises. The expander calls the `%with-…`
;;; procedures for `guard` and `parameterize`, so neither form may be used in this library.
;;;
;;; Rust knows the procedures here through `%install-hook!` only. The list of winders changes by one
;;; winder at a time, and never while one of its thunks runs.
;;;
;;; Absent on purpose: what the expander treats itself, and `raise` and `error`, which are
;;; primitives so that a report names the place of the call even when it is a tail call.
(define-library (bowline support)
  (import (bowline primitives))
  (export
    dynamic-wind with-exception-handler make-parameter make-promise force
    %exit-after-winding %foreign-call %type-error %with-guard %with-guard-reraise %with-parameters)
  (begin

    (define (%type-error who position expected value)
      (raise (%make-condition
               'type
               (string-append (symbol->string who) ": argument " (number->string position)
                              " must be " expected ", not")
               (list value)
               who)))

    ;; For compilers, whose programs know what they pass: calls function NUMBER of a table with arguments that nobody has
    ;; declared, each as C takes such a value; the result is what a register of 64 bits has.
    (define (%foreign-call table number . arguments)
      (apply (apply %foreign-caller table number arguments) arguments))

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
    (define (%exit-after-winding status)
      (wind-to (%activation-winders))
      (%exit status))

    (%install-hook! 'exit %exit-after-winding)

    (%install-hook! 'interrupt
      (lambda ()
        (wind-to (%activation-winders))
        (%interrupted)))

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
                                 "a handler returned from a raise that is not continuable, of"
                                 (list object)
                                 #f))))))))))

    (%install-hook! 'raise handle)

    ;; The body and the handler end as a thunk for the outermost call, which runs it in the dynamic
    ;; environment of `guard`.
    (define (call-with-handler-outside body make-handler)
      ((%call/cc
         (lambda (guard-k)
           (with-exception-handler
             (make-handler guard-k)
             (lambda ()
               (call-with-values body
                 (case-lambda
                   ((result) (lambda () result))
                   (results (lambda () (apply values results)))))))))))

    (define (%with-guard body clauses)
      (call-with-handler-outside body
        (lambda (guard-k)
          (lambda (object)
            (guard-k (lambda () (clauses object)))))))

    ;; `reraise` goes back to where the object was raised. Remembering that place takes memory, so a
    ;; full heap is raised again from the `guard` instead.
    (define (%with-guard-reraise body clauses)
      (call-with-handler-outside body
        (lambda (guard-k)
          (lambda (object)
            (if (and (error-object? object) (eq? (condition-kind object) 'out-of-memory))
                (guard-k (lambda () (clauses object (lambda () (raise object)))))
                ((%call/cc
                   (lambda (raise-k)
                     (define (reraise)
                       (raise-k (lambda () (raise-continuable object))))
                     (guard-k (lambda () (clauses object reraise)))))))))))

    ;; Parameters

    (define make-parameter
      (case-lambda
        ((value) (%make-parameter value #f))
        ((value converter) (%make-parameter (converter value) converter))))

    (define (check-parameter object)
      (if (parameter? object) object (%type-error 'parameterize 1 "a parameter" object)))

    (define (%with-parameters parameters values thunk)
      (let ((dyn (%dyn)))
        (let loop ((parameters parameters) (values values) (bindings (%dyn-params dyn)))
          (if (pair? parameters)
              (let* ((parameter (check-parameter (car parameters)))
                     (convert (%parameter-converter parameter))
                     (value (car values)))
                (loop (cdr parameters)
                      (cdr values)
                      (cons (cons parameter (if convert (convert value) value))
                            bindings)))
              (%with-dyn (%make-dyn (%dyn-handlers dyn) bindings) thunk)))))

    ;; Promises

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
          promise))))
