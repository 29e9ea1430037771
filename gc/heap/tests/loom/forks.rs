//! Forks, which hold the world like a collection: until all have stopped, or until they give up.

use crate::crosser::{Crosser, Nobody};
use crate::world::Hold;
use crate::{Shared, add, beside_a_collection, far};
use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// A fork holds the world beside a stop: the two come one after the other.
#[test]
fn a_fork_beside_a_stop() {
    loom::model(|| {
        let shared = Shared::new();
        let model = shared.attach();
        let other = shared.clone();
        let collector = thread::spawn(move || other.collect());
        let (mut inner, hold) = shared.world.hold(Some(model), far(), || true, &mut Nobody);
        assert_eq!(hold, Hold::Whole);
        shared.touch();
        shared.world.release(&mut inner, hold);
        drop(inner);
        shared.poll(model);
        shared.world.detach(model, || ());
        collector.join().expect("no panic");
    });
}

/// A firm thread forks beside a stop: nothing is collected until it polls, and it does not wait for it.
#[test]
fn a_firm_fork_beside_a_stop() {
    beside_a_collection(|shared, model| {
        let (mut inner, hold) = shared.world.hold_firmly(model, far(), || true, &mut Nobody);
        shared.touch();
        shared.world.release(&mut inner, hold);
        drop(inner);
        shared.touch();
    });
}

/// Two firm threads fork at once: each waits for the other's safepoint, or not at all.
#[test]
fn two_firm_forks() {
    loom::model(|| {
        let shared = Shared::new();
        let fork = |shared: &Shared, model: &'static Crosser| {
            let (mut inner, hold) = shared.world.hold_firmly(model, far(), || true, &mut Nobody);
            if hold == Hold::Whole {
                shared.touch();
            }
            shared.world.release(&mut inner, hold);
            drop(inner);
            shared.world.detach(model, || ());
        };
        let models = [shared.attach(), shared.attach()];
        let other = shared.clone();
        let second = thread::spawn(move || fork(&other, models[1]));
        fork(&shared, models[0]);
        second.join().expect("no panic");
        assert_eq!(shared.world.count(), 0);
    });
}

/// What holds came to in all the interleavings together.
#[derive(Default)]
struct Seen {
    whole: AtomicBool,
    part: AtomicBool,
}

impl Seen {
    fn note(&self, hold: Hold) {
        match hold {
            Hold::Whole => self.whole.store(true, Relaxed),
            Hold::Part => self.part.store(true, Relaxed),
            Hold::Nothing => panic!("others were asked"),
        }
    }

    #[track_caller]
    fn both(&self) {
        let seen = [&self.whole, &self.part].map(|seen| seen.load(Relaxed));
        assert_eq!(seen, [true, true]);
    }
}

/// A fork that waits for nobody, beside a thread that polls when it likes. `has_all` says of which holds the forking
/// thread may think that the other has stopped.
fn gives_up_on_a_thread(has_all: fn(Hold) -> bool) {
    let seen: &'static Seen = Box::leak(Box::default());
    loom::model(move || {
        let shared = Shared::new();
        let cells = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        let models = [shared.attach(), shared.attach()];
        let (other, theirs) = (shared.clone(), cells.clone());
        let second = thread::spawn(move || {
            add(&theirs[1]);
            other.poll(models[1]);
            add(&theirs[1]);
            other.world.detach(models[1], || ());
        });
        let world = &shared.world;
        let (mut inner, hold) = world.hold(Some(models[0]), Instant::now(), || true, &mut Nobody);
        seen.note(hold);
        add(&cells[0]);
        if has_all(hold) {
            add(&cells[1]);
        }
        world.release(&mut inner, hold);
        drop(inner);
        add(&cells[0]);
        world.detach(models[0], || ());
        second.join().expect("no panic");
        assert_eq!(world.count(), 0);
    });
    seen.both();
}

/// A fork gives up at its deadline: then the other thread goes on as it likes, and both go on afterwards.
#[test]
fn a_fork_that_gives_up_on_a_thread() {
    gives_up_on_a_thread(|hold| hold == Hold::Whole);
}

/// Planted: a part is taken for all.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_part_that_is_taken_for_all_is_found() {
    gives_up_on_a_thread(|_| true);
}

/// A fork that waits for nobody, beside a stop. It gives up `gives_back` of what it holds.
fn gives_up_beside_a_stop(gives_back: fn(Hold) -> Hold) {
    let seen: &'static Seen = Box::leak(Box::default());
    beside_a_collection(move |shared, model| {
        let world = &shared.world;
        let (mut inner, hold) = world.hold(Some(model), Instant::now(), || true, &mut Nobody);
        seen.note(hold);
        // Managed again: the collector, which may have seen it Stopped, waits for the lock and then for the thread.
        shared.touch();
        world.release(&mut inner, gives_back(hold));
        drop(inner);
        shared.touch();
    });
    seen.both();
}

/// A collection that has not stopped the world when a fork gives up comes after it.
#[test]
fn a_fork_that_gives_up_beside_a_stop() {
    gives_up_beside_a_stop(|hold| hold);
}

/// Planted: who has got a part only gives nothing back.
#[test]
#[should_panic(expected = "deadlock")]
fn a_part_that_is_not_given_back_is_found() {
    gives_up_beside_a_stop(|_| Hold::Nothing);
}
