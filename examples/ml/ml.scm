;; Reads files and directories by C functions that take and give values of the language: see ml_files.c.
(import (scheme base) (scheme file) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))

(define-foreign-library ml "libml_files.so")
(define-foreign ml-open (ml "ml_open") (handle) handle)
(define-foreign ml-close (ml "ml_close") (handle) handle)
(define-foreign ml-read (ml "ml_read") (handle) handle)
(define-foreign ml-opendir (ml "ml_opendir") (handle) handle)

(define-foreign-library libc "libc.so.6")
(define-foreign closedir (libc "closedir") (pointer) int)

(define (show . things)
  (for-each display things)
  (newline))

;; The whole text of a file, read by the piece.
(define (file-text name)
  (let ((fd (ml-open name))
        (buffer (make-bytevector 64)))
    (let loop ((pieces '()))
      (collect 'minor)
      (let ((count (ml-read (vector fd buffer))))
        (cond ((> count 0)
               (loop (cons (bytevector-copy buffer 0 count) pieces)))
              (else
               (ml-close fd)
               (utf8->string (apply bytevector-append (reverse pieces)))))))))

(define (file-text-by-port name)
  (call-with-input-file name
    (lambda (port)
      (let loop ((lines '()))
        (let ((c (read-char port)))
          (if (eof-object? c)
              (list->string (reverse lines))
              (loop (cons c lines))))))))

;; This program reads itself.
(define me (car (command-line)))
(show "read as by a port: " (string=? (file-text me) (file-text-by-port me)))

(define here (ml-opendir "."))
(show "a directory: " (pointer? here) ", closed: " (closedir here))

(define (try thunk)
  (guard (e ((system-error? e)
             (show (system-error-name e) " " (system-error-number e) ": " (error-object-message e)))
            ((error-object? e)
             (show (error-object-message e))))
    (show (thunk))))

(try (lambda () (ml-open "/no/such/file")))
(try (lambda () (ml-open 5)))
(try (lambda () (ml-close -1)))
(try (lambda () (ml-read (vector -1 (make-bytevector 4)))))
(try (lambda () (ml-read (vector 0 "no buffer"))))
(try (lambda () (ml-read (vector 0))))
(try (lambda () (ml-opendir "/no/such/directory")))
