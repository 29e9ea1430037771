;; A continuation captured for every call and left through every one.
(import (scheme base) (scheme write))

(define (ctak x y z)
  (call-with-current-continuation
   (lambda (k) (ctak-to k x y z))))

(define (ctak-to k x y z)
  (if (not (< y x))
      (k z)
      (call-with-current-continuation
       (lambda (k)
         (ctak-to k
                  (call-with-current-continuation
                   (lambda (k) (ctak-to k (- x 1) y z)))
                  (call-with-current-continuation
                   (lambda (k) (ctak-to k (- y 1) z x)))
                  (call-with-current-continuation
                   (lambda (k) (ctak-to k (- z 1) x y))))))))

(define (repeat n result)
  (if (= n 0)
      result
      (repeat (- n 1) (ctak 18 12 6))))

(display (repeat 400 0))
(newline)
