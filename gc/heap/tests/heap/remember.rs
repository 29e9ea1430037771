//! What a minor collection looks at: the changed chunks of large old objects. The heap checks itself before
//! each collection, so a reference from old to young that nobody noted would end the trial.

use crate::support::*;
use bowline_gc::{Collect, HeapConfig, Mutator, Plan};
use bowline_layout::{Header, Shape, Tag, TypeId, Value};

pub(crate) const CASES: &[Case] = &[
    case("a store into a large vector costs its chunk", one_chunk),
    case("every word of every size is remembered", every_word),
    case("changed chunks are forgotten once", forgotten_once),
    case("chunks of several threads", several_threads),
    case("chunks of a thread that has gone", thread_that_has_gone),
    case("chunks of what has moved", what_has_moved),
    case("chunks of what has died", what_has_died),
    case("chunks of immovable objects", immovable),
    case("large mixed objects keep what they get", mixed),
    case("large weak vectors are found again", weak_vectors),
    case("without a barrier nothing is remembered", no_barrier),
    case("random stores", random_stores),
    case("a deep stack is passed by", deep_stack),
    case("words set far below are looked at", set_far_below),
    case("what is popped and pushed is looked at", popped_and_pushed),
    case("words written by address are looked at", by_address),
    dies(
        "the verifier finds a word that should be passed by",
        written_in_secret,
        "a word that was not changed refers to a young object",
    ),
    case("a full collection looks at the whole stack", whole_stack),
];

/// An old vector of `n` words at index 0 of the root stack.
fn old_vector(m: &mut Mutator, n: usize) -> Value {
    let v = vector(m, n);
    m.push(v);
    m.collect(Collect::Full);
    m.get(0)
}

/// Stores a fresh pair of `n` into word `i`.
fn fresh_into(m: &mut Mutator, v: Value, i: usize, n: i64) {
    m.with_roots(&[v], |m, root| {
        let p = pair(m, fix(n), Value::NIL);
        let v = m.get(root);
        put(m, v, i, p);
    });
}

fn one_chunk() {
    let (_, mut m) = heap();
    let v = old_vector(&mut m, 131_071);
    for i in [1, 100, 70_000, 131_071] {
        fresh_into(&mut m, v, i, i as i64);
        fresh_into(&mut m, v, i, i as i64 + 1);
    }
    m.collect(Collect::Minor);
    // The first chunk has the header.
    assert_eq!(m.stats().chunk_words, 63 + 3 * 64);
    for i in [1, 100, 70_000, 131_071] {
        assert_eq!(at(at(v, i), 0), fix(i as i64 + 1));
    }
    // Numbers, and references to what is never collected, are nothing to remember.
    put(&mut m, v, 9, fix(1));
    put(&mut m, v, 999, Value::TRUE);
    let boot = m.alloc_boot(Header::new(Shape::Values, TypeId(40), 1), Tag::Object);
    put(&mut m, v, 9999, boot.expect("room"));
    m.collect(Collect::Minor);
    assert_eq!(m.stats().chunk_words, 0);
}

fn every_word() {
    let (_, mut m) = heap();
    for n in [126, 127, 128, 190, 191, 192, 1000, 2046, 2047, 2048, 4000] {
        let v = vector(&mut m, n);
        m.push(v);
        m.collect(Collect::Minor);
        for i in 1..=n {
            let v = m.get(0);
            fresh_into(&mut m, v, i, i as i64);
            if i % 97 == 0 {
                m.collect(Collect::Minor);
            }
        }
        m.collect(Collect::Minor);
        (1..=n).for_each(|i| assert_eq!(at(at(m.get(0), i), 0), fix(i as i64)));
        m.pop();
    }
}

fn forgotten_once() {
    let (_, mut m) = heap();
    let v = old_vector(&mut m, 10_000);
    for round in 0..5 {
        fresh_into(&mut m, v, 5_000, round);
        m.collect(Collect::Minor);
        assert_eq!(m.stats().chunk_words, 64, "round {round}");
        m.collect(Collect::Minor);
        assert_eq!(m.stats().chunk_words, 0, "round {round}");
    }
    // A full collection looks at everything, and needs no list.
    fresh_into(&mut m, v, 5_000, 7);
    m.collect(Collect::Full);
    assert_eq!(m.stats().chunk_words, 0);
    fresh_into(&mut m, v, 5_000, 8);
    m.collect(Collect::Minor);
    assert_eq!(m.stats().chunk_words, 64);
    assert_eq!(at(at(v, 5_000), 0), fix(8));
}

fn several_threads() {
    const EACH: usize = 2_000;
    let (heap, mut m) = heap();
    let v = old_vector(&mut m, 4 * EACH);
    let global = heap.new_global(v);
    let work = |me: usize| {
        let mut m = heap.attach();
        for round in 0..40 {
            for i in 0..EACH {
                m.poll();
                // Neighbours share chunks.
                let v = heap.global(&global);
                fresh_into(&mut m, v, 1 + 4 * i + me, (round * EACH + i) as i64);
            }
            if round % 4 == me {
                m.collect(Collect::Minor);
            }
        }
    };
    m.enter_native();
    std::thread::scope(|s| (0..4).for_each(|me| drop(s.spawn(move || work(me)))));
    m.leave_native();
    m.collect(Collect::Minor);
    for i in 0..4 * EACH {
        assert_eq!(at(at(v, 1 + i), 0), fix((39 * EACH + i / 4) as i64));
    }
}

fn thread_that_has_gone() {
    let (heap, mut m) = heap();
    let v = old_vector(&mut m, 10_000);
    let global = heap.new_global(v);
    m.enter_native();
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut m = heap.attach();
            let v = heap.global(&global);
            fresh_into(&mut m, v, 3, 33);
        });
    });
    m.leave_native();
    m.collect(Collect::Minor);
    assert_eq!(m.stats().chunk_words, 63);
    assert_eq!(at(at(v, 3), 0), fix(33));
}

fn what_has_moved() {
    let (_, mut m) = heap_with(HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        ..HeapConfig::default()
    });
    let before = old_vector(&mut m, 1_500);
    fresh_into(&mut m, before, 700, 7);
    m.collect(Collect::Full);
    let after = m.get(0);
    assert_ne!(before, after, "every full collection moves it");
    for i in [1, 700, 1_500] {
        fresh_into(&mut m, after, i, i as i64);
    }
    m.collect(Collect::Minor);
    assert_eq!(m.get(0), after, "what is old stays in a minor one");
    for i in [1, 700, 1_500] {
        assert_eq!(at(at(after, i), 0), fix(i as i64));
    }
    // Where it stood others stand now, whose words are none of its.
    for n in 0..200 {
        let v = vector(&mut m, 1_500);
        m.push(v);
        m.collect(Collect::Minor);
        fresh_into(&mut m, v, 1, n);
        let v = m.pop();
        fresh_into(&mut m, v, 1_400, n);
    }
}

fn what_has_died() {
    let (_, mut m) = heap();
    for round in 0..30 {
        for n in [1_000, 10_000, 100_000] {
            let v = vector(&mut m, n);
            m.push(v);
            m.collect(Collect::Minor);
            let v = m.get(0);
            (1..n)
                .step_by(300)
                .for_each(|i| fresh_into(&mut m, v, i, 1));
            m.pop();
            // Dead with changed chunks, which a minor or a full collection meets; raw bytes come next.
            if round % 3 == 0 {
                m.collect(Collect::Full);
            }
            let bytes = Header::new(Shape::Bytes, TypeId(50), n * 8);
            m.alloc(bytes, Tag::Object).expect("room");
        }
    }
}

fn immovable() {
    let (_, mut m) = heap();
    for n in [200, 1_000, 5_000] {
        let header = Header::new(Shape::Values, TypeId(40), n);
        let v = m.alloc_immovable(header, Tag::Object).expect("room");
        m.push(v);
        for kind in [
            Collect::Minor,
            Collect::Minor,
            Collect::Full,
            Collect::Minor,
        ] {
            (1..=n)
                .step_by(70)
                .for_each(|i| fresh_into(&mut m, v, i, i as i64));
            m.collect(kind);
            (1..=n)
                .step_by(70)
                .for_each(|i| assert_eq!(at(at(v, i), 0), fix(i as i64)));
        }
        m.pop();
    }
}

fn mixed() {
    let (_, mut m) = heap();
    let header = Header::mixed(TypeId(52), 200, 3_000);
    let v = m.alloc(header, Tag::Object).expect("room");
    m.push(v);
    m.collect(Collect::Full);
    let v = m.get(0);
    for i in [201, 255, 256, 3_200] {
        fresh_into(&mut m, v, i, i as i64);
    }
    m.collect(Collect::Minor);
    // Words 201 to 255, 256 to 319, and the last one alone.
    assert_eq!(m.stats().chunk_words, 55 + 64 + 1);
    for i in [201, 255, 256, 3_200] {
        assert_eq!(at(at(v, i), 0), fix(i as i64));
    }
}

fn weak_vectors() {
    let (_, mut m) = heap();
    let header = Header::new(Shape::WeakValues, TypeId(57), 5_000);
    let v = m.alloc(header, Tag::Object).expect("room");
    m.push(v);
    m.collect(Collect::Full);
    let v = m.get(0);
    fresh_into(&mut m, v, 4_000, 1);
    let kept = pair(&mut m, fix(2), Value::NIL);
    m.push(kept);
    put(&mut m, v, 5_000, kept);
    m.collect(Collect::Minor);
    assert_eq!(at(v, 4_000), Value::BROKEN);
    assert_eq!(at(v, 5_000), m.get(1), "it has moved");
}

fn no_barrier() {
    let (_, mut m) = heap_with(HeapConfig {
        plan: Plan::Immix,
        verify: true,
        ..HeapConfig::default()
    });
    let v = old_vector(&mut m, 50_000);
    (1..50_000).for_each(|i| fresh_into(&mut m, v, i, i as i64));
    m.collect(Collect::Full);
    assert_eq!(m.stats().chunk_words, 0);
    (1..50_000).for_each(|i| assert_eq!(at(at(v, i), 0), fix(i as i64)));
}

/// Vectors of all sizes against a table that the collector does not know.
fn random_stores() {
    let (_, mut m) = heap_with(HeapConfig {
        verify: true,
        nursery: MIB,
        ..HeapConfig::default()
    });
    let lengths = [60, 130, 300, 1_000, 2_047, 2_048, 9_000, 40_000];
    for n in lengths {
        let v = vector(&mut m, n);
        m.push(v);
    }
    let mut shadow: Vec<Vec<i64>> = lengths.iter().map(|n| vec![0; *n]).collect();
    let mut seed = 88_172_645_463_325_252_u64;
    for n in 0..400_000 {
        m.poll();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let which = (seed >> 40) as usize % lengths.len();
        let i = (seed as u32) as usize % lengths[which];
        let v = m.get(which);
        match seed >> 60 {
            0..4 => put(&mut m, v, 1 + i, fix(n)),
            _ => fresh_into(&mut m, v, 1 + i, n),
        }
        shadow[which][i] = n;
    }
    assert!(m.stats().minor >= 3, "{:?}", m.stats());
    for (which, shadow) in shadow.iter().enumerate() {
        for (i, n) in shadow.iter().enumerate() {
            let x = at(m.get(which), 1 + i);
            let x = if x.is_pair() { at(x, 0) } else { x };
            assert_eq!(x, fix(*n));
        }
    }
}

/// The frames of a language that keeps three words in each.
const FRAMES: usize = 1_000_000;

/// A heap whose root stack holds [`FRAMES`]; it does not check itself, for that would take minutes.
fn deep_heap(verify: bool) -> Box<Mutator> {
    let config = HeapConfig {
        root_stack: 32 * MIB,
        verify,
        ..HeapConfig::default()
    };
    heap_with(config).1
}

fn push_frames(m: &mut Mutator, frames: usize) {
    for n in 0..frames {
        m.poll();
        let p = pair(m, fix(n as i64), Value::NIL);
        m.push(p);
        m.push(fix(1));
        m.push(Value::NIL);
    }
}

fn deep_stack() {
    let mut m = deep_heap(false);
    push_frames(&mut m, FRAMES);
    m.collect(Collect::Minor);
    for round in 0..100 {
        // Up and down near the top, with something young in each frame.
        let height = m.len();
        push_frames(&mut m, 10);
        m.collect(Collect::Minor);
        assert_eq!(m.stats().stack_words, 30, "round {round}");
        (0..10).for_each(|n| assert_eq!(at(m.get(height + 3 * n), 0), fix(n as i64)));
        m.truncate(height - 3);
    }
    // All the way down, with a collection now and then.
    let mut looked_at = 0;
    while m.len() >= 3 {
        let frame = m.len() - 3;
        assert_eq!(at(m.get(frame), 0), fix(frame as i64 / 3));
        m.truncate(frame);
        if frame.is_multiple_of(3_000) {
            let p = pair(&mut m, fix(7), Value::NIL);
            m.push(p);
            m.collect(Collect::Minor);
            looked_at += m.stats().stack_words;
            assert_eq!(at(m.pop(), 0), fix(7));
        }
    }
    assert_eq!(looked_at, 1_000);
}

fn set_far_below() {
    let mut m = deep_heap(true);
    push_frames(&mut m, 2_000);
    m.collect(Collect::Minor);
    let set = |m: &mut Mutator, i: usize, n: i64| {
        let p = pair(m, fix(n), Value::NIL);
        m.set(i, p);
    };
    for round in 0..3 {
        for i in [0, 7, 600, 7] {
            set(&mut m, i, round);
        }
        // A number is nothing to look for.
        m.set(1_200, fix(round));
        m.collect(Collect::Minor);
        assert_eq!(m.stats().stack_words, 3);
        for i in [0, 7, 600] {
            assert_eq!(at(m.get(i), 0), fix(round));
        }
        m.collect(Collect::Minor);
        assert_eq!(m.stats().stack_words, 0);
    }
    // More than are noted one by one.
    (0..2_000).for_each(|i| set(&mut m, 3 * i, -(i as i64)));
    m.collect(Collect::Minor);
    (0..2_000).for_each(|i| assert_eq!(at(m.get(3 * i), 0), fix(-(i as i64))));
}

fn popped_and_pushed() {
    let mut m = deep_heap(true);
    push_frames(&mut m, 1_000);
    m.collect(Collect::Minor);
    for down in [1, 5, 100, 2_000] {
        for _ in 0..down {
            m.pop();
        }
        let height = m.len();
        push_frames(&mut m, 700);
        m.collect(Collect::Minor);
        assert_eq!(m.stats().stack_words, 2_100);
        (0..700).for_each(|n| assert_eq!(at(m.get(height + 3 * n), 0), fix(n as i64)));
    }
}

/// Writes a fresh pair of `n` into word `i` by its address.
fn write(m: &mut Mutator, i: usize, n: i64) {
    let p = pair(m, fix(n), Value::NIL);
    // SAFETY: the trials write words below the top.
    unsafe { m.stack().base().wrapping_add(i).write(p) };
}

fn by_address() {
    let mut m = deep_heap(true);
    push_frames(&mut m, 1_000);
    let base = m.stack().base();
    m.stack().keep(2);
    m.stack().rely_below(base.wrapping_add(900));
    m.collect(Collect::Minor);
    for round in 0..3 {
        for i in [0, 1, 900, 2_999] {
            write(&mut m, i, round);
        }
        m.collect(Collect::Minor);
        assert_eq!(m.stats().stack_words, 2 + 2_100);
        for i in [0, 1, 900, 2_999] {
            assert_eq!(at(m.get(i), 0), fix(round));
        }
    }
    m.stack().rely_below(base.wrapping_add(300));
    write(&mut m, 300, 5);
    m.collect(Collect::Minor);
    assert_eq!(m.stats().stack_words, 2 + 2_700);
    assert_eq!(at(m.get(300), 0), fix(5));
}

fn written_in_secret() {
    let mut m = deep_heap(true);
    push_frames(&mut m, 100);
    m.collect(Collect::Minor);
    // Wrong on purpose: nobody said that words would be written by address.
    write(&mut m, 30, 5);
    m.collect(Collect::Minor);
}

fn whole_stack() {
    let (_, mut m) = heap_with(HeapConfig {
        plan: Plan::CompactTest,
        verify: true,
        ..HeapConfig::default()
    });
    push_frames(&mut m, 1_000);
    m.collect(Collect::Minor);
    m.collect(Collect::Full);
    assert_eq!(m.stats().stack_words, 3_000);
    (0..1_000).for_each(|n| assert_eq!(at(m.get(3 * n), 0), fix(n as i64)));
}
