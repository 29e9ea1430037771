//! C's `malloc` around a fork.

use crate::foreign::{free, malloc, native};
use crate::forked::{Stop, fork};
use crate::support::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) const CASES: &[Case] = &[
    case("a forked child collects inside malloc", collects),
    case("handlers of forks are asked nothing", handlers),
    case("forks while others wait in malloc", while_others_wait),
];

/// Blocks until there are no more.
fn fill() -> usize {
    let blocks: Vec<_> = (0..1000).map(|_| malloc(MIB)).collect();
    let blocks: Vec<_> = blocks.into_iter().filter(|p| !p.is_null()).collect();
    let n = blocks.len();
    blocks.into_iter().for_each(free);
    n
}

fn collects() {
    let (heap, mut m) = limited(64 * MIB);
    // What a collection gives back.
    for _ in 0..20 {
        owner(&mut m, MIB);
    }
    let before = m.stats();
    native(&mut m, &[], || {
        fork(|| {
            for _ in 0..3 {
                let n = fill();
                assert!((50..=60).contains(&n), "{n} blocks");
            }
            // A thread that nobody attached.
            let other = std::thread::spawn(fill).join().expect("no panic");
            assert!((50..=60).contains(&other), "{other} blocks");
            let s = heap.stats();
            assert!(s.collections > before.collections);
            assert!(s.pressure_refusals > 4 * 900, "{s:?}");
        });
        assert!((50..=60).contains(&fill()), "the parent collects");
    });
}

/// How often a handler ran, and how often it got nothing.
static HANDLED: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler() {
    let p = malloc(100 * MIB);
    HANDLED.fetch_add(1, Ordering::Relaxed);
    REFUSED.fetch_add(p.is_null().into(), Ordering::Relaxed);
    free(p);
}

fn handlers() {
    // Registered before the heap's own, these run while the heap is held.
    // SAFETY: the handlers are always there.
    let status = unsafe { libc::pthread_atfork(Some(handler), Some(handler), Some(handler)) };
    assert_eq!(status, 0);
    let (_, mut m) = limited(64 * MIB);
    let counts = || {
        (
            HANDLED.load(Ordering::Relaxed),
            REFUSED.load(Ordering::Relaxed),
        )
    };
    native(&mut m, &[], || {
        fork(|| {
            assert_eq!(counts(), (2, 0));
            assert!(malloc(100 * MIB).is_null(), "afterwards they are refused");
        });
        assert_eq!(counts(), (2, 0));
        assert!(malloc(100 * MIB).is_null());
    });
}

fn while_others_wait() {
    let (heap, mut m) = limited(64 * MIB);
    let done = AtomicBool::new(false);
    let l = list(&mut m, 200_000);
    m.push(l);
    m.enter_native();
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    free(malloc(40 * MIB));
                    fill();
                }
            });
        }
        let _stop = Stop(&done);
        for _ in 0..40 {
            m.leave_native();
            // Somebody may have the rest.
            let label = heap.owner_label("a test");
            let _ = m.foreign_memory(20 * MIB, false, label);
            m.enter_native();
            fork(|| {
                fill();
                m.leave_native();
                check_list(m.get(0), 200_000);
            });
        }
    });
    m.leave_native();
    let s = m.stats();
    assert!(s.pressure_waits > 0 && s.pressure_refusals > 0, "{s:?}");
}
