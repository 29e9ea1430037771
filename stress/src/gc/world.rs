//! What the threads of a run share, and how they take turns.
//!
//! `inv:gc.quiet` A thread does an operation while it holds the world's gate for reading, and waits for
//! the gate in Native. Whoever holds it for writing is alone: the others are between two operations,
//! delay no collection, and change neither their root stacks nor the books.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bowline_ffi::{Handle, HandleKind, Handles};
use bowline_gc::{Global, Heap, Leaf, Mutator};
use bowline_layout::Value;
use serde::{Deserialize, Serialize};

use super::draw::{GLOBALS, HANDLES, Profile};
use super::fault::{Fault, Place, Plant};
use super::journal::Journal;
use super::script::Setup;
use super::shadow::{Content, Id, Shadow, lock};
use crate::fault::Verdict;
use crate::raw::exit_now;
use crate::recorder::Recorder;

/// What a run has done.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) operations: AtomicU64,
    pub(super) objects: AtomicU64,
    pub(super) checks: AtomicU64,
    pub(super) checked: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) broken: AtomicU64,
    pub(super) forks: AtomicU64,
    pub(super) refusals: AtomicU64,
}

/// The same, as the child tells its parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) operations: u64,
    /// Objects made.
    pub(super) objects: u64,
    /// Looks at everything.
    pub(super) checks: u64,
    /// Objects that they have compared.
    pub(super) checked: u64,
    /// Guarded objects and finalizers that were delivered.
    pub(super) delivered: u64,
    /// Weak references that were seen broken.
    pub(super) broken: u64,
    pub(super) forks: u64,
    /// Requests for memory that were refused.
    pub(super) refusals: u64,
    pub(super) minor: u64,
    pub(super) major: u64,
    /// Collections while some thread was in a call into C.
    pub(super) in_calls: u64,
    pub(super) moved: u64,
}

impl Tally {
    /// Adds another run's.
    pub(super) fn add(&mut self, other: &Tally) {
        self.operations += other.operations;
        self.objects += other.objects;
        self.checks += other.checks;
        self.checked += other.checked;
        self.delivered += other.delivered;
        self.broken += other.broken;
        self.forks += other.forks;
        self.refusals += other.refusals;
        self.minor += other.minor;
        self.major += other.major;
        self.in_calls += other.in_calls;
        self.moved += other.moved;
    }
}

/// Adds one.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What a thread holds, as the books have it.
#[derive(Default)]
pub(super) struct Roots {
    /// The root stack: registers, then frames.
    pub(super) words: Vec<Content>,
    /// What active calls were handed, and where it stood.
    pub(super) calls: Vec<Vec<(Value, Id)>>,
    /// Local handles that are in force, with the depth of their scope.
    pub(super) locals: Vec<(Handle, usize, Content)>,
}

/// A thread of the run.
pub(super) struct Thread {
    /// Where its root stack begins.
    pub(super) base: usize,
    pub(super) roots: Mutex<Roots>,
}

/// What one guardian, or the queue of finalizers, owes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Nothing for a finalizer.
    pub(super) guardian: Option<Id>,
    pub(super) object: Id,
    pub(super) representative: Content,
    /// What a finalizer stands for.
    pub(super) bytes: usize,
    /// Larger than that of every entry before it.
    pub(super) serial: u64,
}

/// What is known of the queue of finalizers in a run of one thread.
#[derive(Default)]
struct Queue {
    /// How many collections there had been when it was last seen empty.
    empty: u64,
    /// The serial number of what was taken last since then.
    last: u64,
}

/// A handle that all threads share.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) live: Option<(Handle, HandleKind, Content)>,
    /// One that was freed.
    pub(super) stale: Option<Handle>,
}

/// A global cell.
pub(super) struct Shared {
    pub(super) global: Global,
    pub(super) content: Content,
}

/// Everything that the threads share.
pub(super) struct World {
    pub(super) heap: &'static Heap,
    pub(super) setup: Setup,
    pub(super) profile: &'static Profile,
    pub(super) plant: Option<Plant>,
    single: bool,
    pub(super) shadow: Shadow,
    pub(super) entries: Mutex<Vec<Entry>>,
    /// The serial number of the next entry.
    pub(super) serial: AtomicU64,
    pub(super) globals: Vec<Mutex<Shared>>,
    pub(super) handles: Vec<Mutex<Cell>>,
    pub(super) threads: Mutex<Vec<Arc<Thread>>>,
    queue: Mutex<Queue>,
    /// Whoever takes deliveries, so that their order is known.
    pub(super) taking: Mutex<()>,
    /// What blocks of C's take.
    pub(super) c_bytes: AtomicUsize,
    gate: RwLock<()>,
    /// What leaf calls are called.
    pub(super) leaf: &'static Leaf,
    /// Threads that fill the heap: others may be refused memory.
    pub(super) filling: AtomicU32,
    /// This is a forked child, which may be refused memory.
    pub(super) forked: AtomicBool,
    pub(super) stop: AtomicBool,
    pub(super) recorder: Recorder,
    pub(super) journal: Journal,
    /// The operations are a script's: what is asked for is waited for, so that each run is the same.
    pub(super) scripted: bool,
    /// The next place in a script that fixes the order.
    pub(super) turn: AtomicU64,
    pub(super) counts: Counts,
}

/// What [`World::new`] is made of.
pub(super) struct Parts {
    pub(super) heap: &'static Heap,
    pub(super) setup: Setup,
    pub(super) profile: &'static Profile,
    pub(super) plant: Option<Plant>,
    /// One thread alone.
    pub(super) single: bool,
    /// The operations are a script's.
    pub(super) scripted: bool,
    pub(super) recorder: Recorder,
    pub(super) journal: Journal,
}

impl World {
    pub(super) fn new(parts: Parts) -> Self {
        let shared = |_| {
            Mutex::new(Shared {
                global: parts.heap.new_global(Value::fixnum(0)),
                content: Content::ZERO,
            })
        };
        World {
            heap: parts.heap,
            setup: parts.setup,
            profile: parts.profile,
            plant: parts.plant,
            single: parts.single,
            shadow: Shadow::new(),
            entries: Mutex::default(),
            serial: AtomicU64::new(0),
            globals: (0..GLOBALS).map(shared).collect(),
            handles: (0..HANDLES).map(|_| Mutex::default()).collect(),
            threads: Mutex::default(),
            queue: Mutex::default(),
            taking: Mutex::default(),
            c_bytes: AtomicUsize::new(0),
            gate: RwLock::new(()),
            leaf: Leaf::named(super::LABEL),
            filling: AtomicU32::new(0),
            forked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            recorder: parts.recorder,
            journal: parts.journal,
            scripted: parts.scripted,
            turn: AtomicU64::new(0),
            counts: Counts::default(),
        }
    }

    /// Whether this fault is planted.
    pub(super) fn plants(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    /// Leaves the fault as the verdict and ends the process.
    pub(super) fn fail(&self, fault: &Fault) -> ! {
        let place = match self.forked.load(Ordering::Relaxed) {
            true => "in a forked child, ",
            false => "",
        };
        let text = format!("{}: {place}{fault}", fault.kind());
        self.recorder.judge(Verdict::Broken, &text);
        exit_now(0)
    }

    /// The gate, held together with others (`inv:gc.quiet`).
    pub(super) fn enter<'a>(&'a self, m: &mut Mutator) -> RwLockReadGuard<'a, ()> {
        if let Ok(guard) = self.gate.try_read() {
            return guard;
        }
        m.enter_native();
        let guard = self.gate.read().unwrap_or_else(|e| e.into_inner());
        m.leave_native();
        guard
    }

    /// The gate, held alone (`inv:gc.quiet`).
    pub(super) fn alone<'a>(&'a self, m: &mut Mutator) -> RwLockWriteGuard<'a, ()> {
        m.enter_native();
        let guard = self.gate.write().unwrap_or_else(|e| e.into_inner());
        m.leave_native();
        guard
    }

    /// The turn of those who take deliveries. Whoever has it may collect, so it is waited for in Native.
    pub(super) fn take_turn<'a>(&'a self, m: &mut Mutator) -> MutexGuard<'a, ()> {
        m.enter_native();
        let turn = lock(&self.taking);
        m.leave_native();
        turn
    }

    /// Notes whether the queue of finalizers is empty.
    pub(super) fn look_at_queue(&self) {
        if !self.heap.finalizable() {
            *lock(&self.queue) = Queue {
                empty: self.heap.collections(),
                last: 0,
            };
        }
    }

    /// Whether the finalizer of this serial number may be the next: what one collection alone has found dead
    /// comes in the order in which it was attached. Of several threads nobody knows which came first.
    pub(super) fn is_in_order(&self, serial: u64) -> bool {
        let mut queue = lock(&self.queue);
        let judged = self.single && self.heap.collections() == queue.empty + 1;
        let in_order = !judged || serial >= queue.last;
        queue.last = serial;
        in_order
    }

    /// Whether the run has one thread.
    pub(super) fn single(&self) -> bool {
        self.single
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn owed(&self) -> MutexGuard<'_, Vec<Entry>> {
        lock(&self.entries)
    }

    /// Clears the global cells, frees the handles and takes every pin back.
    pub(super) fn give_back(&self, m: &mut Mutator) -> Result<(), Fault> {
        for shared in &self.globals {
            let mut shared = lock(shared);
            self.heap.set_global(&shared.global, Value::fixnum(0));
            shared.content = Content::ZERO;
        }
        for (i, cell) in self.handles.iter().enumerate() {
            if let Some((handle, ..)) = lock(cell).live.take() {
                let freed = Handles::of(m).free(handle);
                freed.map_err(|e| Fault::Handle {
                    place: Place::Handle(i as u32),
                    said: e.to_string(),
                })?;
            }
        }
        let mut failed = Ok(());
        self.shadow.each(|id, node| {
            let Some(v) = node.at.take() else {
                return;
            };
            for left in (0..std::mem::take(&mut node.pins)).rev() {
                let found = m.unpin(v);
                if found != Ok(u64::from(left)) {
                    let said = format!("unpin gave {found:?}, not {left}");
                    failed = Err(Fault::Pin { id, said });
                }
            }
        });
        failed
    }

    /// What was done so far.
    pub(super) fn tally(&self) -> Tally {
        let stats = self.heap.stats();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            operations: load(&self.counts.operations),
            objects: load(&self.counts.objects),
            checks: load(&self.counts.checks),
            checked: load(&self.counts.checked),
            delivered: load(&self.counts.delivered),
            broken: load(&self.counts.broken),
            forks: load(&self.counts.forks),
            refusals: load(&self.counts.refusals),
            minor: stats.minor,
            major: stats.major,
            in_calls: stats.in_foreign_calls,
            moved: stats.moved_objects,
        }
    }
}
