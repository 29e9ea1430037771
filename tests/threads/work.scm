;; Callbacks on threads of C's: alone, many at once, deep, one inside another. Argument: the library.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library helper (cadr (command-line)))
(define-foreign on-thread (helper "on_thread") ((callback (int64) int64 (on-exit -1)) int64) int64)
(define-foreign storm (helper "storm") ((callback (int64) int64) int int) int64)
(define-foreign beside (helper "beside") ((callback (int64) int64) (callback (int64) int64)) int64)
(define-foreign down (helper "down") ((callback (int64) int64) int64) int64)
(define (show x) (write x) (newline))
(define level (make-parameter 'program))

(parameterize ((level 'inside))
  (show (on-thread (lambda (n) (show (level)) (collect) (* 2 n)) 21)))

;; A guard and a continuation of its own, and a string that lives through what others allocate.
(define (work n)
  (let ((text (number->string n)))
    (+ (string->number text)
       (call/cc (lambda (k) (for-each (lambda (i) (when (= i 3) (k 0))) (list 1 2 3 4)) 1000))
       (guard (e ((string? e) 0)) (raise text)))))
(show (storm work 6 50))

(define (nest n) (if (= n 0) 0 (down nest n)))
(show (on-thread nest 100))
(define (threads n) (if (= n 0) 0 (+ 1 (on-thread threads (- n 1)))))
(show (threads 20))

;; A loop that calls no C gives way.
(define done #f)
(show (beside (lambda (n) (let loop () (if done n (loop)))) (lambda (n) (set! done #t) n)))
;; So does one in a thread of C's.
(define met #f)
(show (beside (lambda (n) (set! met #t) n) (lambda (n) (let loop () (if met n (loop))))))
