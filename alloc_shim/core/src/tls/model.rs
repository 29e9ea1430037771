//! The two words of a model platform: each allocator of the tests has its own, on each thread.

use super::Words;
use crate::heap::{EMPTY, Heap};
use crate::pal::Model;
use core::ptr;
use std::cell::RefCell;
use std::collections::HashMap;

type Pair = (*const Heap, *const Heap);

thread_local! {
    static WORDS: RefCell<HashMap<usize, Pair>> = RefCell::new(HashMap::new());
}

fn pair<T>(slot: usize, use_it: impl FnOnce(&mut Pair) -> T) -> T {
    WORDS.with_borrow_mut(|words| use_it(words.entry(slot).or_insert((&EMPTY, ptr::null()))))
}

impl Words for Model {
    /// The model's address.
    type Slot = usize;

    fn slot(&self) -> usize {
        ptr::from_ref(self).addr()
    }

    fn get(&self, slot: usize) -> *const Heap {
        pair(slot, |pair| pair.0)
    }

    fn set(&self, slot: usize, heap: *const Heap) {
        pair(slot, |pair| pair.0 = heap);
    }

    fn own(&self, slot: usize) -> *const Heap {
        pair(slot, |pair| pair.1)
    }

    fn set_own(&self, slot: usize, heap: *const Heap) {
        pair(slot, |pair| pair.1 = heap);
    }
}
