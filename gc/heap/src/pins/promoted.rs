//! Promoted objects: they stay where they are for as long as they live, and are not kept alive by it.
//!
//! The bit that says so stands in the object's counter of pins, and a list has every object that has it.
//! MMTk's own table of pin bits is none of ours: to keep it right MMTk would clear it line by line in each pause.
//!
//! ```text
//!   promote ──▶ young ──(survives any collection)──▶ old
//!                 │ dies in any                       │ dies in a full one
//!                 └──────▶ the bit is cleared ◀───────┘
//! ```
//!
//! `inv:promoted.listed` While the world is stopped an object has the bit exactly if it is listed, once: a thread
//! sets the bit and lists the object between two safepoints, and only a collection strikes objects out, when
//! it has reached all that it will. So the bit of memory that is free is clear before anybody is given it anew.
//!
//! `inv:promoted.any` If any object is listed, `any` says so. Collector threads ask for it, of every object that they are
//! about to move, while the world is stopped, so they see what was written before. Marking beside the program moves
//! nothing, and does not ask.
//!
//! Absent on purpose: taking a promotion back.

use super::{PROMOTED, PinError, Pins, has_room_in};
use crate::binding::{is_seen, reference};
use crate::heap::heap;
use crate::sync::{MutexGuard, lock};
use bowline_layout::{Addr, Value};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The promoted objects of the process that could have moved.
#[derive(Default)]
pub(super) struct Promoted {
    /// inv:promoted.any
    any: AtomicBool,
    lists: Mutex<Lists>,
    /// How many there were, dead ones included.
    made: AtomicU64,
}

/// inv:promoted.listed. In one row, so that a collection needs no memory to sort them: the old ones stand first.
#[derive(Default)]
pub(super) struct Lists {
    row: Vec<Value>,
    old: usize,
}

impl Promoted {
    pub(super) fn hold(&self) -> MutexGuard<'_, Lists> {
        lock(&self.lists)
    }
}

impl Pins {
    /// Makes `v` stay where it is as long as it lives. Returns whether it could have moved before.
    pub(crate) fn promote(&self, v: Value) -> Result<bool, PinError> {
        let first = self.keep_in_place(v)?;
        self.promoted
            .made
            .fetch_add(u64::from(first), Ordering::Relaxed);
        Ok(first)
    }

    /// [`Pins::promote`], which is not counted.
    pub(crate) fn keep_in_place(&self, v: Value) -> Result<bool, PinError> {
        if !v.is_pointer() {
            return Err(PinError::NotAnObject(v));
        }
        match reference(v) {
            Some(object) if object.is_movable() => self.note_promoted(v),
            _ => Ok(false),
        }
    }

    /// Sets the bit of `v`, an object of the collected heap, and lists it. Returns whether this is new.
    fn note_promoted(&self, v: Value) -> Result<bool, PinError> {
        let cell = match self.counter(v) {
            Some(cell) => cell,
            None => self.place(v)?.ok_or(PinError::NotAnObject(v))?,
        };
        if cell.load(Ordering::Acquire) & PROMOTED != 0 {
            return Ok(false);
        }
        let mut lists = lock(&self.promoted.lists);
        if !has_room_in(&mut lists.row) {
            return Err(PinError::OutOfMemory(v));
        }
        let first = cell.fetch_or(PROMOTED, Ordering::AcqRel) & PROMOTED == 0;
        if first {
            lists.row.push(v);
            self.promoted.any.store(true, Ordering::Release);
        }
        Ok(first)
    }

    /// Whether the object at `at`, in the collected heap, was promoted and could have moved.
    #[inline(always)]
    pub(crate) fn is_promoted_at(&self, at: Addr) -> bool {
        self.promoted.any.load(Ordering::Acquire) && self.has_bit(at)
    }

    #[inline(never)]
    fn has_bit(&self, at: Addr) -> bool {
        let cell = self.counters.get(at);
        cell.is_some_and(|cell| cell.load(Ordering::Acquire) & PROMOTED != 0)
    }

    /// Strikes those out that have died, at the end of a collection, when nothing more is reached.
    pub(crate) fn settle_promoted(&self, minor: bool) {
        self.strike(!minor, &mut |v| is_seen(v.addr()));
    }

    fn strike(&self, old_too: bool, lives: &mut dyn FnMut(Value) -> bool) {
        let mut lists = lock(&self.promoted.lists);
        let Lists { row, old } = &mut *lists;
        let spared = if old_too { 0 } else { *old };
        let mut number = 0;
        let mut keep = |v: &Value| {
            let keep = lives(*v);
            if !keep && let Some(cell) = self.counter(*v) {
                cell.fetch_and(!PROMOTED, Ordering::AcqRel);
            }
            keep
        };
        row.retain(|v| {
            number += 1;
            number <= spared || keep(v)
        });
        *old = row.len();
        self.promoted.any.store(!row.is_empty(), Ordering::Release);
    }

    /// How many objects were promoted that could have moved.
    pub(crate) fn promoted(&self) -> u64 {
        self.promoted.made.load(Ordering::Relaxed)
    }
}

/// Whether `v`, which could move, was promoted.
pub(crate) fn is_promoted(v: Value) -> bool {
    reference(v).is_some() && heap().pins.is_promoted_at(v.addr())
}

/// Whether `v` was promoted, or stands where nothing moves.
pub(crate) fn stays(v: Value) -> bool {
    reference(v).is_none_or(|object| !object.is_movable() || is_promoted(v))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_layout::Tag;

    fn at(i: usize) -> Value {
        Value::pointer(Addr::new(0x0200_1234_5670 + 16 * i), Tag::Object)
    }

    fn listed(pins: &Pins) -> (usize, usize) {
        let lists = lock(&pins.promoted.lists);
        (lists.row.len() - lists.old, lists.old)
    }

    #[test]
    fn the_dead_are_struck_out() {
        let pins = Pins::default();
        let has = |i: usize| pins.is_promoted_at(at(i).addr());
        assert!(!has(0) && listed(&pins) == (0, 0));
        for i in 0..10 {
            assert_eq!(pins.note_promoted(at(i)), Ok(true));
            assert_eq!(pins.note_promoted(at(i)), Ok(false));
        }
        assert!(has(0) && !has(10) && listed(&pins) == (10, 0));
        let even = |v: Value| v.addr().raw() / 16 % 2 == at(0).addr().raw() / 16 % 2;
        pins.strike(false, &mut |v| even(v));
        assert!((0..10).all(|i| has(i) == (i % 2 == 0)));
        assert_eq!(listed(&pins), (0, 5));
        // A minor collection does not ask for the old ones.
        assert_eq!(pins.note_promoted(at(1)), Ok(true));
        pins.strike(false, &mut |v| v == at(1));
        assert_eq!(listed(&pins), (0, 6));
        pins.strike(true, &mut |v| v == at(4));
        assert!((0..10).all(|i| has(i) == (i == 4)));
        pins.strike(true, &mut |_| false);
        assert_eq!(listed(&pins), (0, 0));
        assert!(!has(4) && !pins.promoted.any.load(Ordering::Relaxed));
    }

    #[test]
    fn pins_are_counted_beside() {
        let pins = Pins::default();
        let v = at(0);
        assert_eq!(pins.note_promoted(v), Ok(true));
        assert!(!pins.is_pinned(v), "it is not kept alive");
        assert_eq!(pins.unpin(v), Err(PinError::NotPinned(v)));
        assert_eq!(
            (pins.pin(v), pins.pin(v), pins.unpin(v)),
            (Ok(1), Ok(2), Ok(1))
        );
        assert!(pins.is_promoted_at(v.addr()));
        assert_eq!(pins.unpin(v), Ok(0));
        pins.settle();
        assert!(pins.is_promoted_at(v.addr()) && pins.count() == 0);
        assert_eq!(pins.pin(v), Ok(1));
        pins.strike(true, &mut |_| false);
        assert!(pins.is_pinned(v) && !pins.is_promoted_at(v.addr()));
    }
}
