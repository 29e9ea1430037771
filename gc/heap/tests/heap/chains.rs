//! Weak things in large numbers, and each hanging on the one before: what a collection has to do must
//! grow with their number and no faster.

use crate::support::*;
use bowline_gc::{Collect, Heap, HeapConfig, Mutator, WeakWork};
use bowline_layout::{Value, ephemeron, weak_pair, weak_vector};

pub(crate) const CASES: &[Case] = &[
    everywhere("a long chain of ephemerons", plain_chain),
    everywhere("a chain of ephemerons through lists", chain_through_lists),
    everywhere("a chain of ephemerons inside each other", nested_chain),
    everywhere("a chain of ephemerons against the grain", many_dead),
    everywhere("a chain of guardians", guardian_chain),
    everywhere("ten thousand guardians", many_guardians),
    case(
        "waiting representatives cost minors nothing",
        waiting_cost_nothing,
    )
    .under(GENERATIONAL),
    everywhere("an object in several guardians", several_guardians),
    everywhere("a guardian of guardians", guardian_of_guardians),
    everywhere("weak and pinned", weak_and_pinned),
    everywhere("weak things freeze", weak_things_freeze),
];

const LENGTH: usize = 100_000;

fn quick() -> (&'static Heap, Box<Mutator>) {
    heap_with(HeapConfig::default())
}

/// What weak things cost in `f`.
fn work(heap: &Heap, f: impl FnOnce()) -> WeakWork {
    let before = heap.weak_work();
    f();
    let after = heap.weak_work();
    WeakWork {
        rounds: after.rounds - before.rounds,
        steps: after.steps - before.steps,
    }
}

/// Root 0 is the first key, root 1 a list of the chain's ephemerons; `value_of` makes an ephemeron's
/// value of the next key.
fn make_chain(m: &mut Mutator, value_of: impl Fn(&mut Mutator, Value) -> Value) {
    m.truncate(0);
    let last = pair(m, fix(0), Value::NIL);
    m.push(last);
    m.push(Value::NIL);
    for i in 1..=LENGTH {
        m.poll();
        let next = m.get(0);
        let value = value_of(m, next);
        m.push(value);
        let key = pair(m, fix(i as i64), Value::NIL);
        m.set(0, key);
        let value = m.pop();
        let e = m.ephemeron(key, value).expect("room");
        let rest = m.get(1);
        let list = pair(m, e, rest);
        m.set(1, list);
    }
}

/// Checks that the whole chain lives, by following it from its first key.
fn check_chain(m: &Mutator, key_of: impl Fn(Value) -> Value) {
    let mut list = m.get(1);
    let mut key = m.get(0);
    for i in (1..=LENGTH).rev() {
        let e = at(list, 0);
        assert_eq!(at(e, ephemeron::KEY), key);
        assert_eq!(at(key, 0), fix(i as i64));
        key = key_of(at(e, ephemeron::VALUE));
        list = at(list, 1);
    }
    assert_eq!((at(key, 0), list), (fix(0), Value::NIL));
}

/// Checks that every ephemeron of the chain is broken.
fn check_broken(m: &Mutator) {
    let mut list = m.get(1);
    while list != Value::NIL {
        let e = at(list, 0);
        assert_eq!(at(e, ephemeron::KEY), Value::BROKEN);
        assert_eq!(at(e, ephemeron::VALUE), Value::BROKEN);
        list = at(list, 1);
    }
}

/// Each chain lives through collections of both kinds with its first key, and breaks as a whole without.
fn chain(
    value_of: impl Fn(&mut Mutator, Value) -> Value,
    key_of: impl Fn(Value) -> Value,
    words: u64,
) {
    let (heap, mut m) = quick();
    for kind in [Collect::Minor, Collect::Full] {
        make_chain(&mut m, &value_of);
        for _ in 0..2 {
            let done = work(heap, || m.collect(kind));
            check_chain(&m, &key_of);
            // Looked at when found, when its key is reached, and once more by MMTk's leave, for each
            // of up to two collections.
            let most = LENGTH as u64 * (2 * words + 12);
            assert!(done.steps <= most, "{done:?}, at most {most}");
            assert!(done.rounds <= 200, "{done:?}");
        }
        m.set(0, Value::NIL);
        let done = work(heap, || m.collect(Collect::Full));
        check_broken(&m);
        assert!(done.steps <= 6 * LENGTH as u64, "{done:?}");
        assert!(done.rounds <= 20, "{done:?}");
    }
}

fn plain_chain() {
    chain(|_, next| next, |value| value, 4);
}

fn chain_through_lists() {
    let value_of = |m: &mut Mutator, next: Value| {
        let inner = pair(m, fix(7), next);
        pair(m, inner, fix(8))
    };
    chain(value_of, |value| at(at(value, 0), 1), 12);
}

/// Each value is the next ephemeron, whose key lives anyway: each is found only by way of the one before.
fn nested_chain() {
    let (heap, mut m) = quick();
    for kind in [Collect::Minor, Collect::Full] {
        m.truncate(0);
        let key = pair(&mut m, fix(1), fix(2));
        m.push(key);
        m.push(Value::NIL);
        for _ in 0..LENGTH {
            m.poll();
            let (key, value) = (m.get(0), m.get(1));
            let e = m.ephemeron(key, value).expect("room");
            m.set(1, e);
        }
        let done = work(heap, || m.collect(kind));
        assert!(done.steps <= 20 * LENGTH as u64, "{done:?}");
        assert!(done.rounds <= 200, "{done:?}");
        let mut depth = 0;
        let mut e = m.get(1);
        while e != Value::NIL {
            assert_eq!(at(e, ephemeron::KEY), m.get(0));
            e = at(e, ephemeron::VALUE);
            depth += 1;
        }
        assert_eq!(depth, LENGTH);
    }
}

/// A chain that lives beside as many ephemerons that wait in vain through every round.
fn many_dead() {
    let (heap, mut m) = quick();
    let value_of = |m: &mut Mutator, next: Value| {
        let inner = pair(m, fix(7), next);
        pair(m, inner, fix(8))
    };
    make_chain(&mut m, value_of);
    m.push(Value::NIL);
    for i in 0..LENGTH {
        m.poll();
        let lost = pair(&mut m, fix(i as i64), Value::NIL);
        let e = m.ephemeron(lost, fix(1)).expect("room");
        let rest = m.get(2);
        let list = pair(&mut m, e, rest);
        m.set(2, list);
    }
    let done = work(heap, || m.collect(Collect::Full));
    check_chain(&m, |value| at(at(value, 0), 1));
    assert!(done.steps <= 60 * LENGTH as u64, "{done:?}");
    let mut list = m.get(2);
    while list != Value::NIL {
        assert_eq!(at(at(list, 0), ephemeron::KEY), Value::BROKEN);
        list = at(list, 1);
    }
}

/// Guardian i watches an object that alone refers to guardian i + 1: each resurrection finds the next.
fn guardian_chain() {
    const GUARDIANS: usize = 20_000;
    let (heap, mut m) = quick();
    let last = pair(&mut m, fix(0), Value::NIL);
    m.push(last);
    for i in 1..=GUARDIANS {
        m.poll();
        let next = m.get(0);
        let object = pair(&mut m, next, fix(i as i64));
        m.push(object);
        let g = pair(&mut m, fix(i as i64), Value::NIL);
        m.set(0, g);
        let object = m.pop();
        m.guard(g, object, object).expect("memory");
    }
    let done = work(heap, || m.collect(Collect::Full));
    assert!(done.steps <= 40 * GUARDIANS as u64, "{done:?}");
    let mut g = m.get(0);
    for i in (1..=GUARDIANS).rev() {
        let object = m.guardian_next(g).expect("its object died");
        assert_eq!(at(object, 1), fix(i as i64));
        assert_eq!(m.guardian_next(g), None);
        g = at(object, 0);
    }
    assert_eq!(at(g, 0), fix(0));
}

fn many_guardians() {
    const GUARDIANS: usize = 10_000;
    let (heap, mut m) = quick();
    for kind in [Collect::Minor, Collect::Full] {
        m.truncate(0);
        for i in 0..GUARDIANS {
            m.poll();
            let g = pair(&mut m, fix(i as i64), Value::NIL);
            m.push(g);
            for j in 0..3 {
                let object = pair(&mut m, fix(i as i64), fix(j));
                let g = m.get(i);
                m.guard(g, object, object).expect("memory");
            }
        }
        let done = work(heap, || m.collect(kind));
        assert!(done.steps <= 60 * GUARDIANS as u64, "{done:?}");
        // Moves the guardians that have something waiting.
        m.collect(Collect::Full);
        for i in 0..GUARDIANS {
            for j in 0..3 {
                let object = m.guardian_next(m.get(i)).expect("three have died");
                assert_eq!((at(object, 0), at(object, 1)), (fix(i as i64), fix(j)));
            }
            assert_eq!(m.guardian_next(m.get(i)), None);
        }
    }
}

fn waiting_cost_nothing() {
    let (heap, mut m) = quick();
    let g = pair(&mut m, fix(1), Value::NIL);
    m.push(g);
    for i in 0..LENGTH {
        m.poll();
        let object = pair(&mut m, fix(i as i64), Value::NIL);
        let g = m.get(0);
        m.guard(g, object, object).expect("memory");
    }
    m.collect(Collect::Minor);
    let done = work(heap, || m.collect(Collect::Minor));
    assert!(done.steps < 100, "{done:?}");
    let g = m.get(0);
    assert_eq!(std::iter::from_fn(|| m.guardian_next(g)).count(), LENGTH);
}

/// Registered twice with one guardian and once with another, it comes back three times, and is one.
fn several_guardians() {
    for_each_kind(|m, kind| {
        for _ in 0..2 {
            let g = pair(m, Value::NIL, Value::NIL);
            m.push(g);
        }
        let object = pair(m, fix(1), fix(2));
        let (a, b) = (m.get(0), m.get(1));
        m.guard(a, object, object).expect("memory");
        m.guard(b, object, object).expect("memory");
        m.guard(a, object, object).expect("memory");
        m.collect(kind);
        let first = m.guardian_next(m.get(0)).expect("once");
        assert_eq!(m.guardian_next(m.get(0)), Some(first));
        assert_eq!(m.guardian_next(m.get(0)), None);
        assert_eq!(m.guardian_next(m.get(1)), Some(first));
        assert_eq!(m.guardian_next(m.get(1)), None);
        m.collect(Collect::Full);
        assert_eq!(
            m.guardian_next(m.get(0)),
            None,
            "it must be registered again"
        );
    });
}

/// A guardian that dies under the care of another comes back with its entries, and they are served.
fn guardian_of_guardians() {
    for_each_kind(|m, kind| {
        let outer = pair(m, fix(1), Value::NIL);
        m.push(outer);
        let inner = pair(m, fix(2), Value::NIL);
        m.push(inner);
        let object = pair(m, fix(3), Value::NIL);
        let (outer, inner) = (m.get(0), m.get(1));
        m.guard(inner, object, object).expect("memory");
        m.guard(outer, inner, inner).expect("memory");
        m.truncate(1);
        m.collect(kind);
        let inner = m.guardian_next(m.get(0)).expect("the inner guardian");
        assert_eq!(at(inner, 0), fix(2));
        let object = m.guardian_next(inner).expect("what it guarded");
        assert_eq!(at(object, 0), fix(3));
    });
}

/// A pin is a root: what it holds is no dead object, for weak references, ephemerons and guardians alike.
fn weak_and_pinned() {
    for_each_kind(|m, kind| {
        let held = pair(m, fix(1), fix(2));
        m.pin(held).expect("an object");
        let g = pair(m, Value::NIL, Value::NIL);
        m.push(g);
        m.guard(g, held, held).expect("memory");
        let weak = m.weak_pair(held, Value::NIL).expect("room");
        m.push(weak);
        let e = m.ephemeron(held, fix(5)).expect("room");
        m.push(e);
        let v = m.weak_vector(2, held).expect("room");
        m.push(v);
        m.collect(kind);
        assert_eq!(at(m.get(1), weak_pair::CAR), held);
        assert_eq!(at(m.get(2), ephemeron::VALUE), fix(5));
        assert_eq!(at(m.get(3), weak_vector::FIRST + 1), held);
        assert_eq!(m.guardian_next(m.get(0)), None);
        assert_eq!(m.unpin(held), Ok(0));
        m.collect(Collect::Full);
        // The guardian keeps it once more.
        assert_eq!(at(m.get(2), ephemeron::VALUE), fix(5));
        assert!(m.guardian_next(m.get(0)).is_some());
        m.collect(Collect::Full);
        assert_eq!(at(m.get(1), weak_pair::CAR), Value::BROKEN);
        assert_eq!(at(m.get(2), ephemeron::VALUE), Value::BROKEN);
        assert_eq!(at(m.get(3), weak_vector::FIRST), Value::BROKEN);
    });
}

/// What is frozen lives for ever, so weak references to it stay; guardians find what waits for them.
fn weak_things_freeze() {
    let (heap, mut m) = heap();
    let g = pair(&mut m, fix(1), Value::NIL);
    m.push(g);
    let object = pair(&mut m, fix(2), Value::NIL);
    m.guard(g, object, object).expect("memory");
    m.collect(Collect::Full);
    let kept = pair(&mut m, fix(3), Value::NIL);
    m.push(kept);
    let g = m.get(0);
    m.guard(g, kept, fix(33)).expect("memory");
    let e = m.ephemeron(kept, fix(4)).expect("room");
    m.push(e);
    let lost = pair(&mut m, fix(5), Value::NIL);
    let weak = m.weak_pair(lost, Value::NIL).expect("room");
    m.push(weak);
    m.collect(Collect::Full);
    heap.freeze(&mut m, &mut |_| {}).expect("nothing is pinned");
    assert!(heap.in_boot_heap(m.get(0)) && heap.in_boot_heap(m.get(2)));
    let back = m.guardian_next(m.get(0)).expect("it waited");
    assert_eq!(at(back, 0), fix(2));
    assert_eq!(at(m.get(3), weak_pair::CAR), Value::BROKEN);
    m.set(1, Value::NIL);
    m.collect(Collect::Full);
    assert_eq!(at(m.get(2), ephemeron::VALUE), fix(4));
    assert_eq!(m.guardian_next(m.get(0)), None, "what is frozen never dies");
    // Old and frozen ephemerons of young keys.
    let young = pair(&mut m, fix(6), Value::NIL);
    let e = m.get(2);
    put(&mut m, e, ephemeron::KEY, young);
    m.collect(Collect::Minor);
    assert_eq!(
        at(at(m.get(2), ephemeron::KEY), 0),
        fix(6),
        "strong in the boot heap"
    );
}
