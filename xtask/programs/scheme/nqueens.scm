;; Lists built and searched: counts the ways to put n queens on a board.
(import (scheme base) (scheme write))

(define (safe? column distance placed)
  (or (null? placed)
      (let ((other (car placed)))
        (and (not (= other column))
             (not (= other (+ column distance)))
             (not (= other (- column distance)))
             (safe? column (+ distance 1) (cdr placed))))))

(define (queens size)
  (let place ((row 0) (placed '()))
    (if (= row size)
        1
        (let try ((column 0) (total 0))
          (if (= column size)
              total
              (try (+ column 1)
                   (if (safe? column 1 placed)
                       (+ total (place (+ row 1) (cons column placed)))
                       total)))))))

(display (queens 12))
(newline)
