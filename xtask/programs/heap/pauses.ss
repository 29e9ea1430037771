;; The load of gc/heap/examples/pauses.rs on Chez Scheme: a table of trees of 15 pairs, steps that allocate 68 of them and
;; put a few in the places of random older ones, at a rate. Told are how long steps took and how late they ended, in
;; microseconds. Arguments: live MB, counted as there, MB/s, seconds, kept of each step.
(import (chezscheme))

(define arguments (map string->number (command-line-arguments)))
(define-values (live rate seconds keep) (apply values arguments))

(define mib 1048576.0)
(define step 68)
(define chunk 1024)
(define records (exact (floor (/ (* live mib) 248.0))))
(define period (exact (round (/ (* step 240 1e9) (* rate mib)))))

(define (make depth)
  (if (fx= depth 0)
      (cons '() '())
      (let* ((left (make (fx- depth 1)))
             (right (make (fx- depth 1))))
        (cons left right))))

(define (count tree)
  (if (null? tree)
      0
      (fx+ 1 (fx+ (count (car tree)) (count (cdr tree))))))

;; Times are nanoseconds, so that telling the time allocates little.
(define billion 1000000000)
(define (now)
  (let ((t (current-time 'time-monotonic)))
    (fx+ (fx* billion (time-second t)) (time-nanosecond t))))

(define (wait-for time)
  (sleep (make-time 'time-duration (fxmodulo time billion) (fxquotient time billion))))

(define table (make-vector (quotient (+ records chunk -1) chunk)))
(define (place i)
  (values (vector-ref table (fxquotient i chunk)) (fxmodulo i chunk)))

(do ((i 0 (fx+ i 1)))
    ((fx= i (vector-length table)))
  (vector-set! table i (make-vector chunk '())))
(do ((i 0 (fx+ i 1)))
    ((fx= i records))
  (let-values (((part at) (place i)))
    (vector-set! part at (make 3))))

(define end (* billion seconds))
(define most (+ 2 (quotient end period)))
(define took (make-fxvector most 0))
(define late (make-fxvector most 0))

(define (allocate-step)
  (do ((i 0 (fx+ i 1)))
      ((fx= i step))
    (let ((fresh (make 3)))
      (when (fx< i keep)
        (let-values (((part at) (place (random records))))
          (vector-set! part at fresh)))))
  (let-values (((part at) (place (random records))))
    (unless (fx= (count (vector-ref part at)) 15)
      (error 'pauses "a record is damaged"))))

(define (run begun)
  (let loop ((n 0) (due 0))
    (if (or (fx>= due end) (fx= n most))
        n
        (let* ((before (fx- (now) begun))
               (early? (fx< (fx+ before 60000) due))
               (began (begin
                        (when early? (wait-for (fx- due before)))
                        (if early? (fx- (now) begun) before)))
               (ready (if early? began due)))
          (allocate-step)
          (let ((ended (fx- (now) begun)))
            (fxvector-set! took n (fx- ended began))
            (fxvector-set! late n (fxmax 0 (fx- ended ready)))
            (loop (fx+ n 1) (fx+ due period)))))))

(define steps (run (now)))

(define (tell name times)
  (let* ((all (do ((i (fx- steps 1) (fx- i 1))
                   (all '() (cons (fxvector-ref times i) all)))
                  ((fx< i 0) all)))
         (sorted (list->vector (sort fx< all)))
         (at (lambda (share)
               (let ((i (- (exact (ceiling (* share steps))) 1)))
                 (/ (vector-ref sorted (max 0 (min (- steps 1) i))) 1e3)))))
    (printf "~a ~a ~,1f ~,1f ~,1f ~,1f\n" name steps (at 0.5) (at 0.99) (at 0.999) (at 1.0))))

(tell "steps" took)
(tell "late" late)
