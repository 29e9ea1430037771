;; What every program pays before its first own expression: start-up is measured with this one.
(import (scheme base) (scheme write))
(display "nothing")
(newline)
