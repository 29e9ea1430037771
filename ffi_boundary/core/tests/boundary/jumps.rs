//! C that jumps past callbacks.

use crate::callbacks::standard_error_of;
use crate::toy::{Leave, Toy, bytes, function};
use bowline_ffi::{ForeignFunction, HandleKind, HandleScope, Handles};
use bowline_layout::Value;
use std::cell::Cell;
use std::rc::Rc;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("a_jump_past_a_callback", plain),
    ("a_jump_through_levels", levels),
    ("a_jump_past_what_was_lent", lent),
    ("a_callback_after_a_jump", calls_again),
    ("a_jump_out_of_a_leaf", leaf),
    ("a_jump_out_of_a_thread", out_of_a_thread),
    (
        "a_jump_out_of_a_thread_that_ends",
        out_of_a_thread_that_ends,
    ),
    (
        "a_jump_out_of_a_leaf_of_a_thread",
        out_of_a_leaf_of_a_thread,
    ),
    ("many_jumps", many),
];

const FUNCTION: &str = "(callback (int64) int64)";

fn fix(n: i64) -> Value {
    Value::fixnum(n)
}

fn place(name: &str) -> ForeignFunction {
    function(name, &format!("({FUNCTION} int64)"), "int64")
}

fn jumped(name: &str) -> String {
    format!(
        "C jumped (longjmp) back into `{name}`, past a callback of it: what the callback was doing is lost, and its \
         `after` thunks did not run"
    )
}

/// A procedure that has C jump to the place with the number that it is called with.
fn jumper(toy: &mut Toy) -> Value {
    let jump = Rc::new(function("jump_at_once", "(int64)", "void"));
    toy.procedure("jumps", 1, move |toy, args| {
        let own = toy.bytes(b"lost");
        toy.mutator.push(own);
        let n = toy.mutator.get(args.start);
        toy.call_inside(&jump, &[n])
    })
}

fn plain() {
    let mut toy = Toy::open();
    let kept = toy.bytes(b"kept");
    toy.mutator.push(kept);
    let place = place("jump_place");
    let jumps = jumper(&mut toy);
    assert_eq!(toy.error(&place, &[jumps, fix(1)]), jumped("jump_place"));
    // What comes afterwards is as ever.
    assert_eq!(toy.mutator.len(), 1);
    let same = toy.procedure("same", 1, |toy, args| {
        toy.churn();
        Ok(toy.mutator.get(args.start))
    });
    assert_eq!(toy.value(&place, &[same, fix(3)]), fix(3));
    assert_eq!(bytes(toy.mutator.get(0)), b"kept");
}

/// From the innermost of several calls into each of the others.
fn levels() {
    let mut toy = Toy::open();
    let place = Rc::new(place("jump_place"));
    let inner = place.clone();
    let jump = Rc::new(function("jump_at_once", "(int64)", "void"));
    let target = Rc::new(Cell::new(0));
    let to = target.clone();
    let down = toy.procedure("down", 1, move |toy, args| {
        let n = toy.mutator.get(args.start).as_fixnum().expect("a fixnum");
        if n == 4 {
            return toy.call_inside(&jump, &[fix(to.get())]);
        }
        let own = toy.mutator.get(args.start - 1);
        let left = toy.call_inside(&inner, &[own, fix(n + 1)]);
        toy.churn();
        if n + 1 == to.get() {
            assert_eq!(left, Err(Leave::Call(jumped("jump_place"))));
            return Ok(fix(100));
        }
        left
    });
    toy.mutator.push(down);
    for n in 1..=4 {
        target.set(n);
        let down = toy.mutator.get(0);
        let outermost = toy.call_inside(&place, &[down, fix(1)]);
        match n {
            1 => assert_eq!(outermost, Err(Leave::Call(jumped("jump_place")))),
            _ => assert_eq!(outermost, Ok(fix(100))),
        }
        assert_eq!(toy.mutator.len(), 1);
    }
}

/// The call that is jumped over had lent a string, a closure, and local handles in scopes.
fn lent() {
    let mut toy = Toy::open();
    let place = place("jump_place");
    let jump = Rc::new(function("jump_to", &format!("({FUNCTION} int64)"), "void"));
    let called = Rc::new(Cell::new(0));
    let count = called.clone();
    let inner = toy.procedure("inner", 1, move |toy, args| {
        count.set(count.get() + 1);
        // Left open.
        let _scope = HandleScope::enter();
        let own = toy.bytes(b"by handle");
        let handles = Handles::of(&toy.mutator);
        for kind in [HandleKind::Local, HandleKind::Local] {
            assert!(handles.create(own, kind).is_ok());
        }
        Ok(toy.mutator.get(args.start))
    });
    toy.mutator.push(inner);
    let jumps = toy.procedure("jumps", 1, move |toy, args| {
        let (inner, n) = (toy.mutator.get(0), toy.mutator.get(args.start));
        toy.call_inside(&jump, &[inner, n])
    });
    toy.mutator.push(jumps);
    let before = Handles::of(&toy.mutator).count();
    for i in 1..=20 {
        let jumps = toy.mutator.get(1);
        assert_eq!(toy.error(&place, &[jumps, fix(2)]), jumped("jump_place"));
        assert_eq!(called.get(), i);
        toy.churn();
        assert_eq!(Handles::of(&toy.mutator).count(), before);
        assert_eq!(toy.mutator.stats().pinned_bytes_now, 0);
    }
}

/// C calls back after the jump and before it returns.
fn calls_again() {
    let mut toy = Toy::open();
    let place = place("jump_and_call");
    let jump = Rc::new(function("jump_at_once", "(int64)", "void"));
    let again = Rc::new(Cell::new(0));
    let count = again.clone();
    let both = toy.procedure("both", 1, move |toy, args| {
        let n = toy.mutator.get(args.start);
        if n == fix(15) {
            count.set(count.get() + 1);
            toy.churn();
            return Ok(fix(1));
        }
        toy.call_inside(&jump, &[n])
    });
    assert_eq!(toy.error(&place, &[both, fix(1)]), jumped("jump_and_call"));
    assert_eq!((again.get(), toy.mutator.len()), (1, 0));
}

/// A leaf call keeps its thread Managed, and so does the jump out of it.
fn leaf() {
    let mut toy = Toy::open();
    let place = place("jump_place");
    let jump = function("jump_at_once", "(int64)", "void").into_leaf();
    let jump = Rc::new(jump.expect("it takes no callback"));
    let jumps = toy.procedure("jumps", 1, move |toy, args| {
        let n = toy.mutator.get(args.start);
        toy.call_inside(&jump, &[n])
    });
    toy.mutator.push(jumps);
    for _ in 0..3 {
        let jumps = toy.mutator.get(0);
        assert_eq!(toy.error(&place, &[jumps, fix(1)]), jumped("jump_place"));
        toy.churn();
    }
}

/// Calls `function` three times with a procedure that has C jump out of it, by a foreign call, when it is given 9; each time a line is
/// told, and nothing is left of what was jumped over.
fn jump_out_of_threads(function: &ForeignFunction, jump: ForeignFunction, gives: i64) {
    let mut toy = Toy::open();
    let jump = Rc::new(jump);
    let jumps = toy.procedure("jumps", 1, move |toy, args| {
        toy.churn();
        let handle = Handles::of(&toy.mutator).create(fix(1), HandleKind::Local);
        assert!(handle.is_err(), "no call that it could belong to");
        match toy.mutator.get(args.start) {
            n if n == fix(9) => toy.call_inside(&jump, &[n]),
            _ => Ok(fix(5)),
        }
    });
    toy.mutator.push(jumps);
    for _ in 0..3 {
        let written = standard_error_of(|| {
            let jumps = toy.mutator.get(0);
            assert_eq!(toy.value(function, &[jumps]), fix(gives));
        });
        assert_eq!(
            written,
            "bowline: C jumped (longjmp) out of a callback on a thread of its own: what it held is lost\n"
        );
        assert!(toy.parked.is_empty(), "what the thread had is gone");
        toy.churn();
    }
    assert_eq!((toy.lane, toy.mutator.len()), (0, 1));
}

/// On a thread of C's there may be no call to report it: a line says so, and the next callback is one as ever.
fn out_of_a_thread() {
    let on_thread = function("jump_on_thread", &format!("({FUNCTION})"), "int64");
    jump_out_of_threads(&on_thread, function("jump_at_once", "(int64)", "void"), -2);
}

/// It is noticed when the thread ends, too.
fn out_of_a_thread_that_ends() {
    let name = "jump_on_thread_that_ends";
    let on_thread = function(name, &format!("({FUNCTION})"), "int64");
    jump_out_of_threads(&on_thread, function("jump_at_once", "(int64)", "void"), -7);
}

/// A leaf call keeps the host, too.
fn out_of_a_leaf_of_a_thread() {
    let on_thread = function("jump_on_thread", &format!("({FUNCTION})"), "int64");
    let jump = function("jump_at_once", "(int64)", "void").into_leaf();
    jump_out_of_threads(&on_thread, jump.expect("it takes no callback"), -2);
}

/// Nothing grows.
fn many() {
    let mut toy = Toy::open();
    let place = place("jump_place");
    let jumps = jumper(&mut toy);
    toy.mutator.push(jumps);
    let handles = Handles::of(&toy.mutator).count();
    let written = standard_error_of(|| {
        for _ in 0..10_000 {
            let jumps = toy.mutator.get(0);
            assert_eq!(toy.error(&place, &[jumps, fix(1)]), jumped("jump_place"));
        }
    });
    assert_eq!(written, "");
    assert_eq!(toy.mutator.len(), 1);
    assert_eq!(Handles::of(&toy.mutator).count(), handles);
    toy.churn();
}
