//! Handles under load, and objects that are held in place by their handle.

use crate::toy::{Toy, bytes, calm, function};
use bowline_ffi::{
    Handle, HandleError, HandleKind, HandlePinError, HandleScope, Handles, LOCAL_LIMIT,
};
use bowline_gc::{Collect, Heap, PinError};
use bowline_layout::Value;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

pub(crate) const TRIALS: &[crate::Body] = &[
    ("handles_under_load", under_load),
    (
        "weak_handles_while_others_collect",
        weak_while_others_collect,
    ),
    ("handle_freed_by_all", freed_by_all),
    ("locals_changed_by_others", locals_changed_by_others),
    ("locals_in_a_loop_of_c", locals_in_a_loop),
    ("pins_by_handle", pins_by_handle),
    ("pins_by_handle_across_threads", pins_across_threads),
    ("promoted_by_handle", promoted),
];

const THREADS: usize = 8;

fn create(toy: &Toy, v: Value, kind: HandleKind) -> Handle {
    Handles::of(&toy.mutator).create(v, kind).expect("room")
}

/// Runs `body` on eight threads of the heap's, each with its number, and waits in Native.
fn on_threads(toy: &mut Toy, body: impl Fn(&mut Toy, usize) + Sync) {
    let heap: &'static Heap = toy.mutator.heap();
    toy.mutator.enter_native();
    std::thread::scope(|scope| {
        for t in 0..THREADS {
            let body = &body;
            scope.spawn(move || body(&mut Toy::on(heap), t));
        }
    });
    toy.mutator.leave_native();
}

fn number(n: usize) -> Vec<u8> {
    (n as u64).to_le_bytes().to_vec()
}

/// Each thread makes handles and frees those that others have made, while some collect.
fn under_load() {
    let mut toy = Toy::start();
    let turns = if calm() { 20_000 } else { 100 };
    let shared: Mutex<Vec<(Handle, usize)>> = Mutex::default();
    let before = Handles::of(&toy.mutator).count();
    on_threads(&mut toy, |toy, t| {
        for i in 0..turns {
            let n = t * turns + i;
            let v = toy.bytes(&number(n));
            let handle = create(toy, v, HandleKind::Global);
            let other = {
                let mut shared = shared.lock().expect("no panic");
                shared.push((handle, n));
                let at = n.wrapping_mul(0x9e37_79b9) % shared.len();
                // The table grows while the threads are out of step.
                (i % 3 > 0).then(|| shared.swap_remove(at))
            };
            if let Some((handle, n)) = other {
                let handles = Handles::of(&toy.mutator);
                assert_eq!(handles.get(handle).map(bytes), Ok(number(n)));
                assert_eq!(handles.free(handle), Ok(()));
            }
            if t < 2 && i % (turns / 10) == 0 {
                toy.mutator.collect(if t == 0 {
                    Collect::Full
                } else {
                    Collect::Minor
                });
            }
        }
    });
    let left = shared.into_inner().expect("no panic");
    let handles = Handles::of(&toy.mutator);
    assert_eq!(handles.count() - before, left.len());
    for (handle, n) in left {
        assert_eq!(handles.get(handle).map(bytes), Ok(number(n)));
        assert_eq!(handles.free(handle), Ok(()));
    }
    assert_eq!(handles.count(), before);
}

/// A weak handle gives the whole object or says that it died, whenever it is read.
fn weak_while_others_collect() {
    let mut toy = Toy::start();
    let turns = if calm() { 3000 } else { 30 };
    let ended = AtomicUsize::new(0);
    on_threads(&mut toy, |toy, t| {
        if t < 2 {
            while ended.load(Ordering::SeqCst) < THREADS - 2 {
                toy.mutator.collect(if t == 0 {
                    Collect::Full
                } else {
                    Collect::Minor
                });
            }
            return;
        }
        for i in 0..turns {
            let v = toy.bytes(&number(i));
            // Every other one is held by a strong handle, too.
            let strong = (i % 2 == 0).then(|| create(toy, v, HandleKind::Global));
            let v = match strong {
                Some(strong) => Handles::of(&toy.mutator).get(strong).expect("live"),
                None => toy.bytes(&number(i)),
            };
            let weak = create(toy, v, HandleKind::Weak);
            for _ in 0..10 {
                toy.mutator.poll();
                match Handles::of(&toy.mutator).get(weak) {
                    Ok(Value::BROKEN) if strong.is_none() => break,
                    Ok(v) => assert_eq!(bytes(v), number(i)),
                    Err(e) => panic!("{e}"),
                }
            }
            let handles = Handles::of(&toy.mutator);
            assert_eq!(handles.free(weak), Ok(()));
            if let Some(strong) = strong {
                assert_eq!(handles.free(strong), Ok(()));
            }
        }
        let v = toy.bytes(b"lost");
        let weak = create(toy, v, HandleKind::Weak);
        toy.mutator.collect(Collect::Full);
        assert_eq!(Handles::of(&toy.mutator).get(weak), Ok(Value::BROKEN));
        ended.fetch_add(1, Ordering::SeqCst);
    });
}

/// Of all that free one handle at once, one has freed it.
fn freed_by_all() {
    let mut toy = Toy::start();
    let turns = if calm() { 2000 } else { 50 };
    for _ in 0..turns.min(200) {
        let handle = create(&toy, Value::NIL, HandleKind::Global);
        let freed = AtomicUsize::new(0);
        on_threads(&mut toy, |toy, _| {
            match Handles::of(&toy.mutator).free(handle) {
                Ok(()) => _ = freed.fetch_add(1, Ordering::SeqCst),
                Err(e) => assert!(matches!(e, HandleError::Freed { .. }), "{e}"),
            }
        });
        assert_eq!(freed.into_inner(), 1);
    }
}

/// A thread writes to a local handle of its own again and again while others write to it, free it, and use its slot at
/// once for handles of theirs, to which nothing else is ever written.
fn locals_changed_by_others() {
    let mut toy = Toy::start();
    let turns = if calm() { 1000 } else { 50 };
    let (shown, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let (freed, written) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mine = |t: usize| Value::fixnum(t as i64);
    on_threads(&mut toy, |toy, t| {
        let handles = Handles::of(&toy.mutator);
        if t == 0 {
            for _ in 0..turns {
                let scope = HandleScope::enter();
                let handle = handles.create(Value::fixnum(0), HandleKind::Local);
                let handle = handle.expect("room");
                shown.store(handle.bits(), Ordering::SeqCst);
                while handles.set(handle, Value::fixnum(0)).is_ok() {
                    std::hint::spin_loop();
                }
                assert!(handles.get(handle).is_err());
                scope.leave(&toy.mutator).expect("the innermost");
            }
            ended.store(true, Ordering::SeqCst);
            return;
        }
        let mut all = Vec::new();
        while !ended.load(Ordering::SeqCst) {
            let Some(theirs) = Handle::from_bits(shown.swap(0, Ordering::SeqCst)) else {
                std::thread::yield_now();
                continue;
            };
            let mine = mine(t);
            assert_eq!(handles.set(theirs, mine), Ok(()));
            written.fetch_add(1, Ordering::SeqCst);
            let seen = handles.get(theirs).expect("nobody else frees it");
            assert!(seen == mine || seen == Value::fixnum(0));
            assert_eq!(handles.free(theirs), Ok(()));
            freed.fetch_add(1, Ordering::SeqCst);
            let own = handles.create(mine, HandleKind::Global).expect("room");
            let index = |handle: Handle| handle.bits() & 0xfff_ffff;
            assert_eq!(index(own), index(theirs), "the slot is used again");
            for _ in 0..1000 {
                assert_eq!(handles.get(own), Ok(mine));
            }
            all.push(own);
        }
        for own in all {
            assert_eq!(handles.get(own), Ok(mine(t)));
            assert_eq!(handles.free(own), Ok(()));
        }
    });
    assert_eq!((freed.into_inner(), written.into_inner()), (turns, turns));
    assert_eq!(Handles::of(&toy.mutator).count(), 0);
}

/// C calls back a million times and each call makes a local handle: an error at the limit, and none with a
/// scope in the callback.
fn locals_in_a_loop() {
    let mut toy = Toy::start();
    let calls = if calm() { 1_000_000 } else { 1000 };
    let repeat = function("repeat", "((callback (int64) int64) int)", "int");
    let made = Rc::new(Cell::new(0));
    let refused = Rc::new(Cell::new(0));
    let (m, r) = (made.clone(), refused.clone());
    let without = toy.procedure("without", 1, move |toy, _| {
        match Handles::of(&toy.mutator).create(Value::TRUE, HandleKind::Local) {
            Ok(_) => m.set(m.get() + 1),
            Err(e) => {
                assert_eq!(e, HandleError::TooManyLocals { limit: LOCAL_LIMIT });
                r.set(r.get() + 1);
            }
        }
        Ok(Value::fixnum(0))
    });
    toy.value(&repeat, &[without, Value::fixnum(calls)]);
    assert_eq!(made.get(), (calls as usize).min(LOCAL_LIMIT));
    assert_eq!(refused.get(), calls as usize - made.get());
    assert_eq!(
        Handles::of(&toy.mutator).count(),
        0,
        "freed with their call"
    );
    let m = made.clone();
    let within = toy.procedure("within", 1, move |toy, _| {
        let scope = HandleScope::enter();
        let handles = Handles::of(&toy.mutator);
        let handle = handles
            .create(Value::TRUE, HandleKind::Local)
            .expect("room");
        assert_eq!(handles.get(handle), Ok(Value::TRUE));
        m.set(m.get() + 1);
        scope.leave(&toy.mutator).expect("the innermost");
        Ok(Value::fixnum(0))
    });
    made.set(0);
    toy.value(&repeat, &[within, Value::fixnum(calls)]);
    assert_eq!(made.get(), calls as usize);
}

fn pins_by_handle() {
    let mut toy = Toy::start();
    let v = toy.bytes(b"pinned by its handle");
    let handle = create(&toy, v, HandleKind::Global);
    let (address, again) = {
        let handles = Handles::of(&toy.mutator);
        (handles.pin(handle), handles.pin(handle))
    };
    let (v, one) = address.expect("an object");
    assert_eq!((one, again), (1, Ok((v, 2))));
    assert_eq!(Handles::of(&toy.mutator).unpin(handle), Ok(1));
    for _ in 0..3 {
        toy.churn();
        assert_eq!(Handles::of(&toy.mutator).get(handle), Ok(v));
        assert_eq!(bytes(v), b"pinned by its handle");
    }
    // Another handle to it counts with it.
    let handles = Handles::of(&toy.mutator);
    let other = handles.create(v, HandleKind::Weak).expect("room");
    assert_eq!(handles.unpin(other), Ok(0));
    let underflow = handles.unpin(handle).expect_err("not pinned");
    assert_eq!(underflow, HandlePinError::Pin(PinError::NotPinned(v)));
    assert_eq!(
        underflow.to_string(),
        format!("{v:?} is unpinned more often than it was pinned")
    );
    // The pin outlives its handle.
    assert_eq!(handles.pin(handle), Ok((v, 1)));
    assert_eq!(handles.free(handle), Ok(()));
    let stale = handles.unpin(handle).expect_err("freed");
    assert!(matches!(
        stale,
        HandlePinError::Handle(HandleError::Freed { .. })
    ));
    assert_eq!(stale.to_string(), "handle 0.1 was freed");
    assert_eq!(handles.pin(handle), Err(stale));
    toy.churn();
    let handles = Handles::of(&toy.mutator);
    assert_eq!(handles.get(other), Ok(v), "held by its pin alone");
    assert_eq!(handles.unpin(other), Ok(0));
    toy.churn();
    let died = Handles::of(&toy.mutator).pin(other).expect_err("it died");
    assert_eq!(died, HandlePinError::Died(other));
    assert_eq!(died.to_string(), "the object of weak handle 1.1 has died");
    let handles = Handles::of(&toy.mutator);
    let number = handles
        .create(Value::fixnum(5), HandleKind::Global)
        .expect("room");
    let none = handles.pin(number).expect_err("no object");
    assert_eq!(none.to_string(), "fix(5) is no object and cannot be pinned");
}

/// What one thread has pinned by a handle another unpins by it.
fn pins_across_threads() {
    let mut toy = Toy::start();
    let handles: Vec<Handle> = (0..THREADS)
        .map(|t| {
            let v = toy.bytes(&number(t));
            create(&toy, v, HandleKind::Global)
        })
        .collect();
    let ready: Vec<AtomicBool> = (0..THREADS).map(|_| AtomicBool::new(false)).collect();
    on_threads(&mut toy, |toy, t| {
        let pinned = Handles::of(&toy.mutator)
            .pin(handles[t])
            .expect("an object");
        toy.churn();
        assert_eq!(Handles::of(&toy.mutator).get(handles[t]), Ok(pinned.0));
        ready[t].store(true, Ordering::SeqCst);
        let other = (t + 3) % THREADS;
        toy.mutator.enter_native();
        while !ready[other].load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        toy.mutator.leave_native();
        let there = Handles::of(&toy.mutator);
        assert_eq!(there.get(handles[other]).map(bytes), Ok(number(other)));
        assert_eq!(there.unpin(handles[other]), Ok(0));
    });
    toy.churn();
    assert_eq!(toy.mutator.stats().pinned_objects, 0);
}

fn promoted() {
    let mut toy = Toy::start();
    let v = toy.bytes(b"promoted");
    let handle = create(&toy, v, HandleKind::Global);
    let v = Handles::of(&toy.mutator)
        .promote(handle)
        .expect("an object");
    for _ in 0..3 {
        toy.churn();
        assert_eq!(Handles::of(&toy.mutator).get(handle), Ok(v));
        assert_eq!(bytes(v), b"promoted");
    }
    let weak = create(&toy, v, HandleKind::Weak);
    assert_eq!(Handles::of(&toy.mutator).free(handle), Ok(()));
    toy.churn();
    let handles = Handles::of(&toy.mutator);
    assert_eq!(handles.promote(weak), Err(HandlePinError::Died(weak)));
}
