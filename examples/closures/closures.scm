;; Closures between Scheme and C, in the three ways that C has of taking one: see closures.c.
(import (scheme base) (scheme write) (bowline ffi) (bowline gc))

(define-foreign-library closures "libclosures.so")
(define-foreign-library libc "libc.so.6")

;; A function pointer alone. libffi makes code for a closure while the call lasts.
(define-foreign sum (closures "sum") (int int (callback (int) int)) int)

;; With a word that C passes on. No code is made: the word leads to the closure.
(define-foreign sum-env (closures "sum_env") (int int env (callback/env (env int) int)) int)

;; Both in a struct, by value. The word is a handle of the closure, and the function one for all closures: it captures
;; nothing, and its first argument is what the handle stands for.
(define-foreign-struct closure (env uint64) (func pointer))
(define-foreign sum-by-closure (closures "sum_closure") (int int (struct closure)) int)
(define-foreign call-closure (closures "call") ((struct closure) int) int)
(define call-procedure
  (make-callback (lambda (procedure i) (procedure i)) (handle int) int forever))

(define (sum-closure from to procedure)
  (let ((handle (make-handle procedure)))
    (dynamic-wind
      values
      (lambda ()
        (sum-by-closure from to (make-closure (handle->integer handle) call-procedure)))
      (lambda () (handle-free! handle)))))

;; What C calls is an ordinary procedure, which may allocate, collect and move everything.
(define (sum-of-muls sum from to num)
  (sum from to
    (lambda (i)
      (collect 'minor)
      (* i num))))

(define (identity-sum sum from to)
  (sum from to (lambda (i) i)))

;; The same in C.
(define-foreign c-sum-of-muls (closures "sum_of_muls") (int int int) int)
(define-foreign c-identity-sum (closures "identity_sum") (int int) int)

(define (show . things)
  (for-each display things)
  (newline))

(define (try name sum)
  (show name
    ": up " (sum-of-muls sum 1 5 10) ", down " (sum-of-muls sum 5 1 10)
    "; identity: up " (identity-sum sum 1 5) ", down " (identity-sum sum 5 1)
    "; nothing: " (identity-sum sum 3 3)))

(try "code for each " sum)
(try "an env        " sum-env)
(try "a struct      " sum-closure)
(try "C among itself" (lambda (from to procedure)
                        (if (eqv? (procedure 1) 1)
                            (c-identity-sum from to)
                            (c-sum-of-muls from to (procedure 1)))))

;; Up: a closure that C has made, as a procedure of Scheme's. Its environment is C's memory.
(define-foreign times (closures "times") (int) (struct closure))
(define-foreign free (libc "free") (pointer) void)
(define three-times (times 3))
(define (triple i) (call-closure three-times i))
(collect)
(show "of C's own: " (triple 14))

;; And down again.
(for-each
  (lambda (sum) (show "there and back: " (sum 1 5 triple)))
  (list sum sum-env sum-closure))
(free (integer->pointer (closure-env three-times)))

;; Closures within closures: each level is a call of C's, and has an environment of its own.
(define (nested sum depth)
  (if (= depth 0)
      1
      (sum 0 2 (lambda (i) (+ i (nested sum (- depth 1)))))))
(for-each
  (lambda (sum) (show "nested: " (nested sum 6)))
  (list sum sum-env sum-closure))

;; A closure that is left.
(for-each
  (lambda (sum)
    (show "left: " (guard (e ((symbol? e) e))
                     (sum 1 5 (lambda (i) (if (= i 3) (raise 'three) i))))))
  (list sum sum-env sum-closure))
