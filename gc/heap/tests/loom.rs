//! The threads' agreement about who may touch the heap, under the model checker: every interleaving of a few
//! threads that come, cross, poll, stop and go, with the very code that the heap runs.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p bowline-gc --test loom`. Without `--cfg loom` this is an empty
//! test. Only the form by fences is tried: what `membarrier(2)` does to a processor loom does not know (see `litmus` in
//! the crate).
//!
//! They can fail. Without the fence of `inv:world.dekker` that a crossing thread passes, three do: "comes back from
//! native" and "two threads cross" by a race, "attaches" by a wake that is lost. Without the collector's the same
//! three do, and "polls beside two stops".

#![cfg(loom)]

#[path = "../src/crosser.rs"]
mod crosser;
#[path = "../src/member.rs"]
mod member;
#[path = "../src/sync.rs"]
mod sync;
#[expect(dead_code, reason = "the models use what they try")]
#[path = "../src/world.rs"]
mod world;

use crosser::{Crosser, Nobody};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;
use std::time::Duration;
use world::{Hold, World};

/// The world and what its threads and the collector share: loom complains if two touch `heap` at once, or if one
/// does not see what the other did.
struct Shared {
    world: World<Crosser>,
    heap: UnsafeCell<u32>,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Shared {
            world: World::new(None),
            heap: UnsafeCell::new(0),
        })
    }

    /// A thread of the world.
    fn attach(&self) -> &'static Crosser {
        let model = Crosser::fresh();
        self.world.attach(model, || ());
        model
    }

    /// What a thread does while it is Managed. One thread at most is Managed in each model, so it may write.
    fn touch(&self) {
        self.heap.with_mut(|heap| {
            // SAFETY: loom checks that nobody else touches it.
            unsafe { *heap += 1 }
        });
    }

    fn leave_native(&self, model: &Crosser) {
        if self.world.leave_native(model) {
            self.world.wait_to_leave(model);
        }
    }

    fn poll(&self, model: &Crosser) {
        if model.is_wanted() {
            self.world.safepoint(model);
        }
    }

    /// A collection.
    fn collect(&self) {
        self.world.stop(&mut Nobody);
        self.touch();
        self.world.resume(true, false);
    }
}

/// Runs `program` beside a collection.
fn beside_a_collection(program: impl Fn(&Shared, &'static Crosser) + Copy + Send + Sync + 'static) {
    loom::model(move || {
        let shared = Shared::new();
        let other = shared.clone();
        let model = shared.attach();
        let collector = thread::spawn(move || other.collect());
        program(&shared, model);
        shared.world.detach(model, || ());
        collector.join().expect("no panic");
        assert_eq!(shared.world.count(), 0);
    });
}

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
            // SAFETY: as in `touch`.
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
        let touch = |cell: &UnsafeCell<u32>| {
            cell.with_mut(|cell| {
                // SAFETY: loom checks that nobody else touches it.
                unsafe { *cell += 1 }
            });
        };
        let (other, theirs) = (shared.clone(), cells.clone());
        let second = thread::spawn(move || {
            other.leave_native(models[1]);
            touch(&theirs[1]);
            other.world.enter_native(models[1]);
        });
        let (other, all) = (shared.clone(), cells.clone());
        let collector = thread::spawn(move || {
            other.world.stop(&mut Nobody);
            all.iter().for_each(touch);
            other.world.resume(false, false);
        });
        shared.leave_native(models[0]);
        touch(&cells[0]);
        shared.world.enter_native(models[0]);
        second.join().expect("no panic");
        collector.join().expect("no panic");
    });
}

/// A fork holds the world beside a stop: the two come one after the other.
#[test]
fn a_fork_beside_a_stop() {
    loom::model(|| {
        let shared = Shared::new();
        let model = shared.attach();
        let other = shared.clone();
        let collector = thread::spawn(move || other.collect());
        let far = std::time::Instant::now() + Duration::from_secs(3600);
        let (mut inner, hold) = shared.world.hold(Some(model), far, || true, &mut Nobody);
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
        let far = std::time::Instant::now() + Duration::from_secs(3600);
        let (mut inner, hold) = shared.world.hold_firmly(model, far, || true, &mut Nobody);
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
            let far = std::time::Instant::now() + Duration::from_secs(3600);
            let (mut inner, hold) = shared.world.hold_firmly(model, far, || true, &mut Nobody);
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
