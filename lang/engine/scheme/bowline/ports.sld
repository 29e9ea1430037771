;;; Ports: the current ports as parameters, and the procedures whose port may be left out.
;;;
;;; Absent on purpose: every procedure that always takes its port; those are primitives.
(define-library (bowline ports)
  (import (bowline primitives) (bowline support))
  (export
    current-input-port current-output-port current-error-port
    call-with-port call-with-output-string with-output-to-string
    read read-char peek-char char-ready? read-line read-string
    read-u8 peek-u8 u8-ready? read-bytevector read-bytevector!
    write write-shared write-simple display newline write-char write-string
    write-u8 write-bytevector flush-output-port)
  (begin

    (define (port-converter who)
      (lambda (value)
        (if (port? value)
            value
            (%type-error who 1 "a port" value))))

    (define current-input-port
      (make-parameter (%stdin-port) (port-converter 'current-input-port)))
    (define current-output-port
      (make-parameter (%stdout-port) (port-converter 'current-output-port)))
    (define current-error-port
      (make-parameter (%stderr-port) (port-converter 'current-error-port)))

    (define (call-with-port port procedure)
      (call-with-values
        (lambda () (procedure port))
        (lambda results
          (close-port port)
          (apply values results))))

    (define (call-with-output-string procedure)
      (let ((port (open-output-string)))
        (procedure port)
        (get-output-string port)))

    (define (with-output-to-string thunk)
      (call-with-output-string
        (lambda (port)
          (parameterize ((current-output-port port)) (thunk)))))

    ;; (define-with-port (name argument ...) primitive parameter): `name` takes the arguments and
    ;; perhaps a port, which stands for the parameter's value.
    (define-syntax define-with-port
      (syntax-rules ()
        ((_ (name argument ...) primitive parameter)
         (define name
           (case-lambda
             ((argument ...) (primitive argument ... (parameter)))
             ((argument ... port) (primitive argument ... port)))))))

    (define-with-port (read) %read current-input-port)
    (define-with-port (read-char) %read-char current-input-port)
    (define-with-port (peek-char) %peek-char current-input-port)
    (define-with-port (char-ready?) %char-ready? current-input-port)
    (define-with-port (read-line) %read-line current-input-port)
    (define-with-port (read-string k) %read-string current-input-port)
    (define-with-port (read-u8) %read-u8 current-input-port)
    (define-with-port (peek-u8) %peek-u8 current-input-port)
    (define-with-port (u8-ready?) %u8-ready? current-input-port)
    (define-with-port (read-bytevector k) %read-bytevector current-input-port)

    (define-with-port (write object) %write current-output-port)
    (define-with-port (write-shared object) %write-shared current-output-port)
    (define-with-port (write-simple object) %write-simple current-output-port)
    (define-with-port (display object) %display current-output-port)
    (define-with-port (newline) %newline current-output-port)
    (define-with-port (write-char char) %write-char current-output-port)
    (define-with-port (write-u8 byte) %write-u8 current-output-port)
    (define-with-port (flush-output-port) %flush-output-port current-output-port)

    (define read-bytevector!
      (case-lambda
        ((bytevector) (%read-bytevector! bytevector (current-input-port)))
        ((bytevector port) (%read-bytevector! bytevector port))
        ((bytevector port start) (%read-bytevector! bytevector port start))
        ((bytevector port start end) (%read-bytevector! bytevector port start end))))

    (define write-string
      (case-lambda
        ((string) (%write-string string (current-output-port)))
        ((string port) (%write-string string port))
        ((string port start) (%write-string string port start))
        ((string port start end) (%write-string string port start end))))

    (define write-bytevector
      (case-lambda
        ((bytevector) (%write-bytevector bytevector (current-output-port)))
        ((bytevector port) (%write-bytevector bytevector port))
        ((bytevector port start) (%write-bytevector bytevector port start))
        ((bytevector port start end) (%write-bytevector bytevector port start end))))))
