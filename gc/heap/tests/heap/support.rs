//! What the trials share.

use bowline_gc::{Heap, HeapConfig, Mutator, access, start};
use bowline_layout::{Header, Shape, Tag, TypeId, Value};

/// One trial.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) body: fn(),
    /// The trial must fail with this on standard error.
    pub(crate) dies_with: Option<&'static str>,
    /// The trial takes minutes without optimisation, where it is ignored.
    pub(crate) slow: bool,
}

/// A trial that must succeed.
pub(crate) const fn case(name: &'static str, body: fn()) -> Case {
    Case {
        name,
        body,
        dies_with: None,
        slow: false,
    }
}

/// A trial that must succeed and takes minutes without optimisation.
pub(crate) const fn slow(name: &'static str, body: fn()) -> Case {
    Case {
        name,
        body,
        dies_with: None,
        slow: true,
    }
}

/// A trial that must end the process with this message.
pub(crate) const fn dies(name: &'static str, body: fn(), message: &'static str) -> Case {
    Case {
        name,
        body,
        dies_with: Some(message),
        slow: false,
    }
}

/// A heap and this thread's mutator.
pub(crate) fn heap_with(config: HeapConfig) -> (&'static Heap, Box<Mutator>) {
    let heap = start(config).expect("the heap starts");
    (heap, heap.attach())
}

/// A heap that checks itself after every collection.
pub(crate) fn heap() -> (&'static Heap, Box<Mutator>) {
    heap_with(HeapConfig {
        verify: true,
        ..HeapConfig::default()
    })
}

/// A vector of `n` values, all fixnum 0.
pub(crate) fn vector(m: &mut Mutator, n: usize) -> Value {
    m.alloc(Header::new(Shape::Values, TypeId(40), n), Tag::Object)
        .expect("room for a vector")
}

pub(crate) fn pair(m: &mut Mutator, car: Value, cdr: Value) -> Value {
    m.alloc_pair(car, cdr).expect("room for a pair")
}

pub(crate) fn fix(n: i64) -> Value {
    Value::fixnum(n)
}

pub(crate) fn at(v: Value, i: usize) -> Value {
    // SAFETY: the trials pass live objects and indices inside them.
    unsafe { access::value(v, i) }
}

pub(crate) fn put(m: &mut Mutator, v: Value, i: usize, x: Value) {
    // SAFETY: the trials pass live objects and indices inside them.
    unsafe { m.store(v, i, x) }
}

/// A list of the fixnums below `n`, the largest first.
pub(crate) fn list(m: &mut Mutator, n: i64) -> Value {
    m.with_roots(&[Value::NIL], |m, root| {
        for i in 0..n {
            m.poll();
            let tail = m.get(root);
            let p = pair(m, fix(i), tail);
            m.set(root, p);
        }
        m.get(root)
    })
}

/// Checks what [`list`] made.
pub(crate) fn check_list(mut v: Value, n: i64) {
    for i in (0..n).rev() {
        assert_eq!(at(v, 0), fix(i));
        v = at(v, 1);
    }
    assert_eq!(v, Value::NIL);
}

/// Allocates `n` pairs of garbage.
pub(crate) fn garbage(m: &mut Mutator, n: usize) {
    for _ in 0..n {
        m.poll();
        pair(m, fix(1), fix(2));
    }
}
