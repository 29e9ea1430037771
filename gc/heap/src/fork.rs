//! Forks: the child has the heap as it was, and nobody who collects.
//!
//! ```text
//!   prepare: asks nothing from now on, waits for the end of a collection that runs, takes the locks
//!      │
//!      ├─ parent: gives the locks back
//!      └─ child:  gives the locks back; the heap is Forked, or Torn
//! ```
//!
//! `inv:fork.locks` A child finds no lock of this crate's taken, if it may ever want it: prepare holds them
//! all over the fork, the world's first. Whoever has one of the others waits for nothing meanwhile, so
//! prepare gets them. A lock that only a collection takes is left alone.
//!
//! `inv:fork.alone` In a child nothing asks MMTk for a collection and nothing waits for one: the threads that
//! collect are in the parent. The size means nothing there; up to the limit everything goes on, and
//! beyond it C's `malloc` and the heap have no memory, at once. Who insists on a collection ends the
//! process with a message.
//!
//! A heap is *Torn* if another thread was Managed: it may have held a lock of MMTk's, or have been halfway
//! through a change. Then to allocate from MMTk ends the process with a message too; C's `malloc` is not
//! concerned.
//!
//! The allocator's handlers come first in a process and so run last before the fork and first after it:
//! memory can be had in all three handlers here. A handler that was registered between the two runs while
//! the locks are held, therefore the thread is asked nothing until the last one has been given back.
//!
//! Absent on purpose: collecting in a child, for which MMTk would have to end its threads before each fork.
//! A fork in a signal handler that interrupts a thread which holds one of the locks waits for that
//! thread, as it would with libc's. `vfork`, `posix_spawn` and `_Fork` run no handlers.

use crate::boot;
use crate::config::HeapError;
use crate::heap::Heap;
use crate::owners::Owners;
use crate::pins::{AddrMap, Pin};
use crate::roots::{Cells, RootSource};
use crate::sync::lock;
use crate::sys;
use crate::thread::{hush, unhush};
use crate::weak::Weak;
use crate::world;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// What forks have made of the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Standing {
    /// There is a collector.
    Whole = 0,
    /// There is none.
    Forked = 1,
    /// There is none, and another thread was using the heap.
    Torn = 2,
}

/// The heap's standing in this process.
pub(crate) struct Forks(AtomicU8);

impl Forks {
    pub(crate) const fn new() -> Self {
        Forks(AtomicU8::new(Standing::Whole as u8))
    }

    fn set(&self, standing: Standing) {
        self.0.store(standing as u8, Relaxed);
    }

    fn is(&self, standing: Standing) -> bool {
        self.0.load(Relaxed) == standing as u8
    }
}

/// The locks of `inv:fork.locks`, given back in this order.
struct Locks {
    world: MutexGuard<'static, world::Inner>,
    _sources: MutexGuard<'static, Vec<Box<dyn RootSource>>>,
    _weak: MutexGuard<'static, Weak>,
    _owners: MutexGuard<'static, Owners>,
    _cells: MutexGuard<'static, Cells>,
    _pins: MutexGuard<'static, AddrMap<Pin>>,
    _boot: MutexGuard<'static, boot::Inner>,
}

impl Locks {
    fn take(heap: &'static Heap) -> Self {
        let world = heap.world.hold();
        let weak = lock(&heap.weak);
        Locks {
            world,
            _weak: weak,
            _sources: heap.sources.hold(),
            _owners: lock(&heap.owners),
            _cells: heap.globals.hold(),
            _pins: heap.pins.hold(),
            _boot: heap.boot.hold(),
        }
    }
}

thread_local! {
    /// What this thread holds between prepare and parent or child. No destructor: registering one
    /// allocates.
    static HELD: Cell<Option<ManuallyDrop<Locks>>> = const { Cell::new(None) };
}

extern "C" fn prepare() {
    hush();
    HELD.set(Heap::get().map(|heap| ManuallyDrop::new(Locks::take(heap))));
}

extern "C" fn parent() {
    HELD.take().map(ManuallyDrop::into_inner);
    unhush();
}

extern "C" fn child() {
    let held = HELD.take().map(ManuallyDrop::into_inner);
    if let (Some(heap), Some(mut locks)) = (Heap::get(), held) {
        let torn = heap.world.forked(&mut locks.world) || heap.forks.is(Standing::Torn);
        heap.forks.set(match torn {
            true => Standing::Torn,
            false => Standing::Forked,
        });
        heap.pressure.forked();
        heap.recorder.forked();
    }
    unhush();
}

/// Has the handlers run at every fork from now on.
pub(crate) fn watch() -> Result<(), HeapError> {
    // SAFETY: the handlers take nothing, return, and go away with this code alone.
    let status = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    match status {
        0 => Ok(()),
        _ => Err(HeapError::NoMemory("what is done at a fork")),
    }
}

impl Heap {
    /// Whether there is nobody who collects (`inv:fork.alone`).
    pub(crate) fn is_forked(&self) -> bool {
        !self.forks.is(Standing::Whole)
    }

    /// Ends the process if it is a forked child's, for a collection cannot be done without.
    pub(crate) fn must_collect(&self) {
        if self.is_forked() {
            sys::die(format_args!(
                "a forked child cannot collect yet: exec, or exit"
            ));
        }
    }

    /// Ends the process if the heap is torn, for MMTk is to be called.
    pub(crate) fn must_be_whole(&self) {
        if self.forks.is(Standing::Torn) {
            sys::die(format_args!(
                "this process was forked while another thread used the heap, and cannot use it: exec, or exit"
            ));
        }
    }
}
