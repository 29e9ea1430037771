//! A reference as MMTk sees it: a tagged word in some slot.
//!
//! `inv:slot.range` A word is a reference to a collected object exactly when it is a tagged pointer
//! into MMTk's range. Even words, immediates, and pointers into the boot heap are none, so they are
//! never followed.

use crate::access;
use bowline_layout::{Addr, Value};
use mmtk::util::{Address, ObjectReference};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where MMTk's spaces begin with its default layout.
const HEAP_START: usize = 1 << 41;
/// One past the end of MMTk's spaces.
pub(super) const HEAP_END: usize = 0x2200_0000_0000;

/// Whether `addr` lies in MMTk's range (`inv:slot.range`).
#[inline(always)]
pub(crate) fn in_heap(addr: Addr) -> bool {
    addr.raw().wrapping_sub(HEAP_START) < HEAP_END - HEAP_START
}

/// The object at `addr`, which is in the heap.
#[inline(always)]
pub(crate) fn object_at(addr: Addr) -> ObjectReference {
    // SAFETY: heap addresses are 8-aligned and not 0.
    unsafe { ObjectReference::from_raw_address_unchecked(Address::ZERO + addr.raw()) }
}

/// The collected object that `v` refers to, if it does.
#[inline(always)]
pub(crate) fn reference(v: Value) -> Option<ObjectReference> {
    // inv:slot.range
    if v.is_pointer() && in_heap(v.addr()) {
        Some(object_at(v.addr()))
    } else {
        None
    }
}

/// The address of a tagged word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(transparent)]
pub(crate) struct WordSlot(Addr);

impl WordSlot {
    #[inline(always)]
    pub(crate) fn new(addr: Addr) -> Self {
        WordSlot(addr)
    }

    #[inline(always)]
    fn cell(&self) -> &AtomicU64 {
        // SAFETY: slots are made from words of live objects and roots, which stay mapped during a
        // collection.
        unsafe { AtomicU64::from_ptr(access::pointer(self.0)) }
    }

    /// The word.
    #[inline(always)]
    pub(crate) fn value(&self) -> Value {
        Value::from_bits(self.cell().load(Ordering::Relaxed))
    }

    /// Replaces the word.
    #[inline(always)]
    pub(crate) fn set(&self, v: Value) {
        self.cell().store(v.bits(), Ordering::Relaxed);
    }
}

impl mmtk::vm::slot::Slot for WordSlot {
    #[inline(always)]
    fn load(&self) -> Option<ObjectReference> {
        reference(self.value())
    }

    #[inline(always)]
    fn store(&self, object: ObjectReference) {
        let to = Addr::new(object.to_raw_address().as_usize());
        self.set(self.value().retarget(to));
    }
}

/// MMTk's range: first address and bytes.
pub(crate) fn heap_range() -> (usize, usize) {
    (HEAP_START, HEAP_END - HEAP_START)
}
