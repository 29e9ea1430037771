//! The world without a heap, under many crossings and many stops: does each side see what the other wrote
//! (`inv:world.dekker`)?
//!
//! The model checker cannot try the form by `membarrier(2)`: there the processor's own buffers are what is
//! tested. With its fence left out (`Some(|| ())` in place of `Some(everywhere)`) the first test fails on an
//! x86-64 with two processors: in one stop of four some thread is Managed.
//!
//! Absent on purpose: expecting that failure. A machine with one processor does not show it.

use crate::config::HeapConfig;
use crate::crosser::{Crosser, Nobody};
use crate::membarrier;
use crate::world::World;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

const STOPS: u64 = 500;

/// Memory that no cache holds, so that a processor has stores under way when it writes the state behind them.
const FAR: usize = 32 << 20;
const STORES: usize = 30;
/// How often a thread looks whether the world is stopped while it must not be.
const LOOKS: usize = 500;

/// Crosses until `done`, and counts how often the world was stopped while this thread was Managed.
fn crosses(
    world: &World<Crosser>,
    stopped: &AtomicBool,
    done: &AtomicBool,
    crossings: &AtomicU64,
) -> u64 {
    let me = Crosser::fresh();
    let mut violations = 0;
    let mut far = vec![0u8; FAR];
    let mut at = 0x9e37_79b9usize;
    world.attach(me, || ());
    while !done.load(Relaxed) {
        world.enter_native(me);
        for _ in 0..STORES {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            far[(at >> 32) % FAR] = 1;
        }
        if world.leave_native(me) {
            world.wait_to_leave(me);
        }
        crossings.fetch_add(1, Relaxed);
        for _ in 0..LOOKS {
            violations += u64::from(stopped.load(Relaxed));
        }
        if me.is_wanted() {
            world.safepoint(me);
        }
    }
    world.detach(me, || ());
    violations
}

fn violations(everywhere: Option<fn()>) -> u64 {
    let world = World::new(everywhere);
    let (stopped, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let (seen, crossings) = (AtomicU64::new(0), AtomicU64::new(0));
    // One processor is the collector's.
    let threads = std::thread::available_parallelism().map_or(1, |n| (n.get() - 1).clamp(1, 4));
    std::thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| {
                seen.fetch_add(crosses(&world, &stopped, &done, &crossings), Relaxed);
            });
        }
        for stop in 0..STOPS {
            // The threads are on their way again, each time at another point of it.
            let before = crossings.load(Relaxed);
            while crossings.load(Relaxed) < before + 2 {
                std::thread::yield_now();
            }
            for _ in 0..stop % 97 {
                std::hint::spin_loop();
            }
            world.stop(&mut Nobody);
            stopped.store(true, Relaxed);
            for _ in 0..LOOKS / 10 {
                std::hint::spin_loop();
            }
            stopped.store(false, Relaxed);
            world.resume(true, false);
        }
        done.store(true, Relaxed);
    });
    seen.into_inner()
}

#[test]
fn nobody_is_managed_while_stopped_by_membarrier() {
    let Some(everywhere) = membarrier::for_heap(&HeapConfig::default()) else {
        eprintln!("not tried: this kernel has no membarrier(2), or a filter refuses it");
        return;
    };
    assert_eq!(violations(Some(everywhere)), 0);
}

#[test]
fn nobody_is_managed_while_stopped_by_fences() {
    let fences = HeapConfig {
        fences: true,
        ..HeapConfig::default()
    };
    assert_eq!(violations(membarrier::for_heap(&fences)), 0);
}
