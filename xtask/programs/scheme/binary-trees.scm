;; Allocation: many short-lived trees beside one that lives for the whole run.
(import (scheme base) (scheme write))

(define (make-tree depth)
  (if (= depth 0)
      (cons '() '())
      (cons (make-tree (- depth 1)) (make-tree (- depth 1)))))

(define (count-nodes tree)
  (if (null? (car tree))
      1
      (+ 1 (count-nodes (car tree)) (count-nodes (cdr tree)))))

(define (many n depth)
  (let loop ((i 0) (total 0))
    (if (= i n)
        total
        (loop (+ i 1) (+ total (count-nodes (make-tree depth)))))))

;; All nodes that were ever made.
(define (run deepest)
  (let* ((stretch (count-nodes (make-tree (+ deepest 1))))
         (kept (make-tree deepest)))
    (let loop ((depth 4) (total stretch))
      (if (> depth deepest)
          (+ total (count-nodes kept))
          (loop (+ depth 2)
                (+ total (many (expt 2 (+ 4 (- deepest depth))) depth)))))))

(display "checksum ")
(display (run 18))
(newline)
