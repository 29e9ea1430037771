//! The callbacks that run on a thread, outermost first, and those that C has jumped over.
//!
//! Who lets a callback in puts it into the row and takes it off when C goes on; so the row has at each time
//! those that run, but for what C has jumped over. That is found when the jump is (`inv:active.jump`), by the ids of
//! calls: a callback of a call comes after it and before any that is made later.

use super::{is_on, to_c, to_language};
use crate::active;
use crate::callback::pool::Trampoline;
use bowline_gc::Mutator;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;

/// A callback that runs.
#[derive(Clone, Copy)]
struct Running {
    /// The last call that the thread had made before it.
    before: u64,
    trampoline: &'static Trampoline,
}

thread_local! {
    /// Never dropped: callbacks may come when the thread's other variables have been.
    static ROW: RefCell<ManuallyDrop<Vec<Running>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
    /// The outermost callback that was jumped over last, and the call that C has jumped into.
    static OVER: Cell<Option<(u64, Running)>> = const { Cell::new(None) };
}

/// How many callbacks ran before one.
#[derive(Clone, Copy)]
pub(crate) struct Depth(usize);

/// Scheme is about to run in a callback. The thread is Managed.
pub(crate) fn callback_begins(trampoline: &'static Trampoline, mutator: &Mutator) -> Depth {
    if !is_on() {
        return Depth(0);
    }
    to_language(mutator);
    let before = active::last_id();
    let running = Running { before, trampoline };
    ROW.with_borrow_mut(|row| {
        row.push(running);
        Depth(row.len() - 1)
    })
}

/// C is about to go on.
pub(crate) fn callback_ends(depth: Depth, mutator: &Mutator) {
    if is_on() {
        ROW.with_borrow_mut(|row| row.truncate(depth.0));
        to_c(mutator);
    }
}

/// C has jumped over what runs in the call with this id.
pub(super) fn end_after(id: u64) {
    let first = ROW.with_borrow_mut(|row| {
        let first = row.iter().position(|running| running.before >= id)?;
        let outermost = row[first];
        row.truncate(first);
        Some(outermost)
    });
    if let Some(running) = first {
        OVER.set(Some((id, running)));
    }
}

/// The callback that C has jumped over to return from the call with this id, as a text.
pub(crate) fn jumped_over(id: u64) -> Option<String> {
    let (into, running) = OVER.take()?;
    (into == id).then(|| running.trampoline.describe())
}

/// C has jumped out of all that ran on a thread of its own: the outermost callback.
pub(super) fn end_all() -> Option<String> {
    let row = ROW.with_borrow_mut(|row| std::mem::take(&mut **row));
    row.first().map(|running| running.trampoline.describe())
}
