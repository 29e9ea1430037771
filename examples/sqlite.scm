;;; SQLite: rows handed to a procedure, functions of SQL that are procedures, blobs, and errors by name.
;;;
;;;     bowline run examples/sqlite.scm
;;;
;;; wants libsqlite3.so.0 (Debian: libsqlite3-0). Everything is said in Scheme: no C is written, and nothing is compiled.
;;;
;;; What C holds, and for how long, is the point of it:
;;;
;;; * the procedure that `sqlite3_exec` calls for each row is lent for that call;
;;; * a function of SQL lives as long as the database wants it. SQLite says by `xDestroy` when that is over, and until
;;;   then a table here holds the procedure;
;;; * `xDestroy` itself may come at any time until the end, so it is a callback that lives for ever;
;;; * bytes that are bound are copied by SQLite, and those of a blob are read to where they are wanted.

(import (scheme base) (scheme write) (bowline ffi) (bowline gc) (bowline hash-tables))

(define-foreign-library sqlite "libsqlite3.so.0")

;;; Errors. SQLite has a text for each, which belongs to the connection.

(define-foreign errmsg (sqlite "sqlite3_errmsg") (pointer) string)

(define (check db what status)
  (if (not (memv status '(0 100 101))) ; SQLITE_OK, SQLITE_ROW, SQLITE_DONE
      (error (string-append what ": " (errmsg db)) status)))

;;; Connections.

(define-foreign sqlite3-open (sqlite "sqlite3_open") (string (out pointer)) int)
(define-foreign sqlite3-close (sqlite "sqlite3_close") (pointer) int)

(define (open-database name)
  (let-values (((status db) (sqlite3-open name)))
    (check db name status)
    db))

(define (close-database db)
  (check db "close" (sqlite3-close db)))

;;; Rows. C calls `row` with the number of columns and two arrays of strings; what it gives other than 0 ends the query, and
;;; so does whatever leaves `procedure` otherwise: an error, a continuation. SQLite passes a `void *` on to the function, which
;;; is all that finding the procedure takes.

(define-foreign sqlite3-exec (sqlite "sqlite3_exec")
  (pointer string (callback/env (env int pointer pointer) int (on-exit 1)) env pointer) int)

(define (strings-at array count)
  (let loop ((i (- count 1)) (strings '()))
    (if (< i 0)
        strings
        (loop (- i 1) (cons (pointer-ref array string (* i (sizeof pointer))) strings)))))

(define (for-each-row procedure db sql)
  (define (row count values names)
    (procedure (map cons (strings-at names count) (strings-at values count)))
    0)
  (check db "query" (sqlite3-exec db sql row #f)))

(define (run db sql)
  (for-each-row (lambda (row) #f) db sql))

;;; Functions of SQL. `context` is where the result goes, `values` an array of as many arguments.

(define-foreign value-type (sqlite "sqlite3_value_type") (pointer) int (leaf))
(define-foreign value-int64 (sqlite "sqlite3_value_int64") (pointer) int64 (leaf))
(define-foreign value-double (sqlite "sqlite3_value_double") (pointer) double (leaf))
(define-foreign value-text (sqlite "sqlite3_value_text") (pointer) string)
(define-foreign value-blob (sqlite "sqlite3_value_blob") (pointer) pointer)
(define-foreign value-bytes (sqlite "sqlite3_value_bytes") (pointer) int)
(define-foreign result-null (sqlite "sqlite3_result_null") (pointer) void)
(define-foreign result-int64 (sqlite "sqlite3_result_int64") (pointer int64) void)
(define-foreign result-double (sqlite "sqlite3_result_double") (pointer double) void)
(define-foreign result-text (sqlite "sqlite3_result_text") (pointer string int intptr_t) void)
(define-foreign result-blob (sqlite "sqlite3_result_blob64") (pointer bytevector uint64 intptr_t) void)
(define-foreign result-error (sqlite "sqlite3_result_error") (pointer string int) void)

;; SQLITE_TRANSIENT: SQLite copies what it is handed before it returns, so the bytes may move again afterwards.
(define transient -1)

(define (value->object value)
  (case (value-type value)
    ((1) (value-int64 value))
    ((2) (value-double value))
    ((3) (value-text value))
    ((4) (let ((size (value-bytes value)))
           (if (= size 0) (bytevector) (pointer->bytevector (value-blob value) size))))
    (else 'null)))

(define (give-result context object)
  (cond ((eq? object 'null) (result-null context))
        ((boolean? object) (result-int64 context (if object 1 0)))
        ((exact-integer? object) (result-int64 context object))
        ((real? object) (result-double context object))
        ((string? object) (result-text context object -1 transient))
        ((bytevector? object) (result-blob context object (bytevector-length object) transient))
        (else (error "no value of SQL" object))))

(define-foreign create-function (sqlite "sqlite3_create_function_v2")
  (pointer string int int pointer (callback (pointer int pointer) void gc) pointer pointer pointer) int)

;; The procedures that some database has, by the number that it was told in their stead.
(define held (make-hash-table eqv?))
(define last-number 0)

;; A callback of this lifetime is one for all databases, and ends with the program.
(define destroy
  (make-callback (lambda (number) (hash-table-delete! held (pointer->integer number)))
                 (pointer) void forever))

(define (define-function db name arity procedure)
  (define (call context count values)
    (guard (e (#t (result-error context (if (error-object? e) (error-object-message e) "raised") -1)))
      (give-result context
                   (apply procedure
                          (let loop ((i (- count 1)) (objects '()))
                            (if (< i 0)
                                objects
                                (loop (- i 1)
                                      (cons (value->object (pointer-ref values pointer (* i (sizeof pointer))))
                                            objects))))))))
  (set! last-number (+ last-number 1))
  ;; C's function ends when `call` dies, so somebody has to have that.
  (hash-table-set! held last-number call)
  (check db name
         (create-function db name arity 1 (integer->pointer last-number) call #f #f destroy)))

;;; Statements with parameters.

(define-foreign prepare (sqlite "sqlite3_prepare_v2") (pointer string int (out pointer) pointer) int)
(define-foreign bind-int64 (sqlite "sqlite3_bind_int64") (pointer int int64) int)
(define-foreign bind-text (sqlite "sqlite3_bind_text") (pointer int string int intptr_t) int)
(define-foreign bind-blob (sqlite "sqlite3_bind_blob64") (pointer int bytevector uint64 intptr_t) int)
(define-foreign step (sqlite "sqlite3_step") (pointer) int)
(define-foreign column-value (sqlite "sqlite3_column_value") (pointer int) pointer)
(define-foreign column-count (sqlite "sqlite3_column_count") (pointer) int)
(define-foreign finalize (sqlite "sqlite3_finalize") (pointer) int)

;; The rows, as lists.
(define (query db sql . arguments)
  (let-values (((status statement) (prepare db sql -1 #f)))
    (check db "prepare" status)
    (dynamic-wind
      (lambda () #f)
      (lambda ()
        (let bind ((arguments arguments) (i 1))
          (if (pair? arguments)
              (let ((x (car arguments)))
                (check db "bind"
                       (cond ((exact-integer? x) (bind-int64 statement i x))
                             ((string? x) (bind-text statement i x -1 transient))
                             (else (bind-blob statement i x (bytevector-length x) transient))))
                (bind (cdr arguments) (+ i 1)))))
        (let next ((rows '()))
          (let ((stepped (step statement)))
            (check db "step" stepped)
            (if (= stepped 100)
                (next (cons (let loop ((i (- (column-count statement) 1)) (row '()))
                              (if (< i 0)
                                  row
                                  (loop (- i 1) (cons (value->object (column-value statement i)) row))))
                            rows))
                (reverse rows)))))
      (lambda () (finalize statement)))))

;;; Blobs that are read and written in part: C gets the bytevector where it stands, from an offset on.

(define-foreign blob-open (sqlite "sqlite3_blob_open")
  (pointer string string string int64 int (out pointer)) int)
(define-foreign blob-bytes (sqlite "sqlite3_blob_bytes") (pointer) int)
(define-foreign blob-read (sqlite "sqlite3_blob_read") (pointer (bytevector-at) int int) int)
(define-foreign blob-write (sqlite "sqlite3_blob_write") (pointer bytevector int int) int)
(define-foreign blob-close (sqlite "sqlite3_blob_close") (pointer) int)

(define (open-blob db table column row)
  (let-values (((status blob) (blob-open db "main" table column row 1)))
    (check db "blob" status)
    blob))

;;; What it is like.

(define (show . things)
  (for-each display things)
  (newline))

(define (message thunk)
  (guard (e ((error-object? e)
             (show (error-object-message e) " " (error-object-irritants e))))
    (thunk)))

(define db (open-database ":memory:"))
(run db "create table knots (name text, turns integer, rope blob)")
(for-each
  (lambda (name turns)
    (query db "insert into knots values (?, ?, ?)" name turns (bytevector 1 turns)))
  '("bowline" "clove hitch" "sheet bend") '(1 2 1))

;; A collection at each row: what C was lent stays, and everything else moves.
(for-each-row (lambda (row) (collect) (write row) (newline)) db "select name, turns from knots")

;; The third row is not asked for.
(show "found: "
      (call-with-current-continuation
        (lambda (found)
          (for-each-row (lambda (row) (if (equal? (cdar row) "clove hitch") (found (cdar row))))
                        db "select name from knots")
          "nothing")))

(define-function db "backwards" 1 (lambda (s) (list->string (reverse (string->list s)))))
(define-function db "sum_of" -1 (lambda numbers (collect) (apply + numbers)))
(define-function db "ends" 1
  (lambda (b)
    (bytevector (bytevector-u8-ref b 0) (bytevector-u8-ref b (- (bytevector-length b) 1)))))
(write (query db "select backwards(name), sum_of(turns, 0.5, 3), ends(rope) from knots order by name"))
(newline)
(write (query db "select name from knots where backwards(name) like ?" "e%"))
(newline)

;; Errors, those of procedures too, are SQLite's, and come back as conditions of Scheme.
(message (lambda () (run db "selekt 1")))
(message (lambda () (query db "select sum_of(turns, 'two') from knots")))
(message (lambda () (query db "select ends('text')")))
(message (lambda () (for-each-row (lambda (row) (error "of the program's own" row)) db "select 1 as one")))
(message (lambda () (open-database "/no/such/folder/file.db")))

;; A mebibyte, written and read in part.
(run db "insert into knots values ('splice', 9, zeroblob(1048576))")
(define blob (open-blob db "knots" "rope" 4))
(define strand (make-bytevector 65536 7))
(check db "write" (blob-write blob strand 65536 983040))
(define ends (make-bytevector 8 255))
(check db "read" (blob-read blob ends 0 4 0))
(check db "read" (blob-read blob ends 4 4 (- (blob-bytes blob) 4)))
(check db "close" (blob-close blob))
(write ends)
(newline)

;; Another procedure under the same name, and the end: SQLite says each time what it needs no more.
(show "held: " (hash-table-count held))
(define-function db "backwards" 1 (lambda (s) s))
(show "held: " (hash-table-count held))
(close-database db)
(show "held: " (hash-table-count held))
(collect)
(show "pinned: " (cdr (assq 'pinned-objects (gc-stats))))
