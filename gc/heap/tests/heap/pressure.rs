//! Full heaps.

use crate::support::*;
use bowline_gc::{HeapConfig, Mutator, OutOfMemory, Zeal};
use bowline_layout::{Header, Shape, Tag, TypeId, Value, bytevector};

pub(crate) const CASES: &[Case] = &[
    everywhere("ballast makes room, 16 MiB", || ballast(16)),
    case("ballast makes room, 64 MiB", || ballast(64)),
    everywhere("a full heap is told after one collection in vain", full),
    case("a full heap of pins is told as soon", full_of_pins),
    everywhere("out of memory, 16 MiB, one worker", || rounds(16, 1)),
    everywhere("out of memory, 16 MiB, two workers", || rounds(16, 2)),
    everywhere("out of memory, 32 MiB, one worker", || rounds(32, 1)),
    everywhere("out of memory, 32 MiB, two workers", || rounds(32, 2)),
    case("out of memory, 64 MiB, one worker", || rounds(64, 1)),
    case("out of memory, 64 MiB, two workers", || rounds(64, 2)),
    slow("out of memory, 256 MiB, one worker", || rounds(256, 1)),
    slow("out of memory, 256 MiB, two workers", || rounds(256, 2)),
    case("zeal in malloc needs our malloc", zeal_in_malloc),
    case("an absurd request is refused", absurd_request),
];

/// Conses objects onto the list at root 0 until there is no room. Returns how many.
fn fill(m: &mut Mutator, header: Option<Header>) -> i64 {
    fill_from(m, header, 0)
}

/// The list grows at stack position `base`.
fn fill_from(m: &mut Mutator, header: Option<Header>, base: usize) -> i64 {
    for n in 0.. {
        m.poll();
        if let Some(header) = header {
            match m.alloc(header, Tag::Object) {
                Ok(v) => m.push(v),
                Err(_) => return n,
            }
        } else {
            m.push(fix(n));
        }
        let (v, tail) = (m.get(base + 1), m.get(base));
        let p = m.alloc_pair(v, tail);
        m.truncate(base + 1);
        match p {
            Ok(p) => m.set(base, p),
            Err(OutOfMemory { requested }) => {
                assert_eq!(requested, 16);
                return n;
            }
        }
    }
    unreachable!("the heap has a limit")
}

fn length(mut v: Value) -> i64 {
    let mut n = 0;
    while v != Value::NIL {
        n += 1;
        v = at(v, 1);
    }
    n
}

fn rounds(mib: usize, workers: usize) {
    let (_, mut m) = heap_with(HeapConfig {
        limit: Some(mib << 20),
        workers: Some(workers),
        ..HeapConfig::default()
    });
    let shapes = [
        None,
        Some(Header::new(Shape::Values, TypeId(40), 3)),
        Some(Header::new(Shape::Values, TypeId(40), 500)),
        Some(bytevector::header(100_000)),
    ];
    // Without optimisation this takes long: once for each shape must do.
    let count = if cfg!(debug_assertions) { 4 } else { 20 };
    for round in 0..count {
        m.push(Value::NIL);
        let header = shapes[round % shapes.len()];
        let n = fill(&mut m, header);
        assert_eq!(length(m.get(0)), n);
        let bytes = n as usize * (16 + header.map_or(0, bowline_layout::object_bytes));
        assert!(
            bytes > mib << 19,
            "round {round}: only {bytes} bytes fitted"
        );
        assert!(
            bytes <= mib << 20,
            "round {round}: {bytes} bytes are beyond the limit"
        );
        m.truncate(0);
        let l = list(&mut m, 10_000);
        check_list(l, 10_000);
    }
}

/// What a program keeps back for reporting a full heap must be there when it lets go of it.
fn ballast(mib: usize) {
    let (_, mut m) = heap_with(HeapConfig {
        limit: Some(mib << 20),
        workers: Some(1),
        ..HeapConfig::default()
    });
    for header in [None, Some(Header::new(Shape::Values, TypeId(40), 10))] {
        let kept = m.alloc(bytevector::header(256 << 10), Tag::Object);
        m.push(kept.expect("the heap is empty"));
        m.push(Value::NIL);
        let n = fill_from(&mut m, header, 1);
        assert!(n > 0);
        m.set(0, Value::NIL);
        for i in 0..1000 {
            let p = m.alloc_pair(fix(i), m.get(1));
            assert!(p.is_ok(), "pair {i} after {n} objects");
            m.set(1, p.expect("it was just looked at"));
        }
        m.truncate(0);
    }
}

/// This process has the system's.
fn zeal_in_malloc() {
    let started = bowline_gc::start(HeapConfig {
        zeal: Zeal::Malloc(1),
        ..HeapConfig::default()
    });
    assert_eq!(
        started.err().map(|e| e.to_string()).as_deref(),
        Some("zeal \"malloc:N\" needs Bowline's malloc, and this process has another")
    );
}

fn absurd_request() {
    let (_, mut m) = heap();
    let header = bytevector::header(Header::MAX_LENGTH);
    let words = Header::new(Shape::Values, TypeId(40), Header::MAX_LENGTH);
    let before = m.stats().collections;
    for header in [words, words, header] {
        let e = m.alloc(header, Tag::Object);
        if header == words {
            let e = e.expect_err("32 GiB");
            assert!(
                e.to_string()
                    .starts_with("out of memory: no room for 34359738")
            );
        }
    }
    assert!(m.stats().collections - before < 10);
    garbage(&mut m, 1000);
}

/// `inv:room.bounded`
fn full() {
    let (heap, mut m) = limited(32 * MIB);
    m.push(Value::NIL);
    crate::forked::fill(&mut m, 0);
    for _ in 0..5 {
        let before = heap.stats().major;
        assert!(m.alloc_pair(fix(1), fix(2)).is_err());
        let took = heap.stats().major - before;
        assert!((1..=2).contains(&took), "{took} full collections");
    }
}

/// Pinned objects in each line, or in each block, leave memory and no place: what does not fit is told
/// of after a full collection or two, whatever its size, and what fits is there again once they are unpinned.
fn full_of_pins() {
    let (heap, mut m) = limited(16 * MIB);
    for every in [16, 2048] {
        let mut pinned = Vec::new();
        m.push(Value::NIL);
        for i in 0.. {
            m.poll();
            // Half of what is not pinned lives, too, until there is no room.
            let Ok(v) = m.alloc_pair(fix(i), m.get(0)) else {
                break;
            };
            if i % 2 == 0 {
                m.set(0, v);
            }
            if i % every == 0 {
                m.pin(v).expect("an object");
                pinned.push(v);
            }
        }
        m.truncate(0);
        for bytes in [1 << 10, 16_000, 100_000, 4 * MIB, 15 * MIB] {
            for _ in 0..3 {
                let before = heap.stats().major;
                let there = m.alloc(bytevector::header(bytes), Tag::Object).is_ok();
                let took = heap.stats().major - before;
                assert!(took <= 2, "{bytes} bytes, {there}: {took} full collections");
            }
        }
        for v in pinned {
            m.unpin(v).expect("pinned");
        }
        let fits = m.alloc(bytevector::header(12 * MIB), Tag::Object);
        assert!(fits.is_ok(), "every {every}");
        m.collect(bowline_gc::Collect::Full);
    }
}
