//! Allocation.
//!
//! The fast path bumps a pointer inside MMTk's allocator of this thread; MMTk has zeroed the memory and
//! needs no call afterwards. Every allocation may collect (`inv:mutator.safepoint`), so a caller's values
//! live in roots; those handed to [`Mutator::alloc_pair`] are kept by it.
//!
//! Under zeal the bump pointer is a dummy that is always full, so each allocation takes the slow path,
//! which counts and logs it.
//!
//! Absent on purpose: finalization, alignment beyond a word.

use crate::access;
use crate::binding::{Bowline, ObjectWords, object_at};
use crate::config::Plan;
use crate::heap::{engine, heap};
use crate::mutator::Mutator;
use crate::recorder::Note;
use crate::roots::Globals;
use bowline_layout::{Addr, Flags, Header, Tag, Value, WORD, object_bytes};
use mmtk::AllocationSemantics;
use mmtk::util::Address;
use mmtk::util::alloc::BumpPointer;
use mmtk::vm::ObjectModel;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

/// The largest object that is allocated by bumping and may move.
pub(crate) const MAX_SMALL: usize = 16 << 10;

/// A thread tells what it has made by so many bytes, so that threads seldom meet at the common count.
const TOLD_BY: u64 = 64 << 10;

/// There is no room, even after an exhaustive collection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory {
    /// How many bytes were wanted.
    pub requested: usize,
}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of memory: no room for {} bytes", self.requested)
    }
}

impl std::error::Error for OutOfMemory {}

/// The bump pointer of one thread's allocator.
#[derive(Clone, Copy)]
pub(crate) struct Bump(NonNull<BumpPointer>);

impl Bump {
    /// The bump pointer at `p`, which lives as long as the mutator and is used by its thread alone,
    /// or by the collector while that is stopped.
    pub(crate) fn new(p: NonNull<BumpPointer>) -> Self {
        Bump(p)
    }

    /// One that is always full.
    pub(crate) fn full() -> Self {
        Bump(NonNull::from(Box::leak(Box::new(BumpPointer::default()))))
    }

    /// `bytes` more, if they are there.
    #[inline(always)]
    fn take(self, bytes: usize) -> Option<Addr> {
        let p = self.0.as_ptr();
        // SAFETY: see `new`.
        let limit = unsafe { (*p).limit };
        // SAFETY: see `new`.
        let cursor = unsafe { &mut (*p).cursor };
        let start = cursor.as_usize();
        let end = start + bytes;
        if end > limit.as_usize() {
            return None;
        }
        *cursor = Address::ZERO + end;
        Some(Addr::new(start))
    }
}

impl Bump {
    /// How many bytes are left.
    fn left(self) -> u64 {
        let p = self.0.as_ptr();
        // SAFETY: see `new`.
        let limit = unsafe { (*p).limit };
        // SAFETY: see `new`.
        let cursor = unsafe { (*p).cursor };
        limit.as_usize().saturating_sub(cursor.as_usize()) as u64
    }
}

impl Mutator {
    /// How many bytes this thread has allocated. What was left of its current block when somebody
    /// else collected counts, too.
    pub fn allocated(&self) -> u64 {
        self.handed_out.saturating_sub(self.bump.left())
    }

    /// A fresh pair. Its car and cdr are kept, and updated, should this collect.
    #[inline(always)]
    pub fn alloc_pair(&mut self, car: Value, cdr: Value) -> Result<Value, OutOfMemory> {
        match self.pair_at_hand(car, cdr) {
            Some(pair) => Ok(pair),
            None => self.pair_slow(car, cdr),
        }
    }

    /// A fresh pair, if there is room for it at hand.
    #[inline(always)]
    pub(crate) fn pair_at_hand(&mut self, car: Value, cdr: Value) -> Option<Value> {
        let at = self.bump.take(2 * WORD)?;
        self.starts.note(at);
        Some(fill_pair(at, car, cdr))
    }

    #[cold]
    #[inline(never)]
    fn pair_slow(&mut self, car: Value, cdr: Value) -> Result<Value, OutOfMemory> {
        self.push(car);
        self.push(cdr);
        let at = self.alloc_slow(2 * WORD, AllocationSemantics::Default);
        let cdr = self.pop();
        let car = self.pop();
        let at = at?;
        self.starts.note(at);
        Ok(fill_pair(at, car, cdr))
    }

    /// A fresh object with this header; every other word is zero. It does not move if it is larger
    /// than 16 KiB.
    #[inline(always)]
    pub fn alloc(&mut self, header: Header, tag: Tag) -> Result<Value, OutOfMemory> {
        let bytes = object_bytes(header);
        if bytes <= MAX_SMALL
            && let Some(at) = self.bump.take(bytes)
        {
            self.starts.note(at);
            return Ok(put_header(at, header, tag));
        }
        self.object_slow(header, tag)
    }

    #[cold]
    #[inline(never)]
    fn object_slow(&mut self, header: Header, tag: Tag) -> Result<Value, OutOfMemory> {
        let bytes = object_bytes(header);
        let semantics = if bytes <= MAX_SMALL {
            AllocationSemantics::Default
        } else {
            AllocationSemantics::Los
        };
        let at = self.alloc_slow(bytes, semantics)?;
        let v = put_header(at, header, tag);
        self.introduce(at, bytes, semantics);
        Ok(v)
    }

    /// A fresh object that never moves; every word but its header is zero.
    pub fn alloc_immovable(&mut self, header: Header, tag: Tag) -> Result<Value, OutOfMemory> {
        let bytes = object_bytes(header);
        let semantics = if bytes > MAX_SMALL {
            AllocationSemantics::Los
        } else if heap().config.plan == Plan::Latency {
            // In MMTk's space of such objects, what is made while marking runs is not kept, and stores
            // are not noted. A promoted object is as good.
            AllocationSemantics::Default
        } else {
            AllocationSemantics::NonMoving
        };
        let at = self.alloc_slow(bytes, semantics)?;
        let v = put_header(at, header.with_flags(Flags::IMMOVABLE), tag);
        match semantics {
            AllocationSemantics::Default => {
                let promoted = heap().pins.promote(v);
                promoted.map_err(|_| OutOfMemory { requested: bytes })?;
            }
            _ => self.introduce(at, bytes, semantics),
        }
        Ok(v)
    }

    /// A fresh object in the boot heap: it is never moved and never collected. Every word but its
    /// header is zero.
    pub fn alloc_boot(&mut self, header: Header, tag: Tag) -> Result<Value, OutOfMemory> {
        if let Some(at) = heap().boot.alloc(heap(), header) {
            return Ok(Value::pointer(at, tag));
        }
        // A full boot heap is no reason to fail: an immovable object that a global cell holds serves
        // as well, at the price of being traced.
        if !heap().has_memory_for(Globals::STEP) {
            let requested = object_bytes(header);
            return Err(OutOfMemory { requested });
        }
        let v = self.alloc_immovable(header, tag)?;
        let _held_for_ever = heap().new_global(v);
        Ok(v)
    }

    /// Room for an object, from MMTk itself. May collect.
    fn alloc_slow(
        &mut self,
        bytes: usize,
        semantics: AllocationSemantics,
    ) -> Result<Addr, OutOfMemory> {
        let failed = OutOfMemory { requested: bytes };
        let left = self.bump.left();
        self.poll();
        self.zeal_allocation();
        if heap().refuses() {
            return Err(failed);
        }
        // What can never fit is refused before it starts a collection.
        if bytes > heap().limit {
            heap().recorder.note(Note::OutOfMemory);
            return Err(failed);
        }
        // If nobody can be had who collects, the policy does not stop this at the limit.
        if heap().is_asleep() {
            heap().must_be_whole();
            heap().wake_to_mark();
            self.poll_pressure(bytes)?;
        }
        self.tell_what_was_made();
        let at = heap()
            .pressure
            .while_allocating(|| self.find_room(bytes, semantics));
        if at.is_zero() {
            heap().recorder.note(Note::OutOfMemory);
            return Err(failed);
        }
        let at = Addr::new(at.as_usize());
        if semantics == AllocationSemantics::Default {
            heap().surplus.small_made(at);
        }
        let gained = bytes as u64 + self.bump.left();
        self.handed_out = (self.handed_out + gained).saturating_sub(left);
        if self.zealous() {
            self.block().log(at, bytes);
        }
        Ok(at)
    }

    /// Where collections are marked beside the program, one may be due for what threads have made, although MMTk,
    /// which asks only before it takes pages, has still holes to hand out. A thread also asks when it begins: those that
    /// have gone before it may have made little each.
    fn tell_what_was_made(&mut self) {
        let made = self.handed_out.saturating_sub(self.told);
        let begins = self.handed_out == 0;
        if (made < TOLD_BY && !begins) || !heap().config.marks_beside() {
            return;
        }
        self.told = self.handed_out;
        if heap().pressure.made(made as usize) && !heap().is_marking() {
            mmtk::memory_manager::gc_poll(engine().mmtk, self.tls());
        }
    }

    /// The thread goes, and tells the rest of what it has made.
    pub(crate) fn tell_the_rest(&mut self) {
        if self.heap().config.marks_beside() {
            let made = self.handed_out.saturating_sub(self.told);
            self.heap().pressure.made(made as usize);
        }
    }

    /// Does what MMTk wants done with a fresh object outside the bump-allocated space.
    fn introduce(&mut self, at: Addr, bytes: usize, semantics: AllocationSemantics) {
        let object = object_at(at);
        match semantics {
            AllocationSemantics::Los => {
                heap().surplus.large_made(at, bytes);
                mmtk::memory_manager::post_alloc(self.context(), object, bytes, semantics);
            }
            AllocationSemantics::NonMoving => {
                mmtk::memory_manager::post_alloc(self.context(), object, bytes, semantics);
                if engine().generational {
                    // A minor collection does not trace this space, so the object counts as old
                    // from birth, and as changed, for its first words are stored without barrier.
                    let spec = ObjectWords::GLOBAL_LOG_BIT_SPEC;
                    spec.mark_as_unlogged::<Bowline>(object, Ordering::SeqCst);
                    self.remember(Value::pointer(at, Tag::Object));
                }
            }
            _ => self.starts.note(at),
        }
    }
}

#[inline(always)]
fn fill_pair(at: Addr, car: Value, cdr: Value) -> Value {
    let pair = Value::pointer(at, Tag::Pair);
    // SAFETY: the two words at `at` are fresh.
    unsafe { access::init(pair, 0, car) };
    // SAFETY: the two words at `at` are fresh.
    unsafe { access::init(pair, 1, cdr) };
    pair
}

#[inline(always)]
fn put_header(at: Addr, header: Header, tag: Tag) -> Value {
    // SAFETY: the words at `at` are fresh and as many as the header says.
    unsafe { access::write(at, header.bits()) };
    Value::pointer(at, tag)
}
