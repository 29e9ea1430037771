;;; Calling C.
;;;
;;; A type is matched by its symbol's name and never evaluated, so every form that takes a type is
;;; syntax and quotes it.
;;;
;;; (make-foreign-memory N)   N bytes of C memory, all zero; they live as long as the pointer does, or
;;;                           one that `pointer+` has derived from it. An integer made of it, or what C
;;;                           keeps of it, holds nothing.
;;; (string->pointer S)       The text of S, in UTF-8 with a NUL behind it, in such memory.
;;; (bytevector-view P [N])   The N bytes at P as a bytevector, which are not copied: writing to one is writing to the
;;;                           other. It has P as long as it lives.
;;; (attach-finalizer! P PROC BYTES)
;;;                           Once nobody has P, PROC is called with it, between two steps of the program
;;;                           and never inside a foreign call. BYTES is what PROC will give back, so that
;;;                           the collector looks for it in time; 0 if nothing. The result is P.
;;; (make-callback PROC (TYPE ...) RESULT [LIFETIME] [(on-exit V)])
;;;                           A C function that calls PROC, as an object that a `pointer` takes. It is one as long as
;;;                           the program has the object (`gc`), until C has called it (`once`) or for ever
;;;                           (`forever`).
;;; (promote! S)              A pointer to the bytes of the string or bytevector S, which stay where they are for as
;;;                           long as they live: as long as S has them, or somebody has the pointer.
(define-library (bowline ffi)
  (import (bowline primitives) (bowline support))
  (export
    define-foreign define-foreign-library define-foreign-table define-foreign-struct define-foreign-enum
    pointer? pointer-ref pointer-set! pointer+ sizeof
    null-pointer pointer-null? pointer->integer integer->pointer pointer->string pointer->bytevector bytevector-view
    foreign-array-length foreign-array-ref foreign-array-set!
    make-foreign-memory string->pointer attach-finalizer!
    make-callback callback-free! callback?
    pin! promote! unpin! with-pinned
    make-handle make-weak-handle handle-ref handle-set! handle-free! handle? handle->integer integer->handle
    system-error? system-error-number system-error-name system-error-message
    system-error-procedure)
  (begin

    (define-syntax define-foreign-library
      (syntax-rules ()
        ((_ name file)
         (define name (%foreign-library file)))
        ((_ . parts)
         (syntax-error "bad `define-foreign-library`: it looks like (define-foreign-library NAME FILE)"))))

    (define-syntax define-foreign-table
      (syntax-rules ()
        ((_ name symbol) (define name (%foreign-table symbol #f)))
        ((_ name symbol library) (define name (%foreign-table symbol library)))
        ((_ . parts)
         (syntax-error "bad `define-foreign-table`: it looks like (define-foreign-table NAME SYMBOL [LIBRARY])"))))

    (define-syntax sizeof
      (syntax-rules () ((_ type) (%sizeof 'type))))

    (define-syntax pointer-ref
      (syntax-rules ()
        ((_ pointer type) (%pointer-ref pointer 'type))
        ((_ pointer type offset) (%pointer-ref pointer 'type offset))))

    (define-syntax pointer-set!
      (syntax-rules ()
        ((_ pointer type offset value) (%pointer-set! pointer 'type offset value))))

    (define-syntax make-callback
      (syntax-rules ()
        ((_ procedure (type ...) result option ...)
         (%make-callback procedure '(callback (type ...) result option ...)))))

    (define null-pointer (%null-pointer))

    ;; In the body each variable is a pointer to the bytes of its object, which stays in its place.
    (define-syntax with-pinned
      (syntax-rules ()
        ((_ ((pointer object) ...) body0 body ...)
         (call-with-pinned (list object ...) '() (lambda (pointer ...) body0 body ...)))))

    ;; Once the body has been left the objects may move, so its pointers are worth nothing.
    (define (call-with-pinned objects pointers procedure)
      (if (null? objects)
          (apply procedure (reverse pointers))
          (let ((object (car objects)) (left? #f))
            (dynamic-wind
              (lambda ()
                (if left? (error "with-pinned: the body was left and cannot be entered again"))
                (if (not (or (bytevector? object) (string? object)))
                    (error "with-pinned: only a bytevector or a string can be lent, not" object))
                (pin! object))
              (lambda ()
                (call-with-pinned
                  (cdr objects) (cons (%data-pointer object) pointers) procedure))
              (lambda ()
                (set! left? #t)
                (unpin! object))))))))
