//! Objects live, move and keep their contents.

use crate::support::*;
use bowline_gc::{Collect, HeapConfig, HeapError, Plan, access, start};
use bowline_layout::{Flags, Header, Shape, Tag, TypeId, Value, bytevector, object_bytes};

pub(crate) const CASES: &[Case] = &[
    case("pairs survive and move", pairs_survive_and_move),
    case("every shape survives", every_shape_survives),
    case("fresh memory is zero", fresh_memory_is_zero),
    case("large objects stay", large_objects_stay),
    case("immovable objects stay", immovable_objects_stay),
    case("young immovable keeps young", young_immovable_keeps_young),
    case("the barrier finds old to young", barrier_finds_old_to_young),
    case(
        "compact-test moves everything",
        compact_test_moves_everything,
    ),
    case("the immix plan works", immix_plan_works),
    case("one heap per process", one_heap_per_process),
    case("globals are roots", globals_are_roots),
    case("boot objects stay and are roots", boot_objects_stay),
    case("a long list is traced in depth", long_list),
    case("lists end in objects of every space", lists_end_anywhere),
];

fn pairs_survive_and_move() {
    let (_, mut m) = heap();
    let l = list(&mut m, 10_000);
    m.push(l);
    m.collect(Collect::Minor);
    assert_ne!(m.get(0), l, "a minor collection moves the young");
    check_list(m.get(0), 10_000);
    m.collect(Collect::Full);
    garbage(&mut m, 3_000_000);
    check_list(m.get(0), 10_000);
    assert!(m.stats().collections >= 4);
    assert!(m.stats().moved_objects >= 10_000);
    assert!(m.stats().moved_bytes >= 160_000);
}

/// An object of each shape, every word of which is a recognisable fixnum or raw number.
fn every_shape_survives() {
    let (_, mut m) = heap();
    let shapes = [
        Header::new(Shape::Bytes, TypeId(50), 41),
        Header::new(Shape::Values, TypeId(51), 7),
        Header::mixed(TypeId(52), 2, 3),
        Header::new(Shape::Bitmap, TypeId(53), 4),
        Header::new(Shape::Foreign, TypeId(54), 3),
        Header::new(Shape::Continuation, TypeId(55), 9).with_flags(Flags::IMMUTABLE),
        Header::new(Shape::Ephemeron, TypeId(56), 2),
        Header::new(Shape::WeakValues, TypeId(57), 3),
    ];
    for (i, h) in shapes.into_iter().enumerate() {
        for tag in [Tag::Object, Tag::Procedure] {
            let v = m.alloc(h, tag).unwrap();
            m.push(v);
            for w in 1..object_bytes(h) / 8 {
                // SAFETY: the object is fresh and has that many words.
                unsafe { access::set_word(v, w, (i * 100 + w * 2) as u64) };
            }
        }
    }
    for kind in [Collect::Minor, Collect::Full, Collect::Full] {
        m.collect(kind);
        for (i, h) in shapes.into_iter().enumerate() {
            for (j, tag) in [Tag::Object, Tag::Procedure].into_iter().enumerate() {
                let v = m.get(2 * i + j);
                assert_eq!(v.tag(), Some(tag));
                // SAFETY: the object is live.
                assert_eq!(unsafe { access::header(v) }, h);
                for w in 1..object_bytes(h) / 8 {
                    // SAFETY: the object is live.
                    assert_eq!(unsafe { access::word(v, w) }, (i * 100 + w * 2) as u64);
                }
            }
        }
    }
}

fn fresh_memory_is_zero() {
    let (_, mut m) = heap();
    for round in 0..40 {
        for n in [1usize, 3, 30, 100, 1000, 2047, 3000, 100_000] {
            let v = m
                .alloc(Header::new(Shape::Bytes, TypeId(50), n * 8), Tag::Object)
                .unwrap();
            // SAFETY: the object is that long.
            let bytes = unsafe { access::bytes_mut(v, 1, n * 8) };
            assert!(bytes.iter().all(|b| *b == 0), "round {round}, {n} words");
            bytes.fill(0xa5);
        }
        garbage(&mut m, 30_000);
    }
    assert!(m.stats().collections > 0);
}

fn large_objects_stay() {
    let (_, mut m) = heap();
    let v = vector(&mut m, 100_000);
    m.push(v);
    let p = pair(&mut m, fix(7), fix(8));
    put(&mut m, v, 100_000, p);
    for kind in [Collect::Minor, Collect::Full] {
        m.collect(kind);
        assert_eq!(m.get(0), v);
        assert_eq!(at(at(v, 100_000), 0), fix(7));
    }
    // Old by now: the barrier must find what it is given.
    let p = pair(&mut m, fix(9), fix(8));
    put(&mut m, v, 1, p);
    m.collect(Collect::Minor);
    assert_eq!(at(at(v, 1), 0), fix(9));
    assert_ne!(at(v, 1), p);
}

fn immovable_objects_stay() {
    let (_, mut m) = heap_with(HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        ..HeapConfig::default()
    });
    for n in [8, 100_000] {
        let v = m
            .alloc_immovable(bytevector::header(n), Tag::Object)
            .unwrap();
        m.push(v);
        // SAFETY: the object is live.
        assert!(unsafe { access::header(v) }.flags().has(Flags::IMMOVABLE));
        m.collect(Collect::Full);
        assert_eq!(m.pop(), v);
    }
}

fn young_immovable_keeps_young() {
    let (_, mut m) = heap();
    for round in 0..20 {
        let header = Header::new(Shape::Values, TypeId(40), 3);
        let v = m.alloc_immovable(header, Tag::Object).unwrap();
        m.push(v);
        let p = pair(&mut m, fix(round), Value::NIL);
        // SAFETY: no safepoint since the object was made but for the pair's allocation, which the
        // collector must cope with because a fresh immovable object counts as changed.
        unsafe { access::init(v, 1, p) };
        m.collect(Collect::Minor);
        assert_eq!(at(at(v, 1), 0), fix(round));
        assert_ne!(at(v, 1), p);
        let p = pair(&mut m, fix(-round), Value::NIL);
        put(&mut m, v, 2, p);
        m.collect(Collect::Minor);
        assert_eq!(at(at(v, 2), 0), fix(-round));
    }
}

fn barrier_finds_old_to_young() {
    let (_, mut m) = heap();
    let v = vector(&mut m, 64);
    m.push(v);
    let p = pair(&mut m, Value::NIL, Value::NIL);
    m.push(p);
    m.collect(Collect::Full);
    for round in 0..50 {
        let (v, p) = (m.get(0), m.get(1));
        let young = list(&mut m, 10);
        put(&mut m, v, 1 + round % 64, young);
        let young = list(&mut m, 20);
        put(&mut m, p, round % 2, young);
        m.collect(Collect::Minor);
        check_list(at(m.get(0), 1 + round % 64), 10);
        check_list(at(m.get(1), round % 2), 20);
        assert_eq!((v, p), (m.get(0), m.get(1)), "the old do not move");
    }
    assert_eq!(m.stats().minor, 51);
}

fn compact_test_moves_everything() {
    let (_, mut m) = heap_with(HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        ..HeapConfig::default()
    });
    for _ in 0..500 {
        let l = list(&mut m, 20);
        m.push(l);
    }
    m.collect(Collect::Full);
    for _ in 0..5 {
        let before: Vec<_> = (0..500).map(|i| m.get(i)).collect();
        m.collect(Collect::Full);
        for (i, v) in before.into_iter().enumerate() {
            assert_ne!(m.get(i), v, "every old object moves");
            check_list(m.get(i), 20);
        }
    }
}

fn immix_plan_works() {
    let (_, mut m) = heap_with(HeapConfig {
        plan: Plan::Immix,
        min_heap: 16 << 20,
        verify: true,
        ..HeapConfig::default()
    });
    let v = vector(&mut m, 64);
    m.push(v);
    for round in 0..20 {
        let young = list(&mut m, 1000);
        let v = m.get(0);
        put(&mut m, v, 1 + round, young);
        m.collect(Collect::Full);
        garbage(&mut m, 200_000);
        check_list(at(m.get(0), 1 + round), 1000);
    }
    assert_eq!(m.stats().minor, 0);
}

fn one_heap_per_process() {
    let (_, _m) = heap();
    let again = start(HeapConfig::default());
    assert_eq!(again.err(), Some(HeapError::AlreadyStarted));
}

fn globals_are_roots() {
    let (heap, mut m) = heap();
    let globals: Vec<_> = (0..1000)
        .map(|i| {
            let p = pair(&mut m, fix(i), Value::NIL);
            heap.new_global(p)
        })
        .collect();
    m.collect(Collect::Full);
    for (i, g) in globals.iter().enumerate() {
        assert_eq!(at(heap.global(g), 0), fix(i as i64));
    }
    heap.set_global(&globals[0], fix(5));
    assert_eq!(heap.global(&globals[0]), fix(5));
    for g in globals {
        heap.drop_global(g);
    }
    let again = heap.new_global(fix(1));
    assert_eq!(heap.global(&again), fix(1));
}

fn boot_objects_stay() {
    let (heap, mut m) = heap();
    let header = Header::new(Shape::Values, TypeId(60), 4);
    let v = m.alloc_boot(header, Tag::Object).expect("room");
    assert!(heap.in_boot_heap(v));
    let header = Header::new(Shape::Bitmap, TypeId(60), 4);
    let bits = m.alloc_boot(header, Tag::Object).expect("room");
    // SAFETY: word 1 is the bitmap: words 3 and 5 are values.
    unsafe { access::set_word(bits, 1, 0b1010) };
    for round in 0..10 {
        let p = pair(&mut m, fix(round), Value::NIL);
        assert!(!heap.in_boot_heap(p));
        put(&mut m, v, 1 + (round % 4) as usize, p);
        put(&mut m, bits, 3, p);
        m.collect(if round % 2 == 0 {
            Collect::Minor
        } else {
            Collect::Full
        });
        let now = at(v, 1 + (round % 4) as usize);
        assert_ne!(now, p);
        assert_eq!(at(now, 0), fix(round));
        assert_eq!(at(bits, 3), now);
    }
}

fn long_list() {
    let (_, mut m) = heap();
    let l = list(&mut m, 1_000_000);
    m.push(l);
    m.collect(Collect::Full);
    check_list(m.get(0), 1_000_000);
}

/// The walk along cdrs ends at what does not move, whatever its space has no table for.
fn lists_end_anywhere() {
    let (_, mut m) = heap();
    let header = Header::new(Shape::Values, TypeId(40), 4);
    let small = vector(&mut m, 4);
    m.push(small);
    let large = vector(&mut m, 10_000);
    m.push(large);
    let fixed = m.alloc_immovable(header, Tag::Object).unwrap();
    m.push(fixed);
    let boot = m.alloc_boot(header, Tag::Object).unwrap();
    m.push(boot);
    for i in 0..4 {
        let end = m.get(i);
        let p = pair(&mut m, fix(1), end);
        let p = pair(&mut m, fix(0), p);
        m.push(p);
    }
    for kind in [Collect::Minor, Collect::Full, Collect::Full] {
        m.collect(kind);
        for i in 0..4 {
            let p = m.get(4 + i);
            assert_eq!((at(p, 0), at(at(p, 1), 0)), (fix(0), fix(1)));
            assert_eq!(at(at(p, 1), 1), m.get(i));
        }
    }
}
