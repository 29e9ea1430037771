;;; A tour of Bowline: functions of the real C library, called from a Scheme whose collector moves
;;; objects.
;;;
;;;     bowline run examples/tour.scm
;;;
;;; Each part hands something to C, lets collections happen at the worst moment, and then checks
;;; what it claims. The program ends with status 1 if a check fails.

(import (scheme base)
        (scheme write)
        (scheme process-context)
        (bowline bytevectors)
        (bowline ffi)
        (bowline gc)
        (bowline list))

;;; The C functions, declared as their manual pages do. A parameter of type `string` or `bytevector`
;;; is lent where it stands: C gets the address of the bytes, nothing is copied.

(define-foreign-library libc "libc.so.6")

(define-foreign qsort (libc "qsort")
  (bytevector size_t size_t (callback (pointer pointer) int)) void)

(define-foreign c-open (libc "open") (string int ... int) int (errno-when negative?))
(define-foreign c-mkstemp (libc "mkstemp") (bytevector) int (errno-when negative?))
(define-foreign c-read (libc "read") (int bytevector size_t) ssize_t (errno-when negative?))
(define-foreign c-write (libc "write") (int bytevector size_t) ssize_t (errno-when negative?))
(define-foreign c-close (libc "close") (int) int (errno-when negative?))
(define-foreign c-unlink (libc "unlink") (string) int (errno-when negative?))

(define-foreign c-strdup (libc "strdup") (string) pointer)
(define-foreign c-free (libc "free") (pointer) void)
(define-foreign c-getenv (libc "getenv") (string) string)

;;; Telling and checking.

(define failures 0)

(define (check what holds?)
  (display (if holds? "  ok      " "  FAILED  "))
  (display what)
  (newline)
  (if (not holds?) (set! failures (+ failures 1))))

(define (stat name)
  (cdr (assq name (gc-stats))))

(define (say . things)
  (for-each display things)
  (newline))

;; A part of the tour. Objects move in it, and after it no object is held in its place.
(define (part title thunk)
  (say)
  (say title)
  (let ((moved-before (stat 'moved-objects)))
    (thunk)
    (check "objects have moved meanwhile" (> (stat 'moved-objects) moved-before))
    (collect)
    (check "and none is pinned now, as no call is active" (= 0 (stat 'pinned-objects)))))

;;; 1. C sorts in place and asks a Scheme procedure, which makes so much garbage that the collector
;;; runs many times while qsort holds the address of our bytes.

(define count 5000)

(define (number-at numbers i)
  (bytevector-s32-native-ref numbers (* 4 i)))

(define (arbitrary-numbers)
  (let ((numbers (make-bytevector (* 4 count))))
    (let fill ((i 0) (x 20070707))
      (when (< i count)
        (bytevector-s32-native-set! numbers (* 4 i) (- x 500000000))
        (fill (+ i 1) (modulo (+ (* x 48271) 11) 1000000007))))
    numbers))

(define (ascending? numbers)
  (every (lambda (i) (<= (number-at numbers i) (number-at numbers (+ i 1))))
         (iota (- count 1))))

(define (sort-with-c)
  (let* ((numbers (arbitrary-numbers))
         (witness (map (lambda (i) (number->string i)) (iota 1000)))
         (witness-address (object-address witness))
         (collections (stat 'in-foreign-calls))
         (comparisons 0))
    (qsort numbers count 4
      (lambda (a b)
        (set! comparisons (+ comparisons 1))
        (iota 100)
        (- (pointer-ref a int32) (pointer-ref b int32))))
    (say "  " comparisons " comparisons, "
         (- (stat 'in-foreign-calls) collections) " collections inside of qsort")
    (check "the collector ran while C was sorting" (> (stat 'in-foreign-calls) collections))
    (check "C has sorted our bytes" (ascending? numbers))
    (check "a list that C does not know was moved"
           (not (= witness-address (object-address witness))))
    (check "and is what it was"
           (equal? witness (map (lambda (i) (number->string i)) (iota 1000))))))

;;; 2. Files by the system's own calls. What fails with errno is a condition.

(define (c-string text)
  (bytevector-append (string->utf8 text) (bytevector 0)))

(define (read-with-c name)
  (let* ((fd (c-open name 0 0))
         (buffer (make-bytevector 100))
         (size (c-read fd buffer 100)))
    (c-close fd)
    (utf8->string buffer 0 size)))

(define (files)
  (let* ((template (c-string "/tmp/bowline-tour-XXXXXX"))
         (fd (c-mkstemp template))
         (name (utf8->string template 0 (- (bytevector-length template) 1)))
         (line (string->utf8 "Καλημέρα, C\n")))
    (check "write takes all bytes"
           (= (bytevector-length line) (c-write fd line (bytevector-length line))))
    (c-close fd)
    (collect)
    (check "read gives them back" (string=? "Καλημέρα, C\n" (read-with-c name)))
    (c-unlink name)
    (guard (e ((system-error? e)
               (say "  the condition says: " (error-object-message e))
               (check "a missing file is ENOENT, raised by c-open"
                      (and (eq? 'ENOENT (system-error-name e))
                           (eq? 'c-open (system-error-procedure e))))))
      (read-with-c name)
      (check "opening a missing file fails" #f))))

;;; 3. Strings: one lent to C and copied there, one that C has and copies to us.

(define (strings)
  (let* ((text (string-append "held by " "C λ"))
         (copy (c-strdup text)))
    (collect)
    (collect)
    (check "strdup's copy stays where it is" (string=? text (pointer->string copy)))
    (pointer-set! copy uint8 0 (char->integer #\H))
    (check "and is C's own" (and (string=? "Held by C λ" (pointer->string copy))
                                 (string=? "held by C λ" text)))
    (c-free copy)
    (check "getenv gives a string" (equal? (get-environment-variable "PATH") (c-getenv "PATH")))
    (check "and #f for NULL" (eq? #f (c-getenv "BOWLINE_TOUR_IS_NOT_SET")))))

;;; 4. A handle: 64 bits that C could keep, and an object that moves as it likes.

(define (handles)
  (let* ((handle (make-handle (list 'kept "by" (vector 'a 'handle))))
         (address (object-address (handle-ref handle))))
    (for-each (lambda (round) (iota 10000) (collect 'minor)) (iota 20))
    (collect)
    (check "the object was moved" (not (= address (object-address (handle-ref handle)))))
    (check "and is what it was" (equal? '(kept "by" #(a handle)) (handle-ref handle)))
    (handle-free! handle)
    (check "a freed handle is refused, not followed"
           (guard (e ((error-object? e) (say "  the condition says: " (error-object-message e)) #t))
             (handle-ref handle)
             #f))))

;;; The tour.

(part "1. qsort, with a comparison in Scheme that makes garbage" sort-with-c)
(part "2. open, read, close, and an error of the system" files)
(part "3. strdup and getenv" strings)
(part "4. An object kept by a handle" handles)

(say)
(say "What the collector did:")
(for-each
  (lambda (entry)
    (let ((name (symbol->string (car entry))))
      (say "  " name (make-string (- 20 (string-length name)) #\space) (cdr entry))))
  (gc-stats))

(say)
(if (= failures 0)
    (say "All checks hold.")
    (say failures " checks failed."))
(exit (= failures 0))
