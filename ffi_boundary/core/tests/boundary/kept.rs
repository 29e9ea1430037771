//! Procedures that C keeps beyond the call whose argument they are, and functions that several objects share.

use crate::callbacks::standard_error_of;
use crate::lifetimes::{fix, fixnum, make, owners_of};
use crate::toy::{Toy, calm, function};
use bowline_ffi::{ForeignFunction, Handles, free_callback, pointer_address};
use bowline_gc::Collect;
use bowline_layout::Value;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("kept_with_its_procedure", kept_with_its_procedure),
    ("dead_with_its_procedure", dead_with_its_procedure),
    ("kept_argument_for_ever", kept_for_ever),
    ("kept_argument_once", kept_once),
    ("kept_argument_refused", refused),
    ("kept_argument_not_passed_after_all", not_passed_after_all),
    ("one_function_of_a_constant", one_function_of_a_constant),
    ("freed_copies", freed_copies),
    ("dropped_copies", dropped_copies),
    ("a_constant_as_argument_and_made", as_argument_and_made),
    ("many_of_a_constant", many_of_a_constant),
];

/// A procedure that adds 1, last on the root stack.
fn push_next(toy: &mut Toy, name: &'static str) {
    let next = toy.procedure(name, 1, |toy, args| {
        toy.churn();
        Ok(fix(1 + fixnum(toy.mutator.get(args.start))))
    });
    toy.mutator.push(next);
}

fn saves(options: &str) -> ForeignFunction {
    function(
        "save",
        &format!("((callback (int64) int64 {options}))"),
        "void",
    )
}

/// What C gets, as a number.
fn given(options: &str) -> ForeignFunction {
    let params = format!("((callback (int64) int64 {options}))");
    function("same_pointer", &params, "pointer")
}

fn address(toy: &mut Toy, given: &ForeignFunction) -> usize {
    let procedure = toy.mutator.get(0);
    pointer_address(toy.value(given, &[procedure])).expect("a pointer")
}

fn kept_with_its_procedure() {
    let mut toy = Toy::start();
    let (save, call_saved) = (saves("gc"), function("call_saved", "(int64)", "int64"));
    let (given, other) = (given("gc"), given("gc (on-exit 1)"));
    push_next(&mut toy, "next");
    let procedure = toy.mutator.get(0);
    toy.value(&save, &[procedure]);
    let first = address(&mut toy, &given);
    for n in 0..20 {
        toy.mutator.collect(Collect::Full);
        assert_eq!(toy.value(&call_saved, &[fix(n)]), fix(n + 1));
        assert_eq!(address(&mut toy, &given), first);
        assert_ne!(address(&mut toy, &other), first);
    }
    // One of each type. Another procedure has one of its own.
    assert_eq!(owners_of(&toy, "save").0, 1);
    assert_eq!(owners_of(&toy, "same_pointer").0, 1);
    push_next(&mut toy, "next");
    let procedure = toy.mutator.pop();
    toy.mutator.set(0, procedure);
    assert_ne!(address(&mut toy, &given), first);
}

fn dead_with_its_procedure() {
    let mut toy = Toy::start();
    let (save, call_saved) = (
        saves("gc (on-exit 7)"),
        function("call_saved", "(int64)", "int64"),
    );
    push_next(&mut toy, "next");
    let procedure = toy.mutator.pop();
    toy.value(&save, &[procedure]);
    assert_eq!(owners_of(&toy, "save"), (1, 256));
    toy.mutator.collect(Collect::Full);
    toy.mutator.collect(Collect::Full);
    assert_eq!(owners_of(&toy, "save"), (0, 0));
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(7));
    });
    assert_eq!(
        written,
        "bowline: callback from (save) called when it had ended: nobody in the program had it any more\n"
    );
}

fn kept_for_ever() {
    let mut toy = Toy::start();
    let (save, call_saved) = (saves("forever"), function("call_saved", "(int64)", "int64"));
    let given = given("forever");
    push_next(&mut toy, "next");
    let procedure = toy.mutator.get(0);
    toy.value(&save, &[procedure]);
    assert_eq!(address(&mut toy, &given), address(&mut toy, &given));
    toy.mutator.truncate(0);
    for n in 0..5 {
        toy.mutator.collect(Collect::Full);
        assert_eq!(toy.value(&call_saved, &[fix(n)]), fix(n + 1));
    }
    assert_eq!(owners_of(&toy, "save").0, 1);
}

fn kept_once() {
    let mut toy = Toy::start();
    let call_saved = function("call_saved", "(int64)", "int64");
    let (save, given) = (saves("once (on-exit 9)"), given("once (on-exit 9)"));
    push_next(&mut toy, "next");
    assert_ne!(address(&mut toy, &given), address(&mut toy, &given));
    let procedure = toy.mutator.pop();
    toy.value(&save, &[procedure]);
    toy.mutator.collect(Collect::Full);
    assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(2));
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(9));
    });
    assert_eq!(
        written,
        "bowline: callback from (save) called when it had ended: C has called it, and its lifetime is `once`\n"
    );
}

fn refused() {
    let mut toy = Toy::start();
    let save = saves("gc");
    assert_eq!(
        toy.error(&save, &[fix(1)]),
        "argument 1 of `save` has type callback: expected a procedure, got 1"
    );
    let two = toy.procedure("two", 2, |_, _| panic!("is not called"));
    assert_eq!(
        toy.error(&save, &[two]),
        "argument 1 of `save` is a callback that C calls with 1 argument, which two does not accept"
    );
    let leaf = saves("forever").into_leaf().expect_err("it calls back");
    assert_eq!(
        leaf.to_string(),
        "`save` cannot be a leaf call: its parameter 1 is a callback, and a leaf call may not call back"
    );
}

/// What was made for one call is ended when another argument is wrong: nothing is left.
fn not_passed_after_all() {
    let mut toy = Toy::start();
    let params = "((callback (int64) int64 once) (callback (int64) int64 once) int64)";
    let both = function("both", params, "int64");
    push_next(&mut toy, "next");
    let live = Handles::of(&toy.mutator).count();
    for _ in 0..10 {
        let next = toy.mutator.get(0);
        let number = toy.error(&both, &[next, next, Value::NIL]);
        assert!(number.starts_with("argument 3 of `both`"), "{number}");
        let next = toy.mutator.get(0);
        let second = toy.error(&both, &[next, fix(1), fix(1)]);
        assert!(second.starts_with("argument 2 of `both`"), "{second}");
    }
    assert_eq!(Handles::of(&toy.mutator).count(), live);
    toy.mutator.collect(Collect::Full);
    toy.mutator.collect(Collect::Full);
    assert_eq!(owners_of(&toy, "both"), (0, 0));
    let next = toy.mutator.get(0);
    assert_eq!(toy.value(&both, &[next, next, fix(1)]), fix(202));
}

/// Makes objects of a procedure that captures nothing, of these lifetimes, and leaves them on the root stack.
fn push_copies(toy: &mut Toy, options: &[&str]) {
    push_next(toy, "constant");
    for options in options {
        let procedure = toy.mutator.get(0);
        let made = make(toy, options, procedure);
        toy.mutator.push(made);
    }
}

fn function_of(toy: &mut Toy, i: usize) -> usize {
    let same = function("same_pointer", "(pointer)", "pointer");
    let made = toy.mutator.get(i);
    pointer_address(toy.value(&same, &[made])).expect("a pointer")
}

fn one_function_of_a_constant() {
    let mut toy = Toy::start();
    push_copies(
        &mut toy,
        &["gc", "gc", "forever", "once", "once", "gc (on-exit 2)"],
    );
    toy.churn();
    let functions: Vec<usize> = (1..7).map(|i| function_of(&mut toy, i)).collect();
    assert_eq!(functions[0], functions[1]);
    let mut distinct = functions[1..].to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(
        distinct.len(),
        5,
        "one of each type, and of `once` one for each"
    );
    let call = function("call_twice", "(pointer int64)", "int64");
    for i in 1..4 {
        let made = toy.mutator.get(i);
        assert_eq!(toy.value(&call, &[made, fix(4)]), fix(5005));
    }
}

/// Each is freed by itself, and the function ends with the last.
fn freed_copies() {
    for_each_lifetime(|toy, save, call_saved| {
        let first = toy.mutator.get(1);
        toy.value(save, &[first]);
        let first = toy.mutator.get(1);
        assert_eq!(free_callback(&mut toy.mutator, first), Ok(()));
        let again = free_callback(&mut toy.mutator, first).expect_err("it was freed");
        assert_eq!(
            again.to_string(),
            "the callback of `made in a trial` has ended: callback-free! has freed it"
        );
        let passed = toy.error(save, &[first]);
        assert!(passed.ends_with("(that callback has ended)"), "{passed}");
        // The other one's function is the same.
        toy.churn();
        assert_eq!(toy.value(call_saved, &[fix(1)]), fix(2));
        let second = toy.mutator.get(2);
        assert_eq!(free_callback(&mut toy.mutator, second), Ok(()));
        let written = standard_error_of(|| {
            assert_eq!(toy.value(call_saved, &[fix(1)]), fix(0));
        });
        assert_eq!(
            written,
            "bowline: callback from (made in a trial) called when it had ended: callback-free! has freed it\n"
        );
        let first = toy.mutator.get(1);
        assert!(free_callback(&mut toy.mutator, first).is_err());
    });
}

fn for_each_lifetime(trial: impl Fn(&mut Toy, &ForeignFunction, &ForeignFunction)) {
    let mut toy = Toy::start();
    let save = function("save", "(pointer)", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    for options in ["gc", "forever"] {
        push_copies(&mut toy, &[options, options]);
        trial(&mut toy, &save, &call_saved);
        toy.mutator.truncate(0);
    }
}

/// Those for `gc` end with the last object, although the procedure lives; those for ever do not.
fn dropped_copies() {
    let mut toy = Toy::start();
    let save = function("save", "(pointer)", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    for (options, result) in [("gc", 0), ("forever", 2)] {
        push_copies(&mut toy, &[options, options]);
        let first = toy.mutator.get(1);
        toy.value(&save, &[first]);
        toy.mutator.set(1, Value::FALSE);
        toy.mutator.collect(Collect::Full);
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(2));
        toy.mutator.truncate(1);
        toy.mutator.collect(Collect::Full);
        toy.mutator.collect(Collect::Full);
        let written = standard_error_of(|| {
            assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(result));
        });
        let told = written.contains("nobody in the program had it any more");
        assert_eq!(told, options == "gc", "{written}");
        // One that is made anew is as the first.
        let procedure = toy.mutator.get(0);
        let made = make(&mut toy, options, procedure);
        let call = function("call_twice", "(pointer int64)", "int64");
        assert_eq!(toy.value(&call, &[made, fix(1)]), fix(2002));
        toy.mutator.truncate(0);
    }
}

fn as_argument_and_made() {
    let mut toy = Toy::start();
    let given = given("gc");
    push_copies(&mut toy, &["gc"]);
    let first = address(&mut toy, &given);
    assert_eq!(function_of(&mut toy, 1), first);
    let made = toy.mutator.get(1);
    assert_eq!(free_callback(&mut toy.mutator, made), Ok(()));
    toy.churn();
    assert_eq!(address(&mut toy, &given), first);
}

/// They cost what objects cost, and nothing outside the heap.
fn many_of_a_constant() {
    let mut toy = Toy::start();
    push_next(&mut toy, "constant");
    let live = Handles::of(&toy.mutator).count();
    let count = if calm() { 1_000_000 } else { 1000 };
    for _ in 0..count {
        let procedure = toy.mutator.get(0);
        make(&mut toy, "forever", procedure);
    }
    assert_eq!(owners_of(&toy, "made in a trial"), (1, 256));
    assert_eq!(Handles::of(&toy.mutator).count(), live + 1);
}
