//! Promotion: what was promoted stays as long as it lives, whoever did it and whatever runs beside, and its place is
//! free afterwards.

use crate::pins::moving;
use crate::support::*;
use bowline_gc::{Collect, HeapConfig, Mutator, PinError, Plan, Refusal, Zeal};
use bowline_layout::{Header, Shape, Tag, TypeId, Value, bytevector, weak_pair};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) const CASES: &[Case] = &[
    everywhere("promoted objects stay", stay),
    everywhere("promoted objects die", die),
    everywhere("a place is free when its promoted object is dead", places),
    everywhere("threads promote while others collect", threads),
    everywhere("promotion without memory is refused", no_memory),
    case("promoted objects stay under zeal", zeal),
    case("promoted while marking", while_marking).wanting(has_latency),
    case("no memory for an immovable object", no_memory_for_immovable).wanting(has_latency),
];

fn stay() {
    let (heap, mut m) = heap_with(moving());
    for kind in [Collect::Minor, Collect::Full] {
        m.truncate(0);
        let v = pair(&mut m, fix(1), fix(2));
        m.push(v);
        let w = pair(&mut m, fix(3), fix(4));
        m.push(w);
        let v = m.get(0);
        assert!(!m.is_pinned(v));
        assert_eq!((m.promote(v), m.promote(v)), (Ok(true), Ok(false)));
        assert!(m.is_pinned(v));
        for _ in 0..3 {
            m.collect(kind);
            assert_eq!(m.get(0), v);
        }
        assert_moved(heap, w, m.get(1), "the other");
        // A count on top of it changes nothing.
        assert_eq!((m.pin(v), m.unpin(v)), (Ok(1), Ok(0)));
        for kind in [Collect::Full, Collect::Minor, Collect::Full] {
            m.collect(kind);
            assert_eq!(m.get(0), v);
            assert!(m.is_pinned(v));
        }
        assert_eq!((at(v, 0), at(v, 1)), (fix(1), fix(2)));
    }
    assert_eq!(heap.promoted(), 2);
    let large = vector(&mut m, 10_000);
    assert_eq!(m.promote(large), Ok(false), "it never moves");
    assert_eq!(m.promote(fix(1)), Err(PinError::NotAnObject(fix(1))));
    assert_eq!(heap.promoted(), 2);
}

/// Pushes a weak pair to the first of 20,000 promoted pairs of which none lives, and returns where they stand.
fn promote_garbage(m: &mut Mutator) -> HashSet<usize> {
    let mut places = HashSet::new();
    for i in 0..20_000 {
        m.poll();
        let v = pair(m, fix(i), Value::NIL);
        m.promote(v).expect("an object");
        places.insert(v.addr().raw());
        if i == 0 {
            let weak = m.weak_pair(v, Value::NIL).expect("room");
            m.push(weak);
        }
    }
    places
}

/// Promotion keeps nothing alive, and what comes to its place later is not taken for promoted.
fn die() {
    let (_, mut m) = limited(16 * MIB);
    for kind in [Collect::Minor, Collect::Full] {
        m.truncate(0);
        let places = promote_garbage(&mut m);
        m.collect(kind);
        assert_eq!(at(m.get(0), weak_pair::CAR), Value::BROKEN);
        let mut again = 0;
        // More than the heap holds, so that every place is used.
        for i in 0..2_000_000 {
            m.poll();
            let v = pair(&mut m, fix(i), Value::NIL);
            if places.contains(&v.addr().raw()) {
                assert!(!m.is_pinned(v));
                again += 1;
            }
        }
        assert!(again > 0, "no place was used again");
    }
}

/// What is made where a promoted object was moves.
fn places() {
    let (heap, mut m) = heap_with(HeapConfig {
        limit: Some(16 * MIB),
        ..moving()
    });
    let places = promote_garbage(&mut m);
    m.collect(Collect::Full);
    let mut found = Vec::new();
    while found.len() < 100 {
        m.poll();
        let v = pair(&mut m, fix(7), Value::NIL);
        if places.contains(&v.addr().raw()) {
            found.push(v);
            m.push(v);
            // A poll may have moved those before.
            (0..found.len()).for_each(|i| found[i] = m.get(1 + i));
        }
    }
    m.collect(Collect::Full);
    for (i, before) in found.into_iter().enumerate() {
        assert_moved(
            heap,
            before,
            m.get(1 + i),
            "in the place of a promoted object",
        );
        assert_eq!(at(m.get(1 + i), 0), fix(7));
    }
}

/// Threads promote objects of their own, and the same shared ones, while each collects now and then.
fn threads() {
    const THREADS: usize = 6;
    const EACH: usize = 60;
    let (heap, mut m) = heap_with(HeapConfig {
        verify: false,
        ..moving()
    });
    let shared: Vec<_> = (0..EACH)
        .map(|i| {
            let v = pair(&mut m, fix(i as i64), Value::NIL);
            heap.new_global(v)
        })
        .collect();
    let first = AtomicUsize::new(0);
    m.enter_native();
    std::thread::scope(|scope| {
        for t in 0..THREADS {
            let (shared, first) = (&shared, &first);
            scope.spawn(move || {
                let mut m = heap.attach();
                let mut places = Vec::new();
                for (i, global) in shared.iter().enumerate() {
                    let v = pair(&mut m, fix(i as i64), Value::NIL);
                    m.push(v);
                    assert_eq!(m.promote(v), Ok(true));
                    let both = heap.global(global);
                    first.fetch_add(usize::from(m.promote(both) == Ok(true)), Ordering::Relaxed);
                    places.push((v, both));
                    garbage(&mut m, 10);
                    if i % 20 == 3 * t {
                        m.collect(if t % 2 == 0 {
                            Collect::Minor
                        } else {
                            Collect::Full
                        });
                    }
                }
                for (i, (own, both)) in places.into_iter().enumerate() {
                    assert_eq!((m.get(i), heap.global(&shared[i])), (own, both));
                    assert_eq!(at(own, 0), fix(i as i64));
                    assert_eq!(at(both, 0), fix(i as i64));
                }
            });
        }
    });
    m.leave_native();
    assert_eq!(first.into_inner(), EACH, "each is promoted by one thread");
    assert_eq!(heap.promoted(), ((THREADS + 1) * EACH) as u64);
}

/// A heap in which the `nth` that asks for memory from [`bowline_gc::Heap::begin_refusals`] on is refused it.
fn refusing(nth: u64, plan: Plan) -> HeapConfig {
    HeapConfig {
        plan,
        refusal: Some(Refusal {
            nth,
            lasting: false,
            early: false,
        }),
        ..HeapConfig::default()
    }
}

/// Makes enough garbage that what is made next has a page of counters of its own.
fn far(m: &mut Mutator) {
    garbage(m, (1 << 20) / 16);
}

fn no_memory() {
    let (heap, mut m) = heap_with(refusing(1, Plan::CompactTest));
    far(&mut m);
    let v = pair(&mut m, fix(1), fix(2));
    m.push(v);
    let v = m.get(0);
    heap.begin_refusals();
    let refused = PinError::OutOfMemory(v);
    assert_eq!(m.promote(v), Err(refused));
    assert_eq!(
        refused.to_string(),
        format!("no memory to hold {v:?} in its place")
    );
    assert!(!m.is_pinned(v));
    assert_eq!(heap.promoted(), 0);
    m.collect(Collect::Full);
    assert_moved(heap, v, m.get(0), "what was not promoted");
    let v = m.get(0);
    assert_eq!(m.promote(v), Ok(true));
    m.collect(Collect::Full);
    assert_eq!(m.get(0), v);
}

fn no_memory_for_immovable() {
    // Its room asks, and then the page that says that it stays.
    let (heap, mut m) = heap_with(refusing(2, Plan::Latency));
    far(&mut m);
    heap.begin_refusals();
    let header = Header::new(Shape::Values, TypeId(40), 2);
    let refused = m.alloc_immovable(header, Tag::Object).unwrap_err();
    assert_eq!(refused.requested, 24);
    assert_eq!(heap.promoted(), 0);
    let v = m.alloc_immovable(header, Tag::Object).expect("room");
    assert!(m.is_pinned(v));
}

fn zeal() {
    let (heap, mut m) = heap_with(HeapConfig {
        zeal: Zeal::Allocation(1),
        ..moving()
    });
    let mut places = Vec::new();
    for i in 0..60 {
        let v = m.alloc(bytevector::header(40), Tag::Object).expect("room");
        m.push(v);
        if i % 3 == 0 {
            assert_eq!(m.promote(v), Ok(true));
            places.push((i, v));
        }
        // What is promoted and dead is overwritten like the rest.
        let dead = pair(&mut m, fix(i as i64), Value::NIL);
        assert_eq!(m.promote(dead), Ok(true));
    }
    for (i, v) in places {
        assert_eq!(m.get(i), v);
    }
    assert_eq!(heap.promoted(), 80);
}

fn while_marking() {
    use crate::latency::{BALLAST, ballast, begin, finish, latency};
    let (heap, mut m) = latency();
    ballast(&mut m);
    let height = m.len();
    let before = heap.promoted();
    let mut places = Vec::new();
    for i in 0..20 {
        let old = pair(&mut m, fix(i), Value::NIL);
        m.push(old);
        begin(&mut m);
        // One that is being marked, one that is made meanwhile, and one that dies.
        assert_eq!(m.promote(old), Ok(true));
        let fresh = pair(&mut m, fix(i), Value::NIL);
        m.push(fresh);
        assert_eq!(m.promote(fresh), Ok(true));
        let dead = pair(&mut m, fix(i), Value::NIL);
        assert_eq!(m.promote(dead), Ok(true));
        let dead = m.weak_pair(dead, Value::NIL).expect("room");
        m.push(dead);
        finish(&mut m);
        places.extend([m.get(m.len() - 3), m.get(m.len() - 2)]);
        // This one may move what is not promoted.
        m.collect(Collect::Full);
        let top = m.len();
        assert_eq!([m.get(top - 3), m.get(top - 2)], [old, fresh]);
        assert_eq!(at(m.get(top - 1), weak_pair::CAR), Value::BROKEN);
    }
    for (i, v) in places.into_iter().enumerate() {
        assert_eq!(m.get(height + i / 2 * 3 + i % 2), v);
        assert_eq!(at(v, 0), fix(i as i64 / 2));
        assert!(m.is_pinned(v));
    }
    check_list(m.get(0), BALLAST);
    assert_eq!(heap.promoted() - before, 60);
}
