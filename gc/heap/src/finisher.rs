//! The thread that ends a collection whose marking is done.
//!
//! MMTk finds out that marking is done when a thread allocates. All threads may sit in foreign code, or allocate
//! nothing for hours, while garbage is kept and each store is noted. So this thread looks every [`TICK`]
//! while there is marking, and asks for End. Without marking it sleeps.
//!
//! Absent on purpose: a part in ending the wait of a thread that allocates too fast. That one asks
//! itself.

use crate::binding::is_marked;
use crate::heap::{Heap, engine};
use crate::sync::lock;
use crate::sys;
use crate::thread::{quietly, requester};
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// How often the thread looks.
const TICK: Duration = Duration::from_millis(1);

/// What the lock guards.
#[derive(Default)]
pub(crate) struct Inner {
    /// There is a thread.
    hired: bool,
    /// Marking has begun, and the thread does not know yet.
    begun: bool,
}

/// How the thread is told that there is marking.
#[derive(Default)]
pub(crate) struct Finisher {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Finisher {
    /// Sees to it that there is a thread.
    pub(crate) fn hire(&self, heap: &'static Heap) -> io::Result<()> {
        let mut inner = lock(&self.inner);
        if inner.hired {
            return Ok(());
        }
        // A forked child may have begun nothing, and has marking all the same.
        inner.begun = heap.is_marking();
        let starting = heap.pressure.thread_starts();
        let body = move || {
            sys::leave_signals_to_others();
            quietly(|| {
                drop(starting);
                heap.finisher.work(heap)
            });
        };
        let name = "bowline-mark".to_owned();
        std::thread::Builder::new().name(name).spawn(body)?;
        inner.hired = true;
        Ok(())
    }

    /// Marking has begun.
    pub(crate) fn wake(&self) {
        lock(&self.inner).begun = true;
        self.changed.notify_one();
    }

    /// The lock, for a fork.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    fn work(&self, heap: &'static Heap) -> ! {
        loop {
            let inner = lock(&self.inner);
            // A poisoned lock guards two booleans that are right all the same.
            let waited = self.changed.wait_while(inner, |inner| !inner.begun);
            waited.unwrap_or_else(|e| e.into_inner()).begun = false;
            finish(heap);
        }
    }
}

impl Inner {
    /// In a forked child the thread is not there.
    pub(crate) fn forked(&mut self) {
        self.hired = false;
    }
}

/// Sees the marking to its end.
fn finish(heap: &'static Heap) {
    while heap.is_marking() {
        std::thread::sleep(TICK);
        // inv:cycle.still: what is asked for there is End.
        heap.world.unless_stopped(|| {
            // After a fork nobody marks, and whoever sits in C wakes nobody.
            let due = heap.is_marking() && heap.wake() && is_marked(engine().mmtk.get_plan());
            if due {
                mmtk::memory_manager::gc_poll(engine().mmtk, requester());
            }
            due
        });
    }
}
