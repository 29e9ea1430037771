//! The words of a model platform: each allocator of the tests has its own, on each thread.

use super::Words;
use crate::heap::{EMPTY, Heap};
use crate::pal::Model;
use core::ptr;
use std::cell::RefCell;
use std::collections::HashMap;

struct Trio {
    heap: *const Heap,
    own: *const Heap,
    locked: bool,
}

thread_local! {
    static WORDS: RefCell<HashMap<usize, Trio>> = RefCell::new(HashMap::new());
}

fn trio<T>(slot: usize, use_it: impl FnOnce(&mut Trio) -> T) -> T {
    let fresh = || Trio {
        heap: &EMPTY,
        own: ptr::null(),
        locked: false,
    };
    WORDS.with_borrow_mut(|words| use_it(words.entry(slot).or_insert_with(fresh)))
}

impl Words for Model {
    /// The model's number.
    type Slot = usize;

    fn slot(&self) -> usize {
        self.number
    }

    fn get(&self, slot: usize) -> *const Heap {
        trio(slot, |words| words.heap)
    }

    fn set(&self, slot: usize, heap: *const Heap) {
        trio(slot, |words| words.heap = heap);
    }

    fn own(&self, slot: usize) -> *const Heap {
        trio(slot, |words| words.own)
    }

    fn set_own(&self, slot: usize, heap: *const Heap) {
        trio(slot, |words| words.own = heap);
    }

    fn locked(&self, slot: usize) -> bool {
        trio(slot, |words| words.locked)
    }

    fn thread(&self) -> usize {
        WORDS.with(|words| ptr::from_ref(words).addr())
    }

    fn set_locked(&self, slot: usize, locked: bool) {
        trio(slot, |words| words.locked = locked);
    }
}
