//! Torture of the collected heap, against books kept outside it.
//!
//! ```text
//!   parent                                        child (one heap, one run)
//!   suite ─ shrink ─ replay                        run ── Worker (one a thread) ── heap
//!     │                                             │        │
//!     └─ session ── a program: heap, threads,  ─────┘        └── shadow ── check
//!                   operations or where they are drawn from
//! ```
//!
//! A run's mutators do what a script says: make objects of every shape, link them, move roots about,
//! call C, pin, guard, collect, fork. Every object is in the books too, with all that it must hold. A
//! look at everything compares the two, and what is dead with what has broken and was delivered. The
//! first fault ends the run.
//!
//! Reading order: `op` (the operations), `draw` (how scripts are drawn), `script`, `shadow` (the
//! books), `world` (what threads share), `worker`, `crossing`, `hold`, `afterlife` and `freeze` (what an operation does),
//! `check` (the look at everything), `fault`, `journal` (what makes a run a script), `suite` and `shrink`
//! (the parent).
//!
//! Absent on purpose: retries, and speed figures.

mod afterlife;
mod check;
mod crossing;
mod draw;
mod fault;
mod freeze;
mod hold;
mod journal;
mod op;
mod script;
mod shadow;
mod shrink;
mod suite;
mod worker;
mod world;

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bowline_gc::Mutator;

use self::fault::Fault;
use self::journal::Journal;
use self::script::{Line, Program, Source};
use self::worker::Worker;
use self::world::{Parts, World};
use crate::fault::Verdict;
use crate::raw::{keep_arena_over_forks, map_file};
use crate::recorder::{MAIN, Recorder};

pub(crate) use self::suite::{Options, run};

/// What the torture's owners of C memory are called.
const LABEL: &str = "torture";

/// Carries a program out and leaves a verdict. The error is a text for whoever started it by hand.
pub(crate) fn victim(
    program: &Path,
    order: Option<&Path>,
    recorder: Recorder,
) -> Result<(), String> {
    keep_arena_over_forks();
    let text = std::fs::read_to_string(program).map_err(|e| e.to_string())?;
    let program: Program = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    program.check()?;
    let words = match order {
        Some(path) => {
            let file = OpenOptions::new().read(true).write(true).open(path);
            let file = file.map_err(|e| e.to_string())?;
            let words = file.metadata().map_err(|e| e.to_string())?.len() as usize / 8;
            Some(map_file(&file, words).map_err(|e| e.to_string())?)
        }
        None => None,
    };
    // Where a zeal collects, it does so in each run at the same places.
    let plan = (program.setup.zeal == "off").then_some(program.setup.plan.parse());
    let plan = plan.transpose().map_err(|e| format!("{e}"))?;
    let heap = bowline_gc::start(program.setup.config()?).map_err(|e| e.to_string())?;
    let world: &'static World = Box::leak(Box::new(World::new(Parts {
        heap,
        setup: program.setup.clone(),
        profile: program.setup.profile()?,
        plant: program.plant()?,
        single: program.threads == 1,
        scripted: matches!(program.source, Source::Script(_)),
        recorder,
        journal: Journal::new(words, plan),
    })));
    work(world, &program)
}

/// Runs the threads, then looks at everything once more.
fn work(world: &'static World, program: &Program) -> Result<(), String> {
    let lines: &'static [Line] = program.lines()?.unwrap_or_default().leak();
    let drawn = match program.source {
        Source::Drawn { seed, steps } => Some((seed, steps)),
        Source::Script(_) => None,
    };
    let start = |number: u32| {
        let name = format!("torture {number}");
        let body = move || {
            let done = match drawn {
                Some((seed, steps)) => draw_and_do(world, number, seed, steps),
                None => do_in_order(world, number, lines),
            };
            done.unwrap_or_else(|fault| world.fail(&fault));
        };
        std::thread::Builder::new().name(name).spawn(body)
    };
    let started: Result<Vec<_>, _> = (0..program.threads).map(start).collect();
    let threads = started.map_err(|e| e.to_string())?;
    let begun = Instant::now();
    while threads.iter().any(|thread| !thread.is_finished()) {
        if begun.elapsed() > program.limit() {
            world.stop.store(true, Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    for thread in threads {
        if thread.join().is_err() {
            world
                .recorder
                .judge(Verdict::Broken, "a thread of the torture panicked");
        }
    }
    let seat = world.recorder.seat(MAIN);
    let mut m = world.heap.attach();
    end(world, &mut m).unwrap_or_else(|fault| world.fail(&fault));
    let tally = serde_json::to_string(&world.tally()).map_err(|e| e.to_string())?;
    world.recorder.judge(Verdict::Held, &tally);
    seat.leave();
    Ok(())
}

fn draw_and_do(world: &'static World, number: u32, seed: u64, steps: u64) -> Result<(), Fault> {
    let seat = world.recorder.seat(number as usize);
    let mut worker = Worker::new(world, Some(seat), number);
    for index in 0..steps {
        if world.stopped() {
            break;
        }
        world.journal.begins(number, index);
        worker.step(world.profile.operation(seed, number, index))?;
    }
    worker.finish()?;
    seat.leave();
    Ok(())
}

/// Does the lines of one thread, each when all before it are done.
fn do_in_order(world: &'static World, number: u32, lines: &[Line]) -> Result<(), Fault> {
    let seat = world.recorder.seat(number as usize);
    let mut worker = Worker::new(world, Some(seat), number);
    for (at, (thread, op)) in lines.iter().enumerate() {
        if world.stopped() {
            break;
        }
        if *thread == number {
            worker.wait_for(at as u64);
            worker.step(*op)?;
            world.turn.store(at as u64 + 1, Ordering::Release);
        }
    }
    if !world.stopped() {
        worker.wait_for(lines.len() as u64);
    }
    worker.finish()?;
    seat.leave();
    Ok(())
}

/// The threads are gone: a look at everything, and again when all else is given back, when nothing
/// may be left.
fn end(world: &World, m: &mut Mutator) -> Result<(), Fault> {
    let _alone = world.alone(m);
    check::check(world, m)?;
    world.give_back(m)?;
    check::check(world, m)?;
    // What was frozen lives for ever.
    let entries = world.owed().clone();
    let living = check::Living::of(world, [], &entries, |_| true)?;
    let wanted = living.into_iter().filter(|lives| *lives).count() as u64;
    match world.shadow.len() as u64 {
        found if found == wanted => Ok(()),
        found => Err(Fault::Figure {
            name: "what lives without roots",
            wanted,
            found,
        }),
    }
}
