//! What a wrong call is told.

use crate::toy::{Toy, function, signature, support};
use bowline_ffi::{CallError, FfiError, ForeignFunction};
use bowline_layout::Value;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("arity_error", arity),
    ("type_errors_of_numbers", numbers),
    ("type_errors_of_pointers", pointers),
    ("type_errors_of_bytes", bytes),
    ("string_with_nul", embedded_nul),
    ("callback_arity", callback_arity),
    ("unknown_symbol", unknown_symbol),
    ("errors_leave_nothing_behind", nothing_left),
];

fn arity() {
    let mut toy = Toy::start();
    let id = function("id_int", "(int)", "int");
    assert_eq!(toy.error(&id, &[]), "`id_int` takes 1 argument, but got 0");
    let two = [Value::fixnum(1), Value::fixnum(2)];
    assert_eq!(toy.error(&id, &two), "`id_int` takes 1 argument, but got 2");
}

/// The error for `v` where C wants `ctype`.
fn told(toy: &mut Toy, ctype: &str, v: Value) -> String {
    let is_null = function("is_null", &format!("({ctype})"), "int");
    let error = toy.error(&is_null, &[v]);
    error
        .strip_prefix("argument 1 of `is_null` has type ")
        .expect("names the argument")
        .to_owned()
}

fn numbers() {
    let mut toy = Toy::start();
    for ctype in ["int8", "uint64", "long", "size_t"] {
        let v = toy.string("7");
        assert_eq!(
            told(&mut toy, ctype, v),
            format!("{ctype}: expected an exact integer, got \"7\"")
        );
        let v = toy.flonum(7.0);
        assert_eq!(
            told(&mut toy, ctype, v),
            format!("{ctype}: expected an exact integer, got 7.0")
        );
    }
    assert_eq!(
        told(&mut toy, "char", Value::char('7')),
        "char: expected an exact integer, got char('7') (use `char->integer`)"
    );
    for ctype in ["float", "double"] {
        let v = toy.string("7");
        assert_eq!(
            told(&mut toy, ctype, v),
            format!("{ctype}: expected a real number, got \"7\"")
        );
    }
}

fn pointers() {
    let mut toy = Toy::start();
    let n = Value::fixnum(7);
    assert_eq!(
        told(&mut toy, "pointer", n),
        "pointer: expected a foreign pointer or #f, got 7 (use `integer->pointer`)"
    );
    let v = toy.bytes(b"1");
    assert_eq!(
        told(&mut toy, "pointer", v),
        "pointer: expected a foreign pointer or #f, got #u8[49] (declare it as `bytevector`)"
    );
    let v = toy.string("1");
    assert_eq!(
        told(&mut toy, "pointer", v),
        "pointer: expected a foreign pointer or #f, got \"1\" (declare it as `string`)"
    );
    let v = toy.procedure("f", 0, |_, _| Ok(Value::FALSE));
    assert_eq!(
        told(&mut toy, "pointer", v),
        "pointer: expected a foreign pointer or #f, got #<procedure f> (declare it as a `callback`)"
    );
    assert_eq!(
        told(&mut toy, "(callback () int)", n),
        "callback: expected a procedure, got 7"
    );
    assert_eq!(
        told(&mut toy, "(callback () int)", Value::FALSE),
        "callback: expected a procedure, got #f (declare it as `pointer` to pass NULL)"
    );
    let v = bowline_ffi::make_pointer(&mut toy.mutator, 16).expect("room");
    assert_eq!(
        told(&mut toy, "(callback () int)", v),
        "callback: expected a procedure, got #<pointer> (declare it as `pointer`)"
    );
}

fn bytes() {
    let mut toy = Toy::start();
    assert_eq!(
        told(&mut toy, "string", Value::fixnum(7)),
        "string: expected a string or #f, got 7"
    );
    let v = toy.bytes(b"1");
    assert_eq!(
        told(&mut toy, "string", v),
        "string: expected a string or #f, got #u8[49] (declare it as `bytevector`)"
    );
    let v = toy.string("1");
    assert_eq!(
        told(&mut toy, "bytevector", v),
        "bytevector: expected a bytevector, got \"1\" (declare it as `string`)"
    );
    let v = bowline_ffi::make_pointer(&mut toy.mutator, 16).expect("room");
    assert_eq!(
        told(&mut toy, "bytevector", v),
        "bytevector: expected a bytevector, got #<pointer> (declare it as `pointer`)"
    );
    assert_eq!(
        told(&mut toy, "bytevector", Value::FALSE),
        "bytevector: expected a bytevector, got #f"
    );
}

fn embedded_nul() {
    let mut toy = Toy::start();
    let v = toy.string("abc\0def");
    assert_eq!(
        told_nul(&mut toy, v),
        "argument 1 of `is_null` is a string with a NUL character at byte 3, where C would take it to end"
    );
    let v = toy.string("ü\0");
    assert!(told_nul(&mut toy, v).contains("at byte 2"));
}

fn told_nul(toy: &mut Toy, v: Value) -> String {
    let is_null = function("is_null", "(string)", "int");
    toy.error(&is_null, &[v])
}

fn callback_arity() {
    let mut toy = Toy::start();
    let each = function("repeat", "((callback (int64) int64) int)", "int");
    let two = toy.procedure("two", 2, |_, _| Ok(Value::FALSE));
    assert_eq!(
        toy.error(&each, &[two, Value::fixnum(1)]),
        "argument 1 of `repeat` is a callback that C calls with 1 argument, which two does not accept"
    );
    let once = function("once_void", "((callback () void))", "void");
    let two = toy.procedure("two", 2, |_, _| Ok(Value::FALSE));
    assert_eq!(
        toy.error(&once, &[two]),
        "argument 1 of `once_void` is a callback that C calls with no arguments, which two does not accept"
    );
}

fn unknown_symbol() {
    let library = support();
    let error = ForeignFunction::new("f", &library, "no_such", signature("()", "int"));
    let Err(FfiError::UnknownSymbol { symbol, library }) = error else {
        panic!("there is no such symbol");
    };
    assert_eq!(symbol, "no_such");
    assert!(library.contains("libsupport"));
}

/// After errors of every kind the root stack is as before and calls work.
fn nothing_left() {
    let mut toy = Toy::start();
    let repeat = function("repeat", "((callback (int64) int64) int)", "int");
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    toy.mutator.push(same);
    for _ in 0..600 {
        // The closure was lent already when the second argument turns out wrong.
        let same = toy.mutator.get(0);
        let failed = toy.call(&repeat, &[same, Value::NIL]);
        assert!(matches!(
            failed,
            Err(CallError::Ffi(FfiError::WrongType { .. }))
        ));
    }
    let same = toy.mutator.get(0);
    assert_eq!(
        toy.value(&repeat, &[same, Value::fixnum(3)]),
        Value::fixnum(3)
    );
    assert_eq!(toy.mutator.len(), 1);
}
