;;; R7RS (scheme process-context).
(define-library (scheme process-context)
  (import (bowline primitives) (bowline support))
  (export command-line emergency-exit exit get-environment-variable get-environment-variables)
  (begin

    (define (exit-code arguments)
      (cond
        ((null? arguments) 0)
        ((eq? (car arguments) #t) 0)
        ((exact-integer? (car arguments)) (modulo (car arguments) 256))
        (else 1)))

    (define (exit . arguments)
      (%exit-after-winding (exit-code arguments)))

    (define (emergency-exit . arguments)
      (%exit (exit-code arguments)))))
