//! Who asks for a collection and is not Managed: any thread, which does not wait (`unless_stopped`), and C's malloc, which
//! waits for the end (`wait_from_outside`).

use crate::crosser::Nobody;
use crate::sync::{Futex, Ordering};
use crate::{Shared, far};
use loom::sync::atomic::AtomicU32;
use loom::thread;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

/// A request beside a stop. MMTk takes none while the world is stopped: the request touches what the collector does.
fn asked_beside_a_stop(ask: fn(&Shared)) {
    loom::model(move || {
        let shared = Shared::new();
        let other = shared.clone();
        let collector = thread::spawn(move || other.collect());
        ask(&shared);
        collector.join().expect("no panic");
    });
}

#[test]
fn a_request_comes_before_a_stop_or_after_it() {
    asked_beside_a_stop(|shared| {
        shared.world.unless_stopped(|| {
            shared.touch();
            true
        });
    });
}

/// Planted: to look first and to ask then.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_request_without_the_lock_is_found() {
    asked_beside_a_stop(|shared| {
        if !shared.world.is_still() {
            shared.touch();
        }
    });
}

/// A world whose collector collects when it is asked, and counts.
struct Asked {
    shared: Arc<Shared>,
    asked: Futex,
    collected: AtomicU32,
}

impl Asked {
    fn ask(&self) -> bool {
        self.asked.word().store(1, Ordering::SeqCst);
        self.asked.wake();
        true
    }

    fn collected(&self) -> u32 {
        self.collected.load(Ordering::Relaxed)
    }

    fn collect(&self) {
        let world = &self.shared.world;
        world.stop(&mut Nobody);
        self.collected.fetch_add(1, Ordering::Relaxed);
        world.resume(true, false);
    }

    fn collect_when_asked(&self) {
        while self.asked.word().load(Ordering::SeqCst) == 0 {
            self.asked.wait(0, None);
        }
        self.collect();
    }
}

/// C waits for a collection beside a collector that has `before` others under way.
fn c_waits(before: u32, wait: fn(&Asked)) {
    loom::model(move || {
        let asked = Arc::new(Asked {
            shared: Shared::new(),
            asked: Futex::new(0),
            collected: AtomicU32::new(0),
        });
        let other = asked.clone();
        let c = thread::spawn(move || wait(&other));
        (0..before).for_each(|_| asked.collect());
        asked.collect_when_asked();
        c.join().expect("no panic");
    });
}

/// Waits for a collection, one of those that were not over when it was asked for.
fn waits(asked: &Asked) {
    let before = Cell::new(0);
    let came = asked.shared.world.wait_from_outside(far(), || {
        before.set(asked.collected());
        asked.ask()
    });
    assert!(came && asked.collected() > before.get());
}

#[test]
fn c_waits_for_the_collection_that_it_asks_for() {
    c_waits(0, waits);
}

/// The end of a collection that was under way when C came is not what it waits for.
#[test]
fn c_waits_beside_another_stop() {
    c_waits(1, waits);
}

/// Planted: to ask first and to wait then. The collection may be over.
#[test]
#[should_panic(expected = "deadlock")]
fn c_that_asks_before_it_waits_is_found() {
    c_waits(0, |asked| {
        asked.ask();
        asked.shared.world.wait_from_outside(far(), || true);
    });
}

/// A leaf call, which is Managed, waits for a thread whose C waits for a collection: and the collector for the leaf call.
fn c_waits_beside_a_leaf_call(deadline: fn() -> Instant) {
    loom::model(move || {
        let shared = Shared::new();
        let model = shared.attach();
        let other = shared.clone();
        let collector = thread::spawn(move || other.collect());
        let other = shared.clone();
        let c = thread::spawn(move || other.world.wait_from_outside(deadline(), || true));
        let came = c.join().expect("no panic");
        assert!(!came, "a collection during a leaf call");
        shared.touch();
        shared.world.detach(model, || ());
        collector.join().expect("no panic");
    });
}

#[test]
fn c_gives_up_on_a_leaf_call_that_waits_for_it() {
    c_waits_beside_a_leaf_call(Instant::now);
}

/// Planted: C has all the time in the world.
#[test]
#[should_panic(expected = "deadlock")]
fn c_that_never_gives_up_is_found() {
    c_waits_beside_a_leaf_call(far);
}
