;; C makes one of each while memory is refused. Argument: the library. Small, for what it allocates itself is refused first.
(import (scheme base) (scheme write) (scheme process-context) (bowline ffi))
(define-foreign-library trials (cadr (command-line)))
(define-foreign makes (trials "makes") () int)
(write (makes))
(newline)
