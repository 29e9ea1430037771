;;; Calls of C from Chez Scheme: chez.ss plain|safe LIBRARY. Nanoseconds for each turn of a loop.
(import (chezscheme))

(define safe? (string=? (list-ref (command-line) 1) "safe"))
(define loaded (load-shared-object (list-ref (command-line) 2)))
(define libc (load-shared-object "libc.so.6"))

(define now (foreign-procedure "now" () double))

(define (time-of run n)
  (let ((began (now)))
    (run n)
    (fl- (now) began)))

;; As many turns as take 20 ms, seven times; the least counts.
(define (measure name run)
  (let settle ((n 1))
    (if (fl< (time-of run n) 2e7)
        (settle (* n 2))
        (let again ((left 7) (least +inf.0))
          (if (> left 0)
              (again (- left 1) (min least (/ (time-of run n) n)))
              (begin (display name) (display "=") (display least) (newline)))))))

(define-syntax turns
  (syntax-rules ()
    ((_ name i body)
     (measure name (lambda (n) (let loop ((i 0)) (when (fx< i n) body (loop (fx+ i 1)))))))))

(define-syntax check
  (syntax-rules ()
    ((_ expected call)
     (unless (equal? expected call) (errorf 'check "a wrong result of ~s" 'call)))))

(define sizes '((16 . "16") (4096 . "4k") (1048576 . "1m")))

(define (next i) (fx+ i 1))

;; What may be called while other threads collect; text and bytes, which would move, are copied by hand then.
(define (measure-safe)
  (let ((add (foreign-procedure __collect_safe "add" (int int) int))
        (each (foreign-procedure __collect_safe "each" (int void*) long))
        (back (foreign-callable __collect_safe next (int) int)))
    (lock-object back)
    (check 5 (add 2 3))
    (turns "loop" i #f)
    (turns "add" i (add i 1))
    (let ((entry (foreign-callable-entry-point back)))
      (check 500500 (each 1000 entry))
      (turns "kept" i (each 1000 entry)))))

(define (measure-plain)
  (let ((add (foreign-procedure "add" (int int) int))
        (first (foreign-procedure "first" (string) int))
        (strlen (foreign-procedure "strlen" (string) size_t))
        (first-of (foreign-procedure "first_of" (u8* size_t) int))
        (each (foreign-procedure "each" (int void*) long)))
    (check 5 (add 2 3))
    (turns "loop" i #f)
    (turns "add" i (add i 1))
    (for-each
      (lambda (size)
        (let ((text (make-string (car size) #\a)) (bytes (make-bytevector (car size) 7)))
          (check (car size) (strlen text))
          (check 97 (first text))
          (check 7 (first-of bytes (car size)))
          (turns (string-append "string_" (cdr size)) i (first text))
          (turns (string-append "strlen_" (cdr size)) i (strlen text))
          (turns (string-append "buffer_" (cdr size)) i (first-of bytes 1))))
      sizes)
    (measure-callbacks each)
    (let ((bytes (make-bytevector 64)))
      (turns "pin" i (begin (lock-object bytes) (unlock-object bytes))))))

(define (measure-callbacks each)
  (define (with-code proc)
    (let ((code (foreign-callable next (int) int)))
      (lock-object code)
      (let ((result (proc (foreign-callable-entry-point code))))
        (unlock-object code)
        result)))
  (define (lent n) (with-code (lambda (entry) (each n entry))))
  (check 500500 (lent 1000))
  (turns "callbacks" i (lent 1000))
  (with-code (lambda (entry) (turns "kept" i (each 1000 entry))))
  (turns "lend" i (lent 1))
  (turns "made" i (with-code (lambda (entry) #f))))

(if safe? (measure-safe) (measure-plain))
