//! What the collector must see of a thread, at an address that does not change.
//!
//! A mutator's owner has it borrowed mutably while the collector, on another thread, reads its stack
//! and call frames. So all that both touch lives in a block of its own, in cells: the owner writes it
//! while Managed, the collector reads it while the thread is not (`inv:world.exclusive`, see
//! `world`). The block's address is also the opaque thread pointer that MMTk hands around, and its
//! first word says whose it is.
//!
//! A thread also knows itself, by thread-local words without destructors: C's `malloc` runs code of
//! ours on any thread, which must learn where it is without a lock.

use crate::ambiguous::ForeignStack;
use crate::binding::Bowline;
use crate::heap::heap;
use crate::member::{Member, State, StateWord};
use crate::recorder::Track;
use crate::remember::Dirty;
use crate::stack::RootStack;
use crate::sys::ThreadName;
use crate::watchdog::Leaf;
use bowline_layout::{Addr, Value};
use mmtk::util::{Address, OpaquePointer, VMMutatorThread, VMThread, VMWorkerThread};
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::time::Instant;

/// Whose block an opaque thread pointer points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub(crate) enum Kind {
    Worker = 0,
    Mutator = 1,
    /// A thread that asks for a collection without taking part.
    Requester = 2,
}

/// The objects that one foreign call was handed by address: *pinning roots* in every collection.
///
/// A frame lives on the Rust stack of whoever makes the call and is linked into its mutator, so a pin
/// for the extent of a call costs nothing unless a collection happens.
#[repr(C)]
pub struct CallFrame<'a> {
    prev: Cell<*const CallFrame<'static>>,
    pinned: *const Value,
    len: usize,
    slice: PhantomData<&'a [Value]>,
}

impl<'a> CallFrame<'a> {
    /// A frame that pins the objects in `pinned`; values that are no pointers are ignored. It pins
    /// from [`crate::Mutator::push_call`] until [`crate::Mutator::pop_call`].
    #[inline(always)]
    pub fn new(pinned: &'a [Value]) -> Self {
        CallFrame {
            prev: Cell::new(std::ptr::null()),
            pinned: pinned.as_ptr(),
            len: pinned.len(),
            slice: PhantomData,
        }
    }

    fn pinned(&self) -> &[Value] {
        // SAFETY: made from a slice that outlives the frame.
        unsafe { std::slice::from_raw_parts(self.pinned, self.len) }
    }
}

/// The block of one mutator.
#[repr(C)]
pub(crate) struct ThreadBlock {
    kind: Kind,
    state: StateWord,
    pub(crate) stack: RootStack,
    calls: Cell<*const CallFrame<'static>>,
    /// The block that the thread had before.
    outer: Cell<*const ThreadBlock>,
    pub(crate) mmtk: Cell<*mut mmtk::Mutator<Bowline>>,
    /// Under zeal: the address and size of each object that was allocated since the last collection.
    log: UnsafeCell<Vec<(Addr, usize)>>,
    /// The chunks of large old objects that were changed since the last collection.
    pub(crate) dirty: Dirty,
    /// Where its crossings are recorded, if they are.
    pub(crate) track: Option<Arc<Track>>,
    /// What foreign code has on the stack.
    pub(crate) foreign: ForeignStack,
    /// How many counted pins its owner has made.
    pins: AtomicU64,
    /// Whose it is, for people.
    name: ThreadName,
    /// The leaf call that it is in (inv:watchdog.leaf).
    leaf: AtomicPtr<Leaf>,
    /// Whether it is the safe interface's (inv:fork.firm).
    is_safe: Cell<bool>,
}

// SAFETY: inv:world.exclusive says who touches the cells when; the rest is atomic.
unsafe impl Sync for ThreadBlock {}
// SAFETY: the block is not tied to the thread that made it.
unsafe impl Send for ThreadBlock {}

impl ThreadBlock {
    pub(crate) fn new(stack: RootStack, track: Option<Arc<Track>>) -> Self {
        ThreadBlock {
            kind: Kind::Mutator,
            state: StateWord::new(),
            stack,
            calls: Cell::new(std::ptr::null()),
            outer: Cell::new(std::ptr::null()),
            mmtk: Cell::new(std::ptr::null_mut()),
            log: UnsafeCell::new(Vec::new()),
            dirty: Dirty::default(),
            track,
            foreign: ForeignStack::here(),
            pins: AtomicU64::new(0),
            name: ThreadName::of_this_thread(),
            leaf: AtomicPtr::new(std::ptr::null_mut()),
            is_safe: Cell::new(false),
        }
    }

    /// Its owner uses the safe interface from now on.
    pub(crate) fn make_safe(&self) {
        self.is_safe.set(true);
    }

    /// Whether a fork is no safepoint for it (inv:fork.firm). Asked by its own thread.
    pub(crate) fn is_firm(&self) -> bool {
        self.is_safe.get() || self.leaf().is_some()
    }

    /// Counts a pin of the owner's.
    #[inline(always)]
    pub(crate) fn count_pin(&self) {
        bump(&self.pins, 1);
    }

    /// How many counted pins the owner has made.
    pub(crate) fn pins_made(&self) -> u64 {
        self.pins.load(Ordering::Relaxed)
    }

    /// Whether it may touch the heap.
    pub(crate) fn is_managed(&self) -> bool {
        self.state.get() == State::Managed
    }

    /// The number and the name that the system has for the thread that made the block.
    pub(crate) fn name(&self) -> &ThreadName {
        &self.name
    }

    /// The leaf call that the thread is in.
    pub(crate) fn leaf(&self) -> Option<&'static Leaf> {
        // SAFETY: inv:watchdog.leaf
        unsafe { self.leaf.load(Ordering::Acquire).as_ref() }
    }

    /// The thread goes into a leaf call, or has come back from one.
    #[inline(always)]
    pub(crate) fn set_leaf(&self, leaf: Option<&'static Leaf>) {
        let leaf = leaf.map_or(std::ptr::null_mut(), |leaf| (&raw const *leaf).cast_mut());
        // Release: who reads the name sees it whole.
        self.leaf.store(leaf, Ordering::Release);
    }

    /// Where its crossings are recorded; nothing in a forked child (inv:recorder.fork).
    pub(crate) fn live_track(&self) -> Option<&Track> {
        let track = self.track.as_deref();
        track.filter(|_| heap().recorder.is_live())
    }

    /// Runs `wait`, in which the thread waits for the collector if it must.
    #[cold]
    pub(crate) fn waiting<R>(&self, wait: impl FnOnce() -> R) -> R {
        let Some(track) = self.live_track() else {
            return wait();
        };
        let began = Instant::now();
        let result = wait();
        track.waited(began);
        result
    }

    pub(crate) fn tls(&self) -> VMMutatorThread {
        VMMutatorThread(opaque(self))
    }

    /// Whether a foreign call is active.
    pub(crate) fn in_call(&self) -> bool {
        !self.calls.get().is_null()
    }

    /// Links a frame.
    ///
    /// # Safety
    /// The frame stays where it is until it is unlinked.
    #[inline(always)]
    pub(crate) unsafe fn push_call(&self, frame: &CallFrame<'_>) {
        frame.prev.set(self.calls.get());
        self.calls.set((&raw const *frame).cast());
    }

    /// Unlinks the innermost frame.
    #[inline(always)]
    pub(crate) fn pop_call(&self, frame: &CallFrame<'_>) {
        debug_assert!(
            std::ptr::addr_eq(self.calls.get(), frame),
            "call frames are unlinked innermost first"
        );
        self.calls.set(frame.prev.get());
    }

    /// Unlinks the frames that are further in than this one.
    pub(crate) fn abandon_calls(&self, innermost: *const CallFrame<'static>) {
        self.calls.set(innermost);
    }

    /// Where the oldest active call has its frame, if there is one.
    #[cfg(feature = "ambiguous")]
    pub(crate) fn oldest_call(&self) -> Option<usize> {
        let mut oldest = None;
        let mut at = self.calls.get();
        // SAFETY: as for `each_pinned`.
        while let Some(frame) = unsafe { at.as_ref() } {
            oldest = Some(at.addr());
            at = frame.prev.get();
        }
        oldest
    }

    /// Calls `f` with each value that an active call pins.
    pub(crate) fn each_pinned(&self, f: &mut dyn FnMut(Value)) {
        let mut at = self.calls.get();
        // SAFETY: a linked frame is live (see `push_call`), and nobody links or unlinks meanwhile
        // (inv:world.exclusive).
        while let Some(frame) = unsafe { at.as_ref() } {
            frame.pinned().iter().for_each(|v| f(*v));
            at = frame.prev.get();
        }
        self.foreign.each(f);
    }

    /// Notes an allocation under zeal.
    pub(crate) fn log(&self, addr: Addr, bytes: usize) {
        // SAFETY: the owner is the only one to touch the log while it is managed.
        unsafe { &mut *self.log.get() }.push((addr, bytes));
    }

    /// Takes the log away.
    pub(crate) fn take_log(&self) -> Vec<(Addr, usize)> {
        // SAFETY: called by the owner, or while it is stopped (inv:world.exclusive).
        std::mem::take(unsafe { &mut *self.log.get() })
    }

    /// The block behind a mutator's opaque pointer.
    pub(crate) fn of(tls: VMMutatorThread) -> &'static ThreadBlock {
        debug_assert_eq!(kind(tls.0), Kind::Mutator);
        let p: *const ThreadBlock = tls.0.0.to_address().to_ptr();
        // SAFETY: MMTk hands back what `tls` gave it, and forgets it before the block is freed.
        unsafe { &*p }
    }
}

impl Member for ThreadBlock {
    fn state(&self) -> &StateWord {
        &self.state
    }

    fn want_poll(&self) {
        self.stack.want_poll();
    }

    fn clear_poll(&self) {
        self.stack.clear_poll();
    }

    fn is_here(&self) -> bool {
        ThreadBlock::is_here(self)
    }
}

thread_local! {
    /// The innermost block of this thread.
    static HERE: Cell<*const ThreadBlock> = const { Cell::new(std::ptr::null()) };
    /// How deep this thread is in code that must not be asked about memory.
    static QUIET: Cell<u32> = const { Cell::new(0) };
}

/// Where the calling thread is.
pub(crate) enum Whereabouts {
    /// In the collector, or in code of this crate's that may hold its locks.
    Inside,
    /// Managed.
    Managed(&'static ThreadBlock),
    /// In foreign code: Native. The block is the innermost.
    Native(&'static ThreadBlock),
    /// Not attached.
    Unknown,
}

/// The blocks of the calling thread, the innermost first.
pub(crate) fn blocks_here() -> impl Iterator<Item = &'static ThreadBlock> {
    // SAFETY: a block is in the list of its thread from attach to detach.
    let at = |block: *const ThreadBlock| unsafe { block.as_ref() };
    std::iter::successors(at(HERE.get()), move |block| at(block.outer.get()))
}

/// Where the calling thread is.
pub(crate) fn whereabouts() -> Whereabouts {
    if QUIET.get() > 0 || WORKER.get().is_some() {
        return Whereabouts::Inside;
    }
    for block in blocks_here() {
        match block.state.get() {
            State::Managed => return Whereabouts::Managed(block),
            State::Stopped => return Whereabouts::Inside,
            State::Native | State::Settled => {}
        }
    }
    blocks_here()
        .next()
        .map_or(Whereabouts::Unknown, Whereabouts::Native)
}

/// Whether the calling thread may touch the heap.
pub fn is_managed_here() -> bool {
    managed_here().is_some()
}

/// The calling thread's block that is Managed, if one is.
pub(crate) fn managed_here() -> Option<&'static ThreadBlock> {
    blocks_here().find(|block| block.is_managed())
}

/// From now on C's `malloc` does not ask this thread about memory.
pub(crate) fn hush() {
    QUIET.set(QUIET.get() + 1);
}

/// Takes one [`hush`] back.
pub(crate) fn unhush() {
    QUIET.set(QUIET.get() - 1);
}

/// A [`hush`] that is taken back when this is dropped.
struct Quiet;

impl Drop for Quiet {
    fn drop(&mut self) {
        unhush();
    }
}

/// Runs `f`, in which C's `malloc` does not ask this thread about memory. It does again after a panic.
pub(crate) fn quietly<R>(f: impl FnOnce() -> R) -> R {
    hush();
    let _quiet = Quiet;
    f()
}

impl ThreadBlock {
    /// The calling thread has this block now.
    pub(crate) fn enter_thread(&'static self) {
        self.outer.set(HERE.replace(self));
    }

    /// Whether the calling thread has this block.
    pub(crate) fn is_here(&self) -> bool {
        blocks_here().any(|block| std::ptr::eq(block, self))
    }

    /// The calling thread has this block no more.
    pub(crate) fn leave_thread(&self) {
        if std::ptr::eq(HERE.get(), self) {
            HERE.set(self.outer.get());
            return;
        }
        if let Some(inner) = blocks_here().find(|block| std::ptr::eq(block.outer.get(), self)) {
            inner.outer.set(self.outer.get());
        }
    }
}

/// The block of a thread that only asks for collections.
static REQUESTER: Kind = Kind::Requester;

/// The opaque pointer of a thread that asks for a collection without taking part.
pub(crate) fn requester() -> VMMutatorThread {
    VMMutatorThread(opaque(&REQUESTER))
}

fn opaque<T>(block: &T) -> VMThread {
    VMThread(OpaquePointer::from_address(Address::from_ref(block)))
}

/// Whose block this opaque pointer points to.
pub(crate) fn kind(tls: VMThread) -> Kind {
    let p: *const Kind = tls.0.to_address().to_ptr();
    // SAFETY: every opaque pointer that we give MMTk points to a block that starts with its kind.
    unsafe { *p }
}

/// The block of one collector thread.
///
/// The counters are written by that thread alone, so counting is not contended.
#[repr(C)]
pub(crate) struct WorkerBlock {
    kind: Kind,
    moved_objects: AtomicU64,
    moved_bytes: AtomicU64,
    /// Bytes of objects that were found alive beside the program.
    marked_bytes: AtomicU64,
    /// Weak objects that this worker has scanned in this collection.
    weak: UnsafeCell<Vec<Addr>>,
}

// SAFETY: `weak` is touched by its worker while it scans and by one worker alone afterwards, in
// stages that MMTk orders.
unsafe impl Sync for WorkerBlock {}

thread_local! {
    static WORKER: Cell<Option<&'static WorkerBlock>> = const { Cell::new(None) };
}

fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

impl WorkerBlock {
    /// A block that stays for ever.
    pub(crate) fn new() -> &'static WorkerBlock {
        Box::leak(Box::new(WorkerBlock {
            kind: Kind::Worker,
            moved_objects: AtomicU64::new(0),
            moved_bytes: AtomicU64::new(0),
            marked_bytes: AtomicU64::new(0),
            weak: UnsafeCell::new(Vec::new()),
        }))
    }

    /// Makes the calling thread the collector thread of this block.
    pub(crate) fn adopt(&'static self) {
        WORKER.set(Some(self));
    }

    pub(crate) fn tls(&'static self) -> VMWorkerThread {
        VMWorkerThread(opaque(self))
    }

    /// The block behind a worker's opaque pointer.
    pub(crate) fn of(tls: VMWorkerThread) -> &'static WorkerBlock {
        debug_assert_eq!(kind(tls.0), Kind::Worker);
        let p: *const WorkerBlock = tls.0.0.to_address().to_ptr();
        // SAFETY: MMTk hands back what `tls` gave it; the block is never freed.
        unsafe { &*p }
    }

    /// Counts an object that the calling collector thread has moved.
    #[inline(always)]
    pub(crate) fn count_move(bytes: usize) {
        if let Some(block) = WORKER.get() {
            bump(&block.moved_objects, 1);
            bump(&block.moved_bytes, bytes as u64);
        }
    }

    /// Objects and bytes moved since the start.
    pub(crate) fn moved(&self) -> (u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.moved_objects), load(&self.moved_bytes))
    }

    /// Counts an object that was found alive beside the program.
    #[inline(always)]
    pub(crate) fn count_marked(&self, bytes: usize) {
        bump(&self.marked_bytes, bytes as u64);
    }

    /// Bytes of such objects since the start.
    pub(crate) fn marked(&self) -> u64 {
        self.marked_bytes.load(Ordering::Relaxed)
    }

    /// Notes that the weak object at `addr` was scanned.
    pub(crate) fn found_weak(&self, addr: Addr) {
        // SAFETY: the worker that scans is the only one to touch its list.
        unsafe { &mut *self.weak.get() }.push(addr);
    }

    /// Takes the weak objects away.
    pub(crate) fn take_weak(&self) -> Vec<Addr> {
        // SAFETY: called between stages, when no worker scans.
        std::mem::take(unsafe { &mut *self.weak.get() })
    }
}

#[cfg(test)]
mod tests {
    use super::{QUIET, quietly};

    #[test]
    fn a_panic_ends_the_quiet() {
        let panics = || quietly(|| quietly(|| panic!("inside")));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!(QUIET.get(), 0);
        assert_eq!(quietly(|| QUIET.get()), 1);
    }
}
