//! The boot heap: objects that are never moved, never collected and not traced.
//!
//! It lies outside MMTk's range (`inv:slot.range`), so references into it are never followed. What a
//! boot object may refer to in the collected heap is found otherwise:
//!
//! `inv:boot.slots` Every word of a mutable headed boot object that may hold a value is a permanent
//! root slot. So stores into boot objects need no barrier; and because the inlined barrier asks without
//! knowing, zero pages lie over MMTk's unlog bits of this range and answer "already logged".
//!
//! `inv:boot.fixed` Pairs in the boot heap, and frozen objects flagged immutable, refer to nothing in the
//! collected heap that could move or die (`inv:freeze.kept`) and must not be changed.

use crate::HeapError;
use crate::access;
use crate::binding::{WordSlot, each_reference, is_weak};
use crate::heap::Heap;
use crate::pins::AddrMap;
use crate::roots::word_of;
use crate::sync::lock;
use crate::sys::{self, Access};
use bowline_layout::{Addr, Header, Shape, Value, object_bytes};
use std::sync::{Mutex, MutexGuard};

/// Bytes of addresses reserved.
const RESERVED: usize = 256 << 20;
/// What is made usable at once: the system may count it, touched or not (`ulimit -d`).
const STEP: usize = 4 << 20;
/// Where to try, in this order: below MMTk's range and away from where the system maps by itself.
const PLACES: [usize; 4] = [
    0x0100_0000_0000,
    0x0140_0000_0000,
    0x0180_0000_0000,
    0x00c0_0000_0000,
];

/// What the lock guards.
#[derive(Default)]
pub(crate) struct Inner {
    used: usize,
    /// How many bytes can be used.
    usable: usize,
    /// Permanent root slots, as first word and count.
    ranges: Vec<(Addr, usize)>,
    /// Objects whose slots only their bitmap tells.
    bitmaps: Vec<Addr>,
    /// What a freeze has left where it was, by its place (inv:freeze.kept).
    kept: AddrMap<Value>,
}

/// The boot heap.
pub(crate) struct Boot {
    start: Addr,
    inner: Mutex<Inner>,
}

impl Boot {
    /// Reserves it.
    pub(crate) fn new() -> Result<Self, HeapError> {
        let start = PLACES
            .iter()
            .find_map(|at| sys::map_at(*at, RESERVED, Access::None))
            .ok_or(HeapError::NoMemory("the boot heap"))?;
        Ok(Boot {
            start,
            inner: Mutex::default(),
        })
    }

    pub(crate) fn hold(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Where it lies: first address and bytes.
    pub(crate) fn range(&self) -> (usize, usize) {
        (self.start.raw(), RESERVED)
    }

    /// Whether `addr` lies in it.
    #[inline(always)]
    pub(crate) fn contains(&self, addr: Addr) -> bool {
        addr.raw().wrapping_sub(self.start.raw()) < RESERVED
    }

    /// Room for `bytes`, zeroed, if there is.
    pub(crate) fn room(&self, bytes: usize) -> Option<Addr> {
        let mut inner = lock(&self.inner);
        let at = self.start.byte(inner.used);
        let used = inner.used.checked_add(bytes)?;
        if !self.make_usable(&mut inner, used) {
            return None;
        }
        inner.used = used;
        Some(at)
    }

    /// Sees to it that the first `bytes` can be used. Returns whether they can.
    fn make_usable(&self, inner: &mut Inner, bytes: usize) -> bool {
        if bytes > RESERVED {
            return false;
        }
        let more = bytes.saturating_sub(inner.usable).next_multiple_of(STEP);
        // inv:grants.margin
        if more > 0 && Heap::get().is_some_and(|heap| !heap.would_give(more)) {
            return false;
        }
        if more > 0 && !sys::protect(self.start.byte(inner.usable), more, Access::ReadWrite) {
            return false;
        }
        inner.usable += more;
        true
    }

    /// A fresh object with this header, if there is room.
    pub(crate) fn alloc(&self, heap: &Heap, header: Header) -> Option<Addr> {
        if !self.has_room_for_slots(heap) {
            return None;
        }
        let at = self.room(object_bytes(header))?;
        // SAFETY: the room is fresh and as large as the object.
        unsafe { access::write(at, header.bits()) };
        self.add_slots(at, header);
        Some(at)
    }

    /// Whether the slots of another object can be noted.
    fn has_room_for_slots(&self, heap: &Heap) -> bool {
        let mut inner = lock(&self.inner);
        heap.has_room_in(&mut inner.ranges, 1) && heap.has_room_in(&mut inner.bitmaps, 1)
    }

    /// How many bytes are left, if the system gives as many as `wanted` of them.
    pub(crate) fn free_bytes(&self, wanted: usize) -> usize {
        let mut inner = lock(&self.inner);
        let used = inner.used;
        if wanted <= RESERVED - used && !self.make_usable(&mut inner, used + wanted) {
            return inner.usable - used;
        }
        RESERVED - used
    }

    /// Takes back what [`Boot::free_bytes`] has had the system give and nobody has used: what can be written counts
    /// as the process's memory.
    pub(crate) fn withdraw(&self) {
        let mut inner = lock(&self.inner);
        let kept = inner.used.next_multiple_of(STEP);
        let surplus = inner.usable.saturating_sub(kept);
        if surplus > 0 && sys::protect(self.start.byte(kept), surplus, Access::None) {
            inner.usable = kept;
        }
    }

    /// Makes the slots of the boot object at `at` permanent roots (`inv:boot.slots`).
    pub(crate) fn add_slots(&self, at: Addr, header: Header) {
        let mut inner = lock(&self.inner);
        if header.shape() == Shape::Bitmap {
            inner.bitmaps.push(at);
            return;
        }
        let (first, end) = slots(header);
        if first < end {
            inner.ranges.push((at.word(first), end - first));
        }
    }

    /// Holds `objects` of the collected heap, which never move, for ever.
    pub(crate) fn keep(&self, objects: &[Value]) {
        let kept = objects.iter().map(|v| (v.addr(), *v));
        lock(&self.inner).kept.extend(kept);
    }

    /// Calls `f` with each permanent root slot that refers out of the boot heap: few of many do.
    pub(crate) fn each_word(&self, f: &mut dyn FnMut(Addr)) {
        let leads_out = |at: Addr| {
            let v = WordSlot::new(at).value();
            v.is_pointer() && !self.contains(v.addr())
        };
        let mut inner = lock(&self.inner);
        inner.kept.values_mut().for_each(|v| f(word_of(v)));
        for (first, count) in &inner.ranges {
            let words = (0..*count).map(|i| first.word(i));
            words.filter(|at| leads_out(*at)).for_each(&mut *f);
        }
        for at in &inner.bitmaps {
            // SAFETY: boot objects live for ever.
            if let Some(header) = Header::from_bits(unsafe { access::read(*at) }) {
                each_reference(*at, header, f);
            }
        }
    }
}

/// The words of a boot object that may hold values. What is weak elsewhere is strong here.
fn slots(header: Header) -> (usize, usize) {
    if is_weak(header.shape()) {
        return (1, 1 + header.length());
    }
    match bowline_layout::references(header) {
        bowline_layout::References::Range { first, end } => (first, end),
        bowline_layout::References::Bitmap => (0, 0),
    }
}
