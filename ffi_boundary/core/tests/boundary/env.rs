//! Callbacks whose procedure C is told by an env.

use crate::callbacks::standard_error_of;
use crate::lifetimes::{fix, fixnum, owners_of};
use crate::toy::{Leave, Toy, bytes, calm, double, function, integer, libc_function, text};
use bowline_ffi::{CallError, ForeignFunction, Handles};
use bowline_gc::Collect;
use bowline_layout::Value;
use std::cell::Cell;
use std::rc::Rc;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("env_in_every_place", every_place),
    ("env_beside_every_type", every_type),
    ("env_results", results),
    ("env_of_libc", libc),
    ("two_envs", two),
    ("wrong_envs", wrong),
    ("crossed_envs", crossed),
    ("env_called_late", called_late),
    ("envs_nested_a_hundred_deep", nested),
    ("raise_in_an_env_callback", raise),
    ("env_arity", arity),
    ("kept_env", kept),
    ("kept_env_once", kept_once),
    ("dead_env", dead),
    ("env_on_another_thread", on_another_thread),
    ("many_envs", many),
];

/// A procedure whose arguments are integers, that gives their digits in a row, with signs.
fn digits(toy: &mut Toy, arity: usize) -> Value {
    toy.procedure("digits", arity, |toy, args| {
        toy.churn();
        let all = args.map(|i| fixnum(toy.mutator.get(i)));
        Ok(fix(all.fold(0, |sum, n| sum * 10 + n)))
    })
}

fn every_place() {
    let mut toy = Toy::start();
    let ints = |n: usize, behind: &str| format!("{}env {behind}", "int ".repeat(n));
    let sum: i64 = (1..16).fold(0, |sum, n| sum * 10 + n);
    for (name, params, arity, result) in [
        (
            "env_first",
            "(env int (callback/env (env int) int64))".to_owned(),
            1,
            3,
        ),
        (
            "env_middle",
            "((callback/env (int env int) int64) env)".to_owned(),
            2,
            34,
        ),
        (
            "env_last",
            "((callback/env (int int64 env) int64) int64 env)".to_owned(),
            2,
            -16,
        ),
        (
            "env_sixth",
            format!("((callback/env ({}) int64) env)", ints(5, "int int")),
            7,
            1_234_578,
        ),
        (
            "env_seventh",
            format!("((callback/env ({}) int64) env)", ints(6, "int8")),
            7,
            1_234_552,
        ),
        (
            "env_sixteenth",
            format!("((callback/env ({}) int64) env)", ints(15, "")),
            15,
            sum,
        ),
        (
            "env_seventeenth",
            format!("((callback/env ({}) int64) env)", ints(16, "")),
            16,
            sum * 10 + 16,
        ),
    ] {
        let f = function(name, &params, "int64");
        for _ in 0..3 {
            let procedure = digits(&mut toy, arity);
            let args = match name {
                "env_first" => vec![fix(3), procedure],
                "env_last" => vec![procedure, fix(4)],
                _ => vec![procedure],
            };
            assert_eq!(toy.value(&f, &args), fix(result), "{name}");
        }
    }
}

fn every_type() {
    let mut toy = Toy::start();
    let types = "double int8 float uint16 double float env double double double bool float double long double int64";
    let params = format!("((callback/env ({types}) double) env)");
    let mixed = function("env_mixed", &params, "double");
    let check = toy.procedure("check", 15, |toy, args| {
        let arg = |toy: &Toy, i: usize| toy.mutator.get(args.start + i);
        toy.churn();
        let reals = [
            (0, 0.5),
            (2, 1.5),
            (4, 2.5),
            (5, 3.5),
            (6, 4.5),
            (7, 5.5),
            (8, 6.5),
        ];
        for (i, x) in reals.into_iter().chain([(10, 7.5), (11, 8.5), (13, 9.5)]) {
            assert_eq!(double(arg(toy, i)), x);
        }
        let whole = [(1, -1), (3, 65535), (12, -9), (14, i128::from(i64::MIN))];
        for (i, n) in whole {
            assert_eq!(integer(arg(toy, i)), n);
        }
        assert_eq!(arg(toy, 9), Value::TRUE);
        Ok(toy.flonum(-7.25))
    });
    let got = toy.value(&mixed, &[check]);
    assert_eq!(double(got), -7.25);
}

fn results() {
    let mut toy = Toy::start();
    let of = |name: &str, params: &str, result: &str| {
        let params = format!("((callback/env ({params}) {result}) env)");
        function(name, &params, result)
    };
    let float = toy.procedure("half", 1, |toy, args| {
        let x = double(toy.mutator.get(args.start));
        Ok(toy.flonum(x / 2.0))
    });
    let got = toy.value(&of("env_float", "env float", "float"), &[float]);
    assert_eq!(double(got), 2.5);
    let ran = Rc::new(Cell::new(0));
    let count = ran.clone();
    let nothing = toy.procedure("nothing", 0, move |_, _| {
        count.set(count.get() + 1);
        Ok(Value::NIL)
    });
    let got = toy.value(&of("env_void", "env", "void"), &[nothing]);
    assert_eq!((got, ran.get()), (Value::UNSPECIFIED, 1));
    let pointer = toy.procedure("pointer", 1, |toy, args| {
        assert_eq!(text(toy.mutator.get(args.start)), "text of C");
        Ok(Value::FALSE)
    });
    let got = toy.value(&of("env_pointer", "string env", "pointer"), &[pointer]);
    assert_eq!(bowline_ffi::pointer_address(got), Some(0));
    for (v, name, result, expected) in [
        (Value::NIL, "env_bool", "bool", Value::TRUE),
        (Value::FALSE, "env_bool", "bool", Value::FALSE),
        (fix(255), "env_uint8", "uint8", fix(255)),
    ] {
        let same = toy.procedure("same", 0, move |_, _| Ok(v));
        assert_eq!(toy.value(&of(name, "env", result), &[same]), expected);
    }
}

fn libc() {
    let mut toy = Toy::start();
    let sort = libc_function(
        "qsort_r",
        "(bytevector size_t size_t (callback/env (pointer pointer env) int) env)",
        "void",
    );
    let ran = Rc::new(Cell::new(0));
    let count = ran.clone();
    let compare = toy.procedure("compare", 2, move |toy, args| {
        count.set(count.get() + 1);
        let at = |i| bowline_ffi::pointer_address(toy.mutator.get(args.start + i));
        let byte = |i| {
            let mut byte = [0];
            bowline_ffi::memory::copy_out(at(i).expect("a pointer"), &mut byte);
            i64::from(byte[0])
        };
        let order = byte(0) - byte(1);
        toy.churn();
        Ok(fix(order))
    });
    toy.mutator.push(compare);
    let array = toy.bytes(&[5, 3, 9, 1, 7, 2]);
    toy.mutator.push(array);
    let (compare, array) = (toy.mutator.get(0), toy.mutator.get(1));
    toy.value(&sort, &[array, fix(6), fix(1), compare]);
    assert_eq!(bytes(toy.mutator.get(1)), [1, 2, 3, 5, 7, 9]);
    assert!(ran.get() >= 5);
}

const TWO: &str = "(env env (callback/env (env int) int64) (callback/env (env int) int64))";

fn two() {
    let mut toy = Toy::start();
    let both = function("env_two", TWO, "int64");
    let next = toy.procedure("next", 1, |toy, args| {
        Ok(fix(1 + fixnum(toy.mutator.get(args.start))))
    });
    toy.mutator.push(next);
    let ten = toy.procedure("ten", 1, |toy, args| {
        Ok(fix(10 * fixnum(toy.mutator.get(args.start))))
    });
    let next = toy.mutator.get(0);
    assert_eq!(toy.value(&both, &[next, ten]), fix(2020));
}

fn wrong() {
    let mut toy = Toy::start();
    let f = function(
        "env_wrong",
        "((callback/env (env int) int64 (on-exit 9)) env int64 bool)",
        "int64",
    );
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    toy.mutator.push(same);
    let call = |toy: &mut Toy, more: Value, instead| {
        let same = toy.mutator.get(0);
        toy.value(&f, &[same, more, Value::bool(instead)])
    };
    assert_eq!(call(&mut toy, fix(0), false), fix(1));
    for garbage in [0, 1, 8, 0x1234_5678, -1, i64::MIN] {
        let word = toy.integer(i128::from(garbage));
        let written = standard_error_of(|| {
            // Nobody knows what type of callback C takes it for.
            assert_eq!(call(&mut toy, word, true), fix(0));
        });
        assert_eq!(
            written,
            format!(
                "bowline: a callback was called in (env_wrong) with {garbage:#x} for its env, which is none that C was given\n"
            )
        );
    }
    // Near one, and where none was made yet.
    for more in [1, 8, 64, -8, 96 << 10, 1 << 40] {
        let written = standard_error_of(|| {
            assert_eq!(call(&mut toy, fix(more), false), fix(0));
        });
        assert!(
            written.ends_with("which is none that C was given\n"),
            "{written}"
        );
    }
    let reals = function(
        "env_wrong_double",
        "((callback/env (env) double) env)",
        "double",
    );
    let never = toy.procedure("never", 0, |_, _| panic!("nobody knows it"));
    let written = standard_error_of(|| {
        let got = toy.value(&reals, &[never]);
        assert_eq!(double(got), 0.0);
    });
    assert!(written.contains("in (env_wrong_double)"), "{written}");
    // There libffi knows the type, and with it the default.
    let params = format!(
        "((callback/env ({}env) int64 (on-exit 9)) env)",
        "int ".repeat(16)
    );
    let far = function("env_wrong_far", &params, "int64");
    let never = toy.procedure("never", 16, |_, _| panic!("nobody knows it"));
    let written = standard_error_of(|| assert_eq!(toy.value(&far, &[never]), fix(9)));
    assert!(written.contains("in (env_wrong_far)"), "{written}");
}

/// C passes each the other's env, whose type is another one.
fn crossed() {
    let mut toy = Toy::start();
    let params = "(env env (callback/env (env int) int64) (callback/env (int env) int64))";
    let f = function("env_crossed", params, "int64");
    let one = toy.procedure("one", 1, |_, _| panic!("has another type"));
    toy.mutator.push(one);
    let two = toy.procedure("two", 1, |_, _| panic!("has another type"));
    let one = toy.mutator.get(0);
    let written = standard_error_of(|| assert_eq!(toy.value(&f, &[one, two]), fix(0)));
    let line = "bowline: a callback was called in (env_crossed) with the env of another type of callback, which \
                (env_crossed) was given\n";
    assert_eq!(written, line.repeat(2));
}

fn called_late() {
    let mut toy = Toy::start();
    let save = saves("(on-exit 9)");
    let call_saved = function("env_call_saved", "(int)", "int64");
    let never = toy.procedure("never", 1, |_, _| panic!("its call has returned"));
    toy.value(&save, &[never]);
    for _ in 0..2 {
        let written = standard_error_of(|| {
            assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(9));
        });
        assert_eq!(
            written,
            "bowline: callback from (env_save) called after the call that lent it returned\n"
        );
    }
}

fn nested() {
    let mut toy = Toy::start();
    let down = "((callback/env (env int) int64) env int)";
    let down = Rc::new(function("env_down", down, "int64"));
    let (inner, deepest) = (down.clone(), Rc::new(Cell::new(0)));
    let depth = deepest.clone();
    let level = toy.procedure("level", 1, move |toy, args| {
        depth.set(depth.get() + 1);
        let n = fixnum(toy.mutator.get(args.start));
        let own = toy.bytes(format!("level {n}").as_bytes());
        toy.mutator.push(own);
        toy.churn();
        let level = toy.mutator.get(0);
        let below = toy.call_inside(&inner, &[level, fix(n)])?;
        toy.churn();
        assert_eq!(bytes(toy.mutator.pop()), format!("level {n}").as_bytes());
        Ok(below)
    });
    toy.mutator.push(level);
    let level = toy.mutator.get(0);
    assert_eq!(toy.value(&down, &[level, fix(100)]), fix(100));
    assert_eq!(deepest.get(), 100);
}

fn raise() {
    let mut toy = Toy::start();
    let params = "(env int (callback/env (env int) int64 (on-exit 7)))";
    let each = function("env_first", params, "int64");
    let ran = Rc::new(Cell::new(0));
    let count = ran.clone();
    let fails = toy.procedure("fails", 1, move |_, _| {
        count.set(count.get() + 1);
        Err(Leave::Raise("no".into()))
    });
    assert_eq!(
        toy.call(&each, &[fix(5), fails]),
        Err(CallError::PendingExit)
    );
    assert_eq!(toy.pending.take(), Some(Leave::Raise("no".into())));
    assert_eq!(ran.get(), 1);
}

fn arity() {
    let mut toy = Toy::start();
    let each = function(
        "env_first",
        "(env int (callback/env (env int) int64))",
        "int64",
    );
    let two = toy.procedure("two", 2, |_, _| panic!("is not called"));
    assert_eq!(
        toy.error(&each, &[fix(1), two]),
        "argument 2 of `env_first` is a callback that C calls with 1 argument, which two does not accept"
    );
    let wrong = toy.procedure("wrong", 1, |_, _| Ok(Value::NIL));
    let Err(Leave::Call(text)) = toy.call_inside(&each, &[fix(1), wrong]) else {
        panic!("a list is no integer");
    };
    assert!(
        text.starts_with(
            "the result of the callback that is argument 2 of `env_first` has type int64:"
        ),
        "{text}"
    );
}

fn saves(options: &str) -> ForeignFunction {
    let params = format!("((callback/env (env int) int64 {options}) env)");
    function("env_save", &params, "void")
}

fn asks(name: &str, options: &str) -> ForeignFunction {
    let params = format!("((callback/env (env int) int64 {options}) env)");
    function(name, &params, "bool")
}

fn push_next(toy: &mut Toy) {
    let next = toy.procedure("next", 1, |toy, args| {
        toy.churn();
        Ok(fix(1 + fixnum(toy.mutator.get(args.start))))
    });
    toy.mutator.push(next);
}

/// The same procedure has the same env, another one another, and the function is always one.
fn kept() {
    let mut toy = Toy::start();
    let call_saved = function("env_call_saved", "(int)", "int64");
    for options in ["gc", "forever"] {
        let (save, same) = (saves(options), asks("env_is_saved", options));
        let shares = asks("env_shares", options);
        push_next(&mut toy);
        let next = toy.mutator.get(0);
        toy.value(&save, &[next]);
        for n in 0..5 {
            toy.mutator.collect(Collect::Full);
            assert_eq!(toy.value(&call_saved, &[fix(n)]), fix(n + 1));
            let next = toy.mutator.get(0);
            assert_eq!(toy.value(&same, &[next]), Value::TRUE);
            push_next(&mut toy);
            let other = toy.mutator.pop();
            assert_eq!(toy.value(&shares, &[other]), Value::TRUE);
        }
        toy.mutator.truncate(0);
    }
    toy.mutator.collect(Collect::Full);
    assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(2), "for ever");
}

fn kept_once() {
    let mut toy = Toy::start();
    let (save, call_saved) = (
        saves("once (on-exit 9)"),
        function("env_call_saved", "(int)", "int64"),
    );
    push_next(&mut toy);
    let next = toy.mutator.pop();
    toy.value(&save, &[next]);
    toy.mutator.collect(Collect::Full);
    assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(2));
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(9));
    });
    assert!(written.contains("its lifetime is `once`"), "{written}");
}

fn dead() {
    let mut toy = Toy::start();
    let (save, call_saved) = (
        saves("gc (on-exit 9)"),
        function("env_call_saved", "(int)", "int64"),
    );
    push_next(&mut toy);
    let next = toy.mutator.pop();
    toy.value(&save, &[next]);
    toy.mutator.collect(Collect::Full);
    toy.mutator.collect(Collect::Full);
    assert_eq!(owners_of(&toy, "env_save"), (0, 0));
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(9));
    });
    assert_eq!(
        written,
        "bowline: callback from (env_save) called when it had ended: nobody in the program had it any more\n"
    );
}

fn on_another_thread() {
    let mut toy = Toy::open();
    for options in ["", "gc"] {
        let params = format!("((callback/env (env int) int64 {options}) env)");
        let call = function("env_on_thread", &params, "int64");
        push_next(&mut toy);
        for _ in 0..10 {
            let next = toy.mutator.get(0);
            assert_eq!(toy.value(&call, &[next]), fix(6));
        }
        toy.mutator.truncate(0);
    }
}

/// More than there are records, one after the other.
fn many() {
    let mut toy = Toy::start();
    let each = function(
        "env_first",
        "(env int (callback/env (env int) int64))",
        "int64",
    );
    let save = saves("once");
    let live = Handles::of(&toy.mutator).count();
    push_next(&mut toy);
    let count = if calm() { 300_000 } else { 300 };
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    toy.mutator.set(0, same);
    for n in 0..count {
        let same = toy.mutator.get(0);
        assert_eq!(toy.value(&each, &[fix(n % 3), same]), fix(n % 3 / 2));
    }
    // Those that C never calls are kept, but for what the call refuses.
    for _ in 0..100 {
        assert!(toy.error(&save, &[fix(1)]).contains("expected a procedure"));
    }
    assert_eq!(Handles::of(&toy.mutator).count(), live);
    if calm() {
        let refused = (0..=1 << 18).find_map(|_| {
            let same = toy.mutator.get(0);
            toy.call(&save, &[same]).err()
        });
        assert_eq!(
            refused.map(|error| error.to_string()).as_deref(),
            Some(
                "cannot make an env for argument 1 of `env_save`: the system gives no memory, or too many are in use"
            )
        );
    }
}
