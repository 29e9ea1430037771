//! Handles over a heap that moves things.

use crate::toy::{Leave, Toy, bytes, calm, function};
use bowline_ffi::{Handle, HandleError, HandleKind, HandleScope, Handles, LOCAL_LIMIT};
use bowline_layout::Value;
use std::rc::Rc;

pub(crate) const TRIALS: &[crate::Body] = &[
    ("handles_follow_moves", follow),
    ("weak_handles", weak),
    ("wrong_handles", wrong),
    ("handles_grow", grow),
    ("handles_across_threads", threads),
    ("local_handles", locals),
    ("too_many_locals", too_many),
    ("locals_end_with_their_call", call_scope),
    ("handles_as_a_type", as_a_type),
];

/// Handles in every place of a signature, while everything moves; none is left behind.
fn as_a_type() {
    let mut toy = Toy::start();
    let same = function("id_uint64", "(handle)", "handle");
    let bits = function("id_uint64", "(handle)", "uint64");
    let back = function("id_uint64", "(uint64)", "handle");
    let via = function(
        "via_uint64",
        "((callback (handle) handle) handle)",
        "handle",
    );
    let out = function("out_uint64", "((out handle) handle)", "void");
    let unwritten = function("nothing_written", "((out handle))", "void");
    let count = Handles::of(&toy.mutator).count();
    let v = toy.bytes(b"held");
    assert_eq!(bytes(toy.value(&same, &[v])), b"held");
    let v = toy.bytes(b"held");
    assert_eq!(bytes(toy.values(&out, &[v])[1]), b"held");
    assert_eq!(toy.values(&unwritten, &[])[1], Value::FALSE);
    let swap = toy.procedure("swap", 1, |toy, args| {
        toy.churn();
        assert_eq!(bytes(toy.mutator.get(args.start)), b"held");
        Ok(toy.bytes(b"given"))
    });
    toy.mutator.push(swap);
    let v = toy.bytes(b"held");
    let swap = toy.mutator.pop();
    assert_eq!(bytes(toy.value(&via, &[swap, v])), b"given");
    let v = toy.bytes(b"held");
    let left = toy.value(&bits, &[v]);
    assert_eq!(Handles::of(&toy.mutator).count(), count);
    let error = toy.error(&back, &[left]);
    assert!(
        error.starts_with("the result of `id_uint64`: local handle "),
        "{error}"
    );
    assert!(error.ends_with(" is used after its scope ended"), "{error}");
    let error = toy.error(&back, &[Value::fixnum(0)]);
    assert_eq!(error, "the result of `id_uint64` is 0, which is no handle");
    // A wrong argument behind one: it is given back.
    let two = function("out_uint64", "(handle int)", "void");
    toy.error(&two, &[Value::NIL, Value::NIL]);
    assert_eq!(Handles::of(&toy.mutator).count(), count);
    // What C passes to a callback may be none.
    let wrong = function(
        "via_uint64",
        "((callback (handle) uint64) uint64)",
        "uint64",
    );
    let never = toy.procedure("never", 1, |_, _| panic!("it has no argument"));
    let garbage = toy.integer(5);
    let Err(Leave::Call(error)) = toy.call_inside(&wrong, &[never, garbage]) else {
        panic!("5 is no handle");
    };
    let place = "argument 1 of the callback that is argument 1 of `via_uint64`: ";
    assert!(error.starts_with(place), "{error}");
}

fn global(toy: &Toy, v: Value) -> Handle {
    Handles::of(&toy.mutator)
        .create(v, HandleKind::Global)
        .expect("room")
}

fn get(toy: &Toy, handle: Handle) -> Result<Value, HandleError> {
    Handles::of(&toy.mutator).get(handle)
}

fn follow() {
    let mut toy = Toy::start();
    let v = toy.bytes(b"held");
    let handle = global(&toy, v);
    let mut moved = false;
    for _ in 0..4 {
        toy.churn();
        let now = get(&toy, handle).expect("live");
        moved |= now != v;
        assert_eq!(bytes(now), b"held");
    }
    assert!(moved);
    let other = toy.bytes(b"other");
    assert_eq!(Handles::of(&toy.mutator).set(handle, other), Ok(()));
    toy.churn();
    assert_eq!(get(&toy, handle).map(bytes), Ok(b"other".to_vec()));
    let handles = Handles::of(&toy.mutator);
    assert_eq!(handles.kind(handle), Ok(HandleKind::Global));
    assert_eq!(handles.count(), 1);
    assert_eq!(handles.free(handle), Ok(()));
    assert_eq!(handles.count(), 0);
    // Fixnums and immediates can be held too.
    for v in [Value::fixnum(5), Value::TRUE, Value::NIL] {
        let handle = handles.create(v, HandleKind::Global).expect("room");
        assert_eq!(handles.get(handle), Ok(v));
    }
}

fn weak() {
    let mut toy = Toy::start();
    let kept = toy.bytes(b"kept");
    toy.mutator.push(kept);
    let weak = |toy: &Toy, v| {
        Handles::of(&toy.mutator)
            .create(v, HandleKind::Weak)
            .expect("room")
    };
    let to_kept = weak(&toy, toy.mutator.get(0));
    let lost = toy.bytes(b"lost");
    let to_lost = weak(&toy, lost);
    toy.churn();
    assert_eq!(get(&toy, to_kept), Ok(toy.mutator.get(0)));
    assert_eq!(get(&toy, to_kept).map(bytes), Ok(b"kept".to_vec()));
    assert_eq!(get(&toy, to_lost), Ok(Value::BROKEN));
    let handles = Handles::of(&toy.mutator);
    assert_eq!(handles.free(to_lost), Ok(()));
    assert_eq!(handles.free(to_kept), Ok(()));
}

fn wrong() {
    let mut toy = Toy::start();
    let v = toy.bytes(b"once");
    let handle = global(&toy, v);
    let handles = Handles::of(&toy.mutator);
    assert_eq!(handles.free(handle), Ok(()));
    let message = |r: Result<(), HandleError>| r.expect_err("an error").to_string();
    assert_eq!(message(handles.free(handle)), "handle 0.1 was freed");
    let again = handles
        .create(Value::NIL, HandleKind::Global)
        .expect("room");
    assert_eq!(
        message(handles.free(handle)),
        "handle 0.1 is stale: it was freed and its slot is now 0.2"
    );
    assert_eq!(handles.get(again), Ok(Value::NIL));
    let garbage = Handle::from_bits(0x1234).expect("not 0");
    assert_eq!(
        message(handles.free(garbage)),
        "0x1234 is not a handle of this process"
    );
    let next = Handle::from_bits(again.bits() + 1).expect("not 0");
    assert_eq!(
        message(handles.free(next)),
        format!("{:#x} is not a handle: none like it was made", next.bits())
    );
}

fn grow() {
    let mut toy = Toy::start();
    let count = if calm() { 50_000 } else { 3000 };
    let mut made = Vec::new();
    for i in 0..count {
        let v = toy
            .mutator
            .alloc_pair(Value::fixnum(i), Value::NIL)
            .expect("room");
        made.push(global(&toy, v));
        if i % (count / 4) == 0 {
            toy.churn();
        }
    }
    toy.churn();
    for (i, handle) in made.iter().enumerate() {
        let pair = get(&toy, *handle).expect("live");
        // SAFETY: the handle holds a pair.
        let car = unsafe { bowline_gc::access::value(pair, 0) };
        assert_eq!(car, Value::fixnum(i as i64));
    }
}

fn threads() {
    let mut toy = Toy::start();
    let heap = toy.mutator.heap();
    let v = toy.bytes(b"shared");
    let handle = global(&toy, v);
    let thread = std::thread::spawn(move || {
        let mut toy = Toy::on(heap);
        toy.churn();
        let seen = get(&toy, handle).map(bytes);
        let freed = Handles::of(&toy.mutator).free(handle);
        (seen, freed)
    });
    toy.mutator.enter_native();
    let (seen, freed) = thread.join().expect("no panic");
    toy.mutator.leave_native();
    assert_eq!((seen, freed), (Ok(b"shared".to_vec()), Ok(())));
    assert!(matches!(get(&toy, handle), Err(HandleError::Freed { .. })));
}

fn local(toy: &Toy, v: Value) -> Result<Handle, HandleError> {
    Handles::of(&toy.mutator).create(v, HandleKind::Local)
}

fn locals() {
    let mut toy = Toy::start();
    assert_eq!(local(&toy, Value::NIL), Err(HandleError::NoScope));
    let outer = HandleScope::enter();
    let v = toy.bytes(b"outer");
    let in_outer = local(&toy, v).expect("a scope is open");
    let inner = HandleScope::enter();
    let v = toy.bytes(b"inner");
    let in_inner = local(&toy, v).expect("a scope is open");
    let freed_early = local(&toy, Value::NIL).expect("a scope is open");
    assert_eq!(Handles::of(&toy.mutator).free(freed_early), Ok(()));
    toy.churn();
    assert_eq!(get(&toy, in_inner).map(bytes), Ok(b"inner".to_vec()));
    assert_eq!(inner.leave(&toy.mutator), Ok(()));
    let ended = get(&toy, in_inner).expect_err("its scope has ended");
    assert!(matches!(ended, HandleError::ScopeEnded { .. }));
    assert_eq!(get(&toy, in_outer).map(bytes), Ok(b"outer".to_vec()));
    // Scopes are left innermost first.
    let forgotten = HandleScope::enter();
    assert_eq!(outer.leave(&toy.mutator), Err(HandleError::ScopeOrder));
    assert_eq!(forgotten.leave(&toy.mutator), Ok(()));
    assert_eq!(get(&toy, in_outer).map(bytes), Ok(b"outer".to_vec()));
}

fn too_many() {
    let toy = Toy::start();
    let scope = HandleScope::enter();
    for _ in 0..LOCAL_LIMIT {
        local(&toy, Value::NIL).expect("below the limit");
    }
    let too_many = HandleError::TooManyLocals { limit: LOCAL_LIMIT };
    assert_eq!(local(&toy, Value::NIL), Err(too_many));
    // A scope in the loop makes room.
    for _ in 0..10 {
        let inner = HandleScope::enter();
        assert!(local(&toy, Value::NIL).is_ok());
        assert_eq!(inner.leave(&toy.mutator), Ok(()));
    }
    assert_eq!(scope.leave(&toy.mutator), Ok(()));
    assert_eq!(Handles::of(&toy.mutator).count(), 0);
}

/// A local handle made during a foreign call, outside every scope, ends with the call; so does one in
/// a scope that nobody left.
fn call_scope() {
    let mut toy = Toy::start();
    let once = function("once_void", "((callback () void))", "void");
    let made = Rc::new(std::cell::RefCell::new(Vec::new()));
    let list = made.clone();
    let makes = toy.procedure("makes", 0, move |toy, _| {
        let v = toy.bytes(b"in a call");
        let first = local(toy, v).expect("a call is a scope");
        let _forgotten = HandleScope::enter();
        let second = local(toy, Value::NIL).expect("a scope is open");
        toy.churn();
        assert_eq!(get(toy, first).map(bytes), Ok(b"in a call".to_vec()));
        list.borrow_mut().extend([first, second]);
        Ok(Value::FALSE)
    });
    toy.mutator.push(makes);
    let outer = HandleScope::enter();
    let kept = local(&toy, Value::TRUE).expect("a scope is open");
    let makes = toy.mutator.get(0);
    toy.value(&once, &[makes]);
    for handle in made.borrow().iter() {
        assert!(matches!(
            get(&toy, *handle),
            Err(HandleError::ScopeEnded { .. })
        ));
    }
    assert_eq!(get(&toy, kept), Ok(Value::TRUE));
    assert_eq!(outer.leave(&toy.mutator), Ok(()));
    assert_eq!(Handles::of(&toy.mutator).count(), 0);
}
