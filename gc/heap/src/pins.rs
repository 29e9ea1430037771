//! Counted pins: objects that stay where they are, and alive, until they are unpinned as often as they
//! were pinned; and promotion (`promoted`), which makes an object stay for as long as it lives.
//!
//! A pinned object is a pinning root, in minor collections too, so its address never changes and can
//! serve as its key. MMTk's own pin bit is not used for it: it is a bit, not a count, and no root.
//!
//! ```text
//! top[address / 4 GiB] ─▶ middle[/ 4 MiB] ─▶ counters[/ 16]        a counter: count << 2 | promoted | listed
//! ```
//!
//! `inv:pins.counter` No two objects begin in the same 16 bytes, so each has a counter of its own, and a
//! page of counters, once published, stays. Pinning and unpinning change it by one instruction
//! that cannot be divided, whatever other threads do.
//!
//! `inv:pins.listed` An object whose count is not 0 is listed, once, with the bit that says so set. Listing
//! takes a lock; an object stays listed when it is unpinned, and only a collection, when the world is
//! stopped, strikes those out that nobody has pinned. So whoever pins and unpins the same object again
//! and again takes the lock once for each collection.
//!
//! Objects of the boot heap never move; their pins are counted in a map, so that unpinning them too often
//! is told, too.

mod counters;
mod promoted;

use crate::access;
use crate::binding::in_heap;
use crate::heap::Heap;
use crate::sync::lock;
use bowline_layout::{Addr, Value};
use counters::Counters;
use promoted::{Lists, Promoted};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

pub(crate) use promoted::{is_promoted, stays};

/// Hashes addresses: one multiplication is enough, for they are chosen by nobody.
#[derive(Default)]
pub(crate) struct AddrHasher(u64);

impl Hasher for AddrHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_u64(u64::from(*b)));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(26);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
}

/// A map keyed by address.
pub(crate) type AddrMap<T> = HashMap<Addr, T, BuildHasherDefault<AddrHasher>>;

/// Why a pin or an unpin was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinError {
    /// Only objects can be pinned.
    NotAnObject(Value),
    /// The object is not pinned, or not any more.
    NotPinned(Value),
    /// The object is pinned as often as can be counted.
    TooOften(Value),
    /// There is no memory to note what holds an object there in its place.
    OutOfMemory(Value),
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinError::NotAnObject(v) => write!(f, "{v:?} is no object and cannot be pinned"),
            PinError::NotPinned(v) => write!(f, "{v:?} is unpinned more often than it was pinned"),
            PinError::TooOften(v) => write!(f, "{v:?} is pinned more often than can be counted"),
            PinError::OutOfMemory(v) => write!(f, "no memory to hold {v:?} in its place"),
        }
    }
}

impl std::error::Error for PinError {}

/// The bit of a counter that says that its object is listed.
const LISTED: u32 = 1;
/// The bit that says that it was promoted.
const PROMOTED: u32 = 2;
/// One pin.
const ONE: u32 = 4;
/// The most pins of one object.
const MOST: u64 = (u32::MAX / ONE) as u64 - 4096;

/// The counted pins of the process.
#[derive(Default)]
pub(crate) struct Pins {
    counters: Counters,
    /// inv:pins.listed
    listed: Mutex<Vec<Value>>,
    /// The pins of objects outside the heap that is collected.
    outside: Mutex<AddrMap<u64>>,
    /// Pins made by threads that have gone.
    made: AtomicU64,
    promoted: Promoted,
}

/// The locks of the pins, held.
pub(crate) struct Held<'a> {
    _listed: MutexGuard<'a, Vec<Value>>,
    _outside: MutexGuard<'a, AddrMap<u64>>,
    _promoted: MutexGuard<'a, Lists>,
}

impl Pins {
    pub(crate) fn hold(&self) -> Held<'_> {
        Held {
            _listed: lock(&self.listed),
            _outside: lock(&self.outside),
            _promoted: self.promoted.hold(),
        }
    }

    /// Pins `v` once more and returns how often it is pinned now.
    #[inline]
    pub(crate) fn pin(&self, v: Value) -> Result<u64, PinError> {
        let cell = match self.counter(v) {
            Some(cell) => cell,
            None => match self.place(v)? {
                Some(cell) => cell,
                None => {
                    let mut outside = lock(&self.outside);
                    let room = outside.try_reserve(1);
                    room.map_err(|_| PinError::OutOfMemory(v))?;
                    let count = outside.entry(v.addr()).or_insert(0);
                    *count += 1;
                    return Ok(*count);
                }
            },
        };
        // inv:pins.counter
        let before = cell.fetch_add(ONE, Ordering::AcqRel);
        if before & LISTED == 0
            && let Err(e) = self.list(cell, v)
        {
            cell.fetch_sub(ONE, Ordering::AcqRel);
            return Err(e);
        }
        let count = u64::from(before / ONE) + 1;
        if count > MOST {
            cell.fetch_sub(ONE, Ordering::AcqRel);
            return Err(PinError::TooOften(v));
        }
        Ok(count)
    }

    /// The counter of `v`, if it is an object of the collected heap near which something was pinned before.
    #[inline]
    fn counter(&self, v: Value) -> Option<&AtomicU32> {
        if v.is_pointer() && in_heap(v.addr()) {
            self.counters.get(v.addr())
        } else {
            None
        }
    }

    /// The counter of `v`, made if there was none; nothing for objects outside the heap.
    #[cold]
    fn place(&self, v: Value) -> Result<Option<&AtomicU32>, PinError> {
        if !v.is_pointer() {
            return Err(PinError::NotAnObject(v));
        }
        if !in_heap(v.addr()) {
            return Ok(None);
        }
        let refuses = |heap: &Heap| heap.refuses() || !heap.has_memory_for(Counters::MOST);
        if Heap::get().is_some_and(refuses) {
            return Err(PinError::OutOfMemory(v));
        }
        let made = self.counters.make(v.addr());
        made.map(Some).ok_or(PinError::OutOfMemory(v))
    }

    /// Lists `v`, which has this counter, unless another thread has done it meanwhile (inv:pins.listed).
    #[cold]
    #[inline(never)]
    fn list(&self, cell: &AtomicU32, v: Value) -> Result<(), PinError> {
        let mut listed = lock(&self.listed);
        if !has_room_in(&mut listed) {
            return Err(PinError::OutOfMemory(v));
        }
        if cell.fetch_or(LISTED, Ordering::AcqRel) & LISTED == 0 {
            listed.push(v);
        }
        Ok(())
    }

    /// Takes one pin back and returns how many remain.
    #[inline]
    pub(crate) fn unpin(&self, v: Value) -> Result<u64, PinError> {
        let Some(cell) = self.counter(v) else {
            return self.unpin_outside(v);
        };
        let less = |n: u32| n.checked_sub(ONE).filter(|_| n >= ONE);
        match cell.fetch_update(Ordering::AcqRel, Ordering::Relaxed, less) {
            Ok(before) => Ok(u64::from(before / ONE) - 1),
            Err(_) => Err(PinError::NotPinned(v)),
        }
    }

    #[cold]
    fn unpin_outside(&self, v: Value) -> Result<u64, PinError> {
        if !v.is_pointer() {
            return Err(PinError::NotAnObject(v));
        }
        let mut outside = lock(&self.outside);
        let count = outside.get_mut(&v.addr()).ok_or(PinError::NotPinned(v))?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            outside.remove(&v.addr());
        }
        Ok(left)
    }

    /// Whether `v` has a counted pin.
    pub(crate) fn is_pinned(&self, v: Value) -> bool {
        match self.counter(v) {
            Some(cell) => is_counted(cell),
            None => v.is_pointer() && lock(&self.outside).contains_key(&v.addr()),
        }
    }

    /// How many objects are pinned.
    pub(crate) fn count(&self) -> usize {
        let mut n = 0;
        self.each(&mut |_| n += 1);
        n + lock(&self.outside).len()
    }

    /// Notes pins that a thread has made.
    pub(crate) fn add_made(&self, pins: u64) {
        self.made.fetch_add(pins, Ordering::Relaxed);
    }

    /// How many pins were made by threads that have gone.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Calls `f` with each pinned object of the collected heap.
    pub(crate) fn each(&self, f: &mut dyn FnMut(Value)) {
        let listed = lock(&self.listed);
        let pinned = listed.iter().filter(|v| self.is_pinned(**v));
        pinned.for_each(|v| f(*v));
    }

    /// Whether any object outside the collected heap is pinned, or one inside.
    pub(crate) fn any(&self) -> bool {
        self.count() > 0
    }

    /// Strikes what nobody has pinned off the list. The world is stopped (inv:pins.listed).
    pub(crate) fn settle(&self) {
        let mut listed = lock(&self.listed);
        listed.retain(|v| {
            let Some(cell) = self.counter(*v) else {
                return false;
            };
            let keep = is_counted(cell);
            if !keep {
                cell.fetch_and(!LISTED, Ordering::AcqRel);
            }
            keep
        });
    }

    /// The bytes of the pinned objects. The calling thread is Managed.
    pub(crate) fn bytes(&self) -> u64 {
        let mut total = 0;
        self.each(&mut |v| total += size_of_pinned(v));
        total
    }
}

/// Whether a list has room for another object, or there is memory to make it.
fn has_room_in(list: &mut Vec<Value>) -> bool {
    match Heap::get() {
        Some(heap) => heap.has_room_in(list, 1),
        None => list.try_reserve(1).is_ok(),
    }
}

fn is_counted(cell: &AtomicU32) -> bool {
    cell.load(Ordering::Acquire) >= ONE
}

/// The size of an object that is pinned, by a thread that is Managed.
pub(crate) fn size_of_pinned(v: Value) -> u64 {
    if !v.is_pointer() || !in_heap(v.addr()) {
        return 0;
    }
    // SAFETY: a pinned object is live and stays where it is.
    unsafe { access::size_at(v.addr()) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_layout::Tag;

    const INSIDE: usize = 0x0200_1234_5670;
    const OUTSIDE: usize = 0x4000;

    #[test]
    fn pins_are_counted() {
        for at in [INSIDE, OUTSIDE] {
            let pins = Pins::default();
            let v = Value::pointer(Addr::new(at), Tag::Object);
            assert_eq!(pins.unpin(v), Err(PinError::NotPinned(v)));
            assert_eq!((pins.pin(v), pins.pin(v)), (Ok(1), Ok(2)));
            assert_eq!(pins.unpin(v), Ok(1));
            assert!(pins.is_pinned(v) && pins.any());
            assert_eq!(pins.unpin(v), Ok(0));
            assert!(!pins.is_pinned(v) && !pins.any());
            assert_eq!(pins.unpin(v), Err(PinError::NotPinned(v)));
            assert_eq!((pins.pin(v), pins.count()), (Ok(1), 1));
        }
    }

    #[test]
    fn texts() {
        let v = Value::pointer(Addr::new(OUTSIDE), Tag::Object);
        let texts = [
            (
                PinError::NotPinned(v),
                "Object@0x4000 is unpinned more often than it was pinned",
            ),
            (
                PinError::NotAnObject(Value::fixnum(3)),
                "fix(3) is no object and cannot be pinned",
            ),
            (
                PinError::TooOften(v),
                "Object@0x4000 is pinned more often than can be counted",
            ),
            (
                PinError::OutOfMemory(v),
                "no memory to hold Object@0x4000 in its place",
            ),
        ];
        for (error, text) in texts {
            assert_eq!(error.to_string(), text);
        }
        let pins = Pins::default();
        let three = Value::fixnum(3);
        assert_eq!(pins.pin(three), Err(PinError::NotAnObject(three)));
        assert_eq!(pins.unpin(three), Err(PinError::NotAnObject(three)));
        assert_eq!(pins.promote(three), Err(PinError::NotAnObject(three)));
    }

    #[test]
    fn neighbours_have_counters_of_their_own() {
        let pins = Pins::default();
        let at = |i: usize| Value::pointer(Addr::new(INSIDE + 16 * i), Tag::Pair);
        (0..1000).for_each(|i| (0..=i % 3).for_each(|_| assert!(pins.pin(at(i)).is_ok())));
        assert_eq!(pins.count(), 1000);
        (0..1000).for_each(|i| assert_eq!(pins.unpin(at(i)), Ok(i as u64 % 3)));
        assert_eq!(pins.count(), 666);
        pins.settle();
        assert_eq!(lock(&pins.listed).len(), 666);
        assert_eq!(pins.pin(at(0)), Ok(1));
        assert_eq!(lock(&pins.listed).len(), 667);
    }

    #[test]
    fn an_object_is_listed_once() {
        let pins = Pins::default();
        let v = Value::pointer(Addr::new(INSIDE), Tag::Object);
        for _ in 0..1000 {
            assert_eq!((pins.pin(v), pins.unpin(v)), (Ok(1), Ok(0)));
        }
        assert_eq!(lock(&pins.listed).len(), 1);
        pins.settle();
        assert_eq!(lock(&pins.listed).len(), 0);
    }

    #[test]
    fn too_often_is_told() {
        let pins = Pins::default();
        let v = Value::pointer(Addr::new(INSIDE), Tag::Object);
        assert_eq!(pins.pin(v), Ok(1));
        let cell = pins.counter(v).expect("it is pinned");
        cell.store((MOST as u32 * ONE) | LISTED, Ordering::Relaxed);
        assert_eq!(pins.pin(v), Err(PinError::TooOften(v)));
        assert_eq!(pins.unpin(v), Ok(MOST - 1));
    }

    #[test]
    fn threads_pin_what_others_unpin() {
        const TURNS: usize = 20_000;
        let pins = Pins::default();
        let at = |i: usize| Value::pointer(Addr::new(INSIDE + 16 * (i % 5)), Tag::Object);
        std::thread::scope(|scope| {
            for t in 0..4 {
                let pins = &pins;
                scope.spawn(move || {
                    for i in 0..TURNS {
                        pins.pin(at(i + t)).expect("few");
                        if i > 0 {
                            // Of the five there is one that this thread has pinned last.
                            pins.unpin(at(i + t - 1)).expect("pinned");
                        }
                    }
                });
            }
        });
        assert!(lock(&pins.listed).len() <= 5);
        let left: u64 = (0..5)
            .map(|i| (0..).take_while(|_| pins.unpin(at(i)).is_ok()).count() as u64)
            .sum();
        assert_eq!(left, 4);
    }
}
