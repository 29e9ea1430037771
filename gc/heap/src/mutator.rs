//! A thread's door to the heap.
//!
//! A [`Mutator`] belongs to one thread and is boxed, so it has a fixed address. Holding one mutably is
//! the permission to allocate; whoever holds it is Managed (see `world`) unless between
//! [`Mutator::enter_native`] and [`Mutator::leave_native`], when it may touch no object but pinned
//! ones.
//!
//! `inv:mutator.safepoint` A collection can happen in every method that allocates, collects, polls,
//! crosses or leaves native, in a `fork` by a thread that is Managed and not firm (`inv:fork.firm`), and nowhere
//! else. Values held across one of these live in roots.
//!
//! `inv:mutator.barrier` A word of an object that may be old is overwritten by [`Mutator::store`] alone,
//! and that asks for the object's unlog bit *before* it stores: one test inlined, one cold call when the
//! bit is set, the store, and no safepoint between them. The one test serves both kinds of plan:
//!
//! * generational: the bit is set for old objects that no one has changed since the last collection. The
//!   call notes the object, whose words a minor collection then scans; for that it need only happen
//!   before the next safepoint.
//! * marking beside the program: the bits of all objects are set while marking begins. The call notes
//!   the references that the object *holds*, so that marking reaches all that was reachable when it
//!   began, however the program cuts the ways there (a snapshot at the beginning: Yuasa 1990). For
//!   that it must happen before the old word is gone.
//!
//! The bit is loaded with Acquire, and the slow path takes it away with Release after it has read the
//! words: a thread that finds it gone overwrites none that are still to be read. The store is a Release:
//! a collector thread that reads the word while marking finds a fresh object's mark bit set, and scans
//! no object that is still being filled. Both are plain moves on x86-64.

use crate::access;
use crate::alloc::Bump;
use crate::ambiguous::Starts;
use crate::binding::{Bowline, WordSlot, object_at};
use crate::config::Zeal;
use crate::heap::{Heap, engine};
use crate::pins::{PinError, size_of_pinned, stays};
use crate::recorder::{Callee, Note, Reason};
use crate::stack::RootStack;
use crate::stats::GcStats;
use crate::thread::{CallFrame, ThreadBlock, blocks_here, quietly};
use crate::watchdog::Leaf;
use bowline_layout::Value;
use mmtk::util::VMMutatorThread;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, Ordering};

/// What [`Mutator::collect`] does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Collect {
    /// The least that frees what has just become garbage.
    ///
    /// * `throughput`, `compact-test`: a minor collection; the young objects that live move out of the nursery.
    /// * `latency`: a collection that is marked while other threads run, with its two short pauses, after
    ///   the end of one under way. Nothing moves.
    /// * `immix`: a full collection.
    Minor,
    /// All that can be done at a stop of the world: a minor collection, where there are such, and then a full one.
    Full,
}

/// A thread's door to the heap.
pub struct Mutator {
    pub(crate) bump: Bump,
    unlog_bits: usize,
    pub(crate) starts: Starts,
    /// 1 if the collector wants to be told of stores of fixnums, too; else 0.
    notes_every: u64,
    block: &'static ThreadBlock,
    heap: &'static Heap,
    /// Allocations or crossings until the next needless collection.
    zeal_left: u64,
    /// Bytes given to this thread, what is left under the bump pointer included.
    pub(crate) handed_out: u64,
    /// How much of that the pressure knows of.
    pub(crate) told: u64,
    /// What it had allocated when it last waited for room.
    pub(crate) then: u64,
    /// A mutator stays on its thread.
    on_thread: PhantomData<*mut ()>,
}

/// A mutator whose thread is Native until this is dropped.
struct Away<'m>(&'m mut Mutator);

impl Drop for Away<'_> {
    fn drop(&mut self) {
        self.0.leave_native();
    }
}

impl Mutator {
    pub(crate) fn new(heap: &'static Heap, block: &'static ThreadBlock, bump: Bump) -> Box<Self> {
        let zeal_left = match heap.config.zeal {
            Zeal::Off | Zeal::Malloc(_) => u64::MAX,
            Zeal::Allocation(n) | Zeal::Crossing(n) => n,
        };
        Box::new(Mutator {
            bump,
            unlog_bits: engine().unlog_bits,
            starts: Starts::new(),
            notes_every: u64::from(!engine().generational),
            block,
            heap,
            zeal_left,
            handed_out: 0,
            told: 0,
            then: 0,
            on_thread: PhantomData,
        })
    }

    /// The heap.
    #[inline(always)]
    pub fn heap(&self) -> &'static Heap {
        self.heap
    }

    #[inline(always)]
    pub(crate) fn block(&self) -> &'static ThreadBlock {
        self.block
    }

    /// MMTk's context of this thread.
    pub(crate) fn context(&mut self) -> &mut mmtk::Mutator<Bowline> {
        // SAFETY: made at attach and freed at drop; this thread is Managed and has it for itself.
        unsafe { &mut *self.block.mmtk.get() }
    }

    /// Runs `f`, which calls nothing of ours, with MMTk's context of this thread.
    pub(crate) fn with_context<R>(&self, f: impl FnOnce(&mut mmtk::Mutator<Bowline>) -> R) -> R {
        // SAFETY: as for `context`, whose borrow of this mutator has ended.
        f(unsafe { &mut *self.block.mmtk.get() })
    }

    // Stores.

    /// Stores `v` into word `word` of `object`, so that the collector learns of it (`inv:mutator.barrier`).
    ///
    /// # Safety
    /// `inv:access.live`; the word is one that the collector scans; and `object` is no pair of the
    /// boot heap (`inv:boot.fixed`).
    #[inline(always)]
    pub unsafe fn store(&mut self, object: Value, word: usize, v: Value) {
        debug_assert!(
            !(object.is_pair() && self.heap.in_boot_heap(object)),
            "inv:boot.fixed"
        );
        if self.wants_note(object) && (v.bits() | self.notes_every) & 1 != 0 {
            self.remember_store(object, word, v);
        }
        // SAFETY: inv:access.live; the barrier is passed (inv:mutator.barrier).
        unsafe { access::publish(object, word, v) };
    }

    /// Whether the collector wants to be told of `object` before it is changed: its unlog bit.
    #[inline(always)]
    fn wants_note(&self, object: Value) -> bool {
        let addr = object.addr().raw();
        let bits = std::ptr::with_exposed_provenance_mut(self.unlog_bits + (addr >> 6));
        // SAFETY: MMTk maps the bits of all that it allocates, `Heap` those of the boot heap.
        let byte = unsafe { AtomicU8::from_ptr(bits) }.load(Ordering::Acquire);
        byte & 1 << (addr >> 3 & 7) != 0
    }

    /// Whether the collector wants the words that are overwritten, whatever comes in their place.
    #[inline(always)]
    pub(crate) fn snapshots(&self) -> bool {
        self.notes_every != 0
    }

    /// Tells the collector of `object`, whose words are still the old ones, and that its bit is gone.
    #[cold]
    #[inline(never)]
    pub(crate) fn remember(&mut self, object: Value) {
        let slot = WordSlot::new(object.addr());
        let object = object_at(object.addr());
        self.context()
            .barrier
            .object_reference_write_slow(object, slot, None);
    }

    // Roots.

    /// The thread's root stack.
    #[inline(always)]
    pub fn stack(&self) -> &RootStack {
        &self.block.stack
    }

    /// Pushes a root.
    #[inline(always)]
    pub fn push(&mut self, v: Value) {
        self.block.stack.push(v);
    }

    /// Pops a root.
    #[inline(always)]
    pub fn pop(&mut self) -> Value {
        self.block.stack.pop()
    }

    /// How many roots are on the stack.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.block.stack.len()
    }

    /// Whether no root is on the stack.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.block.stack.is_empty()
    }

    /// Drops every root from index `len` on.
    #[inline(always)]
    pub fn truncate(&mut self, len: usize) {
        self.block.stack.truncate(len);
    }

    /// The root at index `i`.
    #[inline(always)]
    pub fn get(&self, i: usize) -> Value {
        self.block.stack.get(i)
    }

    /// Replaces the root at index `i`.
    #[inline(always)]
    pub fn set(&mut self, i: usize, v: Value) {
        self.block.stack.set(i, v);
    }

    /// Pushes `roots`, runs `f` with the index of the first and pops them and what `f` left above.
    pub fn with_roots<R>(
        &mut self,
        roots: &[Value],
        f: impl FnOnce(&mut Mutator, usize) -> R,
    ) -> R {
        let first = self.len();
        roots.iter().for_each(|v| self.push(*v));
        let result = f(self, first);
        self.truncate(first);
        result
    }

    // Safepoints.

    /// Stops here while somebody collects.
    #[inline(always)]
    pub fn poll(&mut self) {
        if self.block.stack.poll_wanted() {
            self.poll_slow();
        }
    }

    #[cold]
    #[inline(never)]
    fn poll_slow(&mut self) {
        self.block.waiting(|| self.heap.world.safepoint(self.block));
        self.after_poll();
    }

    /// Collects. In a forked child that has no collector, and can have none, this ends the process with a
    /// message.
    pub fn collect(&mut self, kind: Collect) {
        self.heap.must_collect();
        if !self.heap.config.marks_beside() {
            self.request(false, Reason::Asked);
        } else if kind == Collect::Minor {
            self.heap.recorder.because(Reason::Asked);
            self.collect_beside();
        }
        if kind == Collect::Full {
            self.request(true, Reason::Asked);
        }
    }

    /// Asks for one collection and waits for its end; where collections are marked beside the program and
    /// this is no full one, for its next pause. There is none if there is nobody to collect.
    pub(crate) fn request(&mut self, full: bool, reason: Reason) {
        // inv:fork.alone
        if !self.heap.wake() {
            return;
        }
        self.heap.recorder.because(reason);
        if self.heap.config.marks_beside() {
            return self.request_beside(full, reason);
        }
        // inv:zeal.log wants every collection full.
        let full = full || self.zealous();
        engine()
            .mmtk
            .handle_user_collection_request(self.tls(), true, full);
    }

    /// How MMTk knows the thread.
    pub(crate) fn tls(&self) -> VMMutatorThread {
        self.block.tls()
    }

    // The boundary.

    /// Runs `f`, which touches neither objects nor the heap, as a thread that delays no collection. What it
    /// allocates by `malloc` is the runtime's. The thread comes back also when `f` panics.
    pub fn beside<R>(&mut self, f: impl FnOnce() -> R) -> R {
        quietly(|| {
            self.enter_native();
            let _away = Away(self);
            f()
        })
    }

    /// Managed → Native: the thread goes into foreign code and delays no collection.
    #[inline(always)]
    pub fn enter_native(&mut self) {
        self.heap.world.enter_native(self.block);
    }

    /// Native → Managed: waits while the world is stopped.
    #[inline(always)]
    pub fn leave_native(&mut self) {
        if self.heap.world.leave_native(self.block) {
            self.wait_to_leave();
        }
    }

    #[cold]
    fn wait_to_leave(&mut self) {
        self.block
            .waiting(|| self.heap.world.wait_to_leave(self.block));
        self.heap.give_back();
    }

    /// The thread goes into a leaf call: foreign code during which it stays Managed. No collection begins until
    /// it polls again, not in a fork either (`inv:fork.firm`), and the watchdog names the call if one has to wait for long.
    #[inline(always)]
    pub fn leaf_begins(&mut self, leaf: &'static Leaf) {
        self.block.set_leaf(Some(leaf));
    }

    /// The leaf call is over.
    #[inline(always)]
    pub fn leaf_ends(&mut self) {
        self.block.set_leaf(None);
    }

    /// Counts a crossing of the boundary, and collects if the zeal says so. Called while Managed.
    #[inline(always)]
    pub fn crossing(&mut self) {
        if let Zeal::Crossing(n) = self.heap.config.zeal {
            self.zeal_step(n);
        }
    }

    // What the boundary tells the recorder, if [`Heap::callee`] has given it a place. Each pair is called with
    // the thread Native, so that it keeps no collection waiting.

    /// C is about to run. Returns the time.
    #[cold]
    pub fn call_begins(&self) -> u64 {
        self.block.live_track().map_or(0, |t| t.call_begins())
    }

    /// C has returned.
    #[cold]
    pub fn call_ends(&self, began: u64, callee: &Callee) {
        if let Some(track) = self.block.live_track() {
            quietly(|| track.call_ends(began, callee));
        }
    }

    /// C calls back. Returns the time.
    #[cold]
    pub fn callback_begins(&self) -> u64 {
        self.block.live_track().map_or(0, |t| t.callback_begins())
    }

    /// The callback goes back to C.
    #[cold]
    pub fn callback_ends(&self, began: u64, callee: &Callee) {
        if let Some(track) = self.block.live_track() {
            quietly(|| track.callback_ends(began, callee));
        }
    }

    /// Pins the frame's objects until [`Mutator::pop_call`].
    ///
    /// # Safety
    /// The frame stays where it is and alive until it is popped; frames are popped innermost first.
    #[inline(always)]
    pub unsafe fn push_call(&mut self, frame: &mut CallFrame<'_>) {
        // SAFETY: the caller's.
        unsafe { self.block.push_call(frame) };
    }

    /// Ends what [`Mutator::push_call`] began.
    ///
    /// # Safety
    /// `frame` is the innermost frame that was pushed.
    #[inline(always)]
    pub unsafe fn pop_call(&mut self, frame: &mut CallFrame<'_>) {
        self.block.pop_call(frame);
    }

    /// Forgets the frames that were pushed after `innermost`: C has jumped over whoever would have popped them.
    ///
    /// # Safety
    /// `innermost` was pushed and not popped, or is null, and what was pushed after it, or all, is not popped any more.
    pub unsafe fn abandon_calls(&mut self, innermost: *const CallFrame<'static>) {
        self.block.abandon_calls(innermost);
    }

    /// Pins `v` once more: it neither moves nor dies. Returns how often it is pinned now. Any thread may
    /// take the pin back.
    #[inline]
    pub fn pin(&self, v: Value) -> Result<u64, PinError> {
        let pins = self.heap.pins.pin(v)?;
        self.block.count_pin();
        Ok(pins)
    }

    /// Takes one pin back. Returns how many remain.
    #[inline]
    pub fn unpin(&self, v: Value) -> Result<u64, PinError> {
        self.heap.pins.unpin(v)
    }

    /// Makes `v` stay where it is as long as it lives, which it does not by this. Returns whether it could have
    /// moved before.
    pub fn promote(&self, v: Value) -> Result<bool, PinError> {
        self.heap.pins.promote(v)
    }

    /// Whether `v` is held in place by a counted pin or by a call of this thread, was promoted, or stands
    /// where nothing moves.
    pub fn is_pinned(&self, v: Value) -> bool {
        let mut found = self.heap.pins.is_pinned(v) || (v.is_pointer() && stays(v));
        self.block
            .each_pinned(&mut |p| found |= p.is_pointer() && p.addr() == v.addr());
        found
    }

    /// The heap's figures. `pinned_bytes_now` covers the counted pins and this thread's calls;
    /// [`Heap::stats`] covers the counted pins alone, for it may not look at other threads' frames.
    pub fn stats(&self) -> GcStats {
        let mut stats = self.heap.stats();
        self.block
            .each_pinned(&mut |v| stats.pinned_bytes_now += size_of_pinned(v));
        stats
    }

    // Zeal.

    /// Whether allocations are logged.
    pub(crate) fn zealous(&self) -> bool {
        self.heap.config.zeal != Zeal::Off
    }

    /// Counts an allocation, and collects if the zeal says so.
    pub(crate) fn zeal_allocation(&mut self) {
        if let Zeal::Allocation(n) = self.heap.config.zeal {
            self.zeal_step(n);
        }
    }

    #[cold]
    fn zeal_step(&mut self, every: u64) {
        self.zeal_left -= 1;
        if self.zeal_left == 0 {
            self.zeal_left = every;
            self.heap.recorder.note(Note::Zeal);
            self.request(true, Reason::Zeal);
        }
    }
}

impl Drop for Mutator {
    fn drop(&mut self) {
        let block: *const *const ThreadBlock = (&raw const self.block).cast();
        // SAFETY: a reference is a pointer, and is looked at as one: the thread's end may have freed the block.
        let block = unsafe { block.read() };
        let mut here = blocks_here();
        if let Some(block) = here.find(|here| std::ptr::eq(*here, block)) {
            self.tell_the_rest();
            self.heap.detach(block);
        }
    }
}
