//! What every form parses to, and what every wrong form is told.

use super::callback::{CALLBACK_ENV_FORM, CALLBACK_FORM};
use super::*;

/// Reads `(a (b 1))`-like text, so that the tests show what a program writes.
fn read(text: &str) -> TypeExpr {
    fn items(words: &mut std::iter::Peekable<std::vec::IntoIter<String>>) -> Vec<TypeExpr> {
        let mut out = Vec::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "(" => out.push(TypeExpr::List(items(words))),
                ")" => return out,
                _ => out.push(
                    word.parse()
                        .map_or_else(|_| TypeExpr::name(&word), TypeExpr::Int),
                ),
            }
        }
        out
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<String> = spaced.split_whitespace().map(str::to_owned).collect();
    items(&mut words.into_iter().peekable()).remove(0)
}

fn signature(params: &str, result: &str) -> Result<Signature, FfiError> {
    let TypeExpr::List(params) = read(params) else {
        panic!("parameters are a list");
    };
    Signature::parse(&params, &read(result), &mut Types::default())
}

fn parse(text: &str) -> Result<CType, FfiError> {
    read(text).parse(&mut Types::default())
}

fn message(params: &str, result: &str) -> String {
    signature(params, result)
        .expect_err("should be refused")
        .to_string()
}

#[test]
fn every_name_is_its_type() {
    for (name, ctype) in CType::NAMED {
        assert_eq!(parse(name).as_ref(), Ok(ctype));
        assert_eq!(ctype.to_string(), *name);
    }
}

#[test]
fn signatures_print_as_they_are_written() {
    for (params, result) in [
        ("()", "void"),
        ("(int)", "int"),
        ("(string int ... int)", "int"),
        ("(string ...)", "int"),
        (
            "(bytevector size_t size_t (callback (pointer pointer) int))",
            "void",
        ),
        (
            "((callback () void) (callback (int) long (on-exit -1)))",
            "double",
        ),
        (
            "(env int (callback/env (int env) int) (callback/env (env) void gc) env)",
            "int",
        ),
    ] {
        let parsed = signature(params, result).expect("well formed");
        assert_eq!(parsed.to_string(), format!("{params} {result}"));
    }
}

#[test]
fn variadic_part_begins_after_the_ellipsis() {
    let parsed = signature("(string int ... int double)", "int").expect("well formed");
    assert_eq!((parsed.fixed, parsed.params.len()), (Some(2), 4));
    assert_eq!(signature("(int)", "int").map(|s| s.fixed), Ok(None));
}

#[test]
fn a_typed_pointer_is_a_pointer() {
    let parsed = signature("((pointer (pointer char)))", "(pointer int)").expect("well formed");
    let pointer = Parameter {
        ctype: CType::Pointer,
        passing: Passing::In,
    };
    assert_eq!(parsed.params, [pointer]);
    assert_eq!(parsed.result, CType::Pointer);
}

#[test]
fn the_call_lifetime_may_be_said() {
    let said = parse("(callback (int) int call)");
    assert_eq!(said, parse("(callback (int) int)"));
}

#[test]
fn envs_are_counted() {
    for (params, callbacks, envs) in [
        ("(env)", 0, 1),
        ("((callback/env (env) int))", 1, 0),
        ("(env (callback/env (env) int) env)", 1, 2),
    ] {
        assert_eq!(
            message(params, "int"),
            format!(
                "each `callback/env` wants one `env` beside it, by order: there are {callbacks} and {envs}"
            )
        );
    }
    let parsed = signature("(env int (callback/env (int env) int))", "int").expect("well formed");
    assert_eq!(parsed.arguments(), 2);
    for text in [
        "(callback/env (int) int)",
        "(callback/env (env env) int)",
        "(callback/env)",
    ] {
        assert_eq!(
            parse(text).expect_err("malformed").to_string(),
            format!("`{text}` is not a type: expected {CALLBACK_ENV_FORM}")
        );
    }
    for (params, place, hint) in [
        (
            "((callback (env) int))",
            "a parameter of `callback`",
            "`callback/env`",
        ),
        (
            "((out env))",
            "what an `out` or `inout` parameter refers to",
            "`pointer`",
        ),
        (
            "((callback () env))",
            "the result of a callback",
            "`pointer`",
        ),
    ] {
        assert_eq!(
            message(params, "int"),
            format!("`env` cannot be {place}; use {hint}")
        );
    }
    assert_eq!(
        message("()", "env"),
        "`env` cannot be a result; use `pointer`"
    );
    let made = read("(callback (env int) int)").parse_lasting_callback(&mut Types::default());
    let made = made.expect_err("an object has none");
    assert_eq!(
        made.to_string(),
        "`env` cannot be a parameter of `make-callback`; use `pointer`: an object has no env"
    );
}

#[test]
fn unknown_types_are_named() {
    for text in ["Int", "timeval", "(tm struct)", "()", "(3)", "7", "((int))"] {
        assert_eq!(
            parse(text).expect_err("unknown").to_string(),
            format!("unknown type `{text}`")
        );
    }
    assert_eq!(message("((pointer what))", "int"), "unknown type `what`");
}

#[test]
fn malformed_forms_are_shown_with_the_right_one() {
    for text in [
        "(callback)",
        "(callback int int)",
        "(callback (int))",
        "(callback (int) int call 3)",
        "(callback (int) int (on-exit x))",
        "(callback (int) int (at-exit 1))",
        "(callback (int) int (on-exit 1) (on-exit 2))",
    ] {
        assert_eq!(
            parse(text).expect_err("malformed").to_string(),
            format!("`{text}` is not a type: expected {CALLBACK_FORM}")
        );
    }
    assert_eq!(
        message("((pointer))", "int"),
        "`(pointer)` is not a type: expected (pointer TYPE)"
    );
}

#[test]
fn lifetimes_that_do_not_exist_are_refused_with_those_that_do() {
    assert_eq!(
        message("((callback (int) int always))", "void"),
        "unknown callback lifetime `always`: expected `call`, `gc`, `once` or `forever`"
    );
}

#[test]
fn types_in_the_wrong_place_are_refused_with_a_way_out() {
    assert_eq!(
        message("(int void)", "int"),
        "`void` cannot be a parameter; use an empty list for a function without parameters"
    );
    assert_eq!(
        message("(int)", "bytevector"),
        "`bytevector` cannot be a result; use `pointer`"
    );
    assert_eq!(
        message("()", "(callback (int) int)"),
        "`(callback (int) int)` cannot be a result; use `pointer`"
    );
    assert_eq!(
        message("((callback (bytevector) int))", "int"),
        "`bytevector` cannot be a parameter of a callback; use `pointer`"
    );
    assert_eq!(
        message("((callback (int) string))", "int"),
        "`string` cannot be the result of a callback; use `pointer`"
    );
}

#[test]
fn the_ellipsis_stands_once_after_a_type() {
    let text = "`...` must stand once, after at least one parameter type";
    assert_eq!(message("(... int)", "int"), text);
    assert_eq!(message("(int ... int ...)", "int"), text);
}

#[test]
fn on_exit_must_fit_the_result() {
    assert_eq!(
        message("((callback () uint8 (on-exit 256)))", "int"),
        "(on-exit 256) does not fit the result type uint8"
    );
    assert_eq!(
        message("((callback () void (on-exit 0)))", "int"),
        "(on-exit 0) does not fit the result type void"
    );
    assert!(signature("((callback () double (on-exit -1)))", "int").is_ok());
    assert!(signature("((callback () bool (on-exit 1)))", "int").is_ok());
    assert!(signature("((callback () bool (on-exit 2)))", "int").is_err());
}

#[test]
fn parameters_are_limited() {
    let many = vec![TypeExpr::name("int"); MAX_PARAMETERS + 1];
    assert_eq!(
        Signature::parse(&many, &TypeExpr::name("int"), &mut Types::default())
            .expect_err("too many")
            .to_string(),
        "256 parameters are too many: the limit is 255"
    );
    assert!(Signature::parse(&many[1..], &TypeExpr::name("int"), &mut Types::default()).is_ok());
}
