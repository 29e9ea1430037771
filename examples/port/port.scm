;; A line is written to a file by Rust, which reads Scheme's words. Argument: the file.
(import (scheme base) (scheme write) (scheme process-context) (inc io) (only (scheme file) open-input-file))

(define name (cadr (command-line)))

(let ((f (open-output-file name)))
  (write (list (vector-ref f 0) (vector-ref f 1)))
  (newline)
  (writeln "hello world" f)
  (writeln "naïve λ" f)
  (close-output-file f))

(let ((port (open-input-file name)))
  (let loop ((line (read-line port)))
    (cond ((not (eof-object? line))
           (display line)
           (newline)
           (loop (read-line port))))))

(define (try thunk)
  (guard (e ((error-object? e)
             (display (error-object-message e))
             (newline)))
    (thunk)))

(try (lambda () (open-output-file "/no/such/directory/file")))
(try (lambda () (open-output-file 'name)))
(try (lambda () (writeln "nowhere" '#(port "closed" #f))))
(try (lambda () (writeln 5 '#(port "a port" 1))))
