//! Objects that C holds by address while everything else moves.

use crate::toy::{Toy, bytes, calm, function, text};
use bowline_ffi::{CallError, ForeignFunction, pointer_address};
use bowline_gc::access;
use bowline_layout::{Flags, Value, string};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const TRIALS: &[crate::Body] = &[
    ("lent_over_a_collection", lent_over_a_collection),
    ("lent_young_object", young),
    ("lent_empty", empty),
    ("lent_large", large),
    ("what_is_not_lent_moves", others_move),
    ("string_results", string_results),
    ("result_too_large", result_too_large),
    ("blocking_call", blocking),
    ("strings_are_looked_at_once", looked_at_once),
];

/// The body of a string, and its flags.
fn body_of(v: Value) -> (Value, Flags) {
    // SAFETY: it is a string.
    let body = unsafe { access::value(v, string::BODY) };
    // SAFETY: as above.
    (body, unsafe { access::header(body) }.flags())
}

/// That a string has no NUL is remembered when it has been lent, and the collector keeps it; of one that C may write to
/// it is not.
fn looked_at_once() {
    let mut toy = Toy::start();
    let strlen = function("strlen", "(string)", "size_t");
    let height = toy.mutator.len();
    for n in [0usize, 16, 4096, 1 << 20] {
        let s = toy.string(&"a".repeat(n));
        toy.mutator.push(s);
        assert_eq!(body_of(toy.mutator.get(height)).1, Flags::default());
        for _ in 0..2 {
            let s = toy.mutator.get(height);
            assert_eq!(toy.value(&strlen, &[s]), Value::fixnum(n as i64));
            assert_eq!(body_of(toy.mutator.get(height)).1, string::NO_NUL);
            toy.churn();
            assert_eq!(body_of(toy.mutator.get(height)).1, string::NO_NUL);
        }
        toy.mutator.truncate(height);
    }
    let s = toy.string("a\0b");
    toy.mutator.push(s);
    assert!(toy.call(&strlen, &[s]).is_err());
    assert_eq!(body_of(toy.mutator.pop()).1, Flags::default());
    let s = toy.string("shared");
    toy.mutator.push(s);
    // SAFETY: the body is live.
    unsafe { access::set_flags(body_of(s).0, string::SHARED) };
    assert_eq!(toy.value(&strlen, &[s]), Value::fixnum(6));
    assert_eq!(body_of(toy.mutator.pop()).1, string::SHARED);
}

/// C holds a string, a buffer and a pointer into its middle while a callback collects.
fn lent_over_a_collection() {
    let mut toy = Toy::start();
    let lent = "(string bytevector size_t (callback () void))";
    let lent_at = "(string (bytevector-at) size_t (callback () void))";
    hold_all(&mut toy, function("hold", lent, "int"));
    hold_all(&mut toy, function("hold", lent_at, "int"));
    hold_all(&mut toy, function("hold", lent, "int").into_blocking());
    hold_all(&mut toy, function("hold", lent_at, "int").into_blocking());
}

/// With an offset, the first bytes are none that C gets.
fn hold_all(toy: &mut Toy, hold: ForeignFunction) {
    let height = toy.mutator.len();
    let offset = if hold.signature.arguments() == 5 {
        3
    } else {
        0
    };
    let churn = toy.procedure("churn", 0, |toy, _| {
        toy.churn();
        toy.string("where the lent string would have been");
        Ok(Value::FALSE)
    });
    toy.mutator.push(churn);
    for n in [0usize, 1, 7, 8, 100, 5000, 40_000] {
        let content: Vec<u8> = (0..n + offset).map(|i| (i * 31) as u8).collect();
        let buffer = toy.bytes(&content);
        toy.mutator.push(buffer);
        let s = toy.string(&"lent ".repeat(n / 10 + 1));
        let mut args = vec![
            s,
            toy.mutator.get(height + 1),
            Value::fixnum(n as i64),
            toy.mutator.get(height),
        ];
        if offset > 0 {
            args.insert(2, Value::fixnum(offset as i64));
        }
        assert_eq!(toy.value(&hold, &args), Value::fixnum(1), "{n} bytes");
        let mut expected = content;
        if n > 0 {
            expected[offset + n / 2] = 77;
        }
        assert_eq!(bytes(toy.mutator.pop()), expected);
    }
    toy.mutator.truncate(height);
}

/// An object that was never through a collection stays where it is in the first one.
fn young() {
    let mut toy = Toy::start();
    let via = function("once_pointer", "((callback () pointer))", "pointer");
    let same = function("same_pointer", "(bytevector)", "pointer");
    let churn = toy.procedure("churn", 0, |toy, _| {
        toy.churn();
        Ok(Value::FALSE)
    });
    toy.mutator.push(churn);
    let hold = function(
        "hold",
        "(string bytevector size_t (callback () void))",
        "int",
    );
    for _ in 0..20 {
        let s = toy.string("young");
        toy.mutator.push(s);
        let b = toy.bytes(b"younger");
        let args = [toy.mutator.get(1), b, Value::fixnum(7), toy.mutator.get(0)];
        assert_eq!(toy.value(&hold, &args), Value::fixnum(1));
        assert_eq!(text(toy.mutator.pop()), "young");
    }
    let churn = toy.mutator.get(0);
    let null = toy.value(&via, &[churn]);
    assert_eq!(pointer_address(null), Some(0));
    let b = toy.bytes(b"at");
    let at = toy.value(&same, &[b]);
    assert_ne!(pointer_address(at), Some(0));
}

fn empty() {
    let mut toy = Toy::start();
    let is_null = function("is_null", "(bytevector)", "int");
    let b = toy.bytes(b"");
    assert_eq!(toy.value(&is_null, &[b]), Value::fixnum(0));
    let is_null = function("is_null", "(string)", "int");
    let s = toy.string("");
    assert_eq!(toy.value(&is_null, &[s]), Value::fixnum(0));
    assert_eq!(toy.value(&is_null, &[Value::FALSE]), Value::fixnum(1));
    let is_null = function("is_null", "(pointer)", "int");
    assert_eq!(toy.value(&is_null, &[Value::FALSE]), Value::fixnum(1));
}

/// A large object is lent as it is: before and after a collection C sees the same address.
fn large() {
    let mut toy = Toy::start();
    let same = function("same_pointer", "(bytevector)", "pointer");
    let b = toy.bytes(&vec![5; 1 << 20]);
    toy.mutator.push(b);
    let mut addresses = Vec::new();
    for _ in 0..3 {
        let b = toy.mutator.get(0);
        let at = toy.value(&same, &[b]);
        addresses.push(pointer_address(at).expect("a pointer"));
        assert_eq!(addresses[0], b.addr().word(1).raw());
        toy.churn();
    }
    assert!(addresses.iter().all(|a| *a == addresses[0]));
    assert_eq!(bytes(toy.mutator.get(0)), vec![5; 1 << 20]);
}

/// During a call the lent object stays and another one moves.
fn others_move() {
    let mut toy = Toy::start();
    let hold = function(
        "hold",
        "(string bytevector size_t (callback () void))",
        "int",
    );
    let b = toy.bytes(b"lent");
    toy.mutator.push(b);
    let other = toy.bytes(b"other");
    toy.mutator.push(other);
    let s = toy.string("s");
    toy.mutator.push(s);
    let compare = toy.procedure("compare", 0, |toy, _| {
        let (lent, other) = (toy.mutator.get(0), toy.mutator.get(1));
        toy.churn();
        assert_eq!(toy.mutator.get(0), lent);
        // A calm heap moves it while it is young, a zealous one at every collection.
        assert!(calm() || toy.mutator.get(1) != other);
        Ok(Value::FALSE)
    });
    let args = [
        toy.mutator.get(2),
        toy.mutator.get(0),
        Value::fixnum(4),
        compare,
    ];
    assert_eq!(toy.value(&hold, &args), Value::fixnum(1));
    assert_eq!(bytes(toy.mutator.get(1)), b"other");
}

fn string_results() {
    let mut toy = Toy::start();
    let got = |toy: &mut Toy, name| {
        let f = function(name, "()", "string");
        toy.value(&f, &[])
    };
    assert_eq!(text(got(&mut toy, "not_utf8")), "a\u{fffd}b\u{fffd}");
    assert_eq!(text(got(&mut toy, "empty")), "");
    assert_eq!(got(&mut toy, "no_string"), Value::FALSE);
    // C returns a pointer into the string that it was lent.
    let tail = function("tail", "(string int)", "string");
    // One allocation more each time, so that zeal strikes at every point of the call.
    for length in [10usize, 100, 1000, 10_000, 60_000].repeat(3) {
        toy.mutator
            .alloc_pair(Value::NIL, Value::NIL)
            .expect("room");
        let sample: String = (0..length)
            .map(|i| char::from(b'a' + (i % 26) as u8))
            .collect();
        let s = toy.string(&sample);
        let rest = toy.value(&tail, &[s, Value::fixnum(3)]);
        assert_eq!(text(rest), sample[3..]);
    }
}

/// A result that the heap has no room for is an error, and the heap goes on.
fn result_too_large() {
    let mut toy = Toy::on(crate::toy::start_heap(Some(16 << 20)));
    let long = function("long_string", "(size_t)", "string");
    let huge = Value::fixnum(64 << 20);
    for _ in 0..2 {
        let result = toy.call(&long, &[huge]);
        assert!(
            matches!(result, Err(CallError::OutOfMemory(_))),
            "{result:?}"
        );
        let small = toy.value(&long, &[Value::fixnum(100)]);
        assert_eq!(text(small).len(), 100);
    }
    // The same on the way into a callback.
    let give = function(
        "give_long_string",
        "((callback (string) int) size_t)",
        "int",
    );
    let never = toy.procedure("never", 1, |_, _| panic!("has no argument"));
    let result = toy.call(&give, &[never, huge]);
    assert_eq!(result, Err(CallError::PendingExit));
    assert!(toy.pending.is_some());
}

/// A thread that sits in C delays nobody's collection: here it waits for what comes afterwards.
fn blocking() {
    static NEAR: AtomicBool = AtomicBool::new(false);
    let mut toy = Toy::start();
    let heap = toy.mutator.heap();
    let mut ends = [0; 2];
    // SAFETY: two file descriptors are written.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // A collection that waited for the reader would wait for ever.
    // SAFETY: the default action ends the process.
    unsafe { libc::alarm(60) };
    let reader = std::thread::spawn(move || {
        let mut toy = Toy::on(heap);
        let read = crate::toy::libc_function("read", "(int bytevector size_t)", "ssize_t");
        let buffer = toy.bytes(&[0; 5]);
        toy.mutator.push(buffer);
        NEAR.store(true, Ordering::SeqCst);
        let fd = Value::fixnum(i64::from(ends[0]));
        let buffer = toy.mutator.get(0);
        let n = toy.value(&read, &[fd, buffer, Value::fixnum(5)]);
        assert_eq!(n, Value::fixnum(5));
        assert_eq!(bytes(toy.mutator.pop()), b"after");
    });
    while !NEAR.load(Ordering::SeqCst) {
        toy.mutator.poll();
        std::thread::yield_now();
    }
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        toy.churn();
    }
    // SAFETY: five bytes are there to be written.
    unsafe { libc::write(ends[1], b"after".as_ptr().cast(), 5) };
    toy.mutator.enter_native();
    reader.join().expect("no panic");
    toy.mutator.leave_native();
}
