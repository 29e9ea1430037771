//! Out parameters of every type, with collections and callbacks while C has their memory.

use crate::toy::{Leave, Toy, double, function, integer, text};
use bowline_ffi::{CType, memory, pointer_address};
use bowline_layout::Value;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("out_scalars", scalars),
    ("out_of_every_kind", every_kind),
    ("inout_while_c_calls_back", while_c_calls_back),
    ("inout_struct", inout_struct),
    ("out_and_a_pending_exit", pending_exit),
    ("out_errors_leave_the_stack", errors),
];

/// `out_T` writes its second argument to the address that is its first.
fn scalars() {
    let mut toy = Toy::start();
    for (name, ctype) in CType::NAMED {
        let Some((low, high)) = ctype.repr().range() else {
            continue;
        };
        let params = format!("((out {name}) {name})");
        let out = function(&format!("out_{name}"), &params, "void");
        for n in [low, 0, 1, high] {
            let v = toy.integer(n);
            let values = toy.values(&out, &[v]);
            assert_eq!(values.len(), 2);
            assert_eq!((values[0], integer(values[1])), (Value::UNSPECIFIED, n));
        }
    }
    let out = function("out_double", "((out double) double)", "void");
    let v = toy.flonum(-0.5);
    assert_eq!(double(toy.values(&out, &[v])[1]), -0.5);
    let out = function("out_float", "((out float) float)", "void");
    let v = toy.flonum(0.1);
    assert_eq!(double(toy.values(&out, &[v])[1]), f64::from(0.1f32));
    let out = function("out_bool", "((out bool) bool)", "void");
    for v in [Value::TRUE, Value::FALSE] {
        assert_eq!(toy.values(&out, &[v])[1], v);
    }
    let out = function("out_pointer", "((out pointer) pointer)", "void");
    let null = toy.values(&out, &[Value::FALSE])[1];
    assert_eq!(pointer_address(null), Some(0));
    // A `char *` is the text, or #f for NULL.
    let out = function("out_pointer", "((out string) string)", "void");
    let v = toy.string("lent and copied back");
    assert_eq!(text(toy.values(&out, &[v])[1]), "lent and copied back");
    assert_eq!(toy.values(&out, &[Value::FALSE])[1], Value::FALSE);
}

/// More of them than the call has room for without an allocation.
fn every_kind() {
    let mut toy = Toy::start();
    toy.define("point", "((x int) (y double))");
    let many = toy.function(
        "many",
        "((out char) (out int16) (out float) (out double) (out (pointer (struct point))) (out string)
          (out bool) (out (struct point)) (out uint64) (out (array int 3)))",
        "void",
    );
    let values = toy.values(&many, &[]);
    assert_eq!(values.len(), 11);
    assert_eq!(integer(values[1]), i128::from(b'a'));
    assert_eq!(integer(values[2]), -2);
    assert_eq!((double(values[3]), double(values[4])), (1.5, 2.5));
    assert_eq!(pointer_address(values[5]), pointer_address(values[8]));
    assert_eq!(text(values[6]), "text of C");
    assert_eq!(values[7], Value::TRUE);
    assert_eq!(integer(values[9]), i128::from(u64::MAX));
    let (point, array) = (values[8], values[10]);
    // They own what is read.
    toy.mutator.push(point);
    toy.mutator.push(array);
    let at = |v| pointer_address(v).expect("a pointer");
    for (address, offset, expected) in [
        (at(point), 0, 7),
        (at(point), 4, 0),
        (at(point), 8, 0),
        (at(array), 0, 1),
        (at(array), 4, 0),
        (at(array), 8, 3),
    ] {
        let n = memory::read(&mut toy.mutator, &CType::Int, address, offset).expect("readable");
        assert_eq!(integer(n), expected);
    }
}

/// The word is where C was told, however often its callbacks collect.
fn while_c_calls_back() {
    let mut toy = Toy::start();
    let twice = function("twice", "((inout int64) int (callback (int) int))", "int");
    let f = toy.procedure("f", 1, |toy, args| {
        toy.churn();
        Ok(toy.mutator.get(args.start))
    });
    let large = toy.integer(i128::from(i64::MAX / 2));
    let values = toy.values(&twice, &[large, Value::fixnum(5), f]);
    assert_eq!(integer(values[0]), 10);
    assert_eq!(integer(values[1]), i128::from(i64::MAX - 1));
}

/// The argument is copied, and the copy is what comes back.
fn inout_struct() {
    let mut toy = Toy::start();
    let point = toy.define("point", "((x int) (y double))");
    let swap = toy.function(
        "swap",
        "((inout (struct point)) (callback () void))",
        "bool",
    );
    let f = toy.procedure("f", 0, |toy, _| {
        toy.churn();
        Ok(Value::FALSE)
    });
    toy.mutator.push(f);
    let label = bowline_gc::OwnerLabel::default();
    let p = toy.mutator.foreign_memory(16, true, label).expect("room");
    bowline_ffi::set_pointer_target(p, point.number());
    let address = pointer_address(p).expect("a pointer");
    toy.mutator.push(p);
    let y = toy.flonum(9.0);
    memory::write_field(&toy, &point, 0, address, Value::fixnum(4)).expect("fits");
    memory::write_field(&toy, &point, 1, address, y).expect("fits");
    let args = [toy.mutator.get(1), toy.mutator.get(0)];
    let values = toy.values(&swap, &args);
    assert_eq!(values[0], Value::TRUE);
    toy.mutator.push(values[1]);
    let mut field = |base: usize, i| {
        let base = toy.mutator.get(base);
        memory::read_field(&mut toy.mutator, &point, i, base).expect("readable")
    };
    assert_eq!((integer(field(1, 0)), double(field(1, 1))), (4, 9.0));
    assert_eq!((integer(field(2, 0)), double(field(2, 1))), (9, 4.0));
}

/// A call that ends with a pending exit gives nothing.
fn pending_exit() {
    let mut toy = Toy::start();
    let twice = function("twice", "((inout int64) int (callback (int) int))", "int");
    let f = toy.procedure("f", 1, |_, _| Err(Leave::Raise("out".into())));
    let height = toy.mutator.len();
    let returned = toy.call_inside(&twice, &[Value::fixnum(1), Value::fixnum(3), f]);
    assert_eq!(returned, Err(Leave::Raise("out".into())));
    assert_eq!(toy.mutator.len(), height);
}

fn errors() {
    let mut toy = Toy::start();
    toy.define("point", "((x int) (y double))");
    let f = toy.function(
        "same_point",
        "((inout (struct point)) (out int) (inout int8))",
        "pointer",
    );
    toy.mutator.push(Value::fixnum(5));
    toy.mutator.push(Value::fixnum(1));
    let failed = bowline_ffi::call(&f, &mut toy, 0..2).expect_err("is refused");
    assert_eq!(
        failed.to_string(),
        "argument 1 of `same_point` has type (struct point): expected a pointer to such a struct, got 5"
    );
    assert_eq!(toy.mutator.len(), 2);
    assert_eq!(
        toy.error(&f, &[]),
        "`same_point` takes 2 arguments, but got 0"
    );
}
