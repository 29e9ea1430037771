//! Callbacks that outlive the call which they were handed to C in.

use crate::callbacks::standard_error_of;
use crate::toy::{Leave, Toy, function, read};
use bowline_ffi::{
    CallbackPlan, CallbackType, Host, Maker, Types, free_callback, is_callback, make_callback,
};
use bowline_gc::Collect;
use bowline_layout::Value;
use std::cell::Cell;
use std::rc::Rc;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("kept_by_its_object", kept_by_its_object),
    ("dead_with_its_object", dead_with_its_object),
    ("late_within_a_callback", late_within_a_callback),
    ("called_once", called_once),
    ("kept_for_ever", kept_for_ever),
    ("freed_twice", freed_twice),
    ("freed_while_it_runs", freed_while_it_runs),
    ("dead_while_it_runs", dead_while_it_runs),
    ("nested_made_callbacks", nested),
    ("raise_in_a_made_callback", raise),
    ("made_callbacks_are_given_back", given_back),
    ("tombstones_stay", tombstones_stay),
    ("made_callback_on_another_thread", on_another_thread),
];

pub(crate) fn fix(n: i64) -> Value {
    Value::fixnum(n)
}

pub(crate) fn fixnum(v: Value) -> i64 {
    v.as_fixnum().expect("a fixnum")
}

fn lasting(text: &str) -> CallbackType {
    read(text)
        .parse_lasting_callback(&mut Types::default())
        .expect("a type of a callback")
}

/// A callback object of `(int64) int64` with these options.
pub(crate) fn make(toy: &mut Toy, options: &str, procedure: Value) -> Value {
    let callback = lasting(&format!("(callback (int64) int64 {options})"));
    let plan = CallbackPlan::of(&callback).expect("libffi knows the types");
    let label = toy.mutator.heap().owner_label("made in a trial");
    let by = Maker {
        gate: toy.gate,
        label,
    };
    let constant = toy.constant(procedure);
    let mutator = &mut toy.mutator;
    make_callback(mutator, plan, procedure, constant, by).expect("there is memory")
}

/// One that adds 1.
fn make_next(toy: &mut Toy, options: &str) -> Value {
    let next = toy.procedure("next", 1, |toy, args| {
        toy.churn();
        Ok(fix(1 + fixnum(toy.mutator.get(args.start))))
    });
    make(toy, options, next)
}

fn owners(toy: &Toy) -> (usize, usize) {
    owners_of(toy, "made in a trial")
}

/// How many owners of this label there are, and their bytes.
pub(crate) fn owners_of(toy: &Toy, label: &str) -> (usize, usize) {
    let table = toy.mutator.heap().owners(10);
    let line = table.iter().find(|o| o.label == label);
    line.map_or((0, 0), |line| (line.count, line.bytes))
}

fn kept_by_its_object() {
    let mut toy = Toy::start();
    let save = function("save", "(pointer)", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    let made = make_next(&mut toy, "");
    assert!(is_callback(made) && !is_callback(fix(1)));
    toy.mutator.push(made);
    toy.value(&save, &[made]);
    for n in 0..20 {
        toy.mutator.collect(Collect::Full);
        assert_eq!(toy.value(&call_saved, &[fix(n)]), fix(n + 1));
    }
    assert_eq!(owners(&toy).0, 1);
}

fn dead_with_its_object() {
    let mut toy = Toy::start();
    let save = function("save", "(pointer)", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    let made = make_next(&mut toy, "gc (on-exit 7)");
    toy.value(&save, &[made]);
    toy.mutator.collect(Collect::Full);
    toy.mutator.collect(Collect::Full);
    assert_eq!(owners(&toy), (0, 0));
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(7));
    });
    assert_eq!(
        written,
        "bowline: callback from (made in a trial) called when it had ended: nobody in the program had it any more\n"
    );
}

/// Its object dies in another callback, while C is in a call further out.
fn late_within_a_callback() {
    let mut toy = Toy::start();
    let save = Rc::new(function("save", "(pointer)", "void"));
    let call_saved = Rc::new(function("call_saved", "(int64)", "int64"));
    let twice = function("call_twice", "(pointer int64)", "int64");
    let inner = toy.procedure("inner", 1, move |toy, _| {
        let made = make_next(toy, "(on-exit 5)");
        toy.value(&save, &[made]);
        toy.mutator.collect(Collect::Full);
        toy.call_inside(&call_saved, &[fix(1)])
    });
    let made = make(&mut toy, "", inner);
    toy.mutator.push(made);
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&twice, &[made, fix(1)]), fix(5005));
    });
    let told = written.matches("nobody in the program had it any more");
    assert_eq!(told.count(), 2, "{written}");
}

fn called_once() {
    let mut toy = Toy::start();
    let save = function("save", "(pointer)", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    let made = make_next(&mut toy, "once (on-exit 9)");
    toy.value(&save, &[made]);
    // Nobody but C has it.
    toy.mutator.collect(Collect::Full);
    toy.mutator.collect(Collect::Full);
    assert_eq!(owners(&toy).0, 1);
    assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(2));
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(9));
    });
    assert_eq!(
        written,
        "bowline: callback from (made in a trial) called when it had ended: C has called it, and its lifetime is `once`\n"
    );
    toy.mutator.collect(Collect::Full);
    toy.mutator.collect(Collect::Full);
    assert_eq!(owners(&toy), (0, 0));
}

fn kept_for_ever() {
    let mut toy = Toy::start();
    let save = function("save", "(pointer)", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    let made = make_next(&mut toy, "forever");
    toy.value(&save, &[made]);
    for n in 0..5 {
        toy.mutator.collect(Collect::Full);
        assert_eq!(toy.value(&call_saved, &[fix(n)]), fix(n + 1));
    }
    assert_eq!(owners(&toy).0, 1);
}

fn freed_twice() {
    let mut toy = Toy::start();
    let save = function("save", "(pointer)", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    for options in ["gc", "forever", "once"] {
        let made = make_next(&mut toy, options);
        toy.mutator.push(made);
        toy.value(&save, &[made]);
        let made = toy.mutator.get(0);
        assert_eq!(free_callback(&mut toy.mutator, made), Ok(()));
        let again = free_callback(&mut toy.mutator, made).expect_err("it was freed");
        assert_eq!(
            again.to_string(),
            "the callback of `made in a trial` has ended: callback-free! has freed it"
        );
        let passed = toy.error(&save, &[made]);
        assert!(passed.ends_with("(that callback has ended)"), "{passed}");
        let written = standard_error_of(|| {
            assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(0));
        });
        assert_eq!(
            written,
            "bowline: callback from (made in a trial) called when it had ended: callback-free! has freed it\n"
        );
        toy.mutator.truncate(0);
    }
}

fn freed_while_it_runs() {
    let mut toy = Toy::start();
    let twice = function("call_twice", "(pointer int64)", "int64");
    let suicide = toy.procedure("suicide", 1, |toy, args| {
        let made = toy.mutator.get(0);
        free_callback(&mut toy.mutator, made).expect("once");
        toy.churn();
        bury_many(toy);
        Ok(fix(1 + fixnum(toy.mutator.get(args.start))))
    });
    let made = make(&mut toy, "forever", suicide);
    toy.mutator.push(made);
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&twice, &[made, fix(4)]), fix(5000));
    });
    assert!(written.contains("callback-free! has freed it"), "{written}");
}

/// More than there are tombstones.
fn bury_many(toy: &mut Toy) {
    let count = if crate::toy::calm() { 5000 } else { 30 };
    for _ in 0..count {
        make_next(toy, "");
    }
    toy.mutator.collect(Collect::Full);
    toy.mutator.collect(Collect::Full);
}

/// The object dies while C is in its function: that is not given back before C has left it.
fn dead_while_it_runs() {
    let mut toy = Toy::start();
    let twice = function("call_twice", "(pointer int64)", "int64");
    let drops = toy.procedure("drops", 1, |toy, args| {
        let n = fixnum(toy.mutator.get(args.start));
        bury_many(toy);
        Ok(fix(n + 1))
    });
    let made = make(&mut toy, "once (on-exit 8)", drops);
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&twice, &[made, fix(4)]), fix(5008));
    });
    assert!(written.contains("its lifetime is `once`"), "{written}");
}

fn nested() {
    let mut toy = Toy::start();
    let call = Rc::new(function("call_twice", "(pointer int64)", "int64"));
    let depth = Rc::new(Cell::new(0));
    let (inner, deep) = (call.clone(), depth.clone());
    let down = toy.procedure("down", 1, move |toy, args| {
        let n = fixnum(toy.mutator.get(args.start));
        // Only the first of each two calls goes on.
        if n > 0 && deep.get() < 100 {
            deep.set(deep.get() + 1);
            let made = toy.mutator.get(0);
            toy.call_inside(&inner, &[made, fix(n - 1)])?;
        }
        toy.churn();
        Ok(fix(1))
    });
    let made = make(&mut toy, "", down);
    toy.mutator.push(made);
    assert_eq!(toy.value(&call, &[made, fix(100)]), fix(1001));
    assert_eq!(depth.get(), 100);
}

fn raise() {
    let mut toy = Toy::start();
    let twice = function("call_twice", "(pointer int64)", "int64");
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let fails = toy.procedure("fails", 1, move |_, _| {
        counted.set(counted.get() + 1);
        Err(Leave::Raise("no".into()))
    });
    let made = make(&mut toy, "gc", fails);
    toy.mutator.push(made);
    let left = toy.call_inside(&twice, &[made, fix(1)]);
    assert_eq!(left, Err(Leave::Raise("no".into())));
    assert_eq!(calls.get(), 1);
}

/// The process maps no more memory for a million of them than for half of them. libffi finds its pages in an order of its own,
/// so a few more come in the beginning.
fn given_back() {
    let mut toy = Toy::start();
    let rounds = if crate::toy::calm() { 100 } else { 1 };
    let size = if crate::toy::calm() { 10_000 } else { 100 };
    let mut mapped = Vec::new();
    for _ in 0..rounds {
        for _ in 0..size {
            make_next(&mut toy, "");
        }
        toy.mutator.collect(Collect::Full);
        toy.mutator.collect(Collect::Full);
        assert_eq!(owners(&toy), (0, 0));
        mapped.push(executable_pages());
    }
    let (early, late) = mapped.split_at(mapped.len().div_ceil(2));
    assert!(late.iter().max() <= early.iter().max(), "{mapped:?}");
}

/// The bytes of executable memory that no file backs, or libffi's table does.
fn executable_pages() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux");
    let range = |line: &str| {
        let (low, high) = line.split(' ').next()?.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some(number(high)? - number(low)?)
    };
    let executable = maps.lines().filter(|line| line.contains("xp "));
    executable.filter_map(range).sum()
}

/// As many as there are tombstones can die after one, and it is one still.
fn tombstones_stay() {
    let mut toy = Toy::start();
    let save = function("save", "(pointer)", "void");
    let call_saved = function("call_saved", "(int64)", "int64");
    let made = make_next(&mut toy, "(on-exit 3)");
    toy.value(&save, &[made]);
    toy.mutator.collect(Collect::Full);
    for _ in 0..if crate::toy::calm() { 4095 } else { 40 } {
        make_next(&mut toy, "");
    }
    toy.mutator.collect(Collect::Full);
    toy.mutator.collect(Collect::Full);
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call_saved, &[fix(1)]), fix(3));
    });
    assert!(
        written.contains("nobody in the program had it any more"),
        "{written}"
    );
}

fn on_another_thread() {
    let mut toy = Toy::open();
    let call = function("call_on_thread", "(pointer)", "int64");
    let made = make_next(&mut toy, "");
    toy.mutator.push(made);
    for _ in 0..10 {
        let made = toy.mutator.get(0);
        assert_eq!(toy.value(&call, &[made]), fix(6));
    }
}
