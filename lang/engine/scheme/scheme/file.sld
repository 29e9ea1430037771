;;; R7RS (scheme file).
(define-library (scheme file)
  (import (bowline primitives) (bowline ports))
  (export
    call-with-input-file call-with-output-file delete-file file-exists? open-binary-input-file
    open-binary-output-file open-input-file open-output-file with-input-from-file
    with-output-to-file)
  (begin

    (define (call-with-input-file name procedure)
      (call-with-port (open-input-file name) procedure))

    (define (call-with-output-file name procedure)
      (call-with-port (open-output-file name) procedure))

    (define (with-input-from-file name thunk)
      (call-with-input-file name
        (lambda (port)
          (parameterize ((current-input-port port)) (thunk)))))

    (define (with-output-to-file name thunk)
      (call-with-output-file name
        (lambda (port)
          (parameterize ((current-output-port port)) (thunk)))))))
