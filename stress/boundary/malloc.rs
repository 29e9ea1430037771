//! E22 to E31: malloc itself, as C that the command runs meets it: the command is its process's malloc.
//!
//! Absent on purpose: programs that are not the command, under the preload; `preload` of `bowline-tests` has them.

use crate::case::{Case, case};

/// A process that ends in a line of the malloc's.
const fn misuse(name: &'static str, program: &'static str, line: &'static str) -> Case {
    case(name, program, "begun\n")
        .calls("malloc.c")
        .aborts(line)
}

pub(crate) const CASES: &[Case] = &[
    misuse(
        "e22_freed_block_written",
        r#"
(define-foreign writes-to-freed (helper "writes_to_freed") () void)
(display "begun\n")
(flush-output-port)
(writes-to-freed)
"#,
        "bowline_malloc: use after free: block of … bytes at 0x… was written at offset 17 after it was freed\n",
    )
    .with(&[("BOWLINE_MALLOC", "hardened")]),
    misuse(
        "e23_free_of_the_stack",
        r#"
(define-foreign frees-the-stack (helper "frees_the_stack") () void)
(display "begun\n")
(flush-output-port)
(frees-the-stack)
"#,
        "bowline_malloc: free of 0x…: not allocated here\n",
    ),
    misuse(
        "e23_free_of_static_storage",
        r#"
(define-foreign frees-static-storage (helper "frees_static_storage") () void)
(display "begun\n")
(flush-output-port)
(frees-static-storage)
"#,
        "bowline_malloc: free of 0x…: not allocated here\n",
    ),
    misuse(
        "e23_free_of_a_lent_string",
        r#"
(define-foreign free (libc "free") (string) void)
(display "begun\n")
(flush-output-port)
(free "the heap's")
"#,
        "bowline_malloc: free of 0x…: not allocated here\n",
    ),
    misuse(
        "e23_free_of_the_middle",
        r#"
(define-foreign frees-the-middle (helper "frees_the_middle") () void)
(display "begun\n")
(flush-output-port)
(frees-the-middle)
"#,
        "bowline_malloc: free of 0x…: inside the block of … bytes at 0x…\n",
    ),
    misuse(
        "e23_free_of_nonsense",
        r#"
(define-foreign frees-nonsense (helper "frees_nonsense") () void)
(display "begun\n")
(flush-output-port)
(frees-nonsense)
"#,
        "bowline_malloc: free of 0x1234567890: not allocated here\n",
    ),
    case(
        "e24_amounts",
        r#"
(define-foreign amounts (helper "amounts") () int)
(show (amounts))
"#,
        "0\n",
    )
    .calls("malloc.c"),
    misuse(
        "e25_freed_twice",
        r#"
(define-foreign frees-twice (helper "frees_twice") () void)
(display "begun\n")
(flush-output-port)
(frees-twice)
"#,
        "bowline_malloc: free of 0x…: double free of a block of … bytes\n",
    ),
    misuse(
        "e25_freed_by_two_threads",
        r#"
(define-foreign frees-what-a-thread-freed (helper "frees_what_a_thread_freed") () void)
(display "begun\n")
(flush-output-port)
(frees-what-a-thread-freed)
"#,
        "bowline_malloc: free of 0x…: double free of a block of … bytes\n",
    ),
    case(
        "e26_overflow",
        r#"
(define-foreign overflow (helper "overflow") () int)
(show (overflow))
"#,
        "0\n",
    )
    .calls("malloc.c"),
    case(
        "e27_alignments",
        r#"
(define-foreign alignments (helper "alignments") () int)
(show (alignments))
"#,
        "0\n",
    )
    .calls("malloc.c"),
    case(
        "e28_before_main_and_after_exit",
        r#"
(define-foreign thread-that-ends (helper "thread_that_ends") () bool)
(show (thread-that-ends))
"#,
        "before main\n#t\nafter exit\n",
    )
    .preloads("early.c"),
    case(
        "e29_the_collectors_own_memory",
        r#"
;; What the runtime needs for itself, also during a collection, is neither the heap's nor C's. C's account
;; goes by pages, of which a thread may take one meanwhile; the names take some MiB.
(define (both) (list (stat 'runtime-bytes) (stat 'client-bytes)))
(define before (both))
(define (names n) (when (> n 0) (string->symbol (string-append "name-" (number->string n))) (names (- n 1))))
(names 20000)
(do ((i 0 (+ i 1))) ((= i 10)) (collect))
(define after (both))
(show (list (> (car after) (+ (car before) 1000000)) (< (abs (- (cadr after) (cadr before))) 300000)))
"#,
        "(#t #t)\n",
    )
    .under(&[&[], &["--zeal=malloc:1"]]),
    case(
        "e30_signal_in_malloc",
        r#"
(define-foreign signals (helper "signals") (int) int)
(show (signals 3000))
"#,
        "0\n",
    )
    .calls("malloc.c")
    .under(&[&[], &["--zeal=malloc:50"]]),
    misuse(
        "e31_another_librarys_block",
        r#"
(define-foreign frees-own-block (helper "frees_own_block") () void)
(display "begun\n")
(flush-output-port)
(frees-own-block)
"#,
        "bowline_malloc: free of 0x…: not allocated here\n",
    ),
];
