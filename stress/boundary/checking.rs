//! E20 and E35: what the checking mode of the boundary tells.
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
    .faults("bowline: C has used argument 1 (string) of saves after the call, lent at main.scm:…\n"),
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
];
