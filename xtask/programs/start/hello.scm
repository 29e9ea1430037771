;; What every implementation of Scheme does first.
(import (scheme base) (scheme write))
(display "hello")
(newline)
