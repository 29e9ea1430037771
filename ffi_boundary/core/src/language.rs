//! The gate of the process's language: what a signal and a fork must know of.
//!
//! `inv:language.one` A process has one language at most that threads of C's may use. If it makes gates one after another,
//! as for a prompt that begins anew, the last one counts.
//!
//! A fork holds the gate, from before the heap's own handlers until behind them: whoever waits for it is Native
//! (`inv:gate.native`), so the heap need not wait for them.

use crate::gate::Inner;
use crate::handle;
use crate::host::{HostGate, Runner};
use bowline_gc::Heap;
use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{MutexGuard, Once};
use std::time::{Duration, Instant};

/// How long a fork waits for a thread that runs the language, as for one that uses the heap.
const PATIENCE: Duration = Duration::from_secs(5);

/// Null before there is one. Gates live for ever.
static GATE: AtomicPtr<HostGate> = AtomicPtr::new(ptr::null_mut());

/// The gate of the language.
pub(crate) fn gate() -> Option<&'static HostGate> {
    // SAFETY: null, or a gate, which lives for ever.
    unsafe { GATE.load(Ordering::SeqCst).as_ref() }
}

/// This is the gate of the language now. The heap has started, so that its handlers are run inside of these.
pub(crate) fn watch(gate: &'static HostGate) {
    static ONCE: Once = Once::new();
    GATE.store(ptr::from_ref(gate).cast_mut(), Ordering::SeqCst);
    ONCE.call_once(|| {
        // Without room for them a fork is as if no thread of C's were inside.
        // SAFETY: the handlers take nothing, return, and go away with this code alone.
        unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    });
}

type Held = (&'static HostGate, MutexGuard<'static, Inner<Runner>>);

thread_local! {
    /// What this thread holds between prepare and parent or child. No destructor: registering one allocates.
    static HELD: Cell<Option<ManuallyDrop<Held>>> = const { Cell::new(None) };
}

extern "C" fn prepare() {
    let deadline = Instant::now() + PATIENCE;
    let held = gate().map(|gate| (gate, gate.hold(|| Instant::now() < deadline)));
    HELD.set(held.map(ManuallyDrop::new));
}

extern "C" fn parent() {
    drop(HELD.take().map(ManuallyDrop::into_inner));
}

extern "C" fn child() {
    if let Some((gate, mut inner)) = HELD.take().map(ManuallyDrop::into_inner) {
        let fences = Heap::get().is_some_and(|heap| heap.fence_of_all().is_none());
        gate.forked(&mut inner, fences);
    }
    handle::forked();
}
