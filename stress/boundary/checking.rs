//! E20, E35 and E40: what the checking mode of the boundary tells.
//!
//! Absent on purpose: each form that an argument has, and C that keeps to what it was lent; `checking` of `bowline-tests`.

use crate::case::{Case, case};

/// The mode, alone.
const CHECKED: &[&[&str]] = &[&["--check-boundary"]];

pub(crate) const CASES: &[Case] = &[
    case(
        "e20_lent_address_in_static_memory",
        r#"
(define-foreign saves (helper "saves") (string) void)
(define-foreign uses-saved (helper "uses_saved") () int)
(saves (string-append "lent " "text"))
(display "begun\n")
(flush-output-port)
(uses-saved)
"#,
        "begun\n",
    )
    .calls("lending.c")
    .under(CHECKED)
    .faults(
        "bowline: C still has the address of argument 1 (string) of saves after the call, in static memory of … at 0x…, \
         lent at main.scm:…\nbowline: C has used argument 1 (string) of saves after the call, lent at main.scm:…\n",
    ),
    case(
        "e20_address_of_what_has_moved_in_static_memory",
        r#"
(define-foreign saves (helper "saves") (pointer) void)
(define-foreign nothing (helper "saves_nothing") () void)
(define bytes (make-bytevector 16 7))
(with-pinned ((p bytes))
  (saves p)
  (nothing))
(display "pinned\n")
(flush-output-port)
(nothing)
(display "moved\n")
"#,
        "pinned\nmoved\n",
    )
    .calls("lending.c")
    .under(CHECKED)
    .says(
        "bowline: C still has the address of argument 1 (pointer) of saves though the object has moved, in static memory \
         of … at 0x…, lent at main.scm:…\n",
    ),
    case(
        "e20_word_of_the_heap_in_a_block",
        r#"
(define-foreign saves-word (helper "saves_word") (handle) void)
(define-foreign nothing (helper "saves_nothing") () void)
(define pair (list 1 2))
(saves-word pair)
(nothing)
(write pair)
(newline)
"#,
        "(1 2)\n",
    )
    .calls("lending.c")
    .under(CHECKED)
    .says(
        "bowline: C still has the address of what bl_raw gave to saves-word though the object has moved, in a block of … \
         bytes at 0x…, … bytes into it, lent at main.scm:…\n",
    ),
    case(
        "e35_write_past_a_string",
        r#"
(define-foreign writes-past-text (helper "writes_past_text") (string) void)
(display "begun\n")
(flush-output-port)
(writes-past-text (string-append "lent " "text"))
"#,
        "begun\n",
    )
    .calls("lending.c")
    .under(CHECKED)
    .faults(
        "bowline: C has written 1 byte past the end of argument 1 (string) of writes-past-text, lent at main.scm:…\n",
    ),
    case(
        "e35_write_past_a_bytevector",
        r#"
(define-foreign writes-past (helper "writes_past") (bytevector size_t) void)
(display "begun\n")
(flush-output-port)
(writes-past (make-bytevector 16 0) 16)
"#,
        "begun\n",
    )
    .calls("lending.c")
    .under(CHECKED)
    .faults("bowline: C has written 1 byte past the end of argument 1 (bytevector) of writes-past, lent at main.scm:…\n"),
    case(
        "e35_write_into_what_is_left_of_a_word",
        r#"
(define-foreign writes-past (helper "writes_past") (bytevector size_t) void)
(display "begun\n")
(flush-output-port)
(writes-past (make-bytevector 13 0) 13)
(display "never\n")
"#,
        "begun\n",
    )
    .calls("lending.c")
    .under(CHECKED)
    .aborts("bowline: C has written 1 byte past the end of argument 1 (bytevector) of writes-past, lent at main.scm:…\n"),
    case(
        "e35_write_to_a_string",
        r#"
(define-foreign writes-to-text (helper "writes_to_text") (string) void)
(display "begun\n")
(flush-output-port)
(writes-to-text (string-append "lent " "text"))
(display "never\n")
"#,
        "begun\n",
    )
    .calls("lending.c")
    .under(CHECKED)
    .aborts("bowline: C has written to argument 1 (string) of writes-to-text, which it may only read, lent at main.scm:…\n"),
    case(
        "e35_write_past_a_struct",
        r#"
(define-foreign-struct point (x int32) (y int32))
(define-foreign writes-past (helper "writes_past") ((out (struct point)) size_t) void)
(show (point-x (writes-past 0)))
(flush-output-port)
(writes-past 8)
"#,
        "1\n",
    )
    .calls("lending.c")
    .under(CHECKED)
    .faults(
        "bowline: C has written 1 byte past the end of parameter 1, (out (struct point)), of writes-past, lent at main.scm:…\n",
    ),
    case(
        "e40_jump_past_a_callback_checked",
        r#"
(define-foreign place (helper "jump_place") ((callback (int64) int64) int64) int64)
(define-foreign jump (helper "jump") (string) void)
(told
  (place (lambda (n) (jump (string-append "lent " "text")) n) 5))
(show (list (pinned) (place (lambda (n) (collect) (+ n 1)) 41)))
"#,
        "C jumped (longjmp) back into `place`, past a callback of it (argument 1 of place, lent at main.scm:…): what the \
         callback was doing is lost, and its `after` thunks did not run\n(0 42)\n",
    )
    .calls("threads.c")
    .under(CHECKED),
    case(
        "e40_what_was_lent_before_a_jump_is_used_checked",
        r#"
(define-foreign place (helper "jump_place") ((callback (int64) int64) int64) int64)
(define-foreign jump (helper "jump_saving") (string) void)
(define-foreign uses-saved (helper "uses_jumped") () int)
(guard (e (#t (display "jumped\n")))
  (place (lambda (n) (jump (string-append "lent " "text")) n) 5))
(flush-output-port)
(uses-saved)
"#,
        "jumped\n",
    )
    .calls("threads.c")
    .under(CHECKED)
    .faults(
        "bowline: C still has the address of argument 1 (string) of jump after the call, in static memory of … at 0x…, \
         lent at main.scm:…\nbowline: C has used argument 1 (string) of jump after the call, lent at main.scm:…\n",
    ),
];
