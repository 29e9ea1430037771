//! The plan `latency`: marking beside the program.
//!
//! Trials change the heap between the two pauses of a collection. The second comes no sooner than the thread lets
//! it, at a safepoint; how far marking has come meanwhile is the machine's affair, so they go through many rounds.
//! The heap verifies itself at every pause: a reachable object that was not marked ends the process.
//!
//! Nothing moves while no full collection with one pause is asked for, so values in variables stay good.

use crate::support::*;
use bowline_gc::{CallFrame, Collect, Heap, HeapConfig, Mutator, Plan, Zeal};
use bowline_layout::{Header, Shape, Tag, TypeId, Value, bytevector, ephemeron, weak_pair};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    case("latency marks beside the program", marks_beside),
    case("latency keeps what was cut loose", cut_loose),
    case("latency keeps what a long vector held", long_vectors),
    case("latency keeps what a detached thread cut", cut_and_detached),
    case("latency keeps what was read from weak words", weak_reads),
    case("latency keeps what left a queue", queues),
    case("latency keeps what was made meanwhile", made_meanwhile),
    case("latency keeps what was pinned in the beginning", pins),
    case("latency and immovable objects", immovable),
    case("latency frees what was garbage when asked", kinds),
    case("latency ends although all threads are in C", all_in_c),
    case("latency at the limit", limit),
    case("latency and threads that change a graph", threads),
    case("latency under zeal moves everything", zeal),
    case("latency and a freeze", freeze),
];

pub(crate) fn latency() -> (&'static Heap, Box<Mutator>) {
    heap_with(HeapConfig {
        plan: Plan::Latency,
        verify: true,
        ..HeapConfig::default()
    })
}

/// Comes back when marking has begun.
pub(crate) fn begin(m: &mut Mutator) {
    let heap = m.heap();
    while !heap.is_marking() {
        heap.request_collection();
        m.poll();
    }
}

/// Comes back when it has ended.
pub(crate) fn finish(m: &mut Mutator) {
    while m.heap().is_marking() {
        m.poll();
    }
}

/// Changes something between the pauses of a collection with `f`, again and again. What `f` pushed is for
/// `check` and is popped.
fn rounds(m: &mut Mutator, mut f: impl FnMut(&mut Mutator), mut check: impl FnMut(&mut Mutator)) {
    let height = m.len();
    for _ in 0..20 {
        begin(m);
        f(m);
        finish(m);
        check(m);
        m.truncate(height);
    }
}

/// Pairs in [`ballast`], and those between two that it returns.
pub(crate) const BALLAST: i64 = 60_000;
const EVERY: i64 = 5_000;

/// Pushes a list that takes a while to mark, and returns some of its pairs, the last first.
pub(crate) fn ballast(m: &mut Mutator) -> Vec<Value> {
    let (mut list, mut some) = (Value::NIL, Vec::new());
    for i in 0..BALLAST {
        list = pair(m, fix(i), list);
        if i % EVERY == EVERY - 1 {
            some.push(list);
        }
    }
    m.push(list);
    some
}

pub(crate) fn weak(m: &mut Mutator, car: Value) -> Value {
    m.weak_pair(car, Value::NIL).unwrap()
}

fn marks_beside() {
    let (heap, mut m) = latency();
    ballast(&mut m);
    begin(&mut m);
    garbage(&mut m, 1000);
    finish(&mut m);
    let s = heap.stats();
    assert_eq!((s.collections, s.minor, s.major), (1, 0, 1));
    assert_eq!((s.concurrent, s.fallbacks, s.moved_objects), (1, 0, 0));
    assert!(s.marking_ns > 0 && s.total_pause_ns > s.max_pause_ns);
    m.collect(Collect::Minor);
    assert_eq!(heap.stats().concurrent, 2);
    m.collect(Collect::Full);
    let s = heap.stats();
    assert_eq!((s.major, s.concurrent, s.fallbacks), (3, 2, 0));
    let list = m.get(0);
    check_list(list, BALLAST);
}

/// Cuts the list behind some pairs and pushes what is cut off.
pub(crate) fn cut(m: &mut Mutator, some: &[Value]) {
    for &p in some {
        let rest = at(p, 1);
        m.push(rest);
        put(m, p, 1, Value::NIL);
    }
}

fn cut_loose() {
    let (_, mut m) = latency();
    let some = ballast(&mut m);
    let height = m.len();
    rounds(
        &mut m,
        |m| cut(m, &some),
        |m| {
            for (i, &p) in some.iter().enumerate() {
                let rest = m.get(height + i);
                put(m, p, 1, rest);
            }
            let list = m.get(0);
            check_list(list, BALLAST);
        },
    );
}

fn long_vectors() {
    let (_, mut m) = latency();
    ballast(&mut m);
    for n in [200, 20_000] {
        let v = vector(&mut m, n);
        m.push(v);
        let slot = m.len() - 1;
        for i in 1..=n {
            let inner = pair(&mut m, fix(i as i64), Value::NIL);
            let p = pair(&mut m, inner, Value::NIL);
            let v = m.get(slot);
            put(&mut m, v, i, p);
        }
        rounds(
            &mut m,
            |m| {
                let v = m.get(slot);
                for i in (1..=n).rev().step_by(7) {
                    m.push(at(v, i));
                    put(m, v, i, fix(0));
                    put(m, v, i, Value::NIL);
                }
            },
            |m| {
                let v = m.get(slot);
                for (k, i) in (1..=n).rev().step_by(7).enumerate() {
                    let p = m.get(slot + 1 + k);
                    assert_eq!(at(at(p, 0), 0), fix(i as i64));
                    put(m, v, i, p);
                }
            },
        );
    }
}

fn cut_and_detached() {
    let (heap, mut m) = latency();
    let some = ballast(&mut m);
    let rest = heap.new_global(Value::NIL);
    let middle = some[some.len() / 2];
    rounds(
        &mut m,
        |m| {
            m.enter_native();
            let bits = middle.bits();
            let rest = &rest;
            std::thread::scope(|s| {
                s.spawn(move || {
                    let mut m = heap.attach();
                    let middle = Value::from_bits(bits);
                    heap.set_global(rest, at(middle, 1));
                    put(&mut m, middle, 1, Value::NIL);
                });
            });
            m.leave_native();
        },
        |m| {
            let cut = heap.global(&rest);
            put(m, middle, 1, cut);
            let list = m.get(0);
            check_list(list, BALLAST);
        },
    );
}

fn weak_reads() {
    let (_, mut m) = latency();
    ballast(&mut m);
    let made = vector(&mut m, 64);
    m.push(made);
    let height = m.len();
    rounds(
        &mut m,
        |m| {
            let made = m.get(height - 1);
            for i in (1..=64).step_by(2) {
                let w = at(made, i);
                m.push(match w.is_pointer() {
                    // SAFETY: a live weak pair.
                    true => unsafe { m.read_weak(w, weak_pair::CAR) },
                    false => w,
                });
            }
        },
        |m| {
            let made = m.get(height - 1);
            for i in 1..=64 {
                let w = at(made, i);
                if w.is_pointer() && i % 2 == 0 {
                    assert_eq!(at(w, weak_pair::CAR), Value::BROKEN);
                } else if w.is_pointer() {
                    let v = m.get(height + i / 2);
                    assert_eq!(at(w, weak_pair::CAR), v);
                    // On a busy machine a marking may come and go before `begin` sees one.
                    assert!(v == Value::BROKEN || at(at(v, 0), 1) == fix(i as i64));
                }
                let inner = pair(m, fix(0), fix(i as i64));
                let outer = pair(m, inner, Value::NIL);
                let w = weak(m, outer);
                put(m, made, i, w);
            }
        },
    );
}

fn queues() {
    let (heap, mut m) = latency();
    ballast(&mut m);
    let g = vector(&mut m, 1);
    m.push(g);
    let label = heap.owner_label("a test");
    let height = m.len();
    rounds(
        &mut m,
        |m| {
            let g = m.get(height - 1);
            while let Some(v) = m.guardian_next(g) {
                m.push(v);
            }
            while let Some((pointer, finalizer)) = m.next_finalizable() {
                m.push(pointer);
                m.push(finalizer);
            }
        },
        |m| {
            for i in height..m.len() {
                let v = m.get(i);
                assert!(v.is_pair() || v.tag() == Some(Tag::Object), "{v:?}");
                assert!(!v.is_pair() || at(at(v, 0), 0) == fix(7));
            }
            for _ in 0..10 {
                let inner = pair(m, fix(7), Value::NIL);
                let v = pair(m, inner, Value::NIL);
                let g = m.get(height - 1);
                m.guard(g, v, v).expect("memory");
                let v = pointer(m, 64);
                m.push(v);
                let inner = pair(m, fix(7), Value::NIL);
                let finalizer = pair(m, inner, Value::NIL);
                let v = m.pop();
                m.attach_finalizer(v, finalizer, 1, label).expect("memory");
            }
            m.collect(Collect::Minor);
            assert_eq!(heap.finalizers_waiting(), 10);
        },
    );
}

fn made_meanwhile() {
    let (_, mut m) = latency();
    ballast(&mut m);
    let keep = vector(&mut m, 5);
    m.push(keep);
    let slot = m.len() - 1;
    for round in 0..20 {
        begin(&mut m);
        let p = pair(&mut m, fix(round), fix(round + 1));
        m.push(p);
        let w = weak(&mut m, p);
        m.push(w);
        let e = m.ephemeron(p, w).unwrap();
        m.push(e);
        let large = vector(&mut m, 5_000);
        m.push(large);
        let fixed = m
            .alloc_immovable(Header::new(Shape::Values, TypeId(40), 3), Tag::Object)
            .unwrap();
        put(&mut m, large, 5_000, p);
        put(&mut m, fixed, 3, large);
        m.truncate(slot + 1);
        let keep = m.get(slot);
        for (i, v) in [p, w, e, large, fixed].into_iter().enumerate() {
            put(&mut m, keep, 1 + i, v);
        }
        garbage(&mut m, 500);
        finish(&mut m);
        if round % 5 == 4 {
            m.collect(Collect::Minor);
        }
        let keep = m.get(slot);
        let p = at(keep, 1);
        assert_eq!((at(p, 0), at(p, 1)), (fix(round), fix(round + 1)));
        assert_eq!(at(at(keep, 2), weak_pair::CAR), p);
        let e = at(keep, 3);
        assert_eq!(at(e, ephemeron::KEY), p);
        assert_eq!(at(e, ephemeron::VALUE), at(keep, 2));
        assert_eq!(at(at(keep, 4), 5_000), p);
        assert_eq!(at(at(keep, 5), 3), at(keep, 4));
    }
}

fn pins() {
    let (_, mut m) = latency();
    ballast(&mut m);
    let height = m.len();
    for i in 0..20 {
        let held = pair(&mut m, fix(i), Value::NIL);
        assert_eq!(m.pin(held), Ok(1));
        let inner = pair(&mut m, fix(i), Value::NIL);
        let lent = [pair(&mut m, inner, Value::NIL)];
        let mut frame = CallFrame::new(&lent);
        // SAFETY: popped below, and nothing else is pushed.
        unsafe { m.push_call(&mut frame) };
        begin(&mut m);
        assert_eq!(m.unpin(held), Ok(0));
        // SAFETY: the innermost.
        unsafe { m.pop_call(&mut frame) };
        m.push(held);
        m.push(at(lent[0], 0));
        finish(&mut m);
        assert_eq!(at(m.get(height), 0), fix(i));
        assert_eq!(at(m.get(height + 1), 0), fix(i));
        assert_eq!(m.pin(held), Ok(1));
        m.truncate(height);
        m.collect(Collect::Full);
        assert_eq!(at(held, 0), fix(i), "a pin keeps it where it is");
        assert_eq!(m.unpin(held), Ok(0));
    }
    assert!(m.heap().stats().pinned_objects > 0);
}

fn immovable() {
    let (_, mut m) = latency();
    let some = ballast(&mut m);
    let header = Header::new(Shape::Values, TypeId(40), 2);
    let fixed = m.alloc_immovable(header, Tag::Object).unwrap();
    m.push(fixed);
    let bytes = m.alloc_immovable(bytevector::header(100), Tag::Object);
    m.push(bytes.unwrap());
    let places = [m.get(1), m.get(2)];
    let middle = some[some.len() / 2];
    let rest = at(middle, 1);
    put(&mut m, fixed, 1, rest);
    put(&mut m, middle, 1, Value::NIL);
    let height = m.len();
    // Its only way leads through an immovable object.
    rounds(
        &mut m,
        |m| {
            let rest = at(fixed, 1);
            m.push(rest);
            put(m, fixed, 1, Value::NIL);
        },
        |m| {
            let rest = m.get(height);
            put(m, fixed, 1, rest);
        },
    );
    put(&mut m, middle, 1, at(fixed, 1));
    let list = m.get(0);
    check_list(list, BALLAST);
    m.collect(Collect::Full);
    assert_eq!([m.get(1), m.get(2)], places);
}

fn kinds() {
    let (heap, mut m) = latency();
    ballast(&mut m);
    for kind in [Collect::Minor, Collect::Full, Collect::Minor] {
        for marking in [false, true] {
            let whole = heap.stats().major - heap.stats().concurrent;
            if marking {
                begin(&mut m);
            }
            let dead = pair(&mut m, fix(1), fix(2));
            let w = weak(&mut m, dead);
            m.push(w);
            m.collect(kind);
            assert_eq!(at(m.pop(), weak_pair::CAR), Value::BROKEN);
            let stops = u64::from(kind == Collect::Full);
            let s = heap.stats();
            assert_eq!(s.major - s.concurrent - whole, stops, "{kind:?}");
        }
    }
    assert_eq!(heap.stats().fallbacks, 0);
}

fn all_in_c() {
    let (heap, mut m) = latency();
    ballast(&mut m);
    for _ in 0..5 {
        let before = heap.collections();
        begin(&mut m);
        m.enter_native();
        // Minutes would pass if nobody asked.
        for _ in 0..60_000 {
            if heap.collections() > before {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        m.leave_native();
        assert!(heap.collections() > before, "nobody ended the marking");
    }
}

fn limit() {
    let (heap, mut m) = heap_with(HeapConfig {
        plan: Plan::Latency,
        limit: Some(24 * MIB),
        ..HeapConfig::default()
    });
    for _ in 0..4 {
        m.push(Value::NIL);
        let mut filled = 0;
        while let Ok(p) = m.alloc_pair(fix(filled), m.get(0)) {
            m.set(0, p);
            filled += 1;
            m.poll();
        }
        assert!(filled as usize * 16 > 15 * MIB, "{filled} pairs filled it");
        let list = m.get(0);
        check_list(list, filled);
        m.truncate(0);
        let l = crate::support::list(&mut m, 1000);
        check_list(l, 1000);
    }
    let s = heap.stats();
    assert!(s.fallbacks > 0 && s.concurrent > 0, "{s:?}");
}

/// Trees of pairs whose leaves are `(n . -n)`: the sum of all is 0 as long as each is whole.
fn tree(m: &mut Mutator, depth: u32, n: i64) -> Value {
    if depth == 0 {
        return pair(m, fix(n), fix(-n));
    }
    let left = tree(m, depth - 1, n + 1);
    m.push(left);
    let right = tree(m, depth - 1, n + 2);
    let left = m.pop();
    pair(m, left, right)
}

fn leaves(v: Value) -> i64 {
    let (left, right) = (at(v, 0), at(v, 1));
    match (left.as_fixnum(), right.as_fixnum()) {
        (Some(a), Some(b)) => {
            assert_eq!(a + b, 0);
            1
        }
        _ => leaves(left) + leaves(right),
    }
}

const TREES: usize = 64;
const DEPTH: u32 = 6;

/// One thread's part: moves trees between its table, its stack and the letter boxes that all share.
fn change(heap: &'static Heap, boxes: &[bowline_gc::Global], seed: u64) {
    let mut m = heap.attach();
    let table = vector(&mut m, TREES);
    m.push(table);
    for i in 1..=TREES {
        let t = tree(&mut m, DEPTH, i as i64);
        let table = m.get(0);
        put(&mut m, table, i, t);
    }
    let mut state = seed;
    // Until there were some collections meanwhile, however slow the collector's threads are.
    for step in 0.. {
        if step >= 3_000 && heap.collections() >= 5 {
            break;
        }
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let random = (state >> 33) as usize;
        let (i, j) = (1 + random % TREES, 1 + random / TREES % TREES);
        let table = m.get(0);
        let (a, b) = (at(table, i), at(table, j));
        match random / TREES / TREES % 4 {
            0 => {
                m.push(a);
                put(&mut m, table, i, Value::NIL);
                m.poll();
                let (table, a) = (m.get(0), m.pop());
                put(&mut m, table, i, at(table, j));
                put(&mut m, table, j, a);
            }
            1 => {
                let (left, right) = (at(a, 0), at(b, 1));
                put(&mut m, a, 0, right);
                put(&mut m, b, 1, left);
            }
            2 => {
                let shared = &boxes[random % boxes.len()];
                let theirs = heap.global(shared);
                heap.set_global(shared, a);
                if theirs.is_pair() {
                    put(&mut m, table, i, theirs);
                }
                let t = tree(&mut m, DEPTH, step);
                let table = m.get(0);
                put(&mut m, table, j, t);
            }
            _ => {
                let t = tree(&mut m, DEPTH, step);
                let table = m.get(0);
                put(&mut m, table, j, t);
            }
        }
        if step % 100 == 0 {
            heap.request_collection();
        }
        m.poll();
    }
    for i in 1..=TREES {
        assert!(leaves(at(m.get(0), i)) > 0);
    }
}

fn threads() {
    let (heap, mut m) = latency();
    ballast(&mut m);
    let boxes: Vec<_> = (0..8).map(|_| heap.new_global(Value::NIL)).collect();
    m.enter_native();
    std::thread::scope(|s| {
        for seed in 1..=3 {
            let boxes = &boxes;
            s.spawn(move || change(heap, boxes, seed));
        }
    });
    m.leave_native();
    m.collect(Collect::Minor);
    let list = m.get(0);
    check_list(list, BALLAST);
    assert!(heap.stats().concurrent >= 5, "{:?}", heap.stats());
}

fn zeal() {
    let (heap, mut m) = heap_with(HeapConfig {
        plan: Plan::Latency,
        zeal: Zeal::Allocation(20),
        ..HeapConfig::default()
    });
    let fixed = m.alloc_immovable(bytevector::header(10), Tag::Object);
    m.push(fixed.unwrap());
    let l = list(&mut m, 300);
    check_list(l, 300);
    let s = heap.stats();
    assert!(s.moved_objects > 1000 && s.major >= 15, "{s:?}");
    assert_eq!((s.concurrent, s.fallbacks), (0, 0));
    assert!(!heap.is_marking());
}

fn freeze() {
    let (heap, mut m) = latency();
    ballast(&mut m);
    begin(&mut m);
    heap.freeze(&mut m, &mut |_| ()).expect("it fits");
    assert!(!heap.is_marking() && heap.in_boot_heap(m.get(0)));
    let list = m.get(0);
    check_list(list, BALLAST);
    let p = pair(&mut m, fix(1), Value::NIL);
    m.push(p);
    let w = weak(&mut m, p);
    m.push(w);
    // No root leads into the heap but the collector's own.
    let table = heap.new_global(w);
    m.truncate(1);
    for _ in 0..3 {
        m.collect(Collect::Minor);
    }
    assert_eq!(at(heap.global(&table), weak_pair::CAR), Value::BROKEN);
}
