//! C calling procedures, and the ways of leaving them.

use crate::toy::{Leave, Toy, bytes, double, function, integer, libc_function, text};
use bowline_ffi::{CallError, pointer_address};
use bowline_layout::Value;
use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, FromRawFd};
use std::rc::Rc;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("nested_a_hundred_deep", nested),
    ("every_parameter_type", every_parameter_type),
    ("two_callbacks_of_one_call", two_callbacks),
    ("outer_callback_from_inner_call", outer_from_inner),
    ("called_from_a_leaf", called_from_a_leaf),
    ("null_callback", null_callback),
    ("void_callback", void_callback),
    ("raise_in_a_callback", raise),
    ("raise_through_two_calls", raise_through_two),
    ("on_exit_values", on_exit),
    ("raise_in_every_comparison", raise_in_sort),
    ("wrong_result_is_a_pending_exit", wrong_result),
    ("errno_across_a_callback", errno_across),
    ("many_calls_reuse_closures", many_calls),
    ("called_late", called_late),
    ("called_on_another_thread", called_on_another_thread),
    ("endless_recursion", endless_recursion),
];

fn fix(n: i64) -> Value {
    Value::fixnum(n)
}

fn fixnum(v: Value) -> i64 {
    v.as_fixnum().expect("a fixnum")
}

/// Runs `f` with standard error going to a file, and gives what was written.
pub(crate) fn standard_error_of(f: impl FnOnce()) -> String {
    // SAFETY: the name ends with a NUL.
    let fd = unsafe { libc::memfd_create(c"stderr".as_ptr(), 0) };
    assert!(fd >= 0);
    // SAFETY: the descriptor is ours alone.
    let mut file = unsafe { File::from_raw_fd(fd) };
    // SAFETY: 2 is open.
    let old = unsafe { libc::dup(2) };
    // SAFETY: both are open.
    unsafe { libc::dup2(file.as_raw_fd(), 2) };
    f();
    // SAFETY: both are open.
    unsafe { libc::dup2(old, 2) };
    // SAFETY: it was made above.
    unsafe { libc::close(old) };
    let mut written = String::new();
    file.rewind().expect("a file");
    file.read_to_string(&mut written).expect("readable");
    written
}

/// 100 calls inside each other; each holds a value of its own and collects.
fn nested() {
    let mut toy = Toy::start();
    let down = Rc::new(function(
        "down",
        "((callback (int64) int64) int64)",
        "int64",
    ));
    let inner = down.clone();
    let deepest = Rc::new(Cell::new(0));
    let depth = deepest.clone();
    let procedure = toy.procedure("level", 1, move |toy, args| {
        let n = fixnum(toy.mutator.get(args.start));
        depth.set(depth.get() + 1);
        let own = toy.bytes(format!("level {n}").as_bytes());
        toy.mutator.push(own);
        toy.churn();
        let procedure = toy.mutator.get(0);
        let below = toy.call_inside(&inner, &[procedure, fix(n)])?;
        toy.churn();
        assert_eq!(bytes(toy.mutator.pop()), format!("level {n}").as_bytes());
        assert_eq!(fixnum(toy.mutator.get(args.start)), n);
        Ok(below)
    });
    toy.mutator.push(procedure);
    let procedure = toy.mutator.get(0);
    assert_eq!(toy.value(&down, &[procedure, fix(100)]), fix(100));
    assert_eq!(deepest.get(), 100);
    assert_eq!(toy.mutator.len(), 1);
}

fn every_parameter_type() {
    let mut toy = Toy::start();
    let mix = function(
        "mix",
        "((callback (int64 double string bool pointer) int64) int64)",
        "int64",
    );
    let check = toy.procedure("check", 5, |toy, args| {
        let arg = |toy: &Toy, i| toy.mutator.get(args.start + i);
        let n = integer(arg(toy, 0));
        toy.churn();
        assert_eq!(double(arg(toy, 1)), n as f64 / 2.0);
        assert_eq!(text(arg(toy, 2)), "mix");
        assert_eq!(arg(toy, 3), Value::bool(n > 1));
        assert_ne!(pointer_address(arg(toy, 4)), Some(0));
        Ok(arg(toy, 0))
    });
    toy.mutator.push(check);
    for n in [0, 1, 2, i128::from(i64::MAX), i128::from(i64::MIN)] {
        let v = toy.integer(n);
        let check = toy.mutator.get(0);
        let back = toy.value(&mix, &[check, v]);
        assert_eq!(integer(back), n);
    }
}

fn two_callbacks() {
    let mut toy = Toy::start();
    let both = function(
        "both",
        "((callback (int64) int64) (callback (int64) int64) int64)",
        "int64",
    );
    let twice = toy.procedure("twice", 1, |toy, args| {
        Ok(fix(2 * fixnum(toy.mutator.get(args.start))))
    });
    toy.mutator.push(twice);
    let next = toy.procedure("next", 1, |toy, args| {
        Ok(fix(1 + fixnum(toy.mutator.get(args.start))))
    });
    let twice = toy.mutator.get(0);
    assert_eq!(toy.value(&both, &[twice, next, fix(5)]), fix(1006));
}

/// C inside an inner call calls what the outer call lent.
fn outer_from_inner() {
    let mut toy = Toy::start();
    let call_saved = Rc::new(function("call_saved", "(int64)", "int64"));
    let both = function(
        "save_and_call",
        "((callback (int64) int64) (callback () void))",
        "void",
    );
    let outer = toy.procedure("outer", 1, |toy, args| {
        toy.churn();
        Ok(fix(10 * fixnum(toy.mutator.get(args.start))))
    });
    toy.mutator.push(outer);
    let seen = Rc::new(Cell::new(0));
    let (result, inner) = (seen.clone(), call_saved.clone());
    let middle = toy.procedure("middle", 0, move |toy, _| {
        let v = toy.call_inside(&inner, &[fix(4)])?;
        result.set(fixnum(v));
        Ok(v)
    });
    let outer = toy.mutator.get(0);
    toy.value(&both, &[outer, middle]);
    assert_eq!(seen.get(), 40);
}

/// C inside a leaf call calls what the outer call lent: that runs nothing, and the leaf call fails.
fn called_from_a_leaf() {
    let mut toy = Toy::start();
    let leaf = function("call_saved", "(int64)", "int64").into_leaf();
    let leaf = leaf.expect("it takes no callback");
    let both = function(
        "save_and_call",
        "((callback (int64) int64) (callback () void))",
        "void",
    );
    let outer = toy.procedure("outer", 1, |_, _| panic!("called from a leaf call"));
    toy.mutator.push(outer);
    let seen = Rc::new(Cell::new(0));
    let count = seen.clone();
    let middle = toy.procedure("middle", 0, move |toy, _| {
        assert_eq!(
            toy.error(&leaf, &[fix(4)]),
            "`call_saved` is a leaf call, which may not call back, and called the callback lent to \
             `save_and_call`: that ran nothing and returned its default"
        );
        count.set(count.get() + 1);
        Ok(Value::FALSE)
    });
    let outer = toy.mutator.get(0);
    toy.value(&both, &[outer, middle]);
    assert_eq!(seen.get(), 1);
}

/// Only strings and pointers have a NULL; a parameter that may be one is declared as a pointer.
fn null_callback() {
    let mut toy = Toy::start();
    let is_null = function("function_is_null", "(pointer)", "int");
    assert_eq!(toy.value(&is_null, &[Value::FALSE]), fix(1));
    let is_null = function("function_is_null", "((callback () void))", "int");
    let nothing = toy.procedure("nothing", 0, |_, _| Ok(Value::FALSE));
    assert_eq!(toy.value(&is_null, &[nothing]), fix(0));
}

/// What the procedure of a `void` callback returns does not matter.
fn void_callback() {
    let mut toy = Toy::start();
    let once = function("once_void", "((callback () void))", "void");
    let ran = Rc::new(Cell::new(0));
    let counter = ran.clone();
    let odd = toy.procedure("odd", 0, move |toy, _| {
        counter.set(counter.get() + 1);
        Ok(toy.string("not used"))
    });
    assert_eq!(toy.value(&once, &[odd]), Value::UNSPECIFIED);
    assert_eq!(ran.get(), 1);
}

/// The first raise ends it: C gets zeros, no procedure runs any more, the raise comes out once.
fn raise() {
    let mut toy = Toy::start();
    let repeat = function("repeat", "((callback (int64) int64) int)", "int");
    let got_at = function("got_at", "(int)", "int64");
    let ran = Rc::new(Cell::new(0));
    let counter = ran.clone();
    let fails = toy.procedure("fails", 1, move |toy, args| {
        counter.set(counter.get() + 1);
        match fixnum(toy.mutator.get(args.start)) {
            2 => Err(Leave::Raise("two".into())),
            n => Ok(fix(n + 100)),
        }
    });
    assert_eq!(
        toy.call(&repeat, &[fails, fix(10)]),
        Err(CallError::PendingExit)
    );
    assert_eq!(toy.pending.take(), Some(Leave::Raise("two".into())));
    assert_eq!(ran.get(), 3);
    let got: Vec<i64> = (0..4)
        .map(|i| fixnum(toy.value(&got_at, &[fix(i)])))
        .collect();
    assert_eq!(got, [100, 101, 0, 0]);
    assert_eq!(toy.mutator.len(), 0);
}

/// A raise that nobody inside catches passes both calls, and C between them gets zero.
fn raise_through_two() {
    let mut toy = Toy::start();
    let repeat = Rc::new(function("repeat", "((callback (int64) int64) int)", "int"));
    let inner_call = repeat.clone();
    let inner_ran = Rc::new(Cell::new(0));
    let (ran, outer_ran) = (inner_ran.clone(), Rc::new(Cell::new(0)));
    let fails = toy.procedure("fails", 1, move |toy, _| {
        ran.set(ran.get() + 1);
        toy.churn();
        Err(Leave::Raise("inside".into()))
    });
    toy.mutator.push(fails);
    let counter = outer_ran.clone();
    let outer = toy.procedure("outer", 1, move |toy, _| {
        counter.set(counter.get() + 1);
        let fails = toy.mutator.get(0);
        toy.call_inside(&inner_call, &[fails, fix(3)])
    });
    assert_eq!(
        toy.call(&repeat, &[outer, fix(3)]),
        Err(CallError::PendingExit)
    );
    assert_eq!(toy.pending.take(), Some(Leave::Raise("inside".into())));
    assert_eq!((inner_ran.get(), outer_ran.get()), (1, 1));
    // Afterwards calls work as before.
    let fine = toy.procedure("fine", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    assert_eq!(toy.value(&repeat, &[fine, fix(3)]), fix(3));
}

fn on_exit() {
    let mut toy = Toy::start();
    let repeat = function(
        "repeat",
        "((callback (int64) int64 (on-exit -1)) int)",
        "int",
    );
    let got_at = function("got_at", "(int)", "int64");
    let fails = toy.procedure("fails", 1, |_, _| Err(Leave::Raise("at once".into())));
    assert!(toy.call(&repeat, &[fails, fix(2)]).is_err());
    assert!(toy.pending.take().is_some());
    for i in 0..2 {
        assert_eq!(toy.value(&got_at, &[fix(i)]), fix(-1));
    }
    let once = function("once_double", "((callback () double (on-exit -3)))", "void");
    let last = function("last_double", "()", "double");
    let fails = toy.procedure("fails", 0, |_, _| Err(Leave::Raise("at once".into())));
    assert!(toy.call(&once, &[fails]).is_err());
    assert!(toy.pending.take().is_some());
    let got = toy.value(&last, &[]);
    assert_eq!(double(got), -3.0);
}

fn raise_in_sort() {
    let mut toy = Toy::start();
    let qsort = libc_function(
        "qsort",
        "(bytevector size_t size_t (callback (pointer pointer) int))",
        "void",
    );
    let ran = Rc::new(Cell::new(0));
    let counter = ran.clone();
    let compare = toy.procedure("compare", 2, move |_, _| {
        counter.set(counter.get() + 1);
        Err(Leave::Raise("compare".into()))
    });
    toy.mutator.push(compare);
    let array = toy.bytes(&vec![7; 400_000]);
    let compare = toy.mutator.get(0);
    let sorted = toy.call(&qsort, &[array, fix(100_000), fix(4), compare]);
    assert_eq!(sorted, Err(CallError::PendingExit));
    assert_eq!(ran.get(), 1);
}

fn wrong_result() {
    let mut toy = Toy::start();
    let repeat = function("repeat", "((callback (int64) int64) int)", "int");
    let ran = Rc::new(Cell::new(0));
    let counter = ran.clone();
    let wrong = toy.procedure("wrong", 1, move |toy, _| {
        counter.set(counter.get() + 1);
        Ok(toy.string("text"))
    });
    assert_eq!(
        toy.call_inside(&repeat, &[wrong, fix(5)]),
        Err(Leave::Call(
            "the result of the callback that is argument 1 of `repeat` has type int64: \
             expected an exact integer, got \"text\""
                .into()
        ))
    );
    assert_eq!(ran.get(), 1);
}

/// C finds the errno that it set, although the callback's own calls failed meanwhile.
fn errno_across() {
    let mut toy = Toy::start();
    let across = function("errno_across", "((callback () void))", "int");
    let set = Rc::new(function("set_errno", "(int)", "int"));
    let keep = function("keep_errno", "()", "int");
    let inner = set.clone();
    let fails = toy.procedure("fails", 0, move |toy, _| {
        let returned = toy.call(&inner, &[fix(i64::from(libc::ENOENT))]);
        assert_eq!(returned.map(|r| r.errno), Ok(libc::ENOENT));
        toy.churn();
        Ok(Value::FALSE)
    });
    let returned = toy.call(&across, &[fails]).expect("called");
    assert_eq!(returned.value, fix(i64::from(libc::EINTR)));
    assert_eq!(returned.errno, libc::EINTR);
    // It is zero when C begins, whatever came before.
    let returned = toy.call(&set, &[fix(5)]).expect("called");
    assert_eq!((returned.value, returned.errno), (fix(-1), 5));
    let returned = toy.call(&keep, &[]).expect("called");
    assert_eq!((returned.value, returned.errno), (fix(0), 0));
}

fn many_calls() {
    let mut toy = Toy::start();
    let repeat = function("repeat", "((callback (int64) int64) int)", "int");
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    toy.mutator.push(same);
    for i in 0..1000 {
        let same = toy.mutator.get(0);
        assert_eq!(toy.value(&repeat, &[same, fix(i % 4)]), fix(i % 4));
    }
}

/// C kept a callback beyond its call: it gets the default, and a person gets a line.
fn called_late() {
    let mut toy = Toy::start();
    let save = function("save", "((callback (int64) int64 (on-exit 9)))", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    let never = toy.procedure("never", 1, |_, _| panic!("its call has returned"));
    toy.value(&save, &[never]);
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(9));
    });
    assert_eq!(
        written,
        "bowline: callback from (save) called after the call that lent it returned\n"
    );
}

fn called_on_another_thread() {
    let mut toy = Toy::start();
    let call = function("call_on_thread", "((callback (int64) int64))", "int64");
    let never = toy.procedure("never", 1, |_, _| panic!("on the wrong thread"));
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call, &[never]), fix(0));
    });
    assert_eq!(
        written,
        "bowline: callback from (call_on_thread) called on another thread than the one that lent it\n"
    );
}

/// Recursion through C ends in an error and not in a crash.
fn endless_recursion() {
    let mut toy = Toy::start();
    let down = Rc::new(function(
        "down",
        "((callback (int64) int64) int64)",
        "int64",
    ));
    let inner = down.clone();
    let endless = toy.procedure("endless", 1, move |toy, args| {
        let procedure = toy.mutator.get(args.start - 1);
        toy.call_inside(&inner, &[procedure, fix(1)])
    });
    toy.mutator.push(endless);
    let endless = toy.mutator.get(0);
    let left = toy.call_inside(&down, &[endless, fix(1)]);
    assert_eq!(
        left,
        Err(Leave::Call(
            "`down` was not called: foreign calls are nested so deeply that the stack is nearly full"
                .into()
        ))
    );
}
