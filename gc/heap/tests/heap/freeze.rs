//! Freezing the heap.

use crate::support::*;
use bowline_gc::{CallFrame, Collect, FreezeError, Heap, HeapConfig, Mutator, Zeal, access};
use bowline_layout::{Flags, Header, Shape, Tag, TypeId, Value, weak_pair};

pub(crate) const CASES: &[Case] = &[
    case("freeze moves all out of the heap", freeze_moves_all),
    case("frozen objects may change", frozen_objects_may_change),
    case("freeze under zeal", freeze_under_zeal),
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
        assert!(heap.in_boot_heap(at(v, i)));
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
    // 100 pairs and five more objects.
    assert_eq!(frozen.objects, 105 - 1);
    assert_eq!(heap.global(&global), m.get(0));
    assert_eq!(extra, [at(m.get(0), 1), fix(3)]);
    check(heap, m.get(0));
    let before = m.get(0);
    m.collect(Collect::Full);
    garbage(&mut m, 2_000_000);
    assert_eq!(m.get(0), before);
    check(heap, m.get(0));
    let again = heap.freeze(&mut m, &mut nothing).unwrap();
    assert_eq!(again.objects, 0);
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
    let other = heap.attach();
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
