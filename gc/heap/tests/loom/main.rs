//! The threads' agreement about who may touch the heap, under the model checker: every interleaving of a few
//! threads that come, cross, poll, stop and go, with the very code that the heap runs.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p bowline-gc --test loom`. Without `--cfg loom` this is an empty
//! test. Only the form by fences is tried: what `membarrier(2)` does to a processor loom does not know (see `litmus` in
//! the crate).
//!
//! They can fail. What a model is there for is planted where that can be done from outside the crate: a trial that
//! does it wrong must panic. In `world` itself it was tried by hand:
//!
//! * without the fence of `inv:world.dekker` that a crossing thread passes, "comes back from native" and "two threads
//!   cross" find a race, and "attaches" a wake that is lost. Without the collector's the same three do, and "polls beside
//!   two stops";
//! * without the collector's second look at the threads, with the lock held, "a fork that gives up beside a stop" finds a
//!   race, and also when a collection that has stopped the world is not waited for;
//! * when a request does not take the lock, "a request comes before a stop" finds a race. Where C counts the stops behind
//!   the lock, or looks for changes behind it, both "C waits" wait for ever; and where it does not wait for the end of
//!   a stop that was under way, "beside another stop" takes that for its own.
//!
//! Reading order: this, `stops` (threads beside a collection), `outside` (who asks for one and is not Managed), `forks`.

#![cfg(loom)]

#[path = "../../src/crosser.rs"]
mod crosser;
#[path = "../../src/member.rs"]
mod member;
#[path = "../../src/sync.rs"]
mod sync;
#[expect(dead_code, reason = "the models use what they try")]
#[path = "../../src/world.rs"]
mod world;

mod forks;
mod outside;
mod stops;

use crosser::{Crosser, Nobody};
use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;
use std::time::{Duration, Instant};
use world::World;

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
        add(&self.heap);
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

/// Changes what one thread at a time may touch.
fn add(cell: &UnsafeCell<u32>) {
    cell.with_mut(|cell| {
        // SAFETY: loom checks that nobody else touches it.
        unsafe { *cell += 1 }
    });
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

/// A time that does not come.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
