#lang racket/base
(display "hello")
(newline)
