//! Many threads in C's `malloc`, attached and not.

use crate::foreign::{free, malloc, native};
use crate::limit::fill_heap;
use crate::support::*;
use bowline_gc::Heap;
use bowline_layout::Value;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[
    case("unattached threads are refused and recover", unattached),
    case("many threads in malloc at the limit", many_threads),
    case("a managed thread that never polls ends a wait", no_poll),
    case("threads that end under pressure", threads_end),
    case(
        "a full heap ends beside threads that ask again and again",
        full_beside_askers,
    ),
];

fn unattached() {
    let (_, mut m) = limited(64 * MIB);
    m.collect(bowline_gc::Collect::Minor);
    let counts = native(&mut m, &[], || {
        let fill = || {
            let blocks: Vec<_> = (0..80).map(|_| malloc(MIB)).collect();
            let blocks: Vec<_> = blocks.into_iter().filter(|p| !p.is_null()).collect();
            let n = blocks.len();
            blocks.into_iter().for_each(free);
            n
        };
        std::thread::scope(|s| {
            let once = s.spawn(fill).join().expect("no panic");
            (once, s.spawn(fill).join().expect("no panic"))
        })
    });
    assert!((50..=60).contains(&counts.0), "{counts:?}");
    assert!((50..=60).contains(&counts.1), "{counts:?}");
    let s = m.stats();
    assert!(s.pressure_refusals >= 2 * 20, "{s:?}");
    assert_eq!(s.in_foreign_calls, s.collections - 1);
}

/// Allocates and frees, always near the limit. Returns how often it was refused.
fn storm(rounds: usize, seed: usize) -> usize {
    let mut blocks = [std::ptr::null_mut(); 24];
    let mut refused = 0;
    let mut random = seed * 2 + 1;
    for _ in 0..rounds {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let i = (random >> 33) % blocks.len();
        free(blocks[i]);
        let bytes = 1 << (4 + (random >> 40) % 17);
        let p: *mut u8 = malloc(bytes).cast();
        if p.is_null() {
            refused += 1;
        } else {
            // SAFETY: a fresh block of as many bytes.
            unsafe { p.write_bytes(seed as u8, bytes) };
        }
        blocks[i] = p.cast();
    }
    blocks.into_iter().for_each(free);
    refused
}

fn worker(heap: &'static Heap, seed: usize, done: &AtomicUsize, start: &Barrier) {
    let mut m = heap.attach();
    native(&mut m, &[], || start.wait());
    for round in 0..20 {
        let v = pair(&mut m, fix(seed as i64), fix(round));
        m.push(v);
        native(&mut m, &[v], || storm(200, seed));
        assert_eq!((at(v, 0), at(v, 1)), (fix(seed as i64), fix(round)));
        m.truncate(0);
        let l = list(&mut m, 2000);
        check_list(l, 2000);
        if let Ok(v) = m.foreign_memory(MIB, false, heap.owner_label("storm")) {
            memory(v, MIB)[seed] = 1;
        }
    }
    done.fetch_add(1, Ordering::Relaxed);
}

fn many_threads() {
    let (heap, mut m) = limited(32 * MIB);
    // When threads start there must be memory: libc ends the process otherwise.
    let (done, start) = (AtomicUsize::new(0), Barrier::new(16));
    std::thread::scope(|s| {
        for seed in 0..8 {
            let (done, start) = (&done, &start);
            s.spawn(move || worker(heap, seed, done, start));
            s.spawn(move || {
                start.wait();
                storm(4000, seed)
            });
        }
        // This thread must not delay collections while it waits for the others.
        native(&mut m, &[], || {
            while done.load(Ordering::Relaxed) < 8 {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
    });
    let s = m.stats();
    assert!(
        s.pressure_collections > 0 && s.pressure_refusals > 0,
        "{s:?}"
    );
    m.collect(bowline_gc::Collect::Full);
    assert_eq!(held(heap), (0, 0));
}

/// What could keep a collection from starting for ever must not keep `malloc` for ever.
fn no_poll() {
    let (heap, mut m) = limited(64 * MIB);
    let [ready, busy, refused] = [const { AtomicBool::new(false) }; 3];
    std::thread::scope(|s| {
        let filler = s.spawn(|| {
            let mut m = heap.attach();
            ready.store(true, Ordering::SeqCst);
            native(&mut m, &[], || {
                while !busy.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
                let started = Instant::now();
                let blocks: Vec<_> = (0..100)
                    .map_while(|_| {
                        let p = malloc(MIB);
                        (!p.is_null()).then_some(p)
                    })
                    .collect();
                assert!(blocks.len() <= 64);
                blocks.into_iter().for_each(free);
                refused.store(true, Ordering::SeqCst);
                started.elapsed()
            })
        });
        while !ready.load(Ordering::SeqCst) {
            m.poll();
        }
        // Managed, and waiting without a poll, as for a lock.
        busy.store(true, Ordering::SeqCst);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) && !refused.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        assert!(
            refused.load(Ordering::SeqCst),
            "it waits for what does not poll"
        );
        m.poll();
        let waited = native(&mut m, &[], || filler.join().expect("no panic"));
        assert!(waited >= Duration::from_secs(1), "{waited:?}");
    });
    assert!(m.stats().pressure_refusals >= 1);
}

fn threads_end() {
    let (heap, mut m) = limited(64 * MIB);
    native(&mut m, &[], || {
        for i in 0..200 {
            std::thread::scope(|s| {
                for seed in 0..3 {
                    s.spawn(move || {
                        let mut m = heap.attach();
                        let v = owner(&mut m, MIB);
                        memory(v, MIB)[i] = 1;
                        native(&mut m, &[v], || storm(50, seed));
                    });
                }
            });
        }
    });
    m.collect(bowline_gc::Collect::Full);
    assert_eq!(held(heap), (0, 0));
}

/// Collections that C's threads ask for must not keep the heap from finding that it is full.
fn full_beside_askers() {
    let (heap, mut m) = limited(40 * MIB);
    let filler: Vec<_> = native(&mut m, &[], || (0..24).map(|_| malloc(MIB)).collect());
    let (stop, start) = (AtomicBool::new(false), Barrier::new(4));
    std::thread::scope(|s| {
        for seed in 0..3 {
            let (stop, start) = (&stop, &start);
            s.spawn(move || {
                start.wait();
                while !stop.load(Ordering::Relaxed) {
                    storm(100, seed);
                }
            });
        }
        native(&mut m, &[], || start.wait());
        let begun = Instant::now();
        let root = m.len();
        m.push(Value::NIL);
        let made = fill_heap(&mut m, root);
        assert!(made * 16 < 16 * MIB, "{made} pairs");
        m.truncate(root);
        stop.store(true, Ordering::Relaxed);
        assert!(begun.elapsed() < Duration::from_secs(60));
    });
    filler.into_iter().for_each(free);
    m.collect(bowline_gc::Collect::Full);
    assert_eq!(held(heap), (0, 0));
}
