//! What it costs to hold on to an object, in nanoseconds: handles and pins, on one thread and on several at once.
//!
//! `cargo run --release -p bowline-ffi --example handles [THREADS]`, default 2
//!
//! Each thread's own processor time is counted, the least of a few rounds.

#![expect(clippy::print_stdout, reason = "an example prints")]

use bowline_ffi::{Handle, HandleKind, HandleScope, Handles};
use bowline_gc::{Heap, HeapConfig, Mutator};
use bowline_layout::Value;
use std::hint::black_box;
use std::sync::Barrier;

/// The thread's processor time in nanoseconds.
fn now() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time is written.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The least nanoseconds of one operation over a few rounds of `n`.
fn measure(n: u64, mut round: impl FnMut(u64)) -> f64 {
    (0..7)
        .map(|_| {
            let start = now();
            round(n);
            (now() - start) / n as f64
        })
        .fold(f64::INFINITY, f64::min)
}

const N: u64 = 4_000_000;
/// Handles that are live at once where the table must be walked through.
const MANY: usize = 100_000;

/// What is measured, and how.
type Operation = (&'static str, fn(&mut Mutator) -> f64);

const OPERATIONS: [Operation; 8] = [
    ("nothing", |_| {
        measure(N, |n| {
            (0..n).for_each(|i| {
                black_box(i);
            })
        })
    }),
    ("handle create + free", create_free),
    ("weak handle create + free", create_free_weak),
    ("local handle in a scope of 1000", locals),
    ("handle get", |m| get(m, 1)),
    ("handle get, 100,000 by turns", |m| get(m, MANY)),
    ("pin + unpin", pin_unpin),
    ("pin + unpin by handle", pin_by_handle),
];

fn create(m: &Mutator, v: Value, kind: HandleKind) -> Handle {
    Handles::of(m).create(v, kind).expect("room")
}

fn object(m: &mut Mutator) -> Value {
    m.alloc_pair(Value::NIL, Value::NIL).expect("room")
}

fn create_free(m: &mut Mutator) -> f64 {
    create_free_of(m, HandleKind::Global)
}

fn create_free_weak(m: &mut Mutator) -> f64 {
    create_free_of(m, HandleKind::Weak)
}

fn create_free_of(m: &mut Mutator, kind: HandleKind) -> f64 {
    let handles = Handles::of(m);
    measure(N, |n| {
        for _ in 0..n {
            let handle = handles.create(black_box(Value::NIL), kind);
            let freed = handle.and_then(|handle| handles.free(black_box(handle)));
            black_box(freed.is_ok());
        }
    })
}

fn locals(m: &mut Mutator) -> f64 {
    measure(N, |n| {
        for _ in 0..n / 1000 {
            let scope = HandleScope::enter();
            let handles = Handles::of(m);
            for _ in 0..1000 {
                black_box(handles.create(Value::NIL, HandleKind::Local).is_ok());
            }
            black_box(scope.leave(m).is_ok());
        }
    })
}

fn get(m: &mut Mutator, count: usize) -> f64 {
    let made: Vec<Handle> = (0..count)
        .map(|_| create(m, Value::NIL, HandleKind::Global))
        .collect();
    let handles = Handles::of(m);
    let time = measure(N, |n| {
        for _ in 0..n as usize / count {
            for handle in &made {
                black_box(handles.get(black_box(*handle)).is_ok());
            }
        }
    });
    for handle in made {
        handles.free(handle).expect("live");
    }
    time
}

fn pin_unpin(m: &mut Mutator) -> f64 {
    let v = object(m);
    measure(N, |n| {
        for _ in 0..n {
            black_box(m.pin(black_box(v)).is_ok());
            black_box(m.unpin(black_box(v)).is_ok());
        }
    })
}

fn pin_by_handle(m: &mut Mutator) -> f64 {
    let v = object(m);
    let handle = create(m, v, HandleKind::Global);
    let handles = Handles::of(m);
    let time = measure(N, |n| {
        for _ in 0..n {
            black_box(handles.pin(black_box(handle)).is_ok());
            black_box(handles.unpin(black_box(handle)).is_ok());
        }
    });
    handles.free(handle).expect("live");
    time
}

/// The mean over `threads` that do the same at once.
fn on_threads(heap: &'static Heap, threads: usize, body: fn(&mut Mutator) -> f64) -> f64 {
    let barrier = Barrier::new(threads);
    let times = std::thread::scope(|scope| {
        let run = || {
            let mut m = heap.attach();
            m.enter_native();
            barrier.wait();
            m.leave_native();
            body(&mut m)
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let times: Vec<f64> = running
            .into_iter()
            .map(|t| t.join().expect("no panic"))
            .collect();
        times
    });
    times.iter().sum::<f64>() / threads as f64
}

fn main() {
    let heap = bowline_gc::start(HeapConfig::default()).expect("starts");
    let threads = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let threads = threads.unwrap_or(2);
    println!("{:<40} {:>9} {threads:>6} threads", "", "1 thread");
    for (what, body) in OPERATIONS {
        let one = on_threads(heap, 1, body);
        let more = on_threads(heap, threads, body);
        println!("{what:<40} {one:6.1} ns {more:11.1} ns");
    }
}
