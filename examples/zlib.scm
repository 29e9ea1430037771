;;; zlib from Scheme: its stream is a struct of C's, its buffers are views, and nothing is copied or pinned.
;;;
;;;     bowline run examples/zlib.scm
;;;
;;; Nothing is compiled: `z_stream` is declared as zlib.h has it. Text is deflated and inflated again in
;;; small steps, as a program does with what is larger than its memory, and checksums are taken of parts of
;;; buffers where they stand. The program ends with status 1 if a check fails.

(import (scheme base)
        (scheme write)
        (scheme process-context)
        (bowline ffi)
        (bowline gc))

(define-foreign-library zlib "libz.so.1")

(define-foreign-enum flush (no-flush 0) (finish 4))
(define-foreign-enum outcome
  (version-error -6) (buffer-error -5) (memory-error -4) (data-error -3) (stream-error -2) (errno -1)
  (ok 0) (stream-end 1) (need-dictionary 2))

;; The addresses of functions that allocate for zlib stay NULL: it takes malloc, which is Bowline's, so what
;; zlib holds counts with the rest of C's memory.
(define-foreign-struct z-stream
  (next-in pointer) (avail-in uint) (total-in ulong)
  (next-out pointer) (avail-out uint) (total-out ulong)
  (msg string) (state pointer)
  (zalloc pointer) (zfree pointer) (opaque pointer)
  (data-type int) (adler ulong) (reserved ulong))

(define-foreign zlib-version (zlib "zlibVersion") () string)
(define-foreign deflate-init
  (zlib "deflateInit_") ((pointer (struct z-stream)) int string int) (enum outcome))
(define-foreign deflate (zlib "deflate") ((pointer (struct z-stream)) (enum flush)) (enum outcome))
(define-foreign deflate-end (zlib "deflateEnd") ((pointer (struct z-stream))) (enum outcome))
(define-foreign inflate-init
  (zlib "inflateInit_") ((pointer (struct z-stream)) string int) (enum outcome))
(define-foreign inflate (zlib "inflate") ((pointer (struct z-stream)) (enum flush)) (enum outcome))
(define-foreign inflate-end (zlib "inflateEnd") ((pointer (struct z-stream))) (enum outcome))
(define-foreign crc32 (zlib "crc32") (ulong bytevector uint) ulong)
(define-foreign crc32-at (zlib "crc32") (ulong (bytevector-at) uint) ulong)

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

;; A step of zlib's, which has to end well.
(define (step who z outcome . good)
  (if (not (memq outcome good))
      (error (string-append who ": " (or (z-stream-msg z) (symbol->string outcome)))))
  outcome)

;;; A stream gets what is at `start`, `length` bytes, in steps of at most `size`. What comes out is handed to `take`
;;; as a view of the part of the one buffer that was filled, before the next step fills it again.

(define (run who z go start length size take)
  (let ((room (make-foreign-memory size)))
    (let next ((at 0))
      (let* ((n (min size (- length at)))
             (last? (= (+ at n) length)))
        (set-z-stream-next-in! z (pointer+ start at))
        (set-z-stream-avail-in! z n)
        (let more ()
          (set-z-stream-next-out! z room)
          (set-z-stream-avail-out! z size)
          (let* ((outcome
                   (step who z (go z (if last? 'finish 'no-flush)) 'ok 'stream-end 'buffer-error))
                 (filled (- size (z-stream-avail-out z))))
            (if (> filled 0) (take (bytevector-view room filled)))
            (cond
              ((eq? outcome 'stream-end) (z-stream-total-out z))
              ((= filled size) (more))
              (last? (error (string-append who ": the data ends too early")))
              (else (next (+ at n))))))))))

(define (deflated start length size take)
  (let ((z (make-z-stream)))
    (step "deflate" z (deflate-init z 6 (zlib-version) (sizeof (struct z-stream))) 'ok)
    (dynamic-wind
      (lambda () #f)
      (lambda () (run "deflate" z deflate start length size take))
      (lambda () (deflate-end z)))))

(define (inflated start length size take)
  (let ((z (make-z-stream)))
    (step "inflate" z (inflate-init z (zlib-version) (sizeof (struct z-stream))) 'ok)
    (dynamic-wind
      (lambda () #f)
      (lambda () (run "inflate" z inflate start length size take))
      (lambda () (inflate-end z)))))

;; A procedure that puts parts one behind the other into `target`.
(define (into target)
  (let ((end 0))
    (lambda (part)
      (bytevector-copy! target end part)
      (set! end (+ end (bytevector-length part))))))

;; The most objects that are pinned at the calls of `take`, which is done to each part.
(define most-pinned 0)
(define (watching take)
  (set! most-pinned 0)
  (lambda (part)
    (collect)
    (set! most-pinned (max most-pinned (stat 'pinned-objects)))
    (take part)))

;;; A text in memory of C's: letters as they come for 64 KiB, more than zlib looks back, and that again and again.

(define size (expt 2 20))
(define step-size (expt 2 15))
(define start (make-foreign-memory size))
(define text (bytevector-view start))

(define block (expt 2 16))
(let letters ((i 0) (x 1))
  (if (< i block)
      (begin
        (bytevector-u8-set! text i (+ 97 (modulo (quotient x 65536) 16)))
        (letters (+ i 1) (modulo (+ (* x 1103515245) 12345) 2147483648)))))
(let again ((filled block))
  (if (< filled size)
      (begin
        (bytevector-copy! text filled text 0 (min filled (- size filled)))
        (again (* 2 filled)))))

;;; 1. Checksums of what stands in C's memory and of what stands in the heap.

(say "crc32")
(define check-value (string->utf8 "123456789"))
(check "of nine digits it is the one that everybody's is" (= (crc32 0 check-value 9) #xcbf43926))
(check "of a view it is that of a copy"
  (= (crc32 0 (bytevector-view start 1000) 1000) (crc32 0 (bytevector-copy text 0 1000) 1000)))
(define whole (crc32 0 text size))
(check "part by part, from offsets, it is that of the whole"
  (= whole
     (let parts ((crc 0) (at 0))
       (if (= at size) crc (parts (crc32-at crc text at step-size) (+ at step-size))))))

;;; 2. From C's memory to C's memory: views at both ends, and nothing pinned at any time.

(say)
(say "deflate, of views")
(define compressed (bytevector-view (make-foreign-memory size)))
(collect)
(define heap-before (stat 'heap-bytes))
(define compressed-size (deflated start size step-size (watching (into compressed))))
(collect)
(check "1 MiB became less than 600 KiB" (< compressed-size (* 600 1024)))
(check "nothing was pinned for it" (= most-pinned 0))
(check "and the heap has grown by less than 64 KiB" (< (- (stat 'heap-bytes) heap-before) 65536))

(say)
(say "inflate, of views")
(define back (bytevector-view (make-foreign-memory size)))
(define restored (inflated (promote! compressed) compressed-size step-size (watching (into back))))
(check "all of it is there again" (and (= restored size) (equal? back text)))
(check "with the same checksum" (= (crc32 0 back size) whole))
(check "nothing was pinned for it" (= most-pinned 0))

;;; 3. From the heap to the heap: the bytes that C reads stay where they are while the body runs, one object of them.

(say)
(say "the same of bytevectors in the heap")
(define in-heap (bytevector-copy text 0 200000))
(define small (make-bytevector 200000))
(define small-length
  (with-pinned ((p in-heap))
    (deflated p (bytevector-length in-heap) step-size (watching (into small)))))
(check "one object was pinned meanwhile" (= most-pinned 1))
(define small-back (make-bytevector 200000))
(with-pinned ((p small))
  (inflated p small-length step-size (into small-back)))
(check "all of it is there again" (equal? small-back in-heap))
(collect)
(check "and none is pinned now" (= 0 (stat 'pinned-objects)))

;;; 4. What is wrong with the data is said in zlib's words.

(define (complaint thunk)
  (guard (e ((error-object? e) (error-object-message e)))
    (thunk)
    "nothing"))

(say)
(say "errors")
(define (ignore part) #f)
(say "  " (complaint (lambda () (inflated start 1000 step-size ignore))))
(say "  " (complaint (lambda () (inflated (promote! compressed) (- compressed-size 1) step-size ignore))))
(bytevector-u8-set! compressed (- compressed-size 1) (- 255 (bytevector-u8-ref compressed (- compressed-size 1))))
(say "  " (complaint (lambda () (inflated (promote! compressed) compressed-size step-size ignore))))

(say)
(say (if (= failures 0) "all well" "something failed"))
(exit (if (= failures 0) 0 1))
