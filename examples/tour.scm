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

;;; A stream is a pointer, and so is a place where C is to put a pointer. NULL is an error here.

(define-foreign c-open-memstream (libc "open_memstream") (pointer pointer) pointer
  (errno-when pointer-null?))
(define-foreign c-fopen (libc "fopen") (string string) pointer (errno-when pointer-null?))
(define-foreign c-fputs (libc "fputs") (string pointer) int (errno-when negative?))
(define-foreign c-getline (libc "getline") (pointer pointer pointer) ssize_t)
(define-foreign c-fclose (libc "fclose") (pointer) int (errno-when negative?))

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

(define (repeat n thunk)
  (when (> n 0)
    (thunk)
    (repeat (- n 1) thunk)))

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

;;; 5. C allocates while our strings are in its hands. A stream that grows in memory keeps two
;;; addresses of ours for as long as it is open, so they are C memory: `make-foreign-memory` gives some
;;; that lives until nobody has the pointer. What C itself allocates gets a finalizer.

(define mebibyte (* 1024 1024))

(define (streams)
  (let* ((line (string-append (make-string 99999 #\x) "λ\n"))
         (buffer (make-foreign-memory (sizeof pointer)))
         (size (make-foreign-memory (sizeof size_t)))
         (stream (c-open-memstream buffer size)))
    (repeat 200 (lambda () (c-fputs line stream) (iota 1000)))
    (c-fclose stream)
    (let ((text (attach-finalizer! (pointer-ref buffer pointer) c-free (pointer-ref size size_t))))
      (say "  fputs has made " (pointer-ref size size_t) " bytes of our line")
      (collect)
      (check "all of them are there" (= (pointer-ref size size_t) (* 200 100002)))
      (check "to the last character"
             (string=? "λ\n" (pointer->string (pointer+ text (- (* 200 100002) 3))))))))

;; `getline` makes its buffer larger with realloc, wherever that may then be.
(define (lines)
  (let ((line (make-foreign-memory (sizeof pointer)))
        (capacity (make-foreign-memory (sizeof size_t)))
        (stream (c-fopen "/proc/self/status" "r")))
    (let loop ((count 0) (name #f))
      (if (negative? (c-getline line capacity stream))
          (begin
            (c-fclose stream)
            (c-free (pointer-ref line pointer))
            (check "getline reads the system's lines" (and (> count 10) (string? name))))
          (loop (+ count 1) (or name (pointer->string (pointer-ref line pointer))))))))

;; What C's malloc hands out counts, so the collector runs inside of it: while strdup is reading our
;; string, which is held in its place.
(define (copies)
  (let* ((text (make-string mebibyte #\y))
         (collections (stat 'in-foreign-calls)))
    (define (copy)
      (attach-finalizer! (c-strdup text) c-free (+ mebibyte 1)))
    (let loop ((count 0))
      (if (and (< count 10000) (= collections (stat 'in-foreign-calls)))
          (begin (copy) (loop (+ count 1)))
          (say "  strdup has copied a mebibyte " count " times")))
    (check "the collector ran inside of strdup's malloc" (> (stat 'in-foreign-calls) collections))
    (check "and the copies are good" (string=? text (pointer->string (copy))))))

(define (allocations)
  (streams)
  (lines)
  (copies))

;;; 6. A gibibyte of C memory, a mebibyte at a time, and nobody frees it. What has no owner any more is
;;; given back, so most of it is the same memory again and again.

(define (gibibyte)
  (let loop ((count 0) (history '()))
    (if (< count 1024)
        (let ((memory (make-foreign-memory mebibyte)))
          (pointer-set! memory uint8 (- mebibyte 1) 255)
          (loop (+ count 1) (cons (+ (stat 'client-bytes) (stat 'declared-bytes)) history)))
        (let ((most (apply max history)))
          (say "  at most " (quotient most mebibyte) " mebibytes of C memory at any time")
          (check "which is less than 128" (< most (* 128 mebibyte)))))))

;;; The tour.

(part "1. qsort, with a comparison in Scheme that makes garbage" sort-with-c)
(part "2. open, read, close, and an error of the system" files)
(part "3. strdup and getenv" strings)
(part "4. An object kept by a handle" handles)
(part "5. Streams, lines and copies that C allocates" allocations)
(part "6. A gibibyte of C memory that nobody frees" gibibyte)

(say)
(say "What the collector did:")
(for-each
  (lambda (entry)
    (let ((name (symbol->string (car entry))))
      (say "  " name (make-string (- 22 (string-length name)) #\space) (cdr entry))))
  (gc-stats))

(say)
(if (= failures 0)
    (say "All checks hold.")
    (say failures " checks failed."))
(exit (= failures 0))
