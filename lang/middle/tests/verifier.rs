//! The verifier finds each kind of broken IR, and the parser says what it does not understand.

use bowline_middle::ir::{ParseError, parse, verify};
use bowline_middle::{InlineOp, PrimitiveInfo, Primitives};

fn prims() -> Primitives {
    let make = |(name, control): (&'static str, bool)| PrimitiveInfo {
        name,
        min_args: 1,
        max_args: Some(1),
        inline: InlineOp::by_name(name),
        control,
    };
    Primitives::new([("car", false), ("call/cc", true)].map(make).into())
}

fn module(functions: &str) -> String {
    format!("(module (entry f0) (globals) {functions})")
}

fn entry(body: &str, locals: u16) -> String {
    module(&format!(
        "(function f0 main (params 0) (captures 0) (locals {locals}) {body})
         (function f1 one (params 1) (captures 0) (locals 1) s0)
         (function f2 held (params 0) (captures 1) (locals 0) c0)
         (function f3 rest (params 0 rest) (captures 0) (locals 1) s0)"
    ))
}

/// The faults of a text, one a line.
fn faults(text: &str) -> String {
    let module = parse(text, &prims()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let faults = verify(&module, &prims());
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

fn check(body: &str, locals: u16, expected: &str) {
    assert_eq!(faults(&entry(body, locals)).trim_end(), expected, "{body}");
}

#[test]
fn sound_ir_has_no_faults() {
    check("(let* ((s0 1)) (prim car s0))", 1, "");
    check("(tail-call-known f1 5)", 0, "");
    check(
        "(let* ((s0 (closure f2 1))) (tail-call-closure f2 s0))",
        1,
        "",
    );
    check("(loop L0 ((s0 1)) (if s0 (jump L0 2) 3))", 1, "");
    check("(fix ((s0 f2 s0)) s0)", 1, "");
    check("(case-lambda (f1) (f3))", 0, "");
    check("(check-bound (unassigned) x)", 0, "");
}

#[test]
fn slots() {
    check("s0", 0, "f0: s0 is beyond the locals");
    check("s0", 1, "f0: s0 has no value here");
    check(
        "(let* ((s0 1)) (let* ((s0 2)) s0))",
        1,
        "f0: s0 has a value already",
    );
    check("(seq (let* ((s0 1)) s0) s0)", 1, "f0: s0 has no value here");
    check("(let* ((s0 s0)) 1)", 1, "f0: s0 has no value here");
}

#[test]
fn captures() {
    check("c0", 0, "f0: nothing is captured as c0");
    check("(closure f2)", 0, "f0: f2 does not capture 0 values");
    check("(closure f9)", 0, "f0: no function f9");
    check(
        "(fix ((s0 f2 5)) s0)",
        1,
        "f0: fix captures a computed value",
    );
}

#[test]
fn tail_positions() {
    check("(call 1)", 0, "f0: a call has the wrong tail flag");
    check(
        "(prim car (tail-call 1))",
        0,
        "f0: a call has the wrong tail flag",
    );
    check(
        "(jump L0)",
        0,
        "f0: jump L0 is not in tail position of its loop",
    );
    check(
        "(loop L0 () (prim car (jump L0)))",
        0,
        "f0: jump L0 is not in tail position of its loop",
    );
    check(
        "(loop L0 ((s0 1)) (jump L0))",
        1,
        "f0: L0 gets a wrong number of values",
    );
    check(
        "(seq (loop L0 () 1) (loop L0 () 1))",
        0,
        "f0: two loops are L0",
    );
}

#[test]
fn known_calls() {
    check(
        "(tail-call-known f1)",
        0,
        "f0: f1 does not take these arguments",
    );
    check(
        "(tail-call-known f3)",
        0,
        "f0: f3 does not take these arguments",
    );
    check(
        "(tail-call-known f2)",
        0,
        "f0: f2 is called with the wrong kind of closure",
    );
    check(
        "(tail-call-closure f1 1 2)",
        0,
        "f0: f1 is called with the wrong kind of closure",
    );
    check("(tail-call-known f9)", 0, "f0: no function f9");
}

#[test]
fn primitives_and_sequences() {
    check("(prim car)", 0, "f0: primitive 0 cannot be called so");
    check("(prim call/cc 1)", 0, "f0: primitive 1 cannot be called so");
    check("(seq)", 0, "f0: an empty seq");
}

#[test]
fn modules() {
    let wrong = module("(function f1 #f (params 1) (captures 0) (locals 0) 1)");
    assert_eq!(
        faults(&wrong),
        "f0 cannot be the entry\nf1 is at index 0\nf1: the arguments exceed the locals\n"
    );
}

#[test]
fn the_parser_says_what_is_wrong() {
    let error = |text: &str| parse(text, &prims()).expect_err(text);
    assert_eq!(error(""), ParseError::NotOneModule);
    assert!(matches!(error("("), ParseError::Unreadable(_)));
    let text = error(&entry("(frobnicate 1)", 0)).to_string();
    assert_eq!(text, "an expression is wanted, not `(frobnicate 1)`");
    let text = error(&entry("(prim nothing)", 0)).to_string();
    assert_eq!(text, "a primitive is wanted, not `nothing`");
    let text = error(&entry("(let* ((x 1)) 1)", 0)).to_string();
    assert_eq!(text, "a slot is wanted, not `x`");
    assert_eq!(
        error("(modul)").to_string(),
        "module is wanted, not `(modul)`"
    );
}
