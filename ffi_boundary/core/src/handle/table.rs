//! The process's handles as a thread sees them, and as the collector does.
//!
//! `inv:handle.managed` A slot's value is touched only by a thread that is Managed, which a borrowed
//! [`Mutator`] stands for, or by the collector while no thread is. So the collector never meets a slot
//! that is being changed, and a value that was read is current. A weak handle's is read through the
//! heap's door (`inv:weak.door`).

use super::{Handle, HandleError, HandleKind, Kept, MAX_INDEX, Slots, scope};
use bowline_gc::{Heap, Mutator, RootSource};
use bowline_layout::Value;
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

static TABLE: OnceLock<Slots> = OnceLock::new();
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// What a thread has of the table.
struct Own {
    /// Which free list it uses; 0 while nobody would give back what it keeps.
    shard: Cell<usize>,
    kept: Kept,
}

impl Own {
    /// Whether the thread may keep slots, and a number: whether they will be given back when it ends.
    #[inline(always)]
    fn may_keep(&self, slots: &Slots) -> bool {
        self.shard.get() != 0 || self.join(slots)
    }

    #[cold]
    #[inline(never)]
    fn join(&self, slots: &Slots) -> bool {
        let joined = LEAVER.try_with(|_| ()).is_ok();
        if joined {
            self.shard.set(1 + THREADS.fetch_add(1, Ordering::Relaxed));
            slots.join(&self.kept);
        }
        joined
    }
}

/// Gives back what the thread has of the table when it ends.
struct Leaver;

impl Drop for Leaver {
    fn drop(&mut self) {
        OWN.with(|own| {
            let shard = own.shard.replace(0);
            if let Some(slots) = TABLE.get() {
                slots.give_back_kept(&own.kept, shard);
            }
        });
    }
}

thread_local! {
    /// It has no destructor, so nothing need be asked before it is used.
    static OWN: Own = const {
        Own { shard: Cell::new(0), kept: Kept::new() }
    };
    static LEAVER: Leaver = const { Leaver };
}

/// A tag that another process has rarely.
fn process_tag() -> u8 {
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |t| t.as_nanos() as u64);
    let mixed = (time ^ u64::from(std::process::id()) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 56) as u8).max(1)
}

fn table(heap: &'static Heap) -> &'static Slots {
    TABLE.get_or_init(|| {
        heap.register_roots(Box::new(Roots));
        heap.add_gauge("handles", || TABLE.get().map_or(0, Slots::count));
        // inv:grants.margin of the heap
        Slots::new(process_tag(), MAX_INDEX)
            .asking(|bytes| Heap::get().is_none_or(|heap| heap.would_give(bytes)))
            .fencing(heap.fence_of_all())
    })
}

/// Runs `f` with the table and what this thread has of it, if there is a table.
#[inline(always)]
pub(super) fn with_own<R>(f: impl FnOnce(&'static Slots, &Kept) -> Option<R>) -> Option<R> {
    let slots = TABLE.get()?;
    OWN.with(|own| f(slots, &own.kept))
}

/// In a forked child.
pub(crate) fn forked() {
    if let Some(slots) = TABLE.get() {
        slots.forked();
    }
}

/// The table, as the collector sees it.
struct Roots;

impl Roots {
    fn each(&self, weak: bool, f: &mut dyn FnMut(&mut Value)) {
        let Some(slots) = TABLE.get() else {
            return;
        };
        slots.visit(&mut |kind, cell| {
            if (kind == HandleKind::Weak) == weak {
                let word: *mut Value = cell.as_ptr().cast();
                // SAFETY: a value is one word; no thread is Managed (inv:handle.managed).
                f(unsafe { &mut *word });
            }
        });
    }
}

impl RootSource for Roots {
    fn visit(&self, f: &mut dyn FnMut(&mut Value)) {
        self.each(false, f);
    }

    fn visit_weak(&self, f: &mut dyn FnMut(&mut Value)) {
        self.each(true, f);
    }
}

/// The handles of the process, for a thread that is Managed (`inv:handle.managed`).
///
/// A handle may be made on one thread and used or freed on another.
pub struct Handles<'m> {
    slots: &'static Slots,
    mutator: &'m Mutator,
}

impl<'m> Handles<'m> {
    /// The handles, as long as `mutator` is not used for anything else.
    #[inline]
    pub fn of(mutator: &'m Mutator) -> Handles<'m> {
        let slots = match TABLE.get() {
            Some(slots) => slots,
            None => table(mutator.heap()),
        };
        Handles { slots, mutator }
    }

    #[inline]
    pub(super) fn mutator(&self) -> &'m Mutator {
        self.mutator
    }

    /// A new handle for `v`. A local one belongs to the innermost scope of this thread.
    #[inline]
    pub fn create(&self, v: Value, kind: HandleKind) -> Result<Handle, HandleError> {
        if kind == HandleKind::Local {
            return scope::create(self, v);
        }
        self.create_unscoped(v, kind)
    }

    #[inline]
    pub(super) fn create_unscoped(
        &self,
        v: Value,
        kind: HandleKind,
    ) -> Result<Handle, HandleError> {
        if self.mutator.heap().refuses() {
            return Err(HandleError::OutOfMemory);
        }
        match OWN.with(|own| self.slots.create_kept(&own.kept, v.bits(), kind)) {
            Some(handle) => Ok(handle),
            None => self.create_slowly(v, kind),
        }
    }

    #[cold]
    #[inline(never)]
    fn create_slowly(&self, v: Value, kind: HandleKind) -> Result<Handle, HandleError> {
        OWN.with(|own| {
            own.may_keep(self.slots);
            let shard = own.shard.get();
            self.slots.create_own(&own.kept, shard, v.bits(), kind)
        })
    }

    /// What the handle stands for; [`Value::BROKEN`] for a weak one whose object has died.
    #[inline]
    pub fn get(&self, handle: Handle) -> Result<Value, HandleError> {
        let v = self.slots.get(handle).map(Value::from_bits)?;
        // inv:weak.door; a strong handle's is as right, and asking which it is would cost more.
        Ok(self.mutator.strengthen(v))
    }

    /// Makes the handle stand for `v`.
    pub fn set(&self, handle: Handle, v: Value) -> Result<(), HandleError> {
        OWN.with(|own| self.slots.set_kept(&own.kept, handle, v.bits()))
    }

    /// Which kind of handle it is.
    pub fn kind(&self, handle: Handle) -> Result<HandleKind, HandleError> {
        self.slots.kind(handle)
    }

    /// Frees the handle. A local one may be freed before its scope ends.
    #[inline]
    pub fn free(&self, handle: Handle) -> Result<(), HandleError> {
        self.release(handle, false)
    }

    /// As [`Handles::free`]. A local handle that is among the youngest of the innermost scope no longer counts as one of
    /// its [`LOCAL_LIMIT`](super::LOCAL_LIMIT).
    pub fn free_and_forget(&self, handle: Handle) -> Result<(), HandleError> {
        self.free(handle)?;
        scope::forget(handle);
        Ok(())
    }

    pub(super) fn end_scope(&self, handle: Handle) -> Result<(), HandleError> {
        self.release(handle, true)
    }

    #[inline]
    fn release(&self, handle: Handle, scope_ended: bool) -> Result<(), HandleError> {
        OWN.with(|own| match (own.may_keep(self.slots), scope_ended) {
            (true, _) => self
                .slots
                .free_kept(&own.kept, own.shard.get(), handle, scope_ended),
            (false, true) => self.slots.end_scope(0, handle),
            (false, false) => self.slots.free(0, handle),
        })
    }

    /// How many handles are live, if no other thread makes or frees any meanwhile.
    pub fn count(&self) -> usize {
        self.slots.count()
    }
}
