//! Weak objects and guardians as a program sees them.
//!
//! `inv:weak.door` A value that was read from a weak word, to be used, passes through
//! [`Mutator::strengthen`], and with it what leaves a guardian's queue or that of the finalizers. While
//! marking runs beside the program the collector may not have reached it, and will not: it traces what was
//! strongly reachable when marking began. [`Mutator::read_weak`] reads and strengthens; a comparison
//! with [`Value::BROKEN`] needs neither. When nothing is being marked the door costs one test.
//!
//! What is *made* while marking runs needs no care: whatever a thread can hold then was reachable in the
//! beginning, is as young as the marking, or came through the door, so it outlives this collection. Hence
//! a weak object made then, which is never scanned, refers to nothing that dies in it; and so does a word
//! stored into an old one.
//!
//! Absent on purpose: keys and values in one table. A language builds weak tables of ephemerons or weak
//! pairs, for only it knows what its keys are compared by.

use super::WeakWork;
use crate::access;
use crate::alloc::OutOfMemory;
use crate::binding::reference;
use crate::heap::Heap;
use crate::mutator::Mutator;
use bowline_layout::{Header, Tag, Value, ephemeron, object_bytes, weak_pair, weak_vector};

impl Mutator {
    /// A fresh weak pair: its car does not keep its object alive and becomes [`Value::BROKEN`] when
    /// that dies.
    pub fn weak_pair(&mut self, car: Value, cdr: Value) -> Result<Value, OutOfMemory> {
        self.two_words(
            weak_pair::HEADER,
            (weak_pair::CAR, car),
            (weak_pair::CDR, cdr),
        )
    }

    /// A fresh ephemeron: its value lives while its key does, and a key that lives only by way of the
    /// value does not. When the key dies both become [`Value::BROKEN`].
    pub fn ephemeron(&mut self, key: Value, value: Value) -> Result<Value, OutOfMemory> {
        self.two_words(
            ephemeron::HEADER,
            (ephemeron::KEY, key),
            (ephemeron::VALUE, value),
        )
    }

    fn two_words(
        &mut self,
        header: Header,
        a: (usize, Value),
        b: (usize, Value),
    ) -> Result<Value, OutOfMemory> {
        self.weak_made(object_bytes(header))?;
        self.push(a.1);
        self.push(b.1);
        let made = self.alloc(header, Tag::Object);
        let second = self.pop();
        let first = self.pop();
        let v = made?;
        // SAFETY: the object is fresh.
        unsafe { access::init(v, a.0, first) };
        // SAFETY: the object is fresh.
        unsafe { access::init(v, b.0, second) };
        Ok(v)
    }

    /// A weak object of so many bytes is to be made, for which a collection will take memory, too.
    pub(crate) fn weak_made(&mut self, requested: usize) -> Result<(), OutOfMemory> {
        match self.heap().grants.weak_made(self.heap()) {
            true => Ok(()),
            false => Err(OutOfMemory { requested }),
        }
    }

    /// A fresh weak vector of `length` words that hold `fill`: none keeps its object alive, and each
    /// becomes [`Value::BROKEN`] when its object dies.
    pub fn weak_vector(&mut self, length: usize, fill: Value) -> Result<Value, OutOfMemory> {
        if length > Header::MAX_LENGTH {
            let requested = length.saturating_mul(bowline_layout::WORD);
            return Err(OutOfMemory { requested });
        }
        self.weak_made(length.saturating_mul(bowline_layout::WORD))?;
        self.push(fill);
        let made = self.alloc(weak_vector::header(length), Tag::Object);
        let fill = self.pop();
        let v = made?;
        for i in 0..length {
            // SAFETY: the object is fresh and has that many words.
            unsafe { access::init(v, weak_vector::FIRST + i, fill) };
        }
        Ok(v)
    }

    /// Puts `object` under the care of `guardian`, which is any object that stands for the guardian:
    /// once `object` is found dead, [`Mutator::guardian_next`] returns `representative`. Each time that
    /// an object is put under somebody's care counts. For `Err`, there is no memory to note it.
    pub fn guard(
        &mut self,
        guardian: Value,
        object: Value,
        representative: Value,
    ) -> Result<(), OutOfMemory> {
        let heap = self.heap();
        heap.with_weak(|weak| weak.guard(heap, guardian, object, representative))
    }

    /// The next representative of a dead object under `guardian`'s care.
    pub fn guardian_next(&mut self, guardian: Value) -> Option<Value> {
        let next = self.heap().with_weak(|weak| weak.next(guardian))?;
        // inv:weak.door
        Some(self.strengthen(next))
    }
}

/// The door (`inv:weak.door`).
impl Mutator {
    /// Word `word` of the weak object `object`, to be used as a strong value.
    ///
    /// # Safety
    /// `inv:access.live`
    #[inline(always)]
    pub unsafe fn read_weak(&self, object: Value, word: usize) -> Value {
        // SAFETY: inv:access.live
        self.strengthen(unsafe { access::value(object, word) })
    }

    /// `v`, which was read from a weak word and is a strong value from now on.
    #[inline(always)]
    pub fn strengthen(&self, v: Value) -> Value {
        if self.heap().is_marking() {
            self.strengthen_slow(v);
        }
        v
    }

    #[cold]
    #[inline(never)]
    fn strengthen_slow(&self, v: Value) {
        if let Some(object) = reference(v) {
            self.with_context(|context| context.barrier.load_weak_reference(object));
        }
    }
}

impl Heap {
    /// What collections have had to do for weak things since the start.
    pub fn weak_work(&self) -> WeakWork {
        self.with_weak(|weak| weak.work())
    }
}
