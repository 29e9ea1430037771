;; Strings built piece by piece, numbers turned to text, characters read and compared.
(import (scheme base) (scheme write))

(define words '("knot" "hold" "load" "hand" "rope" "line"))

(define (sentence n)
  (let loop ((i 0) (left words) (text ""))
    (cond ((= i n) text)
          ((null? left) (loop i words text))
          (else
           (loop (+ i 1)
                 (cdr left)
                 (string-append text (car left) (number->string (* i 7)) " "))))))

(define (count-char c text)
  (let ((end (string-length text)))
    (let loop ((i 0) (n 0))
      (cond ((= i end) n)
            ((char=? c (string-ref text i)) (loop (+ i 1) (+ n 1)))
            (else (loop (+ i 1) n))))))

(define (reversed text)
  (list->string (reverse (string->list text))))

(define (run rounds)
  (let loop ((i 0) (total 0))
    (if (= i rounds)
        total
        (let ((text (sentence 200)))
          (loop (+ i 1)
                (+ total
                   (count-char #\o text)
                   (if (string<? text (reversed text)) 1 0)
                   (string-length (substring text 10 (- (string-length text) 10)))))))))

(display (run 1500))
(newline)
