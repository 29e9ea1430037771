//! What befalls the process while collector threads mark beside the program: forks, and what is told of it all.

use crate::forked::fork;
use crate::latency::{BALLAST, ballast, begin, cut, finish, latency, weak};
use crate::support::*;
use bowline_gc::{Collect, Heap, HeapConfig, Mutator, Plan};
use bowline_layout::{Value, weak_pair};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    case("a fork while marking", forks),
    case("forks while marking and others store", forks_beside_stores),
    case("a fork while marking by a thread in C", fork_in_c),
    case("the words of a collection with two pauses", words),
    case("holes are left when marking begins", || {
        holes_are_left(|_, m| garbage(m, 1000))
    }),
    case(
        "holes are left when marking begins beside threads that come and go",
        || holes_are_left(short_thread),
    ),
];

/// Waits until a collection has ended whose marking nobody helps along.
fn ends_alone(heap: &Heap, before: u64) {
    // Minutes would pass if nobody asked.
    for _ in 0..60_000 {
        if heap.collections() > before {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("nobody ended the marking");
}

/// Parent and child both go on with the marking, and find what was cut loose before and after the fork.
fn forks() {
    let (heap, mut m) = latency();
    let some = ballast(&mut m);
    let height = m.len();
    let (early, late) = some.split_at(some.len() / 2);
    for round in 0..12 {
        let go_on = |m: &mut Mutator| {
            cut(m, late);
            let before = heap.collections();
            match round % 4 {
                0 => m.collect(Collect::Minor),
                1 => m.collect(Collect::Full),
                2 => garbage(m, 1000),
                _ => {
                    while heap.collections() == before && heap.is_marking() {
                        garbage(m, 1000);
                    }
                }
            }
            // A full collection with one pause may have moved all of them.
            let mut tail = BALLAST as usize;
            for i in (height..m.len()).rev() {
                let rest = m.get(i);
                tail = tail.min(length(rest));
            }
            assert_eq!(tail, 5_000 - 1, "the shortest piece");
        };
        begin(&mut m);
        cut(&mut m, early);
        fork(|| {
            go_on(&mut m);
            m.collect(Collect::Full);
            m.collect(Collect::Minor);
            check_list(list(&mut m, 1000), 1000);
        });
        cut(&mut m, late);
        finish(&mut m);
        for (i, &p) in early.iter().chain(late).enumerate() {
            let rest = m.get(height + i);
            put(&mut m, p, 1, rest);
        }
        let list = m.get(0);
        check_list(list, BALLAST);
        m.truncate(height);
    }
}

fn length(mut list: Value) -> usize {
    let mut n = 0;
    while list.is_pair() {
        list = at(list, 1);
        n += 1;
    }
    n
}

/// One thread forks while another changes what is being marked.
fn forks_beside_stores() {
    let (heap, mut m) = latency();
    ballast(&mut m);
    let done = AtomicBool::new(false);
    let store = || {
        let mut m = heap.attach();
        let changed = vector(&mut m, 64);
        m.push(changed);
        let kept = list(&mut m, 500);
        m.push(kept);
        let mut i = 0;
        while !done.load(Ordering::Relaxed) {
            i = i % 64 + 1;
            let (v, l) = (m.get(0), list(&mut m, 100));
            put(&mut m, v, i, l);
            m.poll();
        }
        for i in 1..=64 {
            let l = at(m.get(0), i);
            assert!(l == fix(0) || length(l) == 100);
        }
        check_list(m.get(1), 500);
    };
    m.enter_native();
    std::thread::scope(|s| {
        s.spawn(store);
        m.leave_native();
        for round in 0..10 {
            begin(&mut m);
            fork(|| {
                let list = m.get(0);
                check_list(list, BALLAST);
                m.collect(match round % 2 {
                    0 => Collect::Minor,
                    _ => Collect::Full,
                });
                let list = m.get(0);
                check_list(list, BALLAST);
            });
            finish(&mut m);
        }
        done.store(true, Ordering::Relaxed);
        m.enter_native();
    });
    m.leave_native();
    m.collect(Collect::Minor);
    let list = m.get(0);
    check_list(list, BALLAST);
}

/// A thread that forks and stays in C does not keep the marking from its end.
fn fork_in_c() {
    let (heap, mut m) = latency();
    ballast(&mut m);
    for _ in 0..5 {
        let dead = pair(&mut m, fix(1), fix(2));
        let w = weak(&mut m, dead);
        m.push(w);
        begin(&mut m);
        let before = heap.collections();
        m.enter_native();
        fork(|| ());
        ends_alone(heap, before);
        m.leave_native();
        m.collect(Collect::Minor);
        assert_eq!(at(m.pop(), weak_pair::CAR), Value::BROKEN);
    }
}

/// The stack is looked at in the first pause; it is told after the second.
fn words() {
    let (heap, mut m) = latency();
    (0..5000).for_each(|i| m.push(fix(i)));
    for kind in [Collect::Minor, Collect::Full, Collect::Minor] {
        m.collect(kind);
        let words = heap.stats().stack_words;
        assert!((5000..6000).contains(&words), "{words} after {kind:?}");
    }
}

/// Makes garbage on a thread of its own, and less than a thread tells of.
fn short_thread(heap: &'static Heap, m: &mut Mutator) {
    m.enter_native();
    let thread = std::thread::spawn(|| garbage(&mut heap.attach(), 2500));
    thread.join().expect("no panic");
    m.leave_native();
}

/// What is made in the holes of a heap, by `make`, counts for when a collection begins. Were it new pages alone, none would
/// be left to be filled while it marks, and each collection would begin with more pages than the one before.
fn holes_are_left(make: fn(&'static Heap, &mut Mutator)) {
    const LIVE: i64 = 40_000;
    const EVERY: usize = 64;
    let (heap, mut m) = heap_with(HeapConfig {
        plan: Plan::Latency,
        min_heap: 8 * MIB,
        nursery: 4 * MIB,
        ..HeapConfig::default()
    });
    m.push(Value::NIL);
    for i in 0..LIVE {
        let rest = m.get(0);
        let list = pair(&mut m, fix(i), rest);
        m.set(0, list);
        garbage(&mut m, EVERY - 1);
    }
    // The first frees nothing that it has marked itself.
    m.collect(Collect::Minor);
    m.collect(Collect::Minor);
    let mut grown = Vec::new();
    while grown.len() < 10 {
        let (before, pages) = (heap.collections(), heap.stats().heap_bytes);
        let mut most = pages;
        while heap.collections() == before && !heap.is_marking() {
            most = heap.stats().heap_bytes;
            make(heap, &mut m);
        }
        grown.push(most.saturating_sub(pages));
        finish(&mut m);
    }
    // A marking whose threads get no processor lets more pages be taken.
    let few = grown.iter().filter(|&&bytes| bytes <= 1 << 20).count();
    assert!(few > 5, "{grown:?}");
    let list = m.get(0);
    check_list(list, LIVE);
}
