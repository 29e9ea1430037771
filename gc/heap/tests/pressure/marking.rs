//! C's `malloc` while collector threads mark beside the program.

use crate::foreign::{free, malloc, native};
use crate::forked::{Stop, fork};
use crate::support::*;
use bowline_gc::{Heap, HeapConfig, Mutator, OwnerLabel, Plan};
use bowline_layout::{Value, foreign_pointer};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    case("malloc beyond the size while marking", beyond_the_size).wanting(has_latency),
    case("malloc at the limit while marking", at_the_limit).wanting(has_latency),
    case("a fork while marking allocates in C", forked).wanting(has_latency),
    case("threads of C allocate while marking", threads).wanting(has_latency),
    everywhere("finalizers run before C is at the limit", in_time),
];

/// Pairs that take a while to mark.
const BALLAST: i64 = 60_000;

fn marked(limit: usize) -> (&'static Heap, Box<Mutator>) {
    let (heap, mut m) = heap_with(HeapConfig {
        plan: Plan::Latency,
        limit: Some(limit),
        verify: true,
        ..HeapConfig::default()
    });
    let ballast = list(&mut m, BALLAST);
    m.push(ballast);
    (heap, m)
}

/// Comes back when marking has begun.
fn begin(m: &mut Mutator) {
    while !m.heap().is_marking() {
        m.heap().request_collection();
        m.poll();
    }
}

/// What [`native`] is to allocate: `n` blocks of 1 MiB. Returns how many were had; all are freed.
fn blocks(n: usize) -> usize {
    let blocks: Vec<_> = (0..n).map(|_| malloc(MIB)).collect();
    let had = blocks.iter().filter(|p| !p.is_null()).count();
    blocks.into_iter().for_each(free);
    had
}

/// The size is passed while the thread is in C. The marking is ended for that, and nobody waits.
fn beyond_the_size() {
    let (heap, mut m) = marked(256 * MIB);
    for _ in 0..10 {
        begin(&mut m);
        let before = m.stats().pressure_collections;
        native(&mut m, &[], || {
            assert_eq!(blocks(200), 200);
            // Minutes would pass if nobody had asked.
            for _ in 0..60_000 {
                if heap.stats().pressure_collections > before {
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            panic!("no collection came: {:?}", heap.stats());
        });
        check_list(m.get(0), BALLAST);
    }
    assert_eq!(heap.stats().pressure_refusals, 0);
}

/// Blocks that only a collection after this marking gives back are there when the limit is reached.
fn at_the_limit() {
    let (_, mut m) = marked(64 * MIB);
    for _ in 0..10 {
        begin(&mut m);
        for _ in 0..16 {
            owner(&mut m, MIB);
        }
        native(&mut m, &[], || {
            let had = blocks(100);
            assert!((50..=60).contains(&had), "{had} blocks");
        });
        check_list(m.get(0), BALLAST);
    }
    let s = m.stats();
    assert!(s.pressure_waits > 0 && s.concurrent > 0, "{s:?}");
}

/// Parent and child both allocate in C where the marking was under way.
fn forked() {
    let (_, mut m) = marked(64 * MIB);
    for _ in 0..5 {
        begin(&mut m);
        owner(&mut m, 16 * MIB);
        let full = |m: &mut Mutator| {
            native(m, &[], || {
                let had = blocks(100);
                assert!((50..=60).contains(&had), "{had} blocks");
            });
            check_list(m.get(0), BALLAST);
            check_list(list(m, 1000), 1000);
        };
        fork(|| full(&mut m));
        full(&mut m);
    }
}

/// Threads of C's own pass the size again and again while one of the heap's makes objects.
fn threads() {
    let (_, mut m) = marked(128 * MIB);
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        let _stop = Stop(&done);
        for _ in 0..2 {
            s.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(blocks(40), 40);
                }
            });
        }
        for _ in 0..20 {
            begin(&mut m);
            let l = list(&mut m, 10_000);
            check_list(l, 10_000);
            let ballast = m.get(0);
            check_list(ballast, BALLAST);
            while m.heap().is_marking() {
                m.poll();
            }
        }
    });
    let s = m.stats();
    assert!(s.concurrent >= 10 && s.pressure_refusals == 0, "{s:?}");
}

/// Blocks of C's that finalizers free, twenty times the limit and more: no more than a few wait at a time. The region takes
/// more for each than is declared.
fn in_time() {
    let (_, mut m) = limited(16 * MIB);
    for bytes in [80_000, 1_000_000] {
        let mut made = 0;
        while made < 400 * MIB {
            m.poll();
            m.run_finalizers(|_, pointer, _| free(address(pointer)));
            let p = native(&mut m, &[], || malloc(bytes));
            assert!(!p.is_null(), "refused after {made} bytes: {:?}", m.stats());
            let v = pointer(&mut m, p.expose_provenance());
            m.attach_finalizer(v, fix(1), bytes, OwnerLabel::default())
                .expect("memory");
            made += bytes;
        }
    }
}

fn address(pointer: Value) -> *mut c_void {
    // SAFETY: the trial's pointers are live.
    let at = unsafe { bowline_gc::access::word(pointer, foreign_pointer::POINTER) };
    std::ptr::with_exposed_provenance_mut(at as usize)
}
