;;; A tour of Bowline: functions of the real C library, called from a Scheme whose collector moves
;;; objects.
;;;
;;;     bowline run examples/tour.scm
;;;
;;; With --heap it wants 64m at least: part 7 has C's library keep 20 MB in memory, which it copies as they grow.
;;;
;;; Each part hands something to C, lets collections happen at the worst moment, and then checks
;;; what it claims. The program ends with status 1 if a check fails. That objects move is one of the checks, so
;;; those of it fail under the plans that move few (`--plan=latency`, `--plan=immix`).

(import (scheme base)
        (scheme write)
        (scheme process-context)
        (bowline bytevectors)
        (bowline ffi)
        (bowline gc)
        (bowline list))

(define-foreign-library libc "libc.so.6")
(define-foreign-library libm "libm.so.6")

;;; Telling and checking.

(define (say . things)
  (for-each display things)
  (newline))

(define failures 0)

(define (check what holds?)
  (say (if holds? "  ok      " "  FAILED  ") what)
  (if (not holds?) (set! failures (+ failures 1))))

(define (stat name)
  (cdr (assq name (gc-stats))))

;; A part of the tour. Objects move in it, and after it no object is held in its place.
(define-syntax part
  (syntax-rules ()
    ((_ title body ...)
     (let ((moved-before (stat 'moved-objects)))
       (say)
       (say title)
       (let () body ...)
       (collect)
       (check "objects have moved meanwhile" (> (stat 'moved-objects) moved-before))
       (check "and none is pinned now, as no call is active" (= 0 (stat 'pinned-objects)))))))

;;; 1. C sorts our numbers where they stand: a `bytevector` is lent, not copied. To compare
;;; two of them it calls a Scheme procedure, which makes so much garbage that the collector
;;; runs many times while qsort holds the address of our bytes.

(define-foreign qsort (libc "qsort")
  (bytevector size_t size_t (callback (pointer pointer) int)) void)

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

(part "1. qsort, with a comparison in Scheme that makes garbage"
  (define numbers (arbitrary-numbers))
  (define witness (map number->string (iota 1000)))
  (define witness-address (object-address witness))
  (define collections (stat 'in-foreign-calls))
  (define comparisons 0)
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
  (check "and is what it was" (equal? witness (map number->string (iota 1000)))))

;;; 2. A file by the system's own calls. What the system refuses is a condition with its name,
;;; because the declarations say which results mean that. After the `...` stand the types of
;;; variable arguments.

(define-foreign mkdtemp (libc "mkdtemp") (bytevector) string (errno-when not))
(define-foreign c-open (libc "open") (string int ... int) int (errno-when negative?))
(define-foreign c-read (libc "read") (int bytevector size_t) ssize_t (errno-when negative?))
(define-foreign c-write (libc "write") (int bytevector size_t) ssize_t (errno-when negative?))
(define-foreign c-close (libc "close") (int) int (errno-when negative?))

(define write-and-create (+ #o1 #o100))

;; mkdtemp writes into our bytes and gives their address back, so the string is a copy of them.
(define directory
  (mkdtemp (bytevector-append (string->utf8 "/tmp/bowline-tour-XXXXXX") (bytevector 0))))
(define file (string-append directory "/Καλημέρα"))

(part "2. open, write, read, close, and an error of the system"
  (define line (string->utf8 "Good morning, C\n"))
  (define size (bytevector-length line))
  (let ((fd (c-open file write-and-create #o600)))
    (check "write takes all bytes" (= size (c-write fd line size)))
    (c-close fd))
  (collect)
  (let* ((fd (c-open file 0 0))
         (buffer (make-bytevector 100)))
    (check "read gives them back" (= size (c-read fd buffer 100)))
    (check "and they are what they were" (equal? line (bytevector-copy buffer 0 size)))
    (c-close fd))
  (guard (e ((system-error? e)
             (say "  the condition says: " (error-object-message e))
             (check "a missing file is ENOENT, raised by c-open"
                    (and (eq? 'ENOENT (system-error-name e))
                         (eq? 'c-open (system-error-procedure e))))))
    (c-open (string-append directory "/missing") 0 0)
    (check "opening a missing file fails" #f)))

;;; 3. The directory as C has it. A struct is declared by its fields and gets C's layout. The
;;; pointer that readdir gives says that it points to a dirent, so `dirent-d_name` takes it,
;;; and would take nothing else; after the last entry it is NULL, which is no dirent.

(define-foreign-struct dirent
  (d_ino uint64) (d_off int64) (d_reclen ushort) (d_type uchar) (d_name (array char 256)))

(define-foreign opendir (libc "opendir") (string) pointer (errno-when pointer-null?))
(define-foreign readdir (libc "readdir") (pointer) (pointer (struct dirent)))
(define-foreign closedir (libc "closedir") (pointer) int (errno-when negative?))
(define-foreign c-remove (libc "remove") (string) int (errno-when negative?))

(define (names-in directory)
  (let ((stream (opendir directory)))
    (let next ((names '()))
      (let ((entry (readdir stream)))
        (collect)
        (cond ((dirent? entry)
               (next (cons (pointer->string (dirent-d_name entry)) names)))
              (else (closedir stream)
                    names))))))

(part "3. A directory walk with opendir, readdir and closedir"
  (define names (names-in directory))
  (say "  the directory has " names)
  (check "our file is there, beside the two that always are"
         (and (= 3 (length names))
              (every (lambda (name) (member name names)) '("." ".." "Καλημέρα"))))
  (check "an accessor takes pointers to its own struct only"
         (guard (e ((error-object? e) (say "  the condition says: " (error-object-message e)) #t))
           (dirent-d_name null-pointer)
           #f))
  (c-remove file)
  (c-remove directory))

;;; 4. Results that C writes to an address. `(out T)` takes no argument and gives a further
;;; value; C gets the address of memory that is there for the call. A struct comes back as a
;;; struct of our own.

(define-foreign frexp (libm "frexp") (double (out int)) double)
(define-foreign strtol (libc "strtol") (string (out string) int) long)
(define-foreign-struct timespec (sec int64) (nsec long))
(define-foreign clock-gettime (libc "clock_gettime") (int (out (struct timespec))) int
  (errno-when negative?))

(part "4. frexp, strtol and clock_gettime, which have more than one result"
  (let-values (((fraction exponent) (frexp 10)))
    (check "ten is 0.625 times 2 to the power of 4" (= 10 (* fraction (expt 2 exponent)))))
  (let-values (((number rest) (strtol "42 knots" 10)))
    (check "strtol stops behind the number" (and (= number 42) (string=? rest " knots"))))
  (let*-values (((status first) (clock-gettime 1))
                ((status then) (begin (collect) (clock-gettime 1))))
    (define (nanoseconds time)
      (+ (* 1000000000 (timespec-sec time)) (timespec-nsec time)))
    (say "  a collection took " (- (nanoseconds then) (nanoseconds first)) " ns or less")
    (check "the clock goes on, and both times are ours"
           (< (nanoseconds first) (nanoseconds then)))))

;;; 5. Strings: printed by C into our bytes, lent and copied there, and C's own, copied to us.

(define-foreign snprintf (libc "snprintf") (bytevector size_t string ... int double string) int)
(define-foreign strdup (libc "strdup") (string) pointer)
(define-foreign c-free (libc "free") (pointer) void)
(define-foreign c-getenv (libc "getenv") (string) string)

(part "5. snprintf, strdup and getenv"
  (let* ((buffer (make-bytevector 100))
         (size (snprintf buffer 100 "%d knots, %.1f km/h, %s" 12 22.224 "half λ")))
    (check "snprintf takes each argument by its type"
           (string=? "12 knots, 22.2 km/h, half λ" (utf8->string buffer 0 size))))
  (let* ((text (string-append "held by " "C λ"))
         (copy (strdup text)))
    (collect)
    (check "strdup's copy stays where it is" (string=? text (pointer->string copy)))
    (pointer-set! copy uint8 0 (char->integer #\H))
    (check "and is C's own" (and (string=? "Held by C λ" (pointer->string copy))
                                 (string=? "held by C λ" text)))
    (c-free copy))
  (check "getenv gives a string" (equal? (get-environment-variable "PATH") (c-getenv "PATH")))
  (check "and #f for NULL" (eq? #f (c-getenv "BOWLINE_TOUR_IS_NOT_SET"))))

;;; 6. A handle: 64 bits that C could keep, and an object that moves as it likes.

(part "6. An object kept by a handle"
  (define handle (make-handle (list 'kept "by" (vector 'a 'handle))))
  (define address (object-address (handle-ref handle)))
  (for-each (lambda (round) (iota 10000) (collect 'minor)) (iota 20))
  (collect)
  (check "the object was moved" (not (= address (object-address (handle-ref handle)))))
  (check "and is what it was" (equal? '(kept "by" #(a handle)) (handle-ref handle)))
  (handle-free! handle)
  (check "a freed handle is refused, not followed"
         (guard (e ((error-object? e) (say "  the condition says: " (error-object-message e)) #t))
           (handle-ref handle)
           #f)))

;;; 7. C that keeps what it was given. A stream that grows in memory writes to two addresses
;;; of ours for as long as it is open, so they are the fields of a struct: C memory, which
;;; stays until nobody has it. What C itself has allocated gets a finalizer.

(define-foreign-struct growing (text pointer) (size size_t))

(define-foreign open-memstream (libc "open_memstream") (pointer pointer) pointer
  (errno-when pointer-null?))
(define-foreign fputs (libc "fputs") (string pointer) int (errno-when negative?))
(define-foreign fclose (libc "fclose") (pointer) int (errno-when negative?))

(part "7. A stream that C keeps in memory"
  (define line (string-append (make-string 99999 #\x) "λ\n"))
  (define grown (make-growing))
  (define stream (open-memstream grown (pointer+ grown (sizeof pointer))))
  (for-each (lambda (i) (fputs line stream) (iota 1000)) (iota 200))
  (fclose stream)
  (let* ((size (growing-size grown))
         (text (attach-finalizer! (growing-text grown) c-free size)))
    (say "  fputs has made " size " bytes of our line")
    (collect)
    (check "all of them are there" (= size (* 200 100002)))
    (check "to the last character"
           (string=? "λ\n" (pointer->string (pointer+ text (- size 3)))))))

;;; 8. What C's malloc hands out counts, so the collector runs inside of it: while strdup is
;;; reading our string, which is held in its place, and nobody but the collector frees the
;;; copies.

(define mebibyte (* 1024 1024))

(part "8. strdup, until the collector runs inside of malloc"
  (define text (make-string mebibyte #\y))
  (define collections (stat 'in-foreign-calls))
  (define (copy)
    (attach-finalizer! (strdup text) c-free (+ mebibyte 1)))
  (let loop ((count 0))
    (if (and (< count 10000) (= collections (stat 'in-foreign-calls)))
        (begin (copy) (loop (+ count 1)))
        (say "  strdup has copied a mebibyte " count " times")))
  (check "the collector ran inside of strdup's malloc" (> (stat 'in-foreign-calls) collections))
  (check "and the copies are good" (string=? text (pointer->string (copy)))))

;;; 9. A gibibyte of C memory, a mebibyte at a time, and nobody frees it. What has no owner
;;; any more is given back, so most of it is the same memory again and again.

(part "9. A gibibyte of C memory that nobody frees"
  (let loop ((count 0) (history '()))
    (if (< count 1024)
        (let ((memory (make-foreign-memory mebibyte)))
          (pointer-set! memory uint8 (- mebibyte 1) 255)
          (loop (+ count 1) (cons (+ (stat 'client-bytes) (stat 'declared-bytes)) history)))
        (let ((most (apply max history)))
          (say "  at most " (quotient most mebibyte) " mebibytes of C memory at any time")
          (check "which is less than 128" (< most (* 128 mebibyte)))))))

;;; The end.

(say)
(say "What the collector did:")
(for-each
  (lambda (name)
    (let ((name-text (symbol->string name)))
      (say "  " name-text (make-string (- 18 (string-length name-text)) #\space) (stat name))))
  '(collections minor major in-foreign-calls
    moved-objects moved-bytes max-pause-ns total-pause-ns))

(say)
(if (= failures 0)
    (say "All checks hold.")
    (say failures " checks failed."))
(exit (= failures 0))
