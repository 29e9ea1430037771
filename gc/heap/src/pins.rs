//! Counted pins: objects that stay where they are, and alive, until they are unpinned as often as they
//! were pinned.
//!
//! A pinned object is a pinning root, in minor collections too, so its address never changes and can
//! serve as its key. MMTk's own pin bit is not used: it is a bit, not a count, and would outlive its
//! object.

use crate::access;
use crate::binding::in_heap;
use crate::sync::lock;
use bowline_layout::{Addr, Value};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

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
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinError::NotAnObject(v) => write!(f, "{v:?} is no object and cannot be pinned"),
            PinError::NotPinned(v) => write!(f, "{v:?} is unpinned more often than it was pinned"),
        }
    }
}

impl std::error::Error for PinError {}

/// How often an object is pinned.
pub(crate) struct Pin {
    count: u64,
    object: Value,
}

/// The counted pins of the process.
#[derive(Default)]
pub(crate) struct Pins {
    pins: Mutex<AddrMap<Pin>>,
    made: AtomicU64,
}

impl Pins {
    pub(crate) fn hold(&self) -> MutexGuard<'_, AddrMap<Pin>> {
        lock(&self.pins)
    }

    /// Pins `v` once more and returns how often it is pinned now.
    pub(crate) fn pin(&self, v: Value) -> Result<u64, PinError> {
        if !v.is_pointer() {
            return Err(PinError::NotAnObject(v));
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        let mut pins = lock(&self.pins);
        let pin = pins.entry(v.addr()).or_insert(Pin {
            count: 0,
            object: v,
        });
        pin.count += 1;
        Ok(pin.count)
    }

    /// Takes one pin back and returns how many remain.
    pub(crate) fn unpin(&self, v: Value) -> Result<u64, PinError> {
        if !v.is_pointer() {
            return Err(PinError::NotAnObject(v));
        }
        let mut pins = lock(&self.pins);
        let pin = pins.get_mut(&v.addr()).ok_or(PinError::NotPinned(v))?;
        pin.count -= 1;
        let left = pin.count;
        if left == 0 {
            pins.remove(&v.addr());
        }
        Ok(left)
    }

    /// Whether `v` has a counted pin.
    pub(crate) fn is_pinned(&self, v: Value) -> bool {
        v.is_pointer() && lock(&self.pins).contains_key(&v.addr())
    }

    /// How many objects are pinned.
    pub(crate) fn count(&self) -> usize {
        lock(&self.pins).len()
    }

    /// How many pins were made.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Calls `f` with each pinned object.
    pub(crate) fn each(&self, f: &mut dyn FnMut(Value)) {
        lock(&self.pins).values().for_each(|pin| f(pin.object));
    }

    /// The bytes of the pinned objects. The calling thread is Managed.
    pub(crate) fn bytes(&self) -> u64 {
        let mut total = 0;
        self.each(&mut |v| total += size_of_pinned(v));
        total
    }
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

    #[test]
    fn pins_are_counted() {
        let pins = Pins::default();
        let v = Value::pointer(Addr::new(0x4000), Tag::Object);
        assert_eq!((pins.pin(v), pins.pin(v)), (Ok(1), Ok(2)));
        assert_eq!(pins.unpin(v), Ok(1));
        assert!(pins.is_pinned(v));
        assert_eq!(pins.unpin(v), Ok(0));
        assert!(!pins.is_pinned(v));
        let message = pins.unpin(v).unwrap_err().to_string();
        assert_eq!(
            message,
            "Object@0x4000 is unpinned more often than it was pinned"
        );
        let message = pins.pin(Value::fixnum(3)).unwrap_err().to_string();
        assert_eq!(message, "fix(3) is no object and cannot be pinned");
    }
}
