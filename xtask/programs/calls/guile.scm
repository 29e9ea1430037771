;;; Calls of C from Guile: guile.scm LIBRARY. Nanoseconds for each turn of a loop.
(use-modules (system foreign) (rnrs bytevectors))

(define library (dynamic-link (list-ref (command-line) 1)))
(define process (dynamic-link))

(define now (pointer->procedure double (dynamic-func "now" library) '()))

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
              (begin (display name) (display "=") (display least) (newline)))))))

(define-syntax-rule (turns name i body)
  (measure name (lambda (n) (let loop ((i 0)) (when (< i n) body (loop (+ i 1)))))))

(define-syntax-rule (check expected call)
  (unless (equal? expected call) (error "a wrong result of" 'call)))

(define (c-function name result parameters)
  (pointer->procedure result (dynamic-func name library) parameters))

(define add (c-function "add" int (list int int)))
(define first (c-function "first" int '(*)))
(define strlen (pointer->procedure size_t (dynamic-func "strlen" process) '(*)))
(define first-of (c-function "first_of" int (list '* size_t)))
(define each (c-function "each" long (list int '*)))
(define fails
  (pointer->procedure int (dynamic-func "fails" library) '() #:return-errno? #t))

(define (errno-of-fails) (call-with-values fails (lambda (result errno) errno)))
(define (next i) (+ i 1))
(define (pointer-to-next) (procedure->pointer int next (list int)))

(check 5 (add 2 3))
(check 2 (errno-of-fails))
(turns "loop" i #f)
(turns "add" i (add i 1))
(turns "errno" i (errno-of-fails))
(for-each
 (lambda (size)
   (let ((text (make-string (car size) #\a)) (bytes (make-bytevector (car size) 7)))
     (check (car size) (strlen (string->pointer text)))
     (check 97 (first (string->pointer text)))
     (check 7 (first-of (bytevector->pointer bytes) (car size)))
     (turns (string-append "string_" (cdr size)) i (first (string->pointer text)))
     (turns (string-append "strlen_" (cdr size)) i (strlen (string->pointer text)))
     (turns (string-append "buffer_" (cdr size)) i (first-of (bytevector->pointer bytes) 1))))
 '((16 . "16") (4096 . "4k") (1048576 . "1m")))
(let ((kept (pointer-to-next)))
  (check 500500 (each 1000 kept))
  (turns "callbacks" i (each 1000 (pointer-to-next)))
  (turns "kept" i (each 1000 kept))
  (turns "lend" i (each 1 (pointer-to-next)))
  (turns "made" i (pointer-to-next)))
