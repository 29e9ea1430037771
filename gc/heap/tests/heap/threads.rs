//! Several mutators.

use crate::support::*;
use bowline_gc::{CallFrame, Collect, Heap, HeapConfig, HeapError, Mutator};
use bowline_layout::Value;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    case(
        "two allocate while a third is native",
        two_allocate_one_native,
    ),
    case("attach and detach under collections", attach_and_detach),
    case("crossings under collections", crossings_under_collections),
    case(
        "collect from a thread without mutator",
        request_from_outside,
    ),
    case("requests under collections", requests_under_collections),
    case("native holds its pins", native_holds_its_pins),
    case("a thread comes back from beside by a panic", panics_beside),
    case("a mutator dropped after its thread's end", dropped_last),
    case("a thread attaches again in a foreign call", attaches_again),
];

fn small_nursery() -> HeapConfig {
    HeapConfig {
        nursery: 1 << 20,
        min_heap: 8 << 20,
        verify: true,
        ..HeapConfig::default()
    }
}

fn churn(heap: &'static Heap, rounds: usize) {
    let mut m = heap.attach();
    for _ in 0..rounds {
        let l = list(&mut m, 5_000);
        m.push(l);
        garbage(&mut m, 50_000);
        check_list(m.pop(), 5_000);
    }
}

fn two_allocate_one_native() {
    let (heap, mut m) = heap_with(small_nursery());
    let p = pair(&mut m, fix(1), fix(2));
    m.push(p);
    m.enter_native();
    std::thread::scope(|s| {
        s.spawn(|| churn(heap, 30));
        s.spawn(|| churn(heap, 30));
    });
    m.leave_native();
    assert_eq!((at(m.get(0), 0), at(m.get(0), 1)), (fix(1), fix(2)));
    assert!(m.stats().collections > 10);
}

fn attach_and_detach() {
    let (heap, mut m) = heap_with(small_nursery());
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let mut m = heap.attach();
                    let l = list(&mut m, 100);
                    check_list(l, 100);
                }
            });
        }
        for _ in 0..200 {
            m.collect(Collect::Full);
        }
        done.store(true, Ordering::Relaxed);
        m.enter_native();
    });
    m.leave_native();
}

fn crossings_under_collections() {
    let (heap, mut m) = heap_with(small_nursery());
    let done = AtomicBool::new(false);
    let crossings = AtomicU64::new(0);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                let mut m = heap.attach();
                m.push(Value::NIL);
                while !done.load(Ordering::Relaxed) {
                    let p = pair(&mut m, fix(7), Value::NIL);
                    m.set(0, p);
                    m.enter_native();
                    std::hint::spin_loop();
                    m.leave_native();
                    assert_eq!(at(m.get(0), 0), fix(7));
                    crossings.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut rounds = 0;
        while rounds < 500 || crossings.load(Ordering::Relaxed) < 10_000 {
            rounds += 1;
            m.collect(Collect::Minor);
        }
        done.store(true, Ordering::Relaxed);
        m.enter_native();
    });
    m.leave_native();
}

fn request_from_outside() {
    let (heap, mut m) = heap();
    std::thread::scope(|s| {
        s.spawn(|| heap.request_collection());
    });
    while m.stats().collections == 0 {
        m.poll();
    }
    m.enter_native();
    heap.request_collection();
    while heap.stats().collections < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    m.leave_native();
}

fn requests_under_collections() {
    let (heap, mut m) = heap_with(small_nursery());
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    heap.request_collection();
                }
            });
        }
        for _ in 0..300 {
            m.collect(Collect::Full);
        }
        done.store(true, Ordering::Relaxed);
        m.enter_native();
    });
    m.leave_native();
}

/// What is beside a collection delays none, and a panic there leaves a thread that delays it again.
fn panics_beside() {
    let (heap, mut m) = heap();
    let l = list(&mut m, 1000);
    m.push(l);
    let panics = || m.beside(|| panic_after_a_collection(heap));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(heap.collections(), 1);
    assert_eq!(heap.try_attach().err(), Some(HeapError::AlreadyManaged));
    let l = m.get(0);
    heap.request_collection();
    while !m.stack().poll_wanted() {
        std::hint::spin_loop();
    }
    // Time enough for a collection that took this thread to be beside the heap still.
    std::thread::sleep(Duration::from_millis(50));
    check_list(l, 1000);
    assert_eq!((heap.collections(), m.get(0)), (1, l));
    m.poll();
    assert_eq!(heap.collections(), 2);
    check_list(m.get(0), 1000);
}

fn panic_after_a_collection(heap: &Heap) {
    heap.request_collection();
    while heap.collections() == 0 {
        std::thread::yield_now();
    }
    panic!("beside a collection");
}

fn native_holds_its_pins() {
    let (heap, mut m) = heap_with(small_nursery());
    let held = [pair(&mut m, fix(1), fix(2))];
    let mut frame = CallFrame::new(&held);
    // SAFETY: popped below; the frame does not move.
    unsafe { m.push_call(&mut frame) };
    m.enter_native();
    std::thread::scope(|s| {
        s.spawn(|| churn(heap, 10));
    });
    assert_eq!((at(held[0], 0), at(held[0], 1)), (fix(1), fix(2)));
    m.leave_native();
    // SAFETY: pushed above.
    unsafe { m.pop_call(&mut frame) };
    assert!(m.stats().in_foreign_calls > 0);
}

/// The key of [`last_round`]'s values.
static KEY: AtomicU32 = AtomicU32::new(0);
/// In how many rounds of destructors it was called.
static ROUNDS: AtomicU32 = AtomicU32::new(0);

/// Drops a mutator in the last round of destructors that the system promises.
extern "C" fn last_round(mutator: *mut c_void) {
    if ROUNDS.fetch_add(1, Ordering::SeqCst) + 1 < 4 {
        // SAFETY: the key was made.
        unsafe { libc::pthread_setspecific(KEY.load(Ordering::SeqCst), mutator) };
        return;
    }
    // SAFETY: it came from a box, and this is the last time.
    drop(unsafe { Box::from_raw(mutator.cast::<Mutator>()) });
}

fn dropped_last() {
    let (heap, mut m) = heap_with(small_nursery());
    let mut key = 0;
    // Made after the heap's own, so that in each round it comes after that.
    // SAFETY: the key is written; the function stays.
    let status = unsafe { libc::pthread_key_create(&mut key, Some(last_round)) };
    assert_eq!(status, 0);
    KEY.store(key, Ordering::SeqCst);
    let thread = std::thread::spawn(move || {
        let mut m = heap.attach();
        check_list(list(&mut m, 1000), 1000);
        // SAFETY: the key was made.
        unsafe { libc::pthread_setspecific(key, Box::into_raw(m).cast()) };
    });
    m.enter_native();
    thread.join().expect("no panic");
    while heap.threads() > 1 {
        std::thread::yield_now();
    }
    m.leave_native();
    assert_eq!(ROUNDS.load(Ordering::SeqCst), 4);
    m.collect(Collect::Full);
    check_list(list(&mut m, 1000), 1000);
}

/// A thread that is Managed cannot have a second mutator, which would wait for the first.
fn attaches_again() {
    let (heap, mut m) = heap_with(small_nursery());
    assert_eq!(heap.try_attach().err(), Some(HeapError::AlreadyManaged));
    m.enter_native();
    let mut inner = heap.try_attach().expect("in a foreign call");
    assert_eq!(heap.try_attach().err(), Some(HeapError::AlreadyManaged));
    inner.collect(Collect::Full);
    drop(inner);
    m.leave_native();
    m.collect(Collect::Full);
}
