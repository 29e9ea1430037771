//! A torture run, in the child: threads that carry out a plan against the malloc under test, and
//! look at every answer.
//!
//! ```text
//!   Worker (one a thread): slots ─┬─ take, resize, look, drop ── Family ── the malloc under test
//!                                 ├─ pass ── boxes ── another worker
//!                                 ├─ churn ── a thread that takes some, frees some, and dies
//!                                 └─ fork ── a child that checks and frees what it inherited
//!   main: sends signals, tells the time
//! ```
//!
//! The first fault ends the process. Absent on purpose: retries. What was seen once counts.

mod checked;
mod signals;
mod worker;

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault::{Fault, Verdict};
use crate::plan::{BOXES, Kind, Plan};
use crate::raw::{Block, Family, exit_now};
use crate::recorder::{MAIN, Recorder, Seat};
use crate::shadow::Shadow;

use worker::Worker;

/// What all threads of a run share.
pub(crate) struct World {
    plan: Plan,
    family: Family,
    shadow: Shadow,
    boxes: Vec<Mutex<Option<Block>>>,
    recorder: Recorder,
    stop: AtomicBool,
}

/// A text in a fixed place, for those who may not allocate.
struct Line {
    bytes: [u8; 1024],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.bytes.len() - self.length;
        let part = &text.as_bytes()[..text.len().min(room)];
        self.bytes[self.length..self.length + part.len()].copy_from_slice(part);
        self.length += part.len();
        Ok(())
    }
}

impl World {
    /// Leaves the fault as the verdict and ends the process. Allocates nothing: signal handlers
    /// and forked children come here too.
    fn fail(&self, fault: &Fault) -> ! {
        self.fail_while("", fault.kind(), fault)
    }

    /// The same, saying where it was and which kind of step to leave out to look past it.
    fn fail_while(&self, place: &str, kind: Option<Kind>, fault: &Fault) -> ! {
        let mut line = Line {
            bytes: [0; 1024],
            length: 0,
        };
        let _ = write!(line, "{place}{fault}");
        if let Some(kind) = kind {
            let _ = write!(line, "; --without={kind} looks past it");
        }
        let text = std::str::from_utf8(&line.bytes[..line.length]).unwrap_or("unreadable");
        self.recorder.judge(fault.verdict(), text);
        exit_now(0)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Carries out a plan for so long at most, and leaves a verdict.
pub(crate) fn run(plan: Plan, family: Family, recorder: Recorder, limit: Duration) {
    let Some(shadow) = Shadow::new() else {
        recorder.judge(
            Verdict::Broken,
            "no address space for the map of live blocks",
        );
        return;
    };
    let boxes = (0..BOXES).map(|_| Mutex::new(None)).collect();
    // Threads outlive every frame as far as the compiler can tell; the run is the process's last
    // work anyhow.
    let world: &'static World = Box::leak(Box::new(World {
        plan,
        family,
        shadow,
        boxes,
        recorder,
        stop: AtomicBool::new(false),
    }));
    let with_signals = world.plan.has(Kind::Signals);
    if with_signals {
        signals::listen(world);
    }
    let start = |&number| {
        thread::Builder::new()
            .name(format!("torture {number}"))
            .spawn(move || work(world, number))
    };
    let threads: Vec<_> = world.plan.threads.iter().map(start).collect();
    let begun = Instant::now();
    while threads.iter().flatten().any(|thread| !thread.is_finished()) {
        if begun.elapsed() > limit {
            world.stop.store(true, Ordering::Relaxed);
        }
        if with_signals {
            signals::send(world);
        }
        thread::sleep(Duration::from_micros(if with_signals { 300 } else { 5000 }));
    }
    for thread in threads.into_iter().flatten() {
        if thread.join().is_err() {
            recorder.judge(Verdict::Broken, "a thread of the suite panicked");
        }
    }
    let seat = recorder.seat(MAIN);
    if let Err(fault) = sweep(world, seat) {
        world.fail(&fault);
    }
    seat.leave();
    recorder.judge(Verdict::Held, "");
}

fn work(world: &'static World, number: u32) {
    let seat = world.recorder.seat(number as usize);
    let mut worker = Worker::new(world, number, seat);
    if let Err(fault) = worker.run() {
        world.fail(&fault);
    }
    seat.leave();
}

/// Frees what the threads left in the boxes and the handlers parked.
fn sweep(world: &'static World, seat: Seat) -> Result<(), Fault> {
    let checked = checked::Checked::new(world, seat);
    for place in world.boxes.iter().chain(signals::parked()) {
        let left = place.lock().map_or(None, |mut place| place.take());
        if let Some(block) = left {
            checked.drop(block)?;
        }
    }
    Ok(())
}
