//! Freezing the heap.

use crate::support::*;
use bowline_gc::{CallFrame, Collect, FreezeError, Heap, HeapConfig, Mutator, Zeal, access};
use bowline_layout::{Flags, Header, Shape, Tag, TypeId, Value, weak_pair};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    case("freeze moves all out of the heap", freeze_moves_all),
    everywhere("a freeze while a collection is wanted", wanted),
    case("frozen objects may change", frozen_objects_may_change),
    case("freeze under zeal", freeze_under_zeal),
    case("what was promoted stays in a freeze", promoted_stay),
    case("what never moves stays in a freeze", immovable_stay),
    case("threads attach while the heap is frozen", threads_attach),
    case("a freeze takes memory for what lives alone", takes_little),
    case("freeze refuses", freeze_refuses),
];

fn nothing(_: &mut dyn FnMut(&mut Value)) {}

/// root 0: a vector of a list, itself, a weak pair of the list, a large vector and a literal.
fn build(m: &mut Mutator) {
    let v = vector(m, 6);
    m.push(v);
    let l = list(m, 100);
    let v = m.get(0);
    put(m, v, 1, l);
    put(m, v, 2, v);
    let w = m.weak_pair(l, Value::NIL).unwrap();
    let v = m.get(0);
    put(m, v, 3, w);
    let large = vector(m, 5000);
    let v = m.get(0);
    put(m, v, 4, large);
    let l = at(v, 1);
    put(m, large, 5000, l);
    let header = Header::new(Shape::Values, TypeId(44), 1).with_flags(Flags::IMMUTABLE);
    let literal = m.alloc(header, Tag::Object).unwrap();
    let v = m.get(0);
    // SAFETY: the object is fresh.
    unsafe { access::init(literal, 1, at(v, 1)) };
    put(m, v, 5, literal);
}

fn check(heap: &Heap, v: Value) {
    check_list(at(v, 1), 100);
    assert_eq!(at(v, 2), v);
    assert_eq!(at(at(v, 3), weak_pair::CAR), at(v, 1));
    assert_eq!(at(at(v, 4), 5000), at(v, 1));
    assert_eq!(at(at(v, 5), 1), at(v, 1));
    for i in 1..6 {
        // The large vector stays.
        assert_eq!(heap.in_boot_heap(at(v, i)), i != 4);
    }
}

fn freeze_moves_all() {
    let (heap, mut m) = heap();
    build(&mut m);
    let global = heap.new_global(m.get(0));
    let mut extra = [at(m.get(0), 1), fix(3)];
    let frozen = heap
        .freeze(&mut m, &mut |f| extra.iter_mut().for_each(f))
        .unwrap();
    // 100 pairs and three more objects, but for the large one.
    assert_eq!((frozen.objects, frozen.kept), (103, 1));
    assert_eq!(heap.global(&global), m.get(0));
    assert_eq!(extra, [at(m.get(0), 1), fix(3)]);
    check(heap, m.get(0));
    let before = m.get(0);
    m.collect(Collect::Full);
    garbage(&mut m, 2_000_000);
    assert_eq!(m.get(0), before);
    check(heap, m.get(0));
    let again = heap.freeze(&mut m, &mut nothing).unwrap();
    assert_eq!((again.objects, again.kept), (0, 1));
}

/// The collector waits for this thread, which freezes instead: that is a safepoint, at which the slots' objects
/// move before the freeze reads them, and which a freeze that is refused was, too.
fn wanted() {
    let (heap, mut m) = heap();
    let pinned = pair(&mut m, fix(1), Value::NIL);
    m.pin(pinned).unwrap();
    for refused in [true, false] {
        let kept = list(&mut m, 10_000);
        m.push(kept);
        let last = list(&mut m, 1000);
        let mut slots = [m.get(0), fix(3), last];
        let before = slots;
        let collections = heap.collections();
        heap.request_collection();
        while !m.stack().poll_wanted() {
            std::hint::spin_loop();
        }
        let frozen = heap.freeze(&mut m, &mut |f| slots.iter_mut().for_each(f));
        assert!(heap.is_marking() || heap.collections() > collections);
        match refused {
            true => {
                assert_eq!(frozen, Err(FreezeError::Pinned));
                m.unpin(pinned).unwrap();
                if is_generational(heap) {
                    assert_ne!(slots[0], before[0], "the nursery has moved");
                }
            }
            false => assert!(slots[0] != before[0] && heap.in_boot_heap(slots[2])),
        }
        assert_eq!((m.pop(), slots[1]), (slots[0], fix(3)));
        check_list(slots[0], 10_000);
        check_list(slots[2], 1000);
    }
}

/// How much memory the system counts as this process's to write.
fn writable() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmData:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB")).unwrap();
    kib.parse::<usize>().unwrap() << 10
}

/// Most of what is in use when a freeze begins is garbage, which only the freeze finds out.
fn takes_little() {
    const GARBAGE: usize = 256 << 20;
    let (heap, mut m) = heap_with(HeapConfig {
        nursery: GARBAGE,
        min_heap: 2 * GARBAGE,
        limit: Some(4 * GARBAGE),
        ..HeapConfig::default()
    });
    build(&mut m);
    while heap.stats().heap_bytes < GARBAGE as u64 / 2 {
        garbage(&mut m, 10_000);
    }
    let before = writable();
    heap.freeze(&mut m, &mut nothing).unwrap();
    let after = writable();
    assert!(after < before + GARBAGE / 8, "{before} became {after}");
    check(heap, m.get(0));
    let more = heap.freeze(&mut m, &mut nothing).unwrap();
    assert_eq!(more.objects, 0);
}

fn frozen_objects_may_change() {
    let (heap, mut m) = heap();
    build(&mut m);
    heap.freeze(&mut m, &mut nothing).unwrap();
    for round in 0..10 {
        let p = pair(&mut m, fix(round), Value::NIL);
        let (v, large) = (m.get(0), at(m.get(0), 4));
        put(&mut m, v, 6, p);
        put(&mut m, large, 17, p);
        m.collect(Collect::Minor);
        m.collect(Collect::Full);
        assert_ne!(at(v, 6), p);
        assert_eq!(at(large, 17), at(v, 6));
        assert_eq!(at(at(v, 6), 0), fix(round));
    }
}

fn freeze_under_zeal() {
    let (heap, mut m) = heap_with(HeapConfig {
        zeal: Zeal::Allocation(3),
        ..HeapConfig::default()
    });
    build(&mut m);
    heap.freeze(&mut m, &mut nothing).unwrap();
    let l = list(&mut m, 50);
    let v = m.get(0);
    put(&mut m, v, 6, l);
    garbage(&mut m, 50);
    check(heap, m.get(0));
    check_list(at(v, 6), 50);
}

/// Collects in every way, and uses the memory that came free.
fn churn(m: &mut Mutator) {
    for kind in [Collect::Minor, Collect::Full, Collect::Minor, Collect::Full] {
        m.collect(kind);
        garbage(m, 200_000);
    }
}

/// Promoted objects, young and old, stay and live where only frozen ones refer to them that are no roots; what
/// they refer to moves, and they may change afterwards.
fn promoted_stay() {
    for old in [false, true] {
        let (heap, mut m) = heap_once();
        m.truncate(0);
        let inner = list(&mut m, 50);
        m.push(inner);
        let promoted = pair(&mut m, fix(7), inner);
        m.set(0, promoted);
        if old {
            m.collect(Collect::Full);
        }
        let promoted = m.get(0);
        assert_eq!(m.promote(promoted), Ok(true));
        // Root 0: a pair, which will be frozen, and is then no root slot.
        let holder = pair(&mut m, promoted, Value::NIL);
        m.set(0, holder);
        let frozen = heap.freeze(&mut m, &mut nothing).unwrap();
        assert_eq!((frozen.objects, frozen.kept), (51, 1 + usize::from(old)));
        assert!(heap.in_boot_heap(m.get(0)) && at(m.get(0), 0) == promoted);
        assert!(heap.in_boot_heap(at(promoted, 1)));
        churn(&mut m);
        assert_eq!((at(m.get(0), 0), at(promoted, 0)), (promoted, fix(7)));
        check_list(at(promoted, 1), 50);
        for round in 0..4 {
            let young = list(&mut m, 10 + round);
            put(&mut m, promoted, 1, young);
            churn(&mut m);
            check_list(at(promoted, 1), 10 + round);
            assert_ne!(at(promoted, 1), young);
        }
        let again = heap.freeze(&mut m, &mut nothing).unwrap();
        assert_eq!((again.objects, again.kept), (13, frozen.kept));
        check_list(at(promoted, 1), 13);
        assert!(m.is_pinned(promoted));
    }
}

/// The heap of this process, started when it is asked for first.
fn heap_once() -> (&'static Heap, Box<Mutator>) {
    match Heap::get() {
        Some(heap) => (heap, heap.attach()),
        None => heap(),
    }
}

/// Objects that were made not to move, small and large, keep their addresses and their words,
/// as does a promoted weak pair its word.
fn immovable_stay() {
    let (heap, mut m) = heap();
    let sizes = [5, 500, 50_000];
    for n in sizes {
        let header = Header::new(Shape::Values, TypeId(40), n);
        let buffer = m.alloc_immovable(header, Tag::Object).unwrap();
        put(&mut m, buffer, n, fix(77));
        m.push(buffer);
    }
    let referent = list(&mut m, 10);
    m.push(referent);
    let weak = m.weak_pair(m.get(3), Value::NIL).unwrap();
    assert_eq!(m.promote(weak), Ok(true));
    m.push(weak);
    let before: Vec<Value> = [0, 1, 2, 4].map(|i| m.get(i)).into();
    let frozen = heap.freeze(&mut m, &mut nothing).unwrap();
    assert_eq!((frozen.objects, frozen.kept), (10, 4));
    m.truncate(4);
    churn(&mut m);
    let referent = m.pop();
    check_list(referent, 10);
    assert_eq!(at(before[3], weak_pair::CAR), referent);
    m.truncate(0);
    churn(&mut m);
    for (v, n) in before.iter().zip(sizes) {
        // The freeze keeps it for ever.
        assert_eq!(at(*v, n), fix(77));
    }
}

/// A thread that attaches sees the heap before a freeze or after it, never in its midst.
fn threads_attach() {
    const FREEZES: usize = 20;
    const LENGTH: i64 = 20_000;
    let (heap, mut m) = heap_with(HeapConfig::default());
    let global = heap.new_global(Value::NIL);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let mut m = heap.attach();
                    // No safepoint between the two.
                    let (one, other) = (heap.global(&global), heap.global(&global));
                    assert_eq!(one, other, "an object moved");
                    m.push(one);
                    garbage(&mut m, 10);
                    if m.get(0) != Value::NIL {
                        assert_eq!(at(m.get(0), 0), fix(LENGTH - 1));
                    }
                    drop(m);
                    std::thread::sleep(Duration::from_micros(50));
                }
            });
        }
        let mut frozen = 0;
        while frozen < FREEZES {
            m.poll();
            if !heap.global(&global).is_pointer() || heap.in_boot_heap(heap.global(&global)) {
                let l = list(&mut m, LENGTH);
                heap.set_global(&global, l);
            }
            match heap.freeze(&mut m, &mut nothing) {
                Ok(_) => frozen += 1,
                Err(FreezeError::OtherThreads(1..=2)) => {}
                Err(e) => panic!("{e}"),
            }
            if frozen > 0 && heap.in_boot_heap(heap.global(&global)) {
                check_list(heap.global(&global), LENGTH);
            }
        }
        over.store(true, Ordering::Relaxed);
        m.enter_native();
    });
    m.leave_native();
}

fn freeze_refuses() {
    let (heap, mut m) = heap();
    let p = pair(&mut m, fix(1), Value::NIL);
    m.pin(p).unwrap();
    assert_eq!(heap.freeze(&mut m, &mut nothing), Err(FreezeError::Pinned));
    m.unpin(p).unwrap();
    let held = [p];
    let mut frame = CallFrame::new(&held);
    // SAFETY: popped below; the frame does not move.
    unsafe { m.push_call(&mut frame) };
    let e = heap.freeze(&mut m, &mut nothing).unwrap_err();
    assert_eq!(
        e.to_string(),
        "the heap cannot be frozen while foreign code holds objects in place"
    );
    // SAFETY: pushed above.
    unsafe { m.pop_call(&mut frame) };
    m.enter_native();
    let mut other = heap.attach();
    other.enter_native();
    m.leave_native();
    let e = heap.freeze(&mut m, &mut nothing).unwrap_err();
    assert_eq!(
        e.to_string(),
        "the heap cannot be frozen while 1 other threads use it"
    );
    drop(other);
    for _ in 0..300 {
        let v = vector(&mut m, 125_000);
        m.push(v);
    }
    let e = heap.freeze(&mut m, &mut nothing).unwrap_err();
    assert!(
        e.to_string()
            .starts_with("the boot heap has 268435456 bytes left")
    );
}
