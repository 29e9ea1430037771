//! Callbacks on threads that C has made.

use crate::callbacks::standard_error_of;
use crate::toy::{Leave, Toy, bytes, calm, function};
use bowline_ffi::{CallError, ForeignFunction, give_way};
use bowline_layout::Value;
use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;
use std::thread::{self, ThreadId};

pub(crate) const TRIALS: &[crate::Body] = &[
    ("a_thread_of_cs", one),
    ("a_thread_collects", collects),
    ("a_storm_of_threads", storm),
    ("a_thread_comes_again", comes_again),
    ("a_hundred_deep_on_a_thread", deep),
    ("threads_inside_threads", inside_each_other),
    ("a_raise_on_a_thread", raise),
    ("a_wrong_result_on_a_thread", wrong_result),
    ("a_pending_exit_concerns_threads", pending),
    ("a_loop_gives_way", turns),
    ("a_guest_gives_way", guests_give_way),
    ("the_owner_forks_in_a_storm", owner_forks),
    ("a_guest_forks", guest_forks),
    ("a_small_stack", small_stack),
    ("a_thread_calls_late", late),
    ("a_thread_calls_at_the_end", closed),
];

fn fix(n: i64) -> Value {
    Value::fixnum(n)
}

fn argument(toy: &Toy, at: usize) -> i64 {
    toy.mutator.get(at).as_fixnum().expect("a fixnum")
}

const FUNCTION: &str = "(callback (int64) int64)";

fn on_thread() -> ForeignFunction {
    let params = format!("({FUNCTION} int64 size_t)");
    function("on_thread_with", &params, "int64")
}

/// The procedure runs on the thread, with a mutator of its own.
fn one() {
    let mut toy = Toy::open();
    let call = on_thread();
    let owner = thread::current().id();
    let kept = toy.bytes(b"kept");
    toy.mutator.push(kept);
    let double = toy.procedure("double", 1, move |toy, args| {
        assert_ne!(thread::current().id(), owner);
        assert_eq!((toy.lane, args.start), (1, 1));
        Ok(fix(2 * argument(toy, args.start)))
    });
    assert_eq!(toy.value(&call, &[double, fix(21), fix(0)]), fix(42));
    assert_eq!((toy.lane, toy.mutator.len()), (0, 1));
    assert_eq!(bytes(toy.mutator.get(0)), b"kept");
}

fn collects() {
    let mut toy = Toy::open();
    let call = on_thread();
    let kept = toy.bytes(b"the owner's");
    toy.mutator.push(kept);
    let churning = toy.procedure("churning", 1, |toy, args| {
        let own = toy.bytes(b"the guest's");
        toy.mutator.push(own);
        toy.churn();
        toy.churn();
        assert_eq!(bytes(toy.mutator.pop()), b"the guest's");
        Ok(toy.mutator.get(args.start))
    });
    toy.mutator.push(churning);
    for i in 0..10 {
        let churning = toy.mutator.get(1);
        assert_eq!(toy.value(&call, &[churning, fix(i), fix(0)]), fix(i));
        assert_eq!(bytes(toy.mutator.get(0)), b"the owner's");
    }
}

/// Many threads and the owner at once: each run has the language for itself from its beginning to its end, but for the
/// foreign calls in it.
fn storm() {
    let mut toy = Toy::open();
    let storm = function("storm", &format!("({FUNCTION} int int)"), "int64");
    let (threads, times) = if calm() { (8, 200) } else { (4, 10) };
    let identity = Rc::new(function("id_int64", "(int64)", "int64"));
    let running = Rc::new(Cell::new(false));
    let ran = Rc::new(Cell::new(0));
    let (count, busy) = (ran.clone(), running.clone());
    let work = toy.procedure("work", 1, move |toy, args| {
        assert!(!busy.replace(true));
        let n = argument(toy, args.start);
        let own = toy.bytes(format!("thread {n}").as_bytes());
        toy.mutator.push(own);
        for _ in 0..10 {
            let junk = toy.mutator.alloc_pair(fix(n), fix(n));
            assert!(junk.is_ok());
        }
        busy.set(false);
        let same = toy.call_inside(&identity, &[fix(n)])?;
        assert!(!busy.replace(true));
        assert_eq!(bytes(toy.mutator.pop()), format!("thread {n}").as_bytes());
        count.set(count.get() + 1);
        busy.set(false);
        Ok(same)
    });
    let each: i64 = (0..=threads).sum();
    assert_eq!(
        toy.value(&storm, &[work, fix(threads), fix(times)]),
        fix(times * each)
    );
    assert_eq!(ran.get(), times * (threads + 1));
    assert_eq!((toy.lane, toy.mutator.len()), (0, 0));
}

/// One thread that calls back again and again, each time as a guest anew, and others after it.
fn comes_again() {
    let mut toy = Toy::open();
    let storm = function("storm", &format!("({FUNCTION} int int)"), "int64");
    let seen: Rc<std::cell::RefCell<HashSet<ThreadId>>> = Rc::default();
    let ids = seen.clone();
    let note = toy.procedure("note", 1, move |_, _| {
        ids.borrow_mut().insert(thread::current().id());
        Ok(fix(1))
    });
    toy.mutator.push(note);
    for _ in 0..5 {
        let note = toy.mutator.get(0);
        assert_eq!(toy.value(&storm, &[note, fix(1), fix(40)]), fix(80));
    }
    assert!(seen.borrow().len() >= 2);
}

fn deep() {
    let mut toy = Toy::open();
    let call = on_thread();
    let down = Rc::new(function("down", &format!("({FUNCTION} int64)"), "int64"));
    let level = toy.procedure("level", 1, move |toy, args| {
        let n = argument(toy, args.start);
        let own = toy.bytes(format!("level {n}").as_bytes());
        toy.mutator.push(own);
        if n % 10 == 0 {
            toy.churn();
        }
        let procedure = toy.mutator.get(args.start - 1);
        let below = toy.call_inside(&down, &[procedure, fix(n)])?;
        assert_eq!(bytes(toy.mutator.pop()), format!("level {n}").as_bytes());
        Ok(below)
    });
    assert_eq!(toy.value(&call, &[level, fix(100), fix(0)]), fix(100));
}

/// Each callback calls C, which makes a thread that calls back.
fn inside_each_other() {
    let mut toy = Toy::open();
    let call = Rc::new(on_thread());
    let inner = call.clone();
    let seen: Rc<std::cell::RefCell<HashSet<ThreadId>>> = Rc::default();
    let ids = seen.clone();
    let level = toy.procedure("level", 1, move |toy, args| {
        ids.borrow_mut().insert(thread::current().id());
        let n = argument(toy, args.start);
        if n == 0 {
            toy.churn();
            return Ok(fix(0));
        }
        let procedure = toy.mutator.get(args.start - 1);
        let below = toy.call_inside(&inner, &[procedure, fix(n - 1), fix(0)])?;
        Ok(fix(1 + below.as_fixnum().expect("a fixnum")))
    });
    assert_eq!(toy.value(&call, &[level, fix(12), fix(0)]), fix(12));
    assert_eq!(seen.borrow().len(), 13);
    assert_eq!(toy.lane, 0);
}

/// There is no call that it could come out of: the host is told, C gets the default, the owner's call goes on.
fn raise() {
    let mut toy = Toy::open();
    let params = "((callback (int64) int64 (on-exit -5)) int64 size_t)";
    let call = function("on_thread_with", params, "int64");
    let fails = toy.procedure("fails", 1, |toy, _| {
        toy.churn();
        Err(Leave::Raise("on a thread".into()))
    });
    assert_eq!(toy.value(&call, &[fails, fix(1), fix(0)]), fix(-5));
    assert_eq!(toy.told, [Leave::Raise("on a thread".into())]);
    assert_eq!(toy.pending, None);
}

fn wrong_result() {
    let mut toy = Toy::open();
    let call = on_thread();
    let wrong = toy.procedure("wrong", 1, |toy, _| Ok(toy.string("text")));
    assert_eq!(toy.value(&call, &[wrong, fix(1), fix(0)]), fix(0));
    assert_eq!(
        toy.told,
        [Leave::Call(
            "the result of the callback that is argument 1 of `on_thread_with` has type int64: \
             expected an exact integer, got \"text\""
                .into()
        )]
    );
}

/// Once a callback of the call's was left, its other callbacks run nothing, on whichever thread.
fn pending() {
    let mut toy = Toy::open();
    let second = "(callback (int64) int64 (on-exit 9))";
    let both = function("first_here", &format!("({FUNCTION} {second})"), "int64");
    let raises = Rc::new(Cell::new(false));
    let flag = raises.clone();
    let first = toy.procedure("first", 1, move |toy, args| {
        toy.churn();
        match flag.get() {
            true => Err(Leave::Raise("at once".into())),
            false => Ok(toy.mutator.get(args.start)),
        }
    });
    toy.mutator.push(first);
    let ran = Rc::new(Cell::new(0));
    let count = ran.clone();
    let other = toy.procedure("other", 1, move |toy, args| {
        count.set(count.get() + 1);
        Ok(toy.mutator.get(args.start))
    });
    toy.mutator.push(other);
    let args = [0, 1].map(|i| toy.mutator.get(i));
    assert_eq!(toy.value(&both, &args), fix(102));
    raises.set(true);
    let args = [0, 1].map(|i| toy.mutator.get(i));
    assert_eq!(toy.call(&both, &args), Err(CallError::PendingExit));
    assert_eq!(toy.pending.take(), Some(Leave::Raise("at once".into())));
    assert_eq!((ran.get(), toy.told.len()), (1, 0));
}

/// A loop that calls no C lets a thread of C's in at its polls.
fn turns() {
    let mut toy = Toy::open();
    let beside = function("beside", &format!("({FUNCTION} {FUNCTION})"), "int64");
    let done = Rc::new(Cell::new(false));
    let flag = done.clone();
    let waits = toy.procedure("waits", 1, move |toy, args| {
        while !flag.get() {
            toy.mutator.poll();
            give_way(toy);
        }
        assert_eq!(toy.lane, 0);
        Ok(toy.mutator.get(args.start))
    });
    toy.mutator.push(waits);
    let sets = toy.procedure("sets", 1, move |toy, args| {
        toy.churn();
        done.set(true);
        Ok(toy.mutator.get(args.start))
    });
    let waits = toy.mutator.get(0);
    assert_eq!(toy.value(&beside, &[waits, sets]), fix(102));
}

/// So does a guest, for the owner and for other guests.
fn guests_give_way() {
    let mut toy = Toy::open();
    let storm = function("storm", &format!("({FUNCTION} int int)"), "int64");
    let arrived = Rc::new(Cell::new(0));
    let count = arrived.clone();
    let waits = toy.procedure("waits", 1, move |toy, _| {
        count.set(count.get() + 1);
        let lane = toy.lane;
        // Everybody is inside at once.
        while count.get() < 4 {
            toy.mutator.poll();
            give_way(toy);
        }
        assert_eq!(toy.lane, lane);
        Ok(fix(1))
    });
    assert_eq!(toy.value(&storm, &[waits, fix(3), fix(1)]), fix(4));
}

/// Forks, runs `f` in the child, and sees that the child ends well.
fn in_a_child(f: impl FnOnce()) {
    // SAFETY: the child runs what the parent's thread could, and ends.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        f();
        // SAFETY: ends the process.
        unsafe { libc::_exit(0) };
    }
    let mut status = -1;
    // SAFETY: the status is there.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
}

/// The owner forks from within a callback while other threads wait for it or are in C themselves: the child has the owner
/// alone, and threads that are made there may call back.
fn owner_forks() {
    let mut toy = Toy::open();
    let storm = function("storm", &format!("({FUNCTION} int int)"), "int64");
    let identity = Rc::new(function("id_int64", "(int64)", "int64"));
    let call = Rc::new(on_thread());
    let double = toy.procedure("double", 1, |toy, args| {
        toy.churn();
        Ok(fix(2 * argument(toy, args.start)))
    });
    toy.mutator.push(double);
    let owners = toy.mutator.len();
    let work = toy.procedure("work", 1, move |toy, args| {
        let n = argument(toy, args.start);
        if n == 0 {
            in_a_child(|| {
                let same = toy.value(&identity, &[fix(5)]);
                assert_eq!((same, toy.lane), (fix(5), 0));
                let double = toy.mutator.get(owners - 1);
                assert_eq!(toy.value(&call, &[double, fix(21), fix(0)]), fix(42));
                toy.churn();
            });
        }
        toy.call_inside(&identity, &[fix(n)])
    });
    let times = if calm() { 20 } else { 3 };
    assert_eq!(
        toy.value(&storm, &[work, fix(3), fix(times)]),
        fix(times * 6)
    );
}

/// In the child of a guest there is no owner, and the guest goes on.
fn guest_forks() {
    let mut toy = Toy::open();
    let call = on_thread();
    let identity = Rc::new(function("id_int64", "(int64)", "int64"));
    let forks = toy.procedure("forks", 1, move |toy, args| {
        in_a_child(|| {
            let own = toy.bytes(b"the child's");
            toy.mutator.push(own);
            toy.churn();
            assert_eq!(toy.value(&identity, &[fix(5)]), fix(5));
            assert_eq!(bytes(toy.mutator.pop()), b"the child's");
        });
        Ok(toy.mutator.get(args.start))
    });
    assert_eq!(toy.value(&call, &[forks, fix(3), fix(0)]), fix(3));
}

fn small_stack() {
    let mut toy = Toy::open();
    let params = "((callback (int64) int64 (on-exit 9)) int64 size_t)";
    let call = function("on_thread_with", params, "int64");
    let never = toy.procedure("never", 1, |_, _| panic!("on a small stack"));
    toy.mutator.push(never);
    for stack in [64 << 10, 128 << 10, 256 << 10] {
        let written = standard_error_of(|| {
            let never = toy.mutator.get(0);
            assert_eq!(toy.value(&call, &[never, fix(1), fix(stack)]), fix(9));
        });
        assert_eq!(
            written,
            "bowline: callback from (on_thread_with) called on a thread that has less than 256 KiB of stack left\n"
        );
    }
    let same = toy.procedure("same", 1, |toy, args| Ok(toy.mutator.get(args.start)));
    assert_eq!(toy.value(&call, &[same, fix(1), fix(1 << 20)]), fix(1));
}

fn late() {
    let mut toy = Toy::open();
    let begins = function(
        "keeper_begins",
        "((callback (int64) int64 (on-exit 9)))",
        "int",
    );
    let ends = function("keeper_ends", "()", "int64");
    let never = toy.procedure("never", 1, |_, _| panic!("its call has returned"));
    assert_eq!(toy.value(&begins, &[never]), fix(0));
    let written = standard_error_of(|| assert_eq!(toy.value(&ends, &[]), fix(9)));
    assert_eq!(
        written,
        "bowline: callback from (keeper_begins) called after the call that lent it returned\n"
    );
}

fn closed() {
    let mut toy = Toy::open();
    let call = on_thread();
    let never = toy.procedure("never", 1, |_, _| panic!("the program had ended"));
    toy.gate.expect("there is one").close();
    let written = standard_error_of(|| {
        assert_eq!(toy.value(&call, &[never, fix(1), fix(0)]), fix(0));
    });
    assert_eq!(
        written,
        "bowline: callback from (on_thread_with) called when the program had ended\n"
    );
}
