//! Near the limit C's `malloc` waits, and beyond it is refused.

use crate::foreign::{free, malloc, native};
use crate::support::*;
use bowline_gc::{Collect, Heap, Mutator, OwnerLabel};
use bowline_layout::Value;
use std::hint::black_box;

pub(crate) const CASES: &[Case] = &[
    case("young owners make room for malloc", young_make_room),
    case("old owners make room for malloc", old_make_room),
    case("garbage makes room for malloc", garbage_makes_room),
    case("beyond the limit malloc is refused", refused),
    case("what can never fit starts no collection", never_fits),
    case("a refused realloc keeps its block", refused_realloc),
    case("a full heap and full C memory recover", recover),
    everywhere("a full heap has room between what stays", || {
        let (heap, mut m) = limited(32 * MIB);
        m.push(Value::NIL);
        between(heap, &mut m);
    }),
    everywhere("a heap of pins stays within its limit", full_of_holes),
    case(
        "a full heap is not collected at each poll",
        polls_of_a_full_heap,
    ),
];

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn young_make_room() {
    let (heap, mut m) = limited(56 * MIB);
    m.collect(Collect::Minor);
    for _ in 0..4 {
        let v = owner(&mut m, 6 * MIB);
        memory(v, 1)[0] = 1;
    }
    let before = m.stats();
    assert_eq!((before.collections, held(heap).0), (1, 4));
    let p = native(&mut m, &[], || malloc(32 * MIB));
    assert!(!p.is_null());
    let s = m.stats();
    assert_eq!((s.minor, s.major), (2, 0), "the minor one was enough");
    assert_eq!((s.pressure_waits, s.pressure_refusals), (1, 0));
    assert_eq!(s.in_foreign_calls, 1);
    assert_eq!(held(heap), (0, 0));
    free(p);
}

fn old_make_room() {
    let (heap, mut m) = limited(64 * MIB);
    for _ in 0..8 {
        let v = owner(&mut m, 5 * MIB);
        m.push(v);
    }
    m.collect(Collect::Full);
    m.truncate(0);
    assert_eq!(held(heap).0, 8);
    let p = native(&mut m, &[], || malloc(40 * MIB));
    assert!(!p.is_null());
    let s = m.stats();
    assert_eq!(s.major, 2, "only a full one finds them");
    assert_eq!((s.pressure_waits, s.pressure_refusals), (1, 0));
    assert_eq!(held(heap), (0, 0));
    free(p);
}

fn garbage_makes_room() {
    let (_, mut m) = limited(64 * MIB);
    let l = list(&mut m, 1_000_000);
    m.push(l);
    m.collect(Collect::Full);
    m.truncate(0);
    let p = native(&mut m, &[], || malloc(56 * MIB));
    assert!(!p.is_null());
    assert_eq!(m.stats().pressure_refusals, 0);
    free(p);
}

fn refused() {
    let (_, mut m) = limited(64 * MIB);
    let v = owner(&mut m, 20 * MIB);
    m.push(v);
    for round in 1..4 {
        let blocks = native(&mut m, &[], || {
            let mut blocks = Vec::new();
            loop {
                let p = malloc(MIB);
                if p.is_null() {
                    assert_eq!(errno(), libc::ENOMEM);
                    return blocks;
                }
                blocks.push(p);
            }
        });
        assert!((34..40).contains(&blocks.len()), "{} blocks", blocks.len());
        let s = m.stats();
        assert_eq!(s.pressure_refusals, round);
        blocks.into_iter().for_each(free);
        let l = list(&mut m, 100_000);
        check_list(l, 100_000);
    }
    assert_eq!(memory(m.get(0), 20 * MIB)[5], 0);
}

fn never_fits() {
    let (heap, mut m) = limited(64 * MIB);
    m.collect(Collect::Minor);
    let p = native(&mut m, &[], || {
        let p = malloc(65 * MIB);
        assert_eq!(errno(), libc::ENOMEM);
        p
    });
    assert!(p.is_null());
    assert_eq!(heap.collections(), 1);
    assert_eq!(m.stats().pressure_refusals, 1);
}

fn refused_realloc() {
    let (_, mut m) = limited(64 * MIB);
    native(&mut m, &[], || {
        let p = malloc(30 * MIB);
        assert!(!p.is_null());
        // SAFETY: a fresh block of as many bytes.
        unsafe { p.write_bytes(7, 30 * MIB) };
        // SAFETY: a live block.
        let q = unsafe { libc::realloc(p, 200 * MIB) };
        assert!(black_box(q).is_null());
        assert_eq!(errno(), libc::ENOMEM);
        // SAFETY: it is still there.
        let bytes = unsafe { std::slice::from_raw_parts(p.cast::<u8>(), 30 * MIB) };
        assert!(bytes.iter().all(|b| *b == 7));
        // SAFETY: calloc takes any sizes.
        let q = unsafe { libc::calloc(200, MIB) };
        assert!(black_box(q).is_null());
        free(p);
    });
}

/// Conses until there is no room.
pub(crate) fn fill_heap(m: &mut Mutator, root: usize) -> usize {
    for n in 0.. {
        match m.alloc_pair(fix(n), m.get(root)) {
            Ok(p) => m.set(root, p),
            Err(_) => return n as usize,
        }
    }
    unreachable!("the heap has a limit")
}

/// Fills the heap, lets all but every 500th pair go, so that hardly a block is free as a whole, and goes on.
pub(crate) fn between(heap: &Heap, m: &mut Mutator) {
    let all = fill_heap(m, 0);
    let mut kept = m.get(0);
    let follow = |v, _| Some(at(v, 1)).filter(|v| *v != Value::NIL);
    while let Some(next) = (0..500).try_fold(kept, follow) {
        put(m, kept, 1, next);
        kept = next;
    }
    put(m, kept, 1, Value::NIL);
    m.push(Value::NIL);
    // What dies while it is marked beside the program is found by the next.
    m.collect(Collect::Full);
    let before = heap.collections();
    let again = fill_heap(m, 1);
    assert!(
        again > all / 2,
        "{all} pairs, and {again} between those that stay"
    );
    assert!(heap.collections() > before);
    m.set(1, Value::NIL);
    // A program that goes on in such a heap is not told that it is full.
    let n = (all / 4) as i64;
    for _ in 0..20 {
        let l = list(m, n);
        check_list(l, n);
    }
    let stays = std::iter::successors(Some(m.get(0)), |v| follow(*v, 0)).count();
    assert_eq!(stays, all.div_ceil(500));
}

/// Each collection leaves holes around what is pinned; they are filled, and what filled them is moved elsewhere by
/// the next one, where all moves.
fn full_of_holes() {
    const LIMIT: usize = 24 * MIB;
    const PINS: i64 = 200;
    let (heap, mut m) = limited(LIMIT);
    for i in 0..PINS {
        let kept = pair(&mut m, fix(i), Value::NIL);
        m.push(kept);
        m.pin(kept).unwrap();
        garbage(&mut m, 2500);
    }
    m.push(Value::NIL);
    let most = LIMIT / 16;
    let mut made = 0;
    while made <= most {
        m.poll();
        let rest = m.get(PINS as usize);
        match m.alloc_pair(fix(made as i64), rest) {
            Ok(list) => m.set(PINS as usize, list),
            Err(_) => break,
        }
        made += 1;
    }
    let s = heap.stats();
    assert!(made <= most, "{made} pairs in {most}: {s:?}");
    m.truncate(PINS as usize);
    let l = list(&mut m, 100_000);
    check_list(l, 100_000);
}

fn recover() {
    let (_, mut m) = limited(32 * MIB);
    // Without optimisation this takes long: once for each way must do.
    let rounds = if cfg!(debug_assertions) { 4 } else { 20 };
    for round in 0..rounds {
        let root = m.len();
        m.push(Value::NIL);
        // Half for C, or all that it gets; before the heap is full, or after.
        let wanted = if round % 2 == 0 { 16 } else { 32 };
        if round % 4 > 1 {
            let n = fill_heap(&mut m, root);
            assert!(n > 700_000, "round {round}: {n} pairs");
        }
        let blocks = native(&mut m, &[], || {
            let blocks = (0..wanted).map(|_| malloc(MIB));
            blocks.filter(|p| !p.is_null()).collect::<Vec<_>>()
        });
        let most = if round % 4 > 1 { 16 } else { wanted };
        assert!(blocks.len() <= most, "round {round}: {}", blocks.len());
        let n = fill_heap(&mut m, root);
        let bytes = blocks.len() * MIB + n * 16;
        assert!(bytes <= 32 * MIB, "round {round}: {bytes}");
        m.truncate(root);
        blocks.into_iter().for_each(free);
        let l = list(&mut m, 10_000);
        check_list(l, 10_000);
    }
}

/// What waits for its finalizer makes every collection ask for a poll, and a full heap asks for one at a poll.
fn polls_of_a_full_heap() {
    let (heap, mut m) = limited(16 * MIB);
    let dead = m.alloc_pair(Value::NIL, Value::NIL).unwrap();
    m.attach_finalizer(dead, fix(1), 64, OwnerLabel::default())
        .expect("memory");
    m.collect(Collect::Full);
    assert!(heap.finalizable());
    m.push(Value::NIL);
    let root = m.len() - 1;
    fill_heap(&mut m, root);
    // A thread of the heap's own is not refused.
    let block = malloc(MIB);
    m.collect(Collect::Full);
    let before = m.stats().collections;
    (0..1000).for_each(|_| m.poll());
    let after = m.stats().collections;
    assert!(after - before < 10, "{} collections", after - before);
    free(block);
    // What is let go of is found, by whoever wants room.
    m.truncate(root);
    let l = list(&mut m, 10_000);
    check_list(l, 10_000);
}
