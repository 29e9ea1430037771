;; What the programs that drop C memory share. Of each block 64 KiB are written: all of them together are
;; many times what the process may have.
(define mebi 1048576)
(define-foreign-library c #f)
(define-foreign c-memset (c "memset") (pointer int size_t) void)
(define (repeat n block)
  (when (> n 0)
    (c-memset (block) 255 65536)
    (repeat (- n 1) block)))

;; The value of a line of /proc/self/status, as the system wrote it.
(define (status name)
  (call-with-port (open-input-file "/proc/self/status")
    (lambda (port)
      (let ((length (string-length name)))
        (let loop ((line (read-line port)))
          (if (and (> (string-length line) length) (string=? name (string-copy line 0 length)))
              (string-copy line length)
              (loop (read-line port))))))))

(define (tell)
  (write-string (status "VmHWM:"))
  (newline)
  (write (cdr (assq 'pressure-refusals (gc-stats))))
  (newline))
