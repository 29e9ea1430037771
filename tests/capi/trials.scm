;; What C does with bowline.h. Arguments: the library, the trial.
(import (scheme base) (scheme char) (scheme write) (scheme process-context) (bowline ffi) (bowline gc))

(define-foreign-library trials (cadr (command-line)))
(define trial (string->symbol (list-ref (command-line) 2)))

(define (show x) (write x) (newline))
;; As many objects as there are, each by a handle of its own, while PROCEDURE runs.
(define (lend procedure . objects)
  (let* ((handles (map make-handle objects))
         (result (apply procedure (map handle->integer handles))))
    (for-each handle-free! handles)
    result))
(define (message thunk)
  (guard (e ((system-error? e) (list (system-error-name e) (error-object-message e)))
            ((error-object? e) (cons (error-object-message e) (error-object-irritants e)))
            (#t (list 'raised e)))
    (thunk)))
;; The text of a message in which the numbers of slots differ from run to run.
(define (without-digits message)
  (list->string
    (let loop ((text (string->list (car message))))
      (cond ((null? text) '())
            ((char-numeric? (car text)) (loop (cdr text)))
            (else (cons (car text) (loop (cdr text))))))))
(define (collect-all) (collect 'minor) (collect) 0)

;; What C was lent is free to move once it has returned.
(define (pinned) (collect) (cdr (assq 'pinned-objects (gc-stats))))

;; Runs the one that the command line names. Each has definitions of its own.
(define-syntax one-of
  (syntax-rules ()
    ((_ (name body ...) ...)
     (case trial ((name) (let () body ...)) ...))))

(one-of
  (numbers
   (define-foreign numbers (trials "numbers") (uint64 uint64 uint64) int)
   (show (lend numbers (expt 2 63) "knot" 1/2)))
  (texts
   (define-foreign texts (trials "texts") (uint64 uint64 uint64) int)
   (show (lend texts "naïve" "two\x0;tw" 5))
   (show (pinned)))
  (bytes
   (define-foreign bytes (trials "bytes") (uint64 uint64 uint64) int)
   (define b (bytevector 1 2 3 4))
   (show (lend bytes b (bytevector) 5))
   (show b)
   (define p (make-foreign-memory 4))
   (define v (bytevector-view p))
   (bytevector-copy! v 0 (bytevector 1 2 3 4))
   (show (lend bytes v (bytevector-view p 0) 5))
   (show v)
   (show (pinned)))
  (pointers
   (define-foreign pointers (trials "pointers") (uint64 uint64 uint64) int)
   (show (lend pointers (string->pointer (make-string 64 #\c)) #f "knot")))
  (tuples
   (define-foreign tuples (trials "tuples") (uint64 uint64) uint64)
   (define made (integer->handle (lend tuples (vector 1 "two" (vector 3)) 5)))
   (show (handle-ref made))
   (handle-free! made))
  (kinds
   (define-foreign kinds (trials "kinds") (uint64 (callback () int)) int)
   (show (lend (lambda (h) (kinds h collect-all)) "held")))
  (wrong
   (define-foreign wrong (trials "wrong") () int)
   (show (wrong)))
  (scopes
   (define-foreign scopes (trials "scopes") () int)
   (define-foreign close-outer (trials "close_outer") () int)
   (define-foreign scopes-and-calls (trials "scopes_and_calls") ((callback () int)) int)
   (show (scopes))
   (show (scopes-and-calls close-outer))
   (show (pinned)))
  (typed
   (define-foreign same (trials "same") (handle) handle)
   (define-foreign nothing (trials "nothing") () handle)
   (define-foreign before (trials "before") (handle) handle)
   (define-foreign number? (trials "is_number") (handle) bool)
   (define-foreign through (trials "through") ((callback (handle) handle) handle) handle)
   (define-foreign through-nothing (trials "through_nothing") ((callback (handle) handle)) handle)
   (define-foreign fill-scope (trials "fill_scope") (handle) handle)
   (define-foreign count-locals (trials "count_locals")
     (int64 (callback (int64) handle)) int64)
   (define object (list 1 "two"))
   (show (map same (list 5 1.5 "text" 'symbol #\c #t '() car)))
   (show (eq? object (same object)))
   (show (list (number? 1/2) (number? "1/2")))
   ;; A handle of the program's is passed as itself, and C may keep it.
   (define held (make-handle object))
   (show (eq? object (same held)))
   (show (message (lambda () (before held))))
   (show (eq? object (before 5)))
   (show (without-digits (message (lambda () (before 6)))))
   (handle-free! held)
   (show (without-digits (message (lambda () (same held)))))
   (show (message nothing))
   (show (through (lambda (x) (collect) (cons x "new")) 'x))
   (show (message (lambda () (through (lambda (x) (raise x)) 'raised))))
   (show (message (lambda () (through-nothing (lambda (x) x)))))
   (show (message (lambda () (fill-scope 5))))
   (show (let deep ((n 20)) (count-locals n deep))))
  (loops
   (define-foreign loops (trials "loops") (int64) int)
   (show (loops (string->number (list-ref (command-line) 3)))))
  (limit
   (define-foreign limit (trials "limit") () int)
   (show (limit)))
  (threads
   (define-foreign threads (trials "threads") () int)
   (show (threads)))
  (leaf
   (define-foreign leaf (trials "leaf") () int (leaf))
   (show (leaf)))
  (raises
   (define-foreign checked (trials "checked") () int)
   (define-foreign raises (trials "raises") (uint64) uint64)
   (define-foreign raises-object (trials "raises_object") (uint64) uint64)
   (define-foreign callback-raises (trials "callback_raises") ((callback () int)) int)
   (define-foreign raises-errno (trials "raises_errno") (int) uint64)
   (define-foreign raises-error (trials "raises_error") () uint64)
   (show (message (lambda () (lend raises 42))))
   ;; The object itself, wherever it has moved to.
   (let ((object (list 42 'moved)))
     (show (guard (e (#t (eq? e object)))
             (lend (lambda (h) (collect) (raises-object h)) object))))
   (show (message (lambda () (callback-raises (lambda () (raise 'from-inside))))))
   (show (message (lambda () (raises-errno 2))))
   (show (message (lambda () (raises-errno 0))))
   (show (message raises-error))
   (show (checked)))
  (words
   (define-foreign words (trials "words") (uint64) int)
   (define-foreign checked (trials "checked") () int)
   (define-foreign left-open (trials "left_open") () int)
   (define-foreign raises-within (trials "raises_within") () uint64)
   (define-foreign calls-back (trials "calls_back") ((callback () int) int) int)
   (show (lend words (vector 5 "text" 2.5 (bytevector 1 2 3) (cons 1 2) #\x)))
   (show (message left-open))
   (show (message raises-within))
   (collect)
   (define (never) (display "it ran") 5)
   (show (message (lambda () (calls-back never 0))))
   (show (message (lambda () (calls-back never 1))))
   (collect)
   (define v (bytevector-view (string->pointer "\x1;\x2;\x3;") 3))
   (show (lend words (vector 5 "text" 2.5 v (cons 1 2) #\x)))
   (show (checked)))
  (guests
   (define-foreign on-thread (trials "on_thread") ((callback () int)) int)
   (define-foreign words (trials "words") (uint64) int)
   (define-foreign left-open (trials "left_open") () int)
   (define-foreign raises (trials "raises") (uint64) uint64)
   (show (on-thread
           (lambda ()
             (lend words (vector 5 "text" 2.5 (bytevector 1 2 3) (cons 1 2) #\x)))))
   ;; What C raises there is the callback's to catch.
   (show (on-thread
           (lambda ()
             (show (message left-open))
             (show (message (lambda () (lend raises 42))))
             0))))
  (lingers
   (define-foreign lingers (trials "lingers") (int) int)
   (define (collections) (cdr (assq 'collections (gc-stats))))
   (define before (collections))
   (show (lingers 1000))
   (show (> (collections) before)))
  (fills
   (define-foreign fills (trials "fills") () int)
   (show (< 100 (fills) 60000))))
