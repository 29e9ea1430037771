//! What the heap adds to a fork: `cargo run --release -p bowline-gc --example forks`.
//!
//! Prints the time from `fork` until it has returned in the parent, in µs, the median of many: without a heap,
//! with one whose collector sleeps since the last fork, with one that has collected in between, and the
//! same with threads that must be stopped; and what the first collection after a fork costs more.

use bowline_gc::{Collect, Heap, HeapConfig, Mutator, start};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const FORKS: usize = 300;

/// Forks a child that exits at once, and returns how long the parent was busy with it.
fn fork() -> f64 {
    let began = Instant::now();
    // SAFETY: the child only exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: nothing of the child is wanted.
        unsafe { libc::_exit(0) };
    }
    let took = began.elapsed().as_nanos() as f64 / 1e3;
    // SAFETY: waits for the child, whose status nobody wants.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    took
}

fn median(mut measure: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..FORKS).map(|_| measure()).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn collect(m: &mut Mutator) -> f64 {
    let began = Instant::now();
    m.collect(Collect::Minor);
    began.elapsed().as_nanos() as f64 / 1e3
}

/// Polls until told to end, as a running program does.
fn runs(heap: &'static Heap, done: &AtomicBool) {
    let mut m = heap.attach();
    while !done.load(Ordering::Relaxed) {
        m.poll();
    }
}

/// Prints a line.
fn tell(what: &str, us: f64) {
    // Nobody reads: nothing to tell.
    let _ = writeln!(std::io::stdout(), "{what:40}{us:8.1} µs");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tell("no heap", median(fork));
    let heap = start(HeapConfig::default())?;
    let mut m = heap.attach();
    tell("collector asleep", median(fork));
    let awake = |m: &mut Mutator| {
        collect(m);
        fork()
    };
    tell("collector awake", median(|| awake(&mut m)));
    let usual = median(|| collect(&mut m));
    let after = || {
        fork();
        collect(&mut m)
    };
    tell("what the next collection costs more", median(after) - usual);
    let done = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| runs(heap, &done));
        }
        tell("awake, and four threads run", median(|| awake(&mut m)));
        done.store(true, Ordering::Relaxed);
        m.enter_native();
    });
    m.leave_native();
    Ok(())
}
