;; A list of a million numbers that C walks, and a search tree that C makes of it, by the functions that `bowline header`
;; writes for the exports below: see lists.c. Arguments: how many numbers, a million if none is given.
(import (scheme base) (scheme write) (scheme process-context) (bowline datatype) (bowline ffi))

(foreign-export-du-construction "C" (list null 0) "list_empty")
(foreign-export-du-construction "C" (list cons 2) "list_cons")
(foreign-export-du-deconstruction "C" (list cons 2) "list_uncons")

(define-datatype tree
  (leaf)
  (node left (key int64) right))
(foreign-export-du-construction "C" (tree leaf 0) "tree_leaf")
(foreign-export-du-construction "C" (tree node 3) "tree_node")
(foreign-export-du-deconstruction "C" (tree node 3) "tree_get_node")

;; What C finds in the tree is told here, once for each key that it looks for.
(define looked-for 0)
(define found 0)
(define (tell key found?)
  (set! looked-for (+ looked-for 1))
  (if found? (set! found (+ found 1))))
(foreign-export "C" tell (int64 bool) void "tell")

(define-foreign-library lists "liblists.so")
(define-foreign sum-by-handles (lists "sum_by_handles") (handle) int64)
(define-foreign sum-by-words (lists "sum_by_words") (handle) int64)
(define-foreign squares (lists "squares") (int64) handle)
(define-foreign sorted-tree (lists "sorted_tree") (handle int64) handle)
(define-foreign depth (lists "depth") (handle) int)
(define-foreign look-up (lists "look_up") (handle int64 int64) void)

(define count
  (if (pair? (cdr (command-line)))
      (string->number (cadr (command-line)))
      1000000))
(define (show what value)
  (display what)
  (display value)
  (newline))

(define (count-down from)
  (let loop ((i 1) (l '()))
    (if (> i from) l (loop (+ i 1) (cons i l)))))
(define numbers (count-down count))
(define expected (quotient (* count (+ count 1)) 2))
(define (right? sum) (if (= sum expected) "as expected" sum))

(show "the sum by handles: " (right? (sum-by-handles numbers)))
(show "the sum by words: " (right? (sum-by-words numbers)))

;; What C has made is a value as any other.
(show "the last squares: " (let ((all (squares count))) (list (car all) (cadr all) (length all))))

(define made (sorted-tree (reverse numbers) count))
(define (tree-sum t)
  (match t
    ((leaf) 0)
    ((node left key right) (+ (tree-sum left) key (tree-sum right)))))
(show "the sum of the tree: " (right? (tree-sum made)))
(show "its depth is that of a balanced one: "
      (let loop ((n count) (levels 0))
        (if (> n 0) (loop (quotient n 2) (+ levels 1)) (= levels (depth made)))))
;; About a thousand keys; 0 is not in it.
(define step (max 1 (quotient count 1000)))
(look-up made count step)
(show "keys of it that were not found: " (- looked-for found 1))
