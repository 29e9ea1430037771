//! Forks: the child has the heap as it was, and collects in it.

use crate::support::*;
use bowline_gc::{Collect, Heap, HeapConfig, Leaf, Mutator, OwnerLabel, Zeal};
use bowline_layout::Value;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) const CASES: &[Case] = &[
    everywhere("a forked child collects", collects),
    case("a forked child collects under zeal", zealous),
    everywhere("a forked child uses the heap up to the limit", to_the_limit),
    everywhere(
        "a forked child owns memory up to the limit",
        owns_to_the_limit,
    ),
    everywhere("a child of a child is like it", grandchild),
    everywhere("what a forked child keeps", keeps),
    everywhere("a forked child has no finalizer thread", finalizer_thread),
    everywhere("a fork while a collection is wanted", wanted),
    case(
        "nothing is collected at a fork in a leaf call",
        in_leaf_call,
    ),
    everywhere("forks while others collect", while_others_collect),
    everywhere("forks while others allocate", while_others_allocate),
    everywhere("many threads fork at once", storm),
    everywhere("a forked child that gets no thread", no_thread),
    dies(
        "a forked child that gets no thread cannot collect",
        no_thread_to_collect,
        "cannot start a collector thread: ",
    ),
    dies(
        "a forked child knows a heap that another thread was changing",
        torn,
        "forked while another thread used the heap",
    ),
];

/// What a child may take, in seconds.
const PATIENCE: u32 = 120;

/// Tells the other threads to end, however the trial ends.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `f` in a forked child. The child ends well if `f` does, and is killed if it takes too long.
pub(crate) fn fork(f: impl FnOnce()) {
    reap(begin(f));
}

/// A forked child, which runs `f`.
fn begin(f: impl FnOnce()) -> libc::pid_t {
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
    child
}

/// Waits for the end of a child, which is to be a good one.
fn reap(child: libc::pid_t) {
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
pub(crate) fn fill(m: &mut Mutator, root: usize) -> usize {
    for n in 0.. {
        m.poll();
        match m.alloc_pair(fix(n), m.get(root)) {
            Ok(p) => m.set(root, p),
            Err(_) => return n as usize,
        }
    }
    unreachable!("the heap has a limit")
}

/// Collects, and checks that a list and what is made meanwhile stay as they are.
fn use_heap(m: &mut Mutator, root: usize, n: i64, times: u64) {
    let before = m.heap().collections();
    for i in 0..times {
        m.collect(if i % 2 == 0 {
            Collect::Full
        } else {
            Collect::Minor
        });
        check_list(m.get(root), n);
        check_list(list(m, 1000), 1000);
    }
    let minors = match is_generational(m.heap()) {
        true => times / 2, // A full one comes after a minor one.
        false => 0,
    };
    assert!(m.heap().collections() >= before + times + minors);
}

fn collects() {
    let (heap, mut m) = heap();
    let l = list(&mut m, 10_000);
    m.push(l);
    for _ in 0..3 {
        fork(|| use_heap(&mut m, 0, 10_000, 20));
        use_heap(&mut m, 0, 10_000, 3);
    }
    // Nothing was collected between these.
    let before = heap.collections();
    for _ in 0..20 {
        fork(|| check_list(m.get(0), 10_000));
    }
    assert_eq!(heap.collections(), before);
    fork(|| use_heap(&mut m, 0, 10_000, 3));
    m.enter_native();
    fork(|| {
        m.leave_native();
        use_heap(&mut m, 0, 10_000, 3);
    });
    m.leave_native();
    use_heap(&mut m, 0, 10_000, 3);
}

fn zealous() {
    let (_, mut m) = heap_with(HeapConfig {
        zeal: Zeal::Allocation(7),
        ..HeapConfig::default()
    });
    let l = list(&mut m, 100);
    m.push(l);
    fork(|| use_heap(&mut m, 0, 100, 4));
    fork(|| fork(|| check_list(list(&mut m, 500), 500)));
    use_heap(&mut m, 0, 100, 4);
}

fn to_the_limit() {
    let (heap, mut m) = limited(32 * MIB);
    let kept = list(&mut m, 1000);
    m.push(kept);
    m.push(Value::NIL);
    let before = heap.collections();
    let full = |m: &mut Mutator| {
        let n = fill(m, 1);
        assert!((1_500_000..=2_097_152).contains(&n), "{n} pairs");
        check_list(m.get(0), 1000);
        check_list(m.get(1), n as i64);
        for _ in 0..3 {
            assert!(m.alloc_pair(fix(1), fix(2)).is_err(), "nor later");
        }
        m.set(1, Value::NIL);
        check_list(list(m, 100_000), 100_000);
        assert!(heap.collections() > before);
    };
    fork(|| full(&mut m));
    full(&mut m);
}

fn owns_to_the_limit() {
    let (heap, mut m) = limited(64 * MIB);
    let label = heap.owner_label("a test");
    let owns = |m: &mut Mutator| {
        let mut made = 0;
        while let Ok(v) = m.foreign_memory(MIB, false, label) {
            memory(v, MIB)[7] = 1;
            m.push(v);
            made += 1;
        }
        assert!((50..=60).contains(&made), "{made} owners");
        assert!(m.poll_pressure(MIB).is_err());
        m.truncate(0);
        for _ in 0..1000 {
            owner(m, MIB);
        }
    };
    fork(|| owns(&mut m));
    owns(&mut m);
}

fn grandchild() {
    in_child(|m| {
        m.push(Value::NIL);
        fork(|| {
            let n = fill(m, 0);
            assert!(n > 1_500_000, "{n} pairs");
            fork(|| check_list(m.get(0), n as i64));
            m.set(0, Value::NIL);
            fork(|| use_heap(m, 0, 0, 2));
        });
        use_heap(m, 0, 0, 4);
        fork(|| use_heap(m, 0, 0, 4));
    });
}

/// What belongs to the thread that forks or to none is kept, what belongs to other threads is not.
fn keeps() {
    let (heap, mut m) = heap();
    let (there, done) = (Barrier::new(2), AtomicBool::new(false));
    let global = heap.new_global(fix(0));
    std::thread::scope(|s| {
        s.spawn(|| {
            let mut m = heap.attach();
            let mine = list(&mut m, 100);
            m.push(mine);
            let weak = m.weak_pair(mine, Value::NIL).expect("room");
            heap.set_global(&global, weak);
            m.enter_native();
            there.wait();
            while !done.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            m.leave_native();
            check_list(m.get(0), 100);
        });
        m.enter_native();
        there.wait();
        m.leave_native();
        let _stop = Stop(&done);
        let pinned = vector(&mut m, 3);
        m.pin(pinned).expect("an object");
        let (guardian, guarded) = (vector(&mut m, 1), vector(&mut m, 1));
        m.push(guardian);
        m.guard(guardian, guarded, guarded).expect("memory");
        owner(&mut m, MIB);
        let weak_car = |m: &mut Mutator| at(m.heap().global(&global), 1);
        fork(|| {
            m.collect(Collect::Full);
            assert_eq!(weak_car(&mut m), Value::BROKEN, "its root is gone");
            assert_eq!(at(pinned, 1), fix(0));
            assert_eq!(m.unpin(pinned), Ok(0));
            let guardian = m.get(0);
            assert!(m.guardian_next(guardian).is_some());
            assert_eq!(held(heap), (0, 0));
        });
        m.collect(Collect::Full);
        check_list(weak_car(&mut m), 100);
        assert_eq!(m.unpin(pinned), Ok(0));
        let guardian = m.get(0);
        assert!(m.guardian_next(guardian).is_some());
        assert_eq!(held(heap), (0, 0));
    });
}

/// The parent's thread runs the parent's finalizers; the child runs its own.
fn finalizer_thread() {
    static RUN: AtomicUsize = AtomicUsize::new(0);
    let run = |_: &mut Mutator, _, _| {
        RUN.fetch_add(1, Ordering::SeqCst);
    };
    let (heap, mut m) = heap();
    let dead = |m: &mut Mutator| {
        for i in 0..10 {
            let p = pointer(m, 4096 + i);
            m.attach_finalizer(p, fix(1), 100, OwnerLabel::default())
                .expect("memory");
        }
        m.collect(Collect::Full);
    };
    let thread = heap.finalizer_thread(run).expect("a thread");
    for _ in 0..20 {
        dead(&mut m);
        fork(|| {
            let before = RUN.load(Ordering::SeqCst);
            m.run_finalizers(run);
            dead(&mut m);
            assert_eq!(m.run_finalizers(run), 10);
            assert!(RUN.load(Ordering::SeqCst) >= before + 10);
            let own = heap.finalizer_thread(run).expect("a thread");
            dead(&mut m);
            let count = own.stop(&mut m).expect("no panic");
            assert_eq!(count, 10);
        });
    }
    let parents = Cell::new(Some(thread));
    fork(|| {
        let thread = parents.take().expect("once");
        assert_eq!(thread.stop(&mut m).expect("no panic"), 0);
    });
    let thread = parents.take().expect("the child has a copy");
    assert_eq!(thread.stop(&mut m).expect("no panic"), 200);
    assert_eq!(RUN.load(Ordering::SeqCst), 200);
}

/// The collector waits for this thread to stop, which forks instead: that is a safepoint.
fn wanted() {
    let (heap, mut m) = limited(32 * MIB);
    let l = list(&mut m, 10_000);
    m.push(l);
    let before = heap.collections();
    heap.request_collection();
    while !m.stack().poll_wanted() {
        std::hint::spin_loop();
    }
    fork(|| {
        came(&mut m, before);
        use_heap(&mut m, 0, 10_000, 2);
        std::thread::scope(|s| {
            let other = s.spawn(|| {
                let mut m = heap.attach();
                check_list(list(&mut m, 1000), 1000);
                m.collect(Collect::Minor);
            });
            m.enter_native();
            other.join().expect("no panic");
            m.leave_native();
        });
        use_heap(&mut m, 0, 10_000, 2);
    });
    came(&mut m, before);
    check_list(m.get(0), 10_000);
}

/// The collector waits for this thread, which forks inside a leaf call and must stay as it is.
fn in_leaf_call() {
    let (heap, mut m) = limited(32 * MIB);
    let l = list(&mut m, 10_000);
    m.leaf_begins(Leaf::named("c-fork"));
    heap.request_collection();
    while !m.stack().poll_wanted() {
        std::hint::spin_loop();
    }
    fork(|| check_list(l, 10_000));
    check_list(l, 10_000);
    assert_eq!(heap.collections(), 0);
    m.leaf_ends();
    m.push(l);
    m.poll();
    assert_eq!(heap.collections(), 1);
    fork(|| use_heap(&mut m, 0, 10_000, 2));
}

/// Checks that one collection has come where `before` had been, or marks beside the program.
fn came(m: &mut Mutator, before: u64) {
    let heap = m.heap();
    assert!(heap.is_marking() || heap.collections() == before + 1);
    while heap.is_marking() {
        // In a child nobody marks before somebody allocates.
        garbage(m, 1000);
    }
    assert!(heap.collections() > before);
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
        for _ in 0..20 {
            fork(|| {
                m.leave_native();
                use_heap(&mut m, 0, 200_000, 1);
                owner(&mut m, 1000);
            });
            // Some of the forks shall come while this thread is Managed.
            m.leave_native();
            check_list(list(&mut m, 1000), 1000);
            fork(|| {
                check_list(list(&mut m, 10_000), 10_000);
                use_heap(&mut m, 0, 200_000, 1);
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

/// Threads that allocate, change old objects, come and go.
fn busy(heap: &'static Heap, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let mut m = heap.attach();
        let v = vector(&mut m, 100);
        m.push(v);
        m.collect(Collect::Minor);
        for i in 0..100 {
            let l = list(&mut m, 200);
            let v = m.get(0);
            put(&mut m, v, 1 + i, l);
            check_list(at(v, 1 + i / 2), 200);
            large(&mut m);
        }
    }
}

fn large(m: &mut Mutator) {
    vector(m, 4000);
}

fn while_others_allocate() {
    let (_, mut m) = heap_with(HeapConfig {
        limit: Some(128 * MIB),
        nursery: MIB,
        ..HeapConfig::default()
    });
    let heap = m.heap();
    let l = list(&mut m, 10_000);
    m.push(l);
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| busy(heap, &done));
        }
        let stop = Stop(&done);
        for i in 0..40 {
            if i % 2 == 0 {
                m.enter_native();
            }
            fork(|| {
                if i % 2 == 0 {
                    m.leave_native();
                }
                use_heap(&mut m, 0, 10_000, 2);
                large(&mut m);
            });
            if i % 2 == 0 {
                m.leave_native();
            }
            m.collect(Collect::Minor);
            check_list(m.get(0), 10_000);
        }
        drop(stop);
        m.enter_native();
    });
    m.leave_native();
}

/// Each thread forks again and again, Managed and Native, and parents and children collect.
fn storm() {
    let (heap, mut m) = heap_with(HeapConfig {
        workers: Some(2),
        nursery: MIB,
        ..HeapConfig::default()
    });
    m.enter_native();
    std::thread::scope(|s| {
        for thread in 0..4 {
            s.spawn(move || {
                let mut m = heap.attach();
                let l = list(&mut m, 1000);
                m.push(l);
                for i in 0..150 {
                    let native = (i + thread) % 2 == 0;
                    if native {
                        m.enter_native();
                    }
                    let child = begin(|| {
                        if native {
                            m.leave_native();
                        }
                        check_list(m.get(0), 1000);
                        if i % 3 != 0 {
                            use_heap(&mut m, 0, 1000, 2);
                        }
                    });
                    // Another thread's fork does not wait for ever for who waits for a child and is Managed.
                    if !native {
                        m.enter_native();
                    }
                    reap(child);
                    m.leave_native();
                    garbage(&mut m, 5000);
                    check_list(m.get(0), 1000);
                    if i % 10 == 0 {
                        m.collect(Collect::Full);
                    }
                }
            });
        }
    });
    m.leave_native();
}

/// From now on the process can start no thread.
fn no_more_threads() {
    // SAFETY: any user may be asked for. Who is none already stays what he is.
    unsafe { libc::setuid(65534) };
    let none = libc::rlimit {
        rlim_cur: 1,
        rlim_max: 1,
    };
    // SAFETY: the limit is there.
    let status = unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &none) };
    assert_eq!(status, 0);
    // Two threads of one user are more than the limit, even if he has no other.
    let other = std::thread::Builder::new().spawn(|| ());
    assert!(other.is_err(), "the limit holds");
}

fn no_thread() {
    in_child(|m| {
        no_more_threads();
        m.push(Value::NIL);
        let n = fill(m, 0);
        assert!((1_500_000..=2_097_152).contains(&n), "{n} pairs");
        assert!(m.alloc_pair(fix(1), fix(2)).is_err());
        assert!(m.poll_pressure(MIB).is_err());
        m.heap().request_collection();
        check_list(m.get(0), n as i64);
    });
}

fn no_thread_to_collect() {
    in_child(|m| {
        no_more_threads();
        m.collect(Collect::Full);
    });
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
