//! How long the collector waits until all threads have stopped: `time_to_stop [ROUNDS]`, default 2000.
//!
//! Each line is a crowd of threads: in loops that poll, in loops that allocate, in foreign code for long, going there
//! and back without rest, and a quarter of each. Another thread asks for collections with pauses between. What is
//! told is the time from the collector's wish until the last thread has stopped, as percentiles over the rounds, in
//! microseconds. More threads than processors measure the system's scheduler too: a thread that does not run cannot
//! stop.

use bowline_gc::{Collect, Heap, HeapConfig, Mutator, start};
use bowline_layout::Value;
use std::io::Write;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// What a thread does.
#[derive(Clone, Copy)]
enum Work {
    Polls,
    Allocates,
    Native,
    Crosses,
}

const MIXED: [Work; 4] = [Work::Polls, Work::Native, Work::Allocates, Work::Crosses];

/// Steps between two looks at whether to end.
const STEPS: usize = 100;

fn work(m: &mut Mutator, kind: Work, done: &AtomicBool) {
    while !done.load(Relaxed) {
        if let Work::Native = kind {
            m.enter_native();
            std::thread::sleep(Duration::from_millis(1));
            m.leave_native();
            continue;
        }
        for _ in 0..STEPS {
            match kind {
                Work::Polls => m.poll(),
                Work::Allocates => {
                    m.poll();
                    // A full heap would only make the loop shorter.
                    let _ = m.alloc_pair(Value::NIL, Value::NIL);
                }
                Work::Native | Work::Crosses => {
                    m.enter_native();
                    std::hint::spin_loop();
                    m.leave_native();
                }
            }
        }
    }
}

/// The times to stop `count` threads, in nanoseconds and in order.
fn measure(heap: &'static Heap, kinds: &[Work], count: usize, rounds: usize) -> Vec<u64> {
    let (done, ready) = (AtomicBool::new(false), Barrier::new(count + 1));
    let mut times = Vec::with_capacity(rounds);
    std::thread::scope(|scope| {
        for i in 0..count {
            let (done, ready, kind) = (&done, &ready, kinds[i % kinds.len()]);
            scope.spawn(move || {
                let mut m = heap.attach();
                m.enter_native();
                ready.wait();
                m.leave_native();
                work(&mut m, kind, done);
            });
        }
        ready.wait();
        let mut m = heap.attach();
        for _ in 0..rounds {
            m.enter_native();
            std::thread::sleep(Duration::from_micros(500));
            m.leave_native();
            m.collect(Collect::Minor);
            times.push(m.stats().last_stop_ns);
        }
        done.store(true, Relaxed);
    });
    times.sort_unstable();
    times
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(2000), |s| s.parse())?;
    let heap = start(HeapConfig {
        workers: Some(1),
        ..HeapConfig::default()
    })?;
    let mut out = std::io::stdout();
    writeln!(out, "threads  work         p50    p90    p99     max  (µs)")?;
    for count in [2, 8] {
        let crowds: [(&str, &[Work]); 5] = [
            ("polls", &[Work::Polls]),
            ("allocates", &[Work::Allocates]),
            ("native", &[Work::Native]),
            ("crosses", &[Work::Crosses]),
            ("mixed", &MIXED),
        ];
        for (name, kinds) in crowds {
            let times = measure(heap, kinds, count, rounds);
            let at = |percent: usize| times[(times.len() - 1) * percent / 100] as f64 / 1000.0;
            writeln!(
                out,
                "{count:>7}  {name:<10} {:>6.1} {:>6.1} {:>6.1} {:>7.1}",
                at(50),
                at(90),
                at(99),
                at(100)
            )?;
        }
    }
    Ok(())
}
