;;; Calls of C from Bowline: bowline.scm plain|leaf LIBRARY. Nanoseconds for each turn of a loop.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi))

(define leaf? (equal? (list-ref (command-line) 1) "leaf"))
(define-foreign-library calls (list-ref (command-line) 2))
(define-foreign-library libc "libc.so.6")

(define-foreign now (calls "now") () double)

(define (time-of run n)
  (let ((began (now)))
    (run n)
    (- (now) began)))

;; As many turns as take 20 ms, seven times; the least counts.
(define (measure name run)
  (let settle ((n 1))
    (if (< (time-of run n) 2e7)
        (settle (* n 2))
        (let again ((left 7) (least +inf.0))
          (if (> left 0)
              (again (- left 1) (min least (/ (time-of run n) n)))
              (begin
                (display name)
                (display "=")
                (display least)
                (newline)))))))

(define-syntax turns
  (syntax-rules ()
    ((_ name i body)
     (measure name (lambda (n) (let loop ((i 0)) (if (< i n) (begin body (loop (+ i 1))))))))))

(define-syntax check
  (syntax-rules ()
    ((_ expected call)
     (if (not (equal? expected call)) (error "a wrong result of" 'call)))))

;; What can be called either way.
(define-syntax measure-calls
  (syntax-rules ()
    ((_ clause ...)
     (let ((sizes '((16 . "16") (4096 . "4k") (1048576 . "1m"))))
       (define-foreign add (calls "add") (int int) int clause ...)
       (define-foreign first (calls "first") (string) int clause ...)
       (define-foreign strlen (libc "strlen") (string) size_t clause ...)
       (define-foreign first-of (calls "first_of") (bytevector size_t) int clause ...)
       (define-foreign fails (calls "fails") () int (errno-when positive?) clause ...)
       (check 5 (add 2 3))
       (check -1 (fails))
       (turns "loop" i #f)
       (turns "add" i (add i 1))
       (turns "errno" i (fails))
       (for-each
         (lambda (size)
           (let ((text (make-string (car size) #\a)) (bytes (make-bytevector (car size) 7)))
             (check (car size) (strlen text))
             (check 97 (first text))
             (check 7 (first-of bytes (car size)))
             (turns (string-append "string_" (cdr size)) i (first text))
             (turns (string-append "strlen_" (cdr size)) i (strlen text))
             (turns (string-append "buffer_" (cdr size)) i (first-of bytes 1))))
         sizes)))))

(define-foreign each (calls "each") (int (callback (int) int)) long)
(define-foreign each-kept (calls "each") (int pointer) long)

(define (next i) (+ i 1))

(define (measure-callbacks)
  (let ((kept (make-callback next (int) int)) (bytes (make-bytevector 64)))
    (check 500500 (each 1000 next))
    (check 500500 (each-kept 1000 kept))
    (turns "callbacks" i (each 1000 next))
    (turns "kept" i (each-kept 1000 kept))
    (turns "lend" i (each 1 next))
    (turns "made" i (callback-free! (make-callback (lambda (x) (+ x i)) (int) int)))
    (turns "pin" i (begin (pin! bytes) (unpin! bytes)))
    (turns "handle" i (handle-free! (make-handle bytes)))))

(if leaf?
    (measure-calls (leaf))
    (begin
      (measure-calls)
      (measure-callbacks)))
