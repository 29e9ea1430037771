;;; Ports that are vectors, written to by Rust: see port.rs.
;;;
;;; A port is #(port NAME NUMBER), NUMBER being the system's. It is a library of its own, for (scheme file) has another
;;; open-output-file.
(define-library (inc io)
  (import (scheme base) (bowline ffi))
  (export open-output-file writeln close-output-file)
  (begin

    (define-foreign-library port "libport.so")
    (define-foreign rt-open-write (port "rt_open_write") (handle) handle)
    (define-foreign rt-close (port "rt_close") (handle) handle)
    (define-foreign writeln (port "writeln") (handle handle) handle)

    (define (open-output-file name)
      (let ((number (rt-open-write name)))
        (vector 'port name number)))

    (define (close-output-file port)
      (rt-close port)
      (vector-set! port 2 #f))))
