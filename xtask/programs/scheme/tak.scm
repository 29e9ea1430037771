;; Calls with three arguments, most of them nested in argument position.
(import (scheme base) (scheme write))

(define (tak x y z)
  (if (< y x)
      (tak (tak (- x 1) y z)
           (tak (- y 1) z x)
           (tak (- z 1) x y))
      z))

(define (repeat n result)
  (if (= n 0)
      result
      (repeat (- n 1) (tak 22 16 8))))

(display (repeat 100 0))
(newline)
