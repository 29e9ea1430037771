//! Threads that come, go, cross and poll beside a collection.

use crate::crosser::Nobody;
use crate::{Shared, add, beside_a_collection};
use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;

#[test]
fn a_thread_comes_back_from_native_beside_a_stop() {
    beside_a_collection(|shared, model| {
        shared.world.enter_native(model);
        shared.leave_native(model);
        shared.touch();
    });
}

#[test]
fn a_thread_goes_to_native_beside_a_stop() {
    beside_a_collection(|shared, model| {
        shared.touch();
        shared.world.enter_native(model);
        // The collector needs nothing of this thread from here on.
        shared.leave_native(model);
    });
}

#[test]
fn a_thread_polls_beside_a_stop() {
    beside_a_collection(|shared, model| {
        shared.touch();
        shared.poll(model);
        shared.touch();
    });
}

/// A request to poll that comes while an older one is taken back is not lost: the thread would never stop.
#[test]
fn a_thread_polls_beside_two_stops() {
    loom::model(|| {
        let shared = Shared::new();
        let other = shared.clone();
        let model = shared.attach();
        let collector = thread::spawn(move || {
            other.collect();
            other.collect();
        });
        for _ in 0..2 {
            shared.poll(model);
            shared.touch();
        }
        shared.world.detach(model, || ());
        collector.join().expect("no panic");
    });
}

#[test]
fn a_thread_waits_for_the_collection_that_it_asked_for() {
    loom::model(|| {
        let shared = Shared::new();
        let model = shared.attach();
        shared.touch();
        let other = shared.clone();
        let collector = thread::spawn(move || other.collect());
        shared.world.wait_for_collection(model);
        shared.touch();
        shared.heap.with(|heap| {
            // SAFETY: as in `add`.
            let touched = unsafe { *heap };
            assert_eq!(touched, 3, "the collection came between");
        });
        collector.join().expect("no panic");
    });
}

/// A thread that attaches during a collection waits for its end.
#[test]
fn a_thread_attaches_beside_a_stop() {
    loom::model(|| {
        let shared = Shared::new();
        let other = shared.clone();
        let collector = thread::spawn(move || other.collect());
        let model = shared.attach();
        shared.touch();
        shared.world.enter_native(model);
        collector.join().expect("no panic");
        assert_eq!(shared.world.count(), 1);
    });
}

/// Two threads in turns of their own, and a stop: neither touches anything in between.
#[test]
fn two_threads_cross_beside_a_stop() {
    loom::model(|| {
        let shared = Shared::new();
        let cells = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        let models = [shared.attach(), shared.attach()];
        for model in models {
            shared.world.enter_native(model);
        }
        let (other, theirs) = (shared.clone(), cells.clone());
        let second = thread::spawn(move || {
            other.leave_native(models[1]);
            add(&theirs[1]);
            other.world.enter_native(models[1]);
        });
        let (other, all) = (shared.clone(), cells.clone());
        let collector = thread::spawn(move || {
            other.world.stop(&mut Nobody);
            all.iter().for_each(add);
            other.world.resume(false, false);
        });
        shared.leave_native(models[0]);
        add(&cells[0]);
        shared.world.enter_native(models[0]);
        second.join().expect("no panic");
        collector.join().expect("no panic");
    });
}
