;;; R7RS (scheme process-context).
(define-library (scheme process-context)
  (import (bowline primitives) (bowline support))
  (export command-line emergency-exit exit get-environment-variable get-environment-variables)
  (begin

    (define exit
      (case-lambda
        (() (%exit-after-winding #t))
        ((status) (%exit-after-winding status))))

    (define emergency-exit
      (case-lambda
        (() (%exit #t))
        ((status) (%exit status))))))
