//! Forks: parent and child go on with a whole heap, and both can collect.
//!
//! ```text
//!   prepare: stops the world, has MMTk let go of the collector's threads, takes the locks
//!      │
//!      ├─ parent: gives the locks back; the collector is Asleep
//!      └─ child:  the same; the other threads are out of the world, and the heap is Torn if one of them
//!                 was not stopped in time
//!
//!             prepare                    a thread needs a collection
//!   Awake ──────────────▶ Asleep ───────────────────────────────────▶ Awake
//! ```
//!
//! *Asleep*, the collector's threads have no workers of MMTk's: in the parent they wait, in the child they
//! are not there. Whoever needs a collection wakes it first, which in the child starts threads and gives up
//! what MMTk has of the parent's other threads. A child that execs or exits pays for none of that, nor
//! does a parent that forks often and collects seldom.
//!
//! `inv:fork.whole` At a fork every other thread that knows the heap is at a safepoint or Native, no
//! collection runs, and none is wanted: so no lock of MMTk's is taken and no object half changed.
//!
//! `inv:fork.locks` A child finds no lock of this crate's taken, if it may ever want it: prepare holds them
//! all over the fork, the world's first. Whoever has one of the others waits for nothing meanwhile, so
//! prepare gets them. A lock that only a collection takes is free by `inv:fork.whole`.
//!
//! `inv:fork.alone` MMTk is asked for a collection only by a thread that has found the collector awake, and
//! that is Managed or holds the world's lock from then on: so no fork comes between. If no thread can be
//! started (`RLIMIT_NPROC`) a child is *alone*: up to the limit everything goes on, and beyond it C's
//! `malloc` and the heap have no memory, at once.
//!
//! The child keeps what belongs to the calling thread and to no thread: its roots and call frames, global
//! cells, handles, counted pins, guardians, finalizers, owners. The roots and call frames of other threads
//! are gone with them.
//!
//! To fork is a safepoint for a thread that is Managed (`inv:mutator.safepoint`), and not firm. A thread that does
//! not come to one within [`PATIENCE`], perhaps because it waits for a lock that the calling thread holds, is
//! not waited for any longer, and named before (see `watchdog`): the parent goes on, and in the child the heap is
//! *Torn*. To allocate from MMTk or to collect ends such a child with a message; C's `malloc` is not concerned, and
//! `exec` neither.
//!
//! `inv:fork.firm` A fork moves nothing for a thread that is *firm*: one of the safe interface's, whose callers may
//! fork without knowing it (`std::process::Command` does) and hold what only `&mut Scope` may move, or one in a
//! leaf call. Such a thread stays Managed. So it cannot wait for a collection, or for a fork that waits for it: if
//! there is one, it does not wait, and the heap is Torn in the child. A native section is the way to a child
//! that is whole for certain.
//!
//! The allocator's handlers come first in a process and so run last before the fork and first after it:
//! memory can be had in all three handlers here. A handler that was registered between the two runs while
//! the locks are held, therefore the thread is asked nothing until the last one has been given back.
//!
//! Absent on purpose: forks in signal handlers. One that interrupts a thread inside this crate or inside
//! `malloc` may wait for that thread, as it would with libc's own locks. `vfork`, `posix_spawn`, `system`,
//! `popen` and `_Fork` run no handlers, cost nothing here, and their children only exec.

use crate::boot;
use crate::config::HeapError;
use crate::finisher;
use crate::heap::{Heap, engine, heap};
use crate::membarrier;
use crate::owners::Owners;
use crate::pins::Held;
use crate::roots::{Cells, RootSource};
use crate::sites;
use crate::sync::lock;
use crate::sys;
use crate::thread::{ThreadBlock, hush, managed_here, quietly, unhush};
use crate::watchdog::Watchdog;
use crate::weak::Weak;
use crate::workers;
use crate::world::{self, Hold};
use mmtk::util::VMThread;
use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How long a fork waits for other threads to come to a safepoint.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What forks have made of the collector and the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Standing {
    /// The collector's threads wait for something to do.
    Awake = 0,
    /// They must be given their workers first.
    Asleep = 1,
    /// There is none, and another thread was using the heap.
    Torn = 2,
}

/// The heap's standing in this process.
pub(crate) struct Forks {
    standing: AtomicU8,
    /// Threads of the parent's, of which MMTk has not been told. Whoever wakes the collector holds the lock.
    lost: Mutex<Vec<&'static ThreadBlock>>,
    /// Why the collector could not be woken.
    errno: AtomicI32,
}

impl Forks {
    pub(crate) const fn new() -> Self {
        Forks {
            standing: AtomicU8::new(Standing::Awake as u8),
            lost: Mutex::new(Vec::new()),
            errno: AtomicI32::new(0),
        }
    }

    fn set(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Release);
    }

    #[inline]
    fn is(&self, standing: Standing) -> bool {
        self.standing.load(Ordering::Acquire) == standing as u8
    }
}

/// What is held over a fork (`inv:fork.locks`); the locks are given back in this order.
struct Locks {
    world: MutexGuard<'static, world::Inner<ThreadBlock>>,
    lost: MutexGuard<'static, Vec<&'static ThreadBlock>>,
    workers: MutexGuard<'static, workers::Inner>,
    _sources: MutexGuard<'static, Vec<Box<dyn RootSource>>>,
    _weak: MutexGuard<'static, Weak>,
    _owners: MutexGuard<'static, Owners>,
    _sites: MutexGuard<'static, Vec<&'static sites::State>>,
    _cells: MutexGuard<'static, Cells>,
    _pins: Held<'static>,
    _boot: MutexGuard<'static, boot::Inner>,
    _bell: MutexGuard<'static, ()>,
    finisher: MutexGuard<'static, finisher::Inner>,
    hold: Hold,
    /// Whether `inv:fork.whole` holds.
    whole: bool,
}

impl Locks {
    fn take(heap: &'static Heap) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let watch = &mut heap.watchdog_of_forks();
        let (world, hold) = match managed_here() {
            Some(mine) if mine.is_firm() => heap.world.hold_firmly(mine, deadline, is_idle, watch),
            mine => heap.world.hold(mine, deadline, is_idle, watch),
        };
        let lost = lock(&heap.forks.lost);
        let whole = hold == Hold::Whole && !heap.forks.is(Standing::Torn);
        if whole && heap.forks.is(Standing::Awake) {
            engine().mmtk.prepare_to_fork();
            drop(heap.workers.wait_out());
            heap.forks.set(Standing::Asleep);
        }
        let weak = lock(&heap.weak);
        Locks {
            world,
            lost,
            workers: heap.workers.hold(),
            _weak: weak,
            _sources: heap.sources.hold(),
            _owners: lock(&heap.owners),
            _sites: heap.sites.hold(),
            _cells: heap.globals.hold(),
            _pins: heap.pins.hold(),
            _boot: heap.boot.hold(),
            _bell: heap.bell.hold(),
            finisher: heap.finisher.hold(),
            hold,
            whole,
        }
    }
}

/// Whether MMTk neither collects nor has been asked to.
pub(crate) fn is_idle() -> bool {
    use mmtk::GcStatus::{InPause, PauseRequested};
    !matches!(engine().mmtk.get_gc_status(), InPause | PauseRequested)
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
    let held = HELD.take().map(ManuallyDrop::into_inner);
    if let (Some(heap), Some(mut locks)) = (Heap::get(), held) {
        heap.world.release(&mut locks.world, locks.hold);
    }
    unhush();
}

extern "C" fn child() {
    let held = HELD.take().map(ManuallyDrop::into_inner);
    if let (Some(heap), Some(mut locks)) = (Heap::get(), held) {
        // inv:membarrier.registered
        let fences = !membarrier::register();
        let others = heap.world.forked(&mut locks.world, fences);
        locks.workers.forked();
        locks.finisher.forked();
        match locks.whole {
            true => locks.lost.extend(others),
            // Nobody may look at what they were changing.
            false => heap.forks.set(Standing::Torn),
        }
        heap.pressure.forked();
        heap.bell.forked();
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
    /// Who names the threads that keep a fork waiting: in time, before it goes on without them.
    fn watchdog_of_forks(&self) -> Watchdog {
        let patience = self.config.watchdog;
        Watchdog {
            of: "fork",
            patience: patience.map(|patience| patience.min(PATIENCE / 2)),
        }
    }

    /// Whether the collector must be woken before it can collect, or there is none.
    #[inline]
    pub(crate) fn is_asleep(&self) -> bool {
        !self.forks.is(Standing::Awake)
    }

    /// Sees to it that there is somebody to collect, and returns whether there is (`inv:fork.alone`).
    #[inline]
    pub(crate) fn wake(&self) -> bool {
        !self.is_asleep() || quietly(|| self.wake_now())
    }

    /// Wakes the collector if it was marking beside the program, which would wait for it in vain.
    pub(crate) fn wake_to_mark(&self) {
        if engine().mmtk.get_gc_status() == mmtk::GcStatus::InConcurrentGC {
            self.wake();
        }
    }

    #[cold]
    fn wake_now(&self) -> bool {
        let mut lost = lock(&self.forks.lost);
        if !self.forks.is(Standing::Asleep) {
            return self.forks.is(Standing::Awake);
        }
        let mut hired = heap().workers.hire(self.config.effective_workers());
        if hired.is_ok() && self.config.marks_beside() {
            hired = self.finisher.hire(heap());
        }
        if let Err(e) = hired {
            self.forks
                .errno
                .store(e.raw_os_error().unwrap_or(0), Ordering::Relaxed);
            return false;
        }
        lost.drain(..).for_each(|block| self.bury(block));
        engine().mmtk.after_fork(VMThread::UNINITIALIZED);
        self.forks.set(Standing::Awake);
        true
    }

    /// Ends the process if nobody can be had who collects, for a collection cannot be done without.
    pub(crate) fn must_collect(&self) {
        self.must_be_whole();
        if !self.wake() {
            let why = io::Error::from_raw_os_error(self.forks.errno.load(Ordering::Relaxed));
            sys::give_up(format_args!("cannot start a collector thread: {why}"));
        }
    }

    /// Ends the process if the heap is torn, for MMTk is to be called.
    pub(crate) fn must_be_whole(&self) {
        if self.forks.is(Standing::Torn) {
            sys::give_up(format_args!(
                "this process was forked while another thread used the heap, or a collection was to come, and \
                 cannot use it: exec, or exit"
            ));
        }
    }
}
