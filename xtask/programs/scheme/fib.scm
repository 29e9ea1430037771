;; Calls and fixnum arithmetic: the plain doubly recursive Fibonacci function.
(import (scheme base) (scheme write))

(define (fib n)
  (if (< n 2)
      n
      (+ (fib (- n 1)) (fib (- n 2)))))

(display (fib 39))
(newline)
