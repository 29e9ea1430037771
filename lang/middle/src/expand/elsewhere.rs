//! Table of names and libraries that programs bring along from other Schemes and other languages, and
//! what to use instead.
//!
//! Absent on purpose: names that a public library exports, but for those that only (scheme r5rs) has;
//! of them it is told which library that is.

/// Variables and keywords of elsewhere.
const NAMES: &[(&[&str], &str)] = &[
    (
        &["nil", "null", "None"],
        "the empty list is '(), false is #f",
    ),
    (&["true", "True"], "true is #t"),
    (&["false", "False"], "false is #f"),
    (
        &["print", "println", "displayln", "writeln", "puts", "princ"],
        "`display` and `write` of (scheme write) write a value, (newline) ends the line",
    ),
    (
        &["printf", "format", "fprintf", "sprintf"],
        "there are no format strings: write the parts one after another by `display`, or join them \
         by `string-append` and `number->string`",
    ),
    (
        &["assert"],
        "(unless CONDITION (error \"MESSAGE\" VALUE ...)) fails where a condition does not hold",
    ),
    (
        &["eval", "interaction-environment", "environment"],
        "a program is compiled as a whole, there is no `eval`; `bowline repl` evaluates forms",
    ),
    (
        &["load", "require", "use-modules"],
        "(include \"FILE\") takes in the forms of a file, (import (NAME ...)) a library",
    ),
    (&["add1"], "write (+ N 1)"),
    (&["sub1"], "write (- N 1)"),
    (
        DEFINITIONS,
        "(define (NAME PARAMETER ...) BODY ...) defines a procedure, (lambda (PARAMETER ...) BODY ...) \
         is one without a name",
    ),
    (
        &["setq", "setf", "setf!"],
        "(set! VARIABLE VALUE) changes a variable that `define` made",
    ),
    (
        &["progn"],
        "(begin EXPRESSION ...) makes several expressions one",
    ),
    (
        &["while", "until", "for", "dotimes", "dolist"],
        "loops are a `do`, a named `let`, or `for-each` over a list",
    ),
    (
        &["return"],
        "a procedure gives the value of its last expression; (call/cc (lambda (return) BODY ...)) can \
         be left earlier",
    ),
    (
        &[
            "try",
            "catch",
            "with-handlers",
            "handler-case",
            "condition-case",
        ],
        "(guard (VARIABLE CLAUSE ...) BODY ...) catches what is raised",
    ),
    (
        &["throw"],
        "(error \"MESSAGE\" VALUE ...) or (raise VALUE) raises",
    ),
    (
        &["foldl", "fold-left"],
        "`fold` of (bowline list) folds from the left",
    ),
    (
        &["foldr"],
        "`fold-right` of (bowline list) folds from the right",
    ),
    (&["atom?"], "write (not (pair? VALUE))"),
    (
        &["mod", "%"],
        "the remainder is `modulo`, or `remainder`, which has the dividend's sign",
    ),
    (&["div"], "the quotient of integers is `quotient`"),
    (&["=="], "numbers are compared by `=`, anything by `equal?`"),
    (&["!=", "/="], "write (not (= A B))"),
    (&["exact->inexact"], "`inexact` of (scheme base) does that"),
    (&["inexact->exact"], "`exact` of (scheme base) does that"),
    (
        &[
            "make-hash",
            "make-hashtable",
            "make-eq-hashtable",
            "hash-ref",
            "hash-set!",
        ],
        "(bowline hash-tables) has `make-hash-table`, `hash-table-ref` and `hash-table-set!`",
    ),
    (
        &["define-struct", "struct", "defstruct", "define-structure"],
        "`define-record-type` makes a type with its procedures",
    ),
    (
        &["defmacro", "define-macro", "syntax-case"],
        "macros are written by `define-syntax` with `syntax-rules`",
    ),
    (
        &[
            "define-type",
            "define-data",
            "define-union",
            "defdata",
            "datatype",
        ],
        "`define-datatype` of (bowline datatype) makes a type with several constructors",
    ),
    (
        &[
            "match*",
            "match-lambda",
            "match-let",
            "match-define",
            "cases",
        ],
        "`match` of (bowline datatype) takes one value apart; (match (list A B) ...) several",
    ),
    (
        &["define-enumeration", "define-enum", "enum"],
        "`define-datatype` of (bowline datatype) with constructors without fields is an enumeration, \
         `define-foreign-enum` of (bowline ffi) one of C's",
    ),
    (
        &[
            "c-lambda",
            "foreign-lambda",
            "foreign-lambda*",
            "foreign-safe-lambda",
            "foreign-procedure",
            "pointer->procedure",
            "get-ffi-obj",
            "define-c-lambda",
        ],
        "`define-foreign` of (bowline ffi) makes a C function a procedure",
    ),
    (
        &[
            "c-define",
            "define-external",
            "foreign-callable",
            "define-callable",
        ],
        "`foreign-export` of (bowline datatype) lets C call a procedure by a name, `make-callback` of (bowline ffi) \
         makes a C function of one",
    ),
    (
        &["c-declare", "foreign-declare", "c-initialize"],
        "no C stands in programs: compile it to a shared library, which `define-foreign-library` of (bowline ffi) opens",
    ),
    (
        &["procedure->pointer", "function-ptr"],
        "`make-callback` of (bowline ffi) makes a C function of a procedure",
    ),
    (
        &["let/cc", "call/ec", "let/ec"],
        "`call/cc` gives the continuation to a procedure",
    ),
];

/// Libraries of elsewhere, by what their names begin with.
const LIBRARIES: &[(&str, &str)] = &[
    ("(rnrs", R7RS),
    ("(chezscheme)", R7RS),
    ("(racket", R7RS),
    ("(scheme)", R7RS),
    ("(ice-9", R7RS),
    ("(scheme list)", LIST),
    ("(srfi srfi-1)", LIST),
    ("(srfi 1)", LIST),
    ("(srfi 69)", TABLES),
    ("(srfi 125)", TABLES),
    ("(scheme hash-table)", TABLES),
    ("(srfi 9)", "`define-record-type` is in (scheme base)"),
    ("(srfi 16)", "`case-lambda` is in (scheme case-lambda)"),
    ("(srfi 23)", "`error` is in (scheme base)"),
    (
        "(srfi 39)",
        "`make-parameter` and `parameterize` are in (scheme base)",
    ),
    ("(srfi 95)", "`sort` is in (bowline list)"),
    ("(srfi 132)", "`sort` and `list-sort` are in (bowline list)"),
    ("(srfi 151)", "integers as bits are in (bowline bits)"),
    ("(srfi 60)", "integers as bits are in (bowline bits)"),
    (
        "(srfi",
        "there are no SRFI libraries by number; some of what they have is in (bowline ...)",
    ),
    (
        "(scheme eval)",
        "a program is compiled as a whole, there is no `eval`",
    ),
    (
        "(scheme repl)",
        "a program is compiled as a whole, there is no `eval`",
    ),
    (
        "(scheme load)",
        "(include \"FILE\") takes in the forms of a file",
    ),
    ("(scheme complex)", "there are no complex numbers"),
];

/// Keywords that define the name behind them.
const DEFINITIONS: &[&str] = &["defun", "def", "defn", "function"];

const R7RS: &str =
    "programs here are R7RS: begin with (import (scheme base)), (scheme write) has `display`";
const LIST: &str = "(bowline list) has the useful part of SRFI 1";
const TABLES: &str = "(bowline hash-tables) has hash tables, after SRFI 69";

/// What to use instead of a variable or keyword, if it is known from elsewhere.
pub(super) fn name(wanted: &str) -> Option<&'static str> {
    let found = NAMES.iter().find(|(names, _)| names.contains(&wanted));
    found.map(|(_, note)| *note)
}

/// Whether a keyword of elsewhere defines the name behind it.
pub(super) fn defines(keyword: &str) -> bool {
    DEFINITIONS.contains(&keyword)
}

/// What to use instead of a library, if it is known from elsewhere.
pub(super) fn library(wanted: &str) -> Option<&'static str> {
    let begins = |start: &str| {
        let rest = wanted.strip_prefix(start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ')']))
    };
    let found = LIBRARIES.iter().find(|(start, _)| begins(start));
    found.map(|(_, note)| *note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_once() {
        let mut all: Vec<_> = NAMES.iter().flat_map(|(names, _)| *names).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn libraries_are_known_by_their_first_words() {
        assert_eq!(library("(rnrs)"), Some(R7RS));
        assert_eq!(library("(rnrs base (6))"), Some(R7RS));
        assert_eq!(library("(srfi 1)"), Some(LIST));
        assert!(library("(srfi 13)").is_some_and(|note| note.contains("no SRFI")));
        assert_eq!(library("(rnrsx)"), None);
        assert_eq!(library("(my lib)"), None);
    }
}
