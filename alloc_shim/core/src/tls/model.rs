//! The words of a model platform: each allocator of the tests has its own, on each thread.
//!
//! One thread may [play] several, one after the other: each has its words. And it may be interrupted, as by a signal, at every access to
//! them and in every call of the platform, with the locks held that are held there: by the handler that [`alarm`] has set.

use super::Words;
use crate::heap::{EMPTY, Heap};
use crate::pal::Model;
use core::ptr;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

struct Trio {
    heap: *const Heap,
    own: *const Heap,
    locked: bool,
}

/// A handler, and how many chances there are before it runs.
type Alarm = (usize, Box<dyn FnOnce()>);

/// The model's number, and which thread is played.
type Slot = (usize, usize);

thread_local! {
    static WORDS: RefCell<HashMap<Slot, Trio>> = RefCell::new(HashMap::new());
    static PLAYED: Cell<usize> = const { Cell::new(0) };
    static ALARM: RefCell<Option<Alarm>> = const { RefCell::new(None) };
}

/// The thread goes on as the one with this number.
pub(crate) fn play(thread: usize) {
    PLAYED.set(thread);
}

/// All other threads that were played are gone, as in the child of a fork.
pub(crate) fn forget_others(model: &Model) {
    let own = model.slot();
    WORDS.with_borrow_mut(|words| words.retain(|slot, _| slot.0 != own.0 || *slot == own));
}

/// Lets `handler` interrupt the thread where it might have been interrupted so often before.
pub(crate) fn alarm(after: usize, handler: impl FnOnce() + 'static) {
    ALARM.set(Some((after, Box::new(handler))));
}

/// Sets no alarm any more.
pub(crate) fn disarm() {
    ALARM.set(None);
}

/// Here a signal may come.
pub(crate) fn may_be_interrupted() {
    match ALARM.take() {
        Some((0, handler)) => handler(),
        Some((more, handler)) => ALARM.set(Some((more - 1, handler))),
        None => {}
    }
}

fn trio<T>(slot: Slot, use_it: impl FnOnce(&mut Trio) -> T) -> T {
    may_be_interrupted();
    let fresh = || Trio {
        heap: EMPTY,
        own: ptr::null(),
        locked: false,
    };
    WORDS.with_borrow_mut(|words| use_it(words.entry(slot).or_insert_with(fresh)))
}

impl Words for Model {
    type Slot = Slot;

    fn slot(&self) -> Slot {
        (self.number, PLAYED.get())
    }

    fn get(&self, slot: Slot) -> *const Heap {
        trio(slot, |words| words.heap)
    }

    fn set(&self, slot: Slot, heap: *const Heap) {
        trio(slot, |words| words.heap = heap);
    }

    fn own(&self, slot: Slot) -> *const Heap {
        trio(slot, |words| words.own)
    }

    fn set_own(&self, slot: Slot, heap: *const Heap) {
        trio(slot, |words| words.own = heap);
    }

    fn locked(&self, slot: Slot) -> bool {
        trio(slot, |words| words.locked)
    }

    fn thread(&self) -> usize {
        // Further apart than the addresses of what two threads have.
        WORDS.with(|words| ptr::from_ref(words).addr()) ^ PLAYED.get() << 60
    }

    fn set_locked(&self, slot: Slot, locked: bool) {
        trio(slot, |words| words.locked = locked);
    }
}
