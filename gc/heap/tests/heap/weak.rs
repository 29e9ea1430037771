//! Weak pairs, ephemerons, weak vectors and guardians.

use crate::support::*;
use bowline_gc::{Collect, Mutator};
use bowline_layout::{Header, Shape, Tag, TypeId, Value, weak_pair};

pub(crate) const CASES: &[Case] = &[
    everywhere("weak pairs break", weak_pairs_break),
    everywhere(
        "weak pairs hold large and immovable",
        weak_pairs_hold_other_spaces,
    ),
    everywhere("a changed old weak pair is seen", changed_old_weak_pair),
    everywhere("weak vectors break", weak_vectors_break),
    everywhere("ephemerons live with their key", ephemerons),
    everywhere("guardians resurrect", guardians_resurrect),
    everywhere("guardian entries die with it", guardian_entries_die),
    everywhere("weak pairs keep the resurrected", weak_keeps_resurrected),
    everywhere("representatives stand in", representatives),
];

fn weak(m: &mut Mutator, car: Value, cdr: Value) -> Value {
    m.weak_pair(car, cdr).unwrap()
}

fn weak_pairs_break() {
    for_each_kind(|m, kind| {
        let alive = pair(m, fix(1), fix(1));
        m.push(alive);
        let w = weak(m, alive, Value::NIL);
        m.push(w);
        let dead = pair(m, fix(2), fix(2));
        let tail = m.get(1);
        let w = weak(m, dead, tail);
        m.set(1, w);
        let number = weak(m, fix(5), Value::NIL);
        m.push(number);
        m.collect(kind);
        let w = m.get(1);
        assert_eq!(at(w, weak_pair::CAR), Value::BROKEN);
        assert_eq!(at(at(w, weak_pair::CDR), weak_pair::CAR), m.get(0));
        assert_eq!(at(m.get(2), weak_pair::CAR), fix(5));
        assert_eq!(at(m.get(0), 0), fix(1));
    });
}

fn weak_pairs_hold_other_spaces() {
    for_each_kind(|m, kind| {
        let header = Header::new(Shape::Values, TypeId(40), 4);
        let large = vector(m, 10_000);
        m.push(large);
        let fixed = m.alloc_immovable(header, Tag::Object).unwrap();
        m.push(fixed);
        for v in [large, fixed] {
            let w = weak(m, v, Value::NIL);
            m.push(w);
        }
        let doomed = vector(m, 10_000);
        let w = weak(m, doomed, Value::NIL);
        m.push(w);
        m.collect(kind);
        assert_eq!(at(m.get(2), weak_pair::CAR), large);
        assert_eq!(at(m.get(3), weak_pair::CAR), fixed);
        assert_eq!(at(m.get(4), weak_pair::CAR), Value::BROKEN);
    });
}

fn changed_old_weak_pair() {
    let (_, mut m) = heap();
    let w = weak(&mut m, fix(0), Value::NIL);
    m.push(w);
    m.collect(Collect::Full);
    let (w, p) = (m.get(0), pair(&mut m, fix(3), fix(4)));
    m.push(p);
    put(&mut m, w, weak_pair::CAR, p);
    m.collect(Collect::Minor);
    assert_eq!(at(m.get(0), weak_pair::CAR), m.get(1));
    let p = pair(&mut m, fix(5), fix(6));
    let w = m.get(0);
    put(&mut m, w, weak_pair::CAR, p);
    m.collect(Collect::Minor);
    assert_eq!(at(m.get(0), weak_pair::CAR), Value::BROKEN);
}

fn weak_vectors_break() {
    for_each_kind(|m, kind| {
        let p = pair(m, fix(1), fix(1));
        m.push(p);
        let v = m.weak_vector(3, fix(0)).expect("room");
        m.push(v);
        let dead = pair(m, fix(2), fix(2));
        let (p, v) = (m.get(0), m.get(1));
        put(m, v, 1, p);
        put(m, v, 2, dead);
        m.collect(kind);
        let v = m.get(1);
        assert_eq!(
            (at(v, 1), at(v, 2), at(v, 3)),
            (m.get(0), Value::BROKEN, fix(0))
        );
    });
}

/// k0 → k1 → … by ephemerons: keeping k0 keeps the chain, and a chain from no root dies.
fn ephemerons() {
    for_each_kind(|m, kind| {
        let first = m.len();
        for i in 0..6 {
            let k = pair(m, fix(i), Value::NIL);
            m.push(k);
        }
        let chain = [(0, 1), (1, 2), (3, 4), (4, 5)];
        for (k, v) in chain.into_iter().rev() {
            let (key, value) = (m.get(first + k), m.get(first + v));
            let e = m.ephemeron(key, value).expect("room");
            m.push(e);
        }
        for i in 1..6 {
            m.set(first + i, Value::NIL);
        }
        m.collect(kind);
        let e = |m: &Mutator, i: usize| m.get(first + 9 - i);
        assert_eq!(at(e(m, 0), 1), m.get(first));
        assert_eq!(at(at(e(m, 0), 2), 0), fix(1));
        assert_eq!(at(e(m, 0), 2), at(e(m, 1), 1));
        assert_eq!(at(at(e(m, 1), 2), 0), fix(2));
        for i in [2, 3] {
            assert_eq!(
                (at(e(m, i), 1), at(e(m, i), 2)),
                (Value::BROKEN, Value::BROKEN)
            );
        }
    });
}

fn guardians_resurrect() {
    for_each_kind(|m, kind| {
        let g = pair(m, Value::NIL, Value::NIL);
        m.push(g);
        for i in 0..10 {
            let v = pair(m, fix(i), Value::NIL);
            if i % 2 == 0 {
                m.push(v);
            }
            let g = m.get(0);
            m.guard(g, v, v).expect("memory");
        }
        m.collect(kind);
        let g = m.get(0);
        let mut got = Vec::new();
        while let Some(v) = m.guardian_next(g) {
            got.push(at(v, 0).as_fixnum().unwrap());
        }
        got.sort_unstable();
        assert_eq!(got, [1, 3, 5, 7, 9]);
        m.truncate(1);
        m.collect(Collect::Full);
        let g = m.get(0);
        assert_eq!(std::iter::from_fn(|| m.guardian_next(g)).count(), 5);
        m.collect(Collect::Full);
        assert_eq!(m.guardian_next(m.get(0)), None);
    });
}

fn guardian_entries_die() {
    for_each_kind(|m, kind| {
        let g = pair(m, Value::NIL, Value::NIL);
        m.push(g);
        let v = pair(m, fix(1), Value::NIL);
        m.push(v);
        let (g, v) = (m.get(0), m.get(1));
        m.guard(g, v, v).expect("memory");
        let w = weak(m, v, Value::NIL);
        m.truncate(0);
        m.push(w);
        m.collect(kind);
        assert_eq!(at(m.get(0), weak_pair::CAR), Value::BROKEN);
    });
}

fn weak_keeps_resurrected() {
    for_each_kind(|m, kind| {
        let g = pair(m, Value::NIL, Value::NIL);
        m.push(g);
        let child = pair(m, fix(8), Value::NIL);
        let v = pair(m, child, Value::NIL);
        m.push(v);
        let child = at(v, 0);
        m.push(child);
        for i in [1, 2] {
            let v = m.get(i);
            let w = weak(m, v, Value::NIL);
            m.push(w);
        }
        let (g, v) = (m.get(0), m.get(1));
        m.guard(g, v, v).expect("memory");
        m.set(1, Value::NIL);
        m.set(2, Value::NIL);
        m.collect(kind);
        let back = m.guardian_next(m.get(0)).expect("resurrected");
        assert_eq!(at(m.get(3), weak_pair::CAR), back);
        assert_eq!(at(m.get(4), weak_pair::CAR), at(back, 0));
        assert_eq!(at(at(back, 0), 0), fix(8));
    });
}

fn representatives() {
    for_each_kind(|m, kind| {
        let g = pair(m, Value::NIL, Value::NIL);
        m.push(g);
        let v = pair(m, fix(1), Value::NIL);
        m.push(v);
        let agent = pair(m, fix(99), Value::NIL);
        m.push(agent);
        let w = weak(m, v, Value::NIL);
        m.push(w);
        let (g, v, agent) = (m.get(0), m.get(1), m.get(2));
        m.guard(g, v, agent).expect("memory");
        m.set(1, Value::NIL);
        m.set(2, Value::NIL);
        m.collect(Collect::Minor);
        m.collect(kind);
        let back = m.guardian_next(m.get(0)).expect("its agent");
        assert_eq!(at(back, 0), fix(99));
        assert_eq!(at(m.get(3), weak_pair::CAR), Value::BROKEN);
    });
}
