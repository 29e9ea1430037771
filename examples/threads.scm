;;; libuv: work on the threads of a pool that knows nothing of Scheme, and what comes after it on the thread of the loop.
;;;
;;;     bowline run examples/threads.scm
;;;
;;; wants libuv.so.1 (Debian: libuv1). A thread that libuv has made is attached when it calls back, and runs the procedure
;;; itself. One thread runs Scheme at a time; while one is in C, asleep here, others go on.
;;;
;;; A procedure on such a thread has nobody to raise an error to: `work` takes what is raised to where the program is.

(import (scheme base) (scheme write) (bowline ffi) (bowline gc) (bowline hash-tables) (bowline list))

(define-foreign-library uv "libuv.so.1")
(define-foreign-library libc "libc.so.6")

(define-foreign default-loop (uv "uv_default_loop") () pointer)
(define-foreign run-loop (uv "uv_run") (pointer int) int)
(define-foreign close-loop (uv "uv_loop_close") (pointer) int)
(define-foreign request-size (uv "uv_req_size") (int) size_t)
(define-foreign queue-work (uv "uv_queue_work") (pointer pointer pointer pointer) int)
(define-foreign uv-error (uv "uv_strerror") (int) string)
(define-foreign thread-id (libc "gettid") () int)
(define-foreign usleep (libc "usleep") (uint) int (blocking))

(define (check status)
  (if (< status 0) (error (string-append "libuv: " (uv-error status)))))

;;; A job: a thunk for a thread of the pool, a procedure for what it gave, and the request that libuv writes to, which
;;; must stay until then. C knows a job by the address of its request.

(define-record-type job
  (make-job request thunk then outcome thread)
  job?
  (request job-request)
  (thunk job-thunk)
  (then job-then)
  (outcome job-outcome set-job-outcome!)
  (thread job-thread set-job-thread!))

(define jobs (make-hash-table eqv?))

(define (job-at request)
  (hash-table-ref jobs (pointer->integer request)))

;; On a thread of the pool. libuv keeps both functions beyond the call that hands them over, so they are objects, which
;; the program has for as long as it runs.
(define work
  (make-callback
    (lambda (request)
      (let ((job (job-at request)))
        (set-job-thread! job (thread-id))
        (set-job-outcome! job (guard (e (#t (list 'raised e))) (list 'done ((job-thunk job)))))))
    (pointer) void))

;; On the thread that runs the loop.
(define after-work
  (make-callback
    (lambda (request status)
      (let ((job (job-at request)))
        (hash-table-delete! jobs (pointer->integer request))
        ((job-then job) job)))
    (pointer int) void))

(define UV_WORK 7)
(define loop (default-loop))

(define (submit thunk then)
  (let ((request (make-foreign-memory (request-size UV_WORK))))
    (hash-table-set! jobs (pointer->integer request) (make-job request thunk then #f #f))
    (check (queue-work loop request work after-work))))

;;; Twelve jobs, each of which sleeps in C, makes garbage, collects, and counts primes.

(define (prime? n)
  (let loop ((d 2))
    (cond ((> (* d d) n) #t)
          ((= 0 (remainder n d)) #f)
          (else (loop (+ d 1))))))

(define (primes-below n)
  (count prime? (iota (- n 2) 2)))

(define here (thread-id))
(define results '())
(define after-here 0)
(define threads '())

(define (note job)
  (if (= (thread-id) here) (set! after-here (+ after-here 1)))
  (if (not (memv (job-thread job) threads)) (set! threads (cons (job-thread job) threads)))
  (set! results (cons (job-outcome job) results)))

(for-each
  (lambda (n)
    (submit
      (lambda ()
        (usleep 2000)
        (collect)
        (if (= n 700) (error "no luck with" n))
        (list n (primes-below n)))
      note))
  (iota 12 100 100))

(check (run-loop loop 0))

(define done (filter (lambda (outcome) (eq? (car outcome) 'done)) results))
(define raised (filter (lambda (outcome) (eq? (car outcome) 'raised)) results))

(write (list-sort (lambda (a b) (< (car a) (car b))) (map cadr done)))
(newline)
(for-each
  (lambda (outcome)
    (write (list (error-object-message (cadr outcome)) (error-object-irritants (cadr outcome))))
    (newline))
  raised)
(write (list 'after-work-here after-here 'work-here (if (memv here threads) 'yes 'no)
             'jobs-left (hash-table-count jobs)))
(newline)

;; What comes after work may ask for more.
(define (countdown n)
  (if (> n 0)
      (submit (lambda () (* n n))
              (lambda (job)
                (write (cadr (job-outcome job)))
                (display " ")
                (countdown (- n 1))))
      (newline)))
(countdown 5)
(check (run-loop loop 0))
(check (close-loop loop))
