;; Symbolic derivatives: symbols compared, small lists taken apart and put together.
(import (scheme base) (scheme write))

(define (derive e)
  (cond ((not (pair? e)) (if (eq? e 'x) 1 0))
        ((eq? (car e) '+) (cons '+ (map derive (cdr e))))
        ((eq? (car e) '-) (cons '- (map derive (cdr e))))
        ((eq? (car e) '*)
         (list '* e (cons '+ (map (lambda (f) (list '/ (derive f) f)) (cdr e)))))
        ((eq? (car e) '/)
         (let ((above (cadr e)) (below (car (cddr e))))
           (list '-
                 (list '/ (derive above) below)
                 (list '/ above (list '* below below (derive below))))))
        (else (list 'unknown e))))

(define polynomial '(+ (* 3 x x) (* a x x) (* b x) (/ (- x 1) (+ x 5)) 5))

(define (repeat n result)
  (if (= n 0)
      result
      (repeat (- n 1) (derive polynomial))))

(write (repeat 2000000 '()))
(newline)
