;; What C may do, also in checking mode. Argument: the library.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))
(define-foreign-library crimes (cadr (command-line)))
(define-foreign move-down (crimes "move_down") (bytevector (bytevector-at) size_t) int64)
(define-foreign twice (crimes "twice") (bytevector (callback (int64) int64)) int64)
(define-foreign keep (crimes "keep") (bytevector) void)
(define-foreign fill-kept (crimes "fill_kept") (int64) void)
(define-foreign forget (crimes "forget") () void)
(define-foreign add (crimes "add") (int64 (inout int64) (out int32)) int64)
(define-foreign upcase (crimes "upcase") (string) void)

(define (show x) (write x) (newline))
;; One object in two arguments is one copy.
(define b (bytevector 1 2 3 4))
(show (list (move-down b b 1 3) b))
;; A callback sees what C has written, and C what it has changed.
(show (twice b (lambda (n) (bytevector-u8-set! b 1 30) (collect) (bytevector-u8-ref b 0))))
(show b)
;; A callback's own calls see the same object.
(show (twice b (lambda (n) (move-down b b 1 1) (bytevector-u8-ref b 0))))
;; What is pinned C may keep.
(with-pinned ((p b))
  (keep b)
  (fill-kept 77)
  (show b)
  (forget))
(call-with-values (lambda () (add 2 40)) (lambda values (show values)))
(upcase "TEXT")
;; Many copies.
(define (many n) (when (> n 0) (move-down b b 1 1) (many (- n 1))))
(many 300)
(show 'done)
