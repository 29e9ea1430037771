//! Forks: the child has the heap as it was, and no collector.

use crate::support::*;
use bowline_gc::{Collect, Heap, HeapConfig, Mutator};
use bowline_layout::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[
    case("a forked child uses the heap up to the limit", to_the_limit),
    case(
        "a forked child owns memory up to the limit",
        owns_to_the_limit,
    ),
    case("a child of a child is like it", grandchild),
    case("a fork while a collection is wanted", wanted),
    case("forks while others collect", while_others_collect),
    dies(
        "a forked child that collects says why it cannot",
        || in_child(|m| m.collect(Collect::Full)),
        "a forked child cannot collect yet: exec, or exit",
    ),
    dies(
        "a forked child knows a heap that another thread was changing",
        torn,
        "forked while another thread used the heap",
    ),
];

/// What a child may take, in seconds.
const PATIENCE: u32 = 20;

/// Tells the other threads to end, however the trial ends.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `f` in a forked child. The child ends well if `f` does, and is killed if it takes too long.
pub(crate) fn fork(f: impl FnOnce()) {
    // SAFETY: the child runs `f` alone and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: alarm takes any number.
        unsafe { libc::alarm(PATIENCE) };
        // The rest of the trial is the parent's.
        let failed = catch_unwind(AssertUnwindSafe(f)).is_err();
        // SAFETY: nothing of the child is wanted any more.
        unsafe { libc::_exit(failed.into()) };
    }
    assert!(child > 0, "no fork");
    let mut status = 0;
    // SAFETY: `status` is live and writable.
    let ended = unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!((ended, status), (child, 0), "how the child ended");
}

fn in_child(f: fn(&mut Mutator)) {
    let (_, mut m) = limited(32 * MIB);
    fork(|| f(&mut m));
}

/// Conses onto the list at `root` until there is no room. Returns how often.
fn fill(m: &mut Mutator, root: usize) -> usize {
    for n in 0.. {
        m.poll();
        match m.alloc_pair(fix(n), m.get(root)) {
            Ok(p) => m.set(root, p),
            Err(_) => return n as usize,
        }
    }
    unreachable!("the heap has a limit")
}

fn to_the_limit() {
    let (heap, mut m) = limited(32 * MIB);
    let kept = list(&mut m, 1000);
    m.push(kept);
    m.push(Value::NIL);
    let before = heap.collections();
    fork(|| {
        let n = fill(&mut m, 1);
        assert!((1_500_000..=2_097_152).contains(&n), "{n} pairs");
        check_list(m.get(0), 1000);
        check_list(m.get(1), n as i64);
        for _ in 0..1000 {
            assert!(m.alloc_pair(fix(1), fix(2)).is_err(), "nor later");
        }
        assert_eq!(heap.collections(), before);
    });
    let n = fill(&mut m, 1);
    assert!(n > 1_000_000 && heap.collections() > before);
    check_list(m.get(0), 1000);
}

fn owns_to_the_limit() {
    let (heap, mut m) = limited(64 * MIB);
    fork(|| {
        let start = Instant::now();
        let label = heap.owner_label("a test");
        let mut made = 0;
        while let Ok(v) = m.foreign_memory(MIB, false, label) {
            memory(v, MIB)[7] = 1;
            made += 1;
        }
        assert!((50..=60).contains(&made), "{made} owners");
        assert!(m.foreign_memory(MIB, false, label).is_err());
        assert!(m.poll_pressure(MIB).is_err());
        assert!(start.elapsed() < Duration::from_secs(1));
        heap.request_collection();
        m.poll();
        check_list(list(&mut m, 1000), 1000);
    });
    for _ in 0..1000 {
        owner(&mut m, MIB);
    }
    assert!(heap.collections() > 0, "the parent collects as before");
}

fn grandchild() {
    in_child(|m| {
        fork(|| {
            m.push(Value::NIL);
            let n = fill(m, 0);
            assert!(n > 1_500_000, "{n} pairs");
        });
        check_list(list(m, 1000), 1000);
    });
}

/// The collector waits for this thread to stop, which forks instead.
fn wanted() {
    let (heap, mut m) = limited(32 * MIB);
    let before = heap.collections();
    heap.request_collection();
    while !m.stack().poll_wanted() {
        std::hint::spin_loop();
    }
    fork(|| {
        m.poll();
        m.enter_native();
        m.leave_native();
        check_list(list(&mut m, 100_000), 100_000);
        std::thread::scope(|s| {
            let other = s.spawn(|| {
                let mut m = heap.attach();
                check_list(list(&mut m, 1000), 1000);
            });
            m.enter_native();
            other.join().expect("no panic");
            m.leave_native();
        });
        assert_eq!(heap.collections(), before);
    });
    m.poll();
    assert_eq!(heap.collections(), before + 1);
}

fn while_others_collect() {
    let (heap, mut m) = heap_with(HeapConfig {
        limit: Some(64 * MIB),
        workers: Some(2),
        ..HeapConfig::default()
    });
    // So that a collection takes a while.
    let kept = list(&mut m, 200_000);
    m.push(kept);
    let done = AtomicBool::new(false);
    m.enter_native();
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    heap.request_collection();
                    std::hint::black_box(heap.owners(1));
                }
            });
        }
        let _stop = Stop(&done);
        for _ in 0..40 {
            fork(|| {
                m.leave_native();
                check_list(m.get(0), 200_000);
                check_list(list(&mut m, 10_000), 10_000);
                owner(&mut m, 1000);
            });
            // Some of the forks shall come while this thread is Managed.
            m.leave_native();
            check_list(list(&mut m, 1000), 1000);
            fork(|| {
                check_list(list(&mut m, 1000), 1000);
                owner(&mut m, 1000);
            });
            m.enter_native();
        }
    });
    m.leave_native();
    assert!(
        heap.collections() > 20,
        "{} collections",
        heap.collections()
    );
}

fn torn() {
    let (heap, mut m) = limited(32 * MIB);
    let (there, done) = (Barrier::new(2), AtomicBool::new(false));
    std::thread::scope(|s| {
        s.spawn(|| managed_until(heap, &there, &done));
        there.wait();
        let _stop = Stop(&done);
        fork(|| garbage(&mut m, 1_000_000));
    });
}

fn managed_until(heap: &'static Heap, there: &Barrier, done: &AtomicBool) {
    let _m = heap.attach();
    there.wait();
    while !done.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}
