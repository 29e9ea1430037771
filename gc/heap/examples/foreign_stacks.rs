//! What ambiguous foreign stacks cost a pause: `foreign_stacks [THREADS] [KIB] [plain]`, default 4 and 64.
//! THREADS threads are in foreign code, each with KIB of stack below its call, while another one collects.
//! Prints the median pause of minor collections. `plain` leaves the stacks unscanned; without it the
//! build must be one with the feature `ambiguous`.

use bowline_gc::{CallFrame, Collect, Heap, HeapConfig, start};
use std::hint::black_box;
use std::io::Write;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const COLLECTIONS: usize = 301;

/// Takes `kib` of stack and sleeps until `done`.
#[inline(never)]
fn deep(kib: usize, ready: &Barrier, done: &AtomicBool) {
    let page = black_box([kib as u64; 128]);
    if kib > 1 {
        deep(kib - 1, ready, done);
    } else {
        ready.wait();
        while !done.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    black_box(page);
}

fn in_foreign_code(heap: &'static Heap, kib: usize, ready: &Barrier, done: &AtomicBool) {
    let mut m = heap.attach();
    let mut frame = CallFrame::new(&[]);
    // SAFETY: popped below; the frame does not move.
    unsafe { m.push_call(&mut frame) };
    m.enter_native();
    deep(kib, ready, done);
    m.leave_native();
    // SAFETY: pushed above.
    unsafe { m.pop_call(&mut frame) };
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let threads = args.next().map_or(Ok(4), |n| n.parse())?;
    let kib = args.next().map_or(Ok(64), |n| n.parse())?;
    let heap = start(HeapConfig {
        ambiguous: args.next().is_none(),
        ..HeapConfig::default()
    })?;
    let (ready, done) = (&Barrier::new(threads + 1), &AtomicBool::new(false));
    let mut pauses = Vec::new();
    std::thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(move || in_foreign_code(heap, kib, ready, done));
        }
        ready.wait();
        let mut m = heap.attach();
        for _ in 0..COLLECTIONS {
            let before = m.stats().total_pause_ns;
            m.collect(Collect::Minor);
            pauses.push(m.stats().total_pause_ns - before);
        }
        done.store(true, Ordering::Relaxed);
    });
    pauses.sort_unstable();
    let median = pauses[COLLECTIONS / 2] / 1000;
    writeln!(
        std::io::stdout(),
        "{threads} threads of {kib} KiB: {median} µs"
    )?;
    Ok(())
}
