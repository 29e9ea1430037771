//! C memory that dies with an object, finalizers, and what declared bytes do.

use crate::support::*;
use bowline_gc::{Collect, HeapConfig, Mutator, Owner, OwnerLabel, access};
use bowline_layout::foreign_pointer;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

pub(crate) const CASES: &[Case] = &[
    case("owned memory dies with its owner", memory_dies).under(GENERATIONAL),
    everywhere(
        "an allocation's collection gives back",
        allocation_gives_back,
    ),
    everywhere("owners move and keep their memory", owners_move),
    everywhere("no bytes are a pointer too", no_bytes),
    case("dropped owners need minor collections only", dropped_owners).under(GENERATIONAL),
    everywhere("owners beyond the limit are refused", beyond_the_limit),
    case("finalizers wait, oldest first", finalizers_wait).under(GENERATIONAL),
    everywhere("a finalizer may refer to its pointer", finalizer_refers),
    everywhere("a finalized pointer comes back whole", comes_back),
    case("declared bytes start collections", declared_bytes).under(GENERATIONAL),
    everywhere("the table of owners is sorted", table_of_owners),
    everywhere("owners and finalizers freeze", owners_freeze),
    everywhere("a dead owner's release runs once", released),
];

fn memory_dies() {
    let (heap, mut m) = heap();
    let outside = |m: &Mutator| m.stats().declared_bytes + m.stats().client_bytes;
    let before = outside(&m);
    for kind in [Collect::Minor, Collect::Full] {
        for i in 0..1000 {
            let v = owner(&mut m, 10_000);
            memory(v, 10_000).fill(i as u8);
            if i % 10 == 0 {
                m.push(v);
            }
        }
        assert_eq!(held(heap), (1000, 10_000_000));
        m.collect(kind);
        assert_eq!(held(heap), (100, 1_000_000));
        for i in 0..m.len() {
            assert!(
                memory(m.get(i), 10_000)
                    .iter()
                    .all(|b| *b == (i * 10) as u8)
            );
        }
        m.collect(Collect::Minor);
        assert_eq!(held(heap), (100, 1_000_000));
        m.truncate(0);
        m.collect(Collect::Minor);
        assert_eq!(
            held(heap),
            (100, 1_000_000),
            "the old die in full ones only"
        );
        m.collect(Collect::Full);
        assert_eq!(held(heap), (0, 0));
    }
    let left = outside(&m).saturating_sub(before);
    assert!(left < MIB as u64, "{left} bytes were not given back");
}

fn allocation_gives_back() {
    let (heap, mut m) = heap();
    let outside = |m: &Mutator| m.stats().declared_bytes + m.stats().client_bytes;
    let before = outside(&m);
    for _ in 0..10 {
        owner(&mut m, MIB);
    }
    assert!(outside(&m) >= before + (10 << 20));
    while heap.collections() == 0 {
        pair(&mut m, fix(1), fix(2));
    }
    assert_eq!(held(heap), (0, 0));
    assert!(outside(&m) < before + (1 << 20));
}

fn owners_move() {
    let (heap, mut m) = heap_with(HeapConfig {
        plan: bowline_gc::Plan::CompactTest,
        verify: true,
        ..HeapConfig::default()
    });
    let v = owner(&mut m, 100);
    memory(v, 100).fill(7);
    m.push(v);
    for kind in [Collect::Minor, Collect::Full, Collect::Full] {
        m.collect(kind);
        assert!(memory(m.get(0), 100).iter().all(|b| *b == 7));
    }
    assert_moved(heap, v, m.get(0), "an owner");
    // SAFETY: a live owner.
    let bytes = unsafe { access::word(m.get(0), foreign_pointer::BYTES) };
    assert_eq!(bytes, 100);
}

fn no_bytes() {
    let (heap, mut m) = heap();
    let (a, b) = (owner(&mut m, 0), owner(&mut m, 0));
    assert_ne!(memory(a, 0).as_ptr(), memory(b, 0).as_ptr());
    m.collect(Collect::Full);
    assert_eq!(held(heap), (0, 0));
}

/// 2 GiB in pieces of 1 MiB under a limit of 64: whoever drops them at once pays minor collections.
fn dropped_owners() {
    let (heap, mut m) = limited(64 * MIB);
    for i in 0..2048 {
        let v = owner(&mut m, MIB);
        memory(v, MIB)[i] = 1;
    }
    let s = m.stats();
    assert!(s.minor >= 2048 / 64, "{s:?}");
    assert!(s.major <= 2, "{s:?}");
    assert!(s.pressure_collections >= 2048 / 64, "{s:?}");
    assert!(held(heap).1 <= 64 * MIB);
}

fn beyond_the_limit() {
    let (heap, mut m) = limited(64 * MIB);
    let label = heap.owner_label("big");
    for round in 0..20 {
        let before = m.stats().collections;
        let e = m.foreign_memory(65 * MIB, false, label).unwrap_err();
        assert_eq!(e.to_string(), "out of memory: no room for 68157440 bytes");
        assert_eq!(m.stats().collections, before, "it can never fit");
        let mut n = 0;
        let e = loop {
            match m.foreign_memory(MIB, false, label) {
                Ok(v) => m.push(v),
                Err(e) => break e,
            }
            n += 1;
        };
        assert_eq!(e.requested, MIB);
        assert!((40..64).contains(&n), "round {round}: {n} pieces fitted");
        m.truncate(0);
        let l = list(&mut m, 10_000);
        check_list(l, 10_000);
    }
}

/// The fixnums of the finalizers that wait.
fn finished(m: &mut Mutator) -> Vec<i64> {
    std::iter::from_fn(|| m.next_finalizable())
        .map(|(_, f)| f.as_fixnum().expect("a number"))
        .collect()
}

fn finalizers_wait() {
    let (heap, mut m) = heap();
    let label = OwnerLabel::default();
    for i in 0..10 {
        if i == 5 {
            m.collect(Collect::Full);
        }
        let v = pointer(&mut m, 0x1000);
        m.push(v);
        m.attach_finalizer(v, fix(i), 10, label).expect("memory");
        m.attach_finalizer(v, fix(i + 100), 10, label)
            .expect("memory");
    }
    m.collect(Collect::Full);
    assert!(!heap.finalizable());
    assert_eq!(m.stats().declared_bytes, 200);
    m.truncate(9);
    m.collect(Collect::Full);
    assert!(heap.finalizable());
    assert_eq!(m.stats().declared_bytes, 200, "until it is taken");
    m.collect(Collect::Full);
    assert_eq!(finished(&mut m), [9, 109]);
    assert_eq!(m.stats().declared_bytes, 180);
    assert!(!heap.finalizable());
    m.truncate(0);
    let young = pointer(&mut m, 0x1000);
    m.attach_finalizer(young, fix(50), 0, label)
        .expect("memory");
    m.collect(Collect::Minor);
    assert_eq!(finished(&mut m), [50], "the others are old");
    let young = pointer(&mut m, 0x1000);
    m.attach_finalizer(young, fix(51), 0, label)
        .expect("memory");
    m.collect(Collect::Full);
    let wanted = (0..9).flat_map(|i| [i, i + 100]);
    // A full collection begins with a minor one, which found the young one dead.
    let wanted: Vec<i64> = [51].into_iter().chain(wanted).collect();
    assert_eq!(finished(&mut m), wanted);
    m.collect(Collect::Full);
    assert_eq!(finished(&mut m), []);
    assert_eq!(m.stats().declared_bytes, 0);
}

fn finalizer_refers() {
    let (_, mut m) = heap();
    let v = pointer(&mut m, 0x1230);
    let p = pair(&mut m, v, fix(8));
    let v = at(p, 0);
    m.attach_finalizer(v, p, 0, OwnerLabel::default())
        .expect("memory");
    m.collect(Collect::Full);
    let (v, p) = m.next_finalizable().expect("it is dead");
    assert_eq!((at(p, 0), at(p, 1)), (v, fix(8)));
}

fn comes_back() {
    let (heap, mut m) = heap();
    let label = heap.owner_label("again");
    for kind in [Collect::Minor, Collect::Full] {
        let v = owner(&mut m, 64);
        memory(v, 64).fill(3);
        m.attach_finalizer(v, fix(1), 0, label).expect("memory");
        m.collect(kind);
        let (v, _) = m.next_finalizable().expect("it is dead");
        m.push(v);
        m.attach_finalizer(v, fix(2), 0, label).expect("memory");
        m.collect(Collect::Full);
        assert!(memory(m.get(0), 64).iter().all(|b| *b == 3));
        assert_eq!(m.next_finalizable(), None);
        m.truncate(0);
        m.collect(Collect::Full);
        assert_eq!(finished(&mut m), [2]);
        m.collect(Collect::Full);
        assert_eq!(held(heap), (0, 0));
    }
}

fn declared_bytes() {
    let (heap, mut m) = limited(64 * MIB);
    let mut run = 0;
    for i in 0..1000 {
        m.poll();
        let v = pointer(&mut m, 0x1000);
        m.attach_finalizer(v, fix(i), MIB, OwnerLabel::default())
            .expect("memory");
        while heap.finalizable() {
            m.next_finalizable().expect("there is one");
            run += 1;
        }
    }
    let s = m.stats();
    assert!(run > 900, "only {run} finalizers in {s:?}");
    assert!(s.major <= 2, "{s:?}");
    assert!(s.pressure_collections > 15, "{s:?}");
}

fn table_of_owners() {
    let (heap, mut m) = heap();
    let a = heap.owner_label("a at x.scm:1");
    let b = heap.owner_label("b at x.scm:2");
    assert_eq!(heap.owner_label("a at x.scm:1"), a);
    for (label, bytes) in [(a, 100), (b, 1000), (a, 200)] {
        let v = m.foreign_memory(bytes, false, label).expect("room");
        m.push(v);
    }
    let owner = |label: &str, bytes, count| Owner {
        label: label.into(),
        bytes,
        count,
    };
    let all = [
        owner("b at x.scm:2", 1000, 1),
        owner("a at x.scm:1", 300, 2),
    ];
    assert_eq!(heap.owners(10), all);
    assert_eq!(heap.owners(1), all[..1]);
    m.truncate(1);
    m.collect(Collect::Full);
    assert_eq!(heap.owners(10), [owner("a at x.scm:1", 100, 1)]);
    let unnamed = m.foreign_memory(5, false, OwnerLabel::default());
    m.push(unnamed.expect("room"));
    assert_eq!(heap.owners(10), [owner("a at x.scm:1", 100, 1)]);
}

fn owners_freeze() {
    let (heap, mut m) = heap();
    let v = owner(&mut m, 100);
    memory(v, 100).fill(9);
    m.push(v);
    owner(&mut m, 1000);
    let label = heap.owner_label("a finalizer");
    m.attach_finalizer(v, fix(1), 0, label).expect("memory");
    heap.freeze(&mut m, &mut |_| {}).expect("nothing is pinned");
    assert!(heap.in_boot_heap(m.get(0)));
    assert_eq!(held(heap).0, 2, "the frozen one and its finalizer");
    m.collect(Collect::Full);
    assert!(memory(m.get(0), 100).iter().all(|b| *b == 9));
    assert!(!heap.finalizable());
}

fn released() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    static WORDS: AtomicUsize = AtomicUsize::new(0);
    fn release(word: usize) {
        RUNS.fetch_add(1, Relaxed);
        WORDS.fetch_add(word, Relaxed);
    }
    let (heap, mut m) = heap();
    let label = heap.owner_label("a at x.scm:1");
    assert_eq!(heap.owner_name(label).as_deref(), Some("a at x.scm:1"));
    assert_eq!(heap.owner_name(OwnerLabel::default()), None);
    let before = m.stats().declared_bytes;
    for word in 1..=100 {
        let v = pointer(&mut m, 0x1000);
        if word <= 10 {
            m.push(v);
        }
        m.own_by(v, release, word, 1000, label).expect("memory");
    }
    for _ in 0..3 {
        m.collect(Collect::Full);
        assert_eq!(RUNS.load(Relaxed), 90);
        assert_eq!(WORDS.load(Relaxed), (11..=100).sum());
        assert_eq!(m.stats().declared_bytes - before, 10_000);
        assert_eq!(held(heap), (10, 10_000));
    }
    m.truncate(0);
    m.collect(Collect::Full);
    assert_eq!(WORDS.load(Relaxed), (1..=100).sum());
    assert_eq!(m.stats().declared_bytes, before);
    assert_eq!(held(heap), (0, 0));
}
