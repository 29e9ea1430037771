//! Checking mode: C gets guarded copies instead of what it would be lent, so that what it does beside them, or with them
//! when the call is over, is told by name and place and ends the process.
//!
//! | what | copied | afterwards |
//! |---|---|---|
//! | a string | byte by byte, its NUL the last before the guard | must be as it was |
//! | a bytevector | aligned to a word | what C has changed is changed in the object |
//! | the word of `(out T)`, `(inout T)` | as long as T is | becomes the result |
//!
//! The struct or array of `(out T)` or `(inout T)` is no copy, for C may keep it as long as the program does: its memory
//! stands between two such pages from the beginning, until the pointer that is the result has died.
//!
//! `inv:guard.same` Whoever looks sees one object: what C has changed goes to the object before Scheme runs in a callback and
//! when the call returns, and what Scheme has changed goes to the copy before C runs. An object that is lent again while it
//! is lent has one copy. That of a blocking call stays apart until it returns.
//!
//! `inv:guard.calls` A thread's calls in C stand in a list, outermost first, each with the slots that were taken for it.
//! A call takes itself off when it returns; C that has jumped over it has it taken off with its closures.
//!
//! What the program holds in its place (`pin!`, `with-pinned`, `promote!`), and views of C's memory, C gets as ever: it may
//! keep their addresses beyond the call. Of what is not where it was any more it may not, nor of copies: `keeping` looks
//! for that in C's memory (`memory`).
//!
//! What a callback is, and where it was lent, is known while it runs (`running`), for who jumps over it.
//!
//! Absent on purpose: a cost for others. A function is made ready for this when it is declared; calls of functions that
//! are not, in processes that do not check, look at nothing.

mod fault;
mod keeping;
mod memory;
mod running;
mod slot;

use crate::active;
use crate::blocking;
use crate::callback::pool::{self, Lender, lock};
use crate::check_error::{Crime, End, Loan, Wrong};
use crate::function::{ForeignFunction, Way};
use crate::held::Held;
use crate::host::Host;
use crate::object;
use crate::types::Parameter;
use bowline_gc::{Heap, Mutator, OutOfMemory};
use bowline_layout::Value;
pub use keeping::note_address;
pub(crate) use running::{callback_begins, callback_ends, jumped_over};
use slot::Slot;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

/// Whether C is checked in this process.
static ON: AtomicBool = AtomicBool::new(false);

/// How many bytes are compared at once.
const PART: usize = 4096;

type Loans = HashMap<(String, Option<String>), &'static Loan>;

/// What was lent where: each pair once, for what C may use at any time.
static LOANS: LazyLock<Mutex<Loans>> = LazyLock::new(Mutex::default);

/// An argument that has a copy.
struct Lent {
    /// Where it stands on the root stack.
    argument: usize,
    /// Whether C may write to it.
    writable: bool,
    slot: &'static Slot,
    /// What object and copy were when they were the same last.
    same: Vec<u8>,
    /// Whether the slot is another argument's.
    shared: bool,
    /// Whether the copy is to stay a copy until the call returns (`inv:blocking.copies`).
    apart: bool,
}

/// A call in C (`inv:guard.calls`).
struct Call {
    /// The number of calls that the thread had made before it.
    before: u64,
    /// Where it is made, if that is known.
    place: Option<String>,
    lent: Vec<Lent>,
    cells: Vec<&'static Slot>,
    /// The memory of structs and arrays, which stays when the call has returned.
    memory: Vec<&'static Slot>,
}

thread_local! {
    /// Never dropped: callbacks may come when the thread's other variables have been.
    static CALLS: RefCell<ManuallyDrop<Vec<Call>>> = const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

/// The copies of a call.
pub(crate) struct Guards {
    /// For each copy its address, or 0 for an object that is lent as it is.
    addresses: Vec<u64>,
    cells: Vec<Option<&'static Slot>>,
    next: Cell<usize>,
    next_cell: Cell<usize>,
    /// Who lends the call's callbacks, if it lends any.
    pub(crate) lender: Option<&'static Lender>,
}

/// Whether functions that are declared now are to be checked.
pub(crate) fn begins() -> bool {
    let Some(most) = Heap::get().and_then(Heap::checking) else {
        return false;
    };
    slot::MOST.store(most, Ordering::Relaxed);
    fault::begin();
    ON.store(true, Ordering::Relaxed);
    true
}

/// Whether C is checked.
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

fn loan(what: String, place: Option<&String>) -> &'static Loan {
    let key = (what, place.cloned());
    lock(&LOANS).entry(key).or_insert_with_key(|(what, place)| {
        Box::leak(Box::new(Loan {
            what: what.clone(),
            place: place.clone(),
        }))
    })
}

/// Ends the process for what C has done.
fn accuse(wrong: Wrong, loan: &Loan) -> ! {
    let by_c = true;
    fault::tell(&Crime { by_c, wrong, loan });
    std::process::abort()
}

/// What has changed in `from` since it was `same` is changed in `to`. What has not is left alone there, for that may have
/// changed meanwhile.
fn take_over(same: &mut [u8], from: &[u8], to: &mut [u8]) {
    let parts = same.chunks_mut(PART).zip(from.chunks(PART));
    let parts = parts.zip(to.chunks_mut(PART));
    for ((same, from), to) in parts.filter(|((same, from), _)| same != from) {
        for ((same, from), to) in same.iter_mut().zip(from).zip(to) {
            if from != same {
                (*same, *to) = (*from, *from);
            }
        }
    }
}

impl Lent {
    fn object(&self, mutator: &Mutator) -> Value {
        let v = mutator.get(self.argument);
        object::string_body(v).map_or(v, |(body, _)| body)
    }

    /// What C has changed is changed in the object.
    fn change_object(&mut self, mutator: &Mutator) {
        if !self.writable || self.shared {
            return;
        }
        let object = object::bytes_mut(self.object(mutator), self.same.len());
        take_over(&mut self.same, self.slot.copy(), object);
    }

    /// What the program has changed is changed in the copy.
    fn change_copy(&mut self, mutator: &Mutator) {
        if !self.writable || self.shared {
            return;
        }
        let object = object::bytes_mut(self.object(mutator), self.same.len());
        take_over(&mut self.same, object, self.slot.copy());
    }

    /// The call is over.
    fn judge(&self) {
        if self.shared {
            return;
        }
        if let Some(wrong) = self.slot.wrong() {
            accuse(wrong, self.slot.loan());
        }
        if !self.writable && *self.slot.copy() != *self.same {
            accuse(Wrong::Changed, self.slot.loan());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let lent = self.lent.iter().filter(|lent| !lent.shared);
        let slots = lent.map(|lent| lent.slot).chain(self.cells.iter().copied());
        slots.for_each(|slot| slot.rest(End::Returned));
    }
}

impl Call {
    /// Lends argument `argument`, which is the object `body` with `length` bytes for C. Gives the address.
    fn lend(
        &mut self,
        outer: &[Call],
        mutator: &Mutator,
        (argument, body, length, writable): (usize, Value, usize, bool),
        (loan, apart): (&'static Loan, bool),
    ) -> Option<u64> {
        let all = outer.iter().flat_map(|call| &call.lent).chain(&self.lent);
        let known = all.filter(|lent| lent.writable == writable);
        let known = known.map(|lent| (lent.object(mutator), lent.slot));
        let shared = known.into_iter().find(|(object, _)| *object == body);
        let slot = match shared {
            Some((_, slot)) => slot,
            None => Slot::take(length, if writable { 8 } else { 1 }, loan)?,
        };
        let mut same = Vec::new();
        if shared.is_none() {
            let taken = same.try_reserve_exact(length);
            if taken.is_err() {
                slot.rest(End::Returned);
                return None;
            }
            same.extend_from_slice(object::bytes_mut(body, length));
            slot.copy().copy_from_slice(&same);
        }
        self.lent.push(Lent {
            argument,
            writable,
            slot,
            same,
            shared: shared.is_some(),
            apart,
        });
        Some(slot.address() as u64)
    }
}

impl Guards {
    /// Makes copies of what the arguments that begin at `start` on the root stack would lend.
    pub(crate) fn make(
        function: &ForeignFunction,
        host: &mut dyn Host,
        start: usize,
        memory: &[Cell<u64>],
    ) -> Result<Guards, OutOfMemory> {
        let place = host.place();
        let mutator = host.mutator();
        to_c(mutator);
        let mut guards = Guards {
            addresses: Vec::new(),
            cells: Vec::new(),
            next: Cell::new(0),
            next_cell: Cell::new(0),
            lender: function
                .lender
                .map(|lender| pool::lender_at(&lender.name, place.as_deref())),
        };
        let mut call = Call {
            before: active::last_id(),
            place,
            lent: Vec::new(),
            cells: Vec::new(),
            memory: Vec::new(),
        };
        CALLS.with_borrow_mut(|calls| {
            let made = guards.fill(&mut call, calls, function, mutator, (start, memory));
            made.map_err(|requested| OutOfMemory { requested })?;
            calls.push(call);
            Ok(guards)
        })
    }

    /// `Err`: how many bytes there was no memory for.
    fn fill(
        &mut self,
        call: &mut Call,
        outer: &[Call],
        function: &ForeignFunction,
        mutator: &Mutator,
        (start, memory): (usize, &[Cell<u64>]),
    ) -> Result<(), usize> {
        let (mut argument, name) = (start, &function.name);
        let place = call.place.clone();
        let place = place.as_ref();
        let params = function.signature.params.iter().zip(&function.ways);
        for (param, way) in params {
            let what = || format!("argument {} ({param}) of {name}", argument - start + 1);
            match way {
                Way::Cell { .. } => {
                    let size = param.ctype.size().unwrap_or(8);
                    let slot = Slot::take(size, 1, out_loan(function, param, place)).ok_or(size)?;
                    slot.copy().fill(0);
                    call.cells.push(slot);
                    self.cells.push(Some(slot));
                }
                Way::Memory { .. } => {
                    let at = memory[self.cells.len()].get();
                    call.memory.extend(slot::at(at as usize));
                    self.cells.push(None);
                }
                Way::Word => {
                    let address = object::pointer_address(mutator.get(argument));
                    if let Some(address) = address.filter(|_| param.ctype.is_pointer()) {
                        keeping::lend_address(address, what, place);
                    }
                }
                _ if way.arguments() > 0 => {
                    let bytes = blocking::bytes_of(way, mutator.get(argument));
                    if let Some((body, length, back)) = bytes {
                        let loan = loan(what(), place);
                        let address = if mutator.is_held(body) {
                            keeping::lend(mutator, body, loan);
                            0
                        } else {
                            let lent = (argument, body, length, back > 0 || length == 0);
                            let lent = call.lend(outer, mutator, lent, (loan, function.blocking));
                            lent.ok_or(length)?
                        };
                        self.addresses.push(address);
                    }
                }
                _ => {}
            }
            argument += way.arguments();
        }
        Ok(())
    }

    /// The address of the next copy; 0 for an object that C gets as it is.
    pub(crate) fn next(&self) -> u64 {
        let next = self.next.replace(self.next.get() + 1);
        self.addresses.get(next).copied().unwrap_or(0)
    }

    /// The address of the copy of the next cell, if it has one.
    pub(crate) fn next_cell(&self, cell: &Cell<u64>) -> Option<u64> {
        let next = self.next_cell.replace(self.next_cell.get() + 1);
        let slot = (*self.cells.get(next)?)?;
        let bytes = cell.get().to_ne_bytes();
        let copy = slot.copy();
        copy.copy_from_slice(&bytes[..copy.len()]);
        Some(slot.address() as u64)
    }

    /// Gives the cells what C has written to their copies.
    pub(crate) fn read_cells(&self, cells: &[Cell<u64>]) {
        for (cell, slot) in cells.iter().zip(&self.cells) {
            if let Some(slot) = slot {
                let mut bytes = cell.get().to_ne_bytes();
                let copy = slot.copy();
                bytes[..copy.len()].copy_from_slice(copy);
                cell.set(u64::from_ne_bytes(bytes));
            }
        }
    }

    /// The call is over.
    pub(crate) fn give_back(&self, mutator: &Mutator) {
        to_language(mutator);
        let call = CALLS.with_borrow_mut(|calls| calls.pop());
        let Some(mut call) = call else { return };
        let apart = call.lent.iter_mut().filter(|lent| lent.apart);
        apart.for_each(|lent| lent.change_object(mutator));
        call.lent.iter().for_each(Lent::judge);
        for slot in call.cells.iter().chain(&call.memory) {
            if let Some(wrong) = slot.wrong() {
                accuse(wrong, slot.loan());
            }
        }
        drop(call);
        keeping::look(mutator);
    }
}

fn out_loan(
    function: &ForeignFunction,
    param: &Parameter,
    place: Option<&String>,
) -> &'static Loan {
    let (number, name) = (function.position(param), &function.name);
    loan(format!("parameter {number}, {param}, of {name}"), place)
}

/// A pointer that owns zeros for a struct or an array that C writes to. `None`: there is no memory of this kind left.
pub(crate) fn out_memory(
    function: &ForeignFunction,
    host: &mut dyn Host,
    param: &Parameter,
) -> Option<Result<Value, OutOfMemory>> {
    let place = host.place();
    let label = host.owner_label(Held::Result(&param.ctype, &function.name));
    let bytes = param.ctype.size().unwrap_or(0);
    let slot = Slot::take(bytes, 1, out_loan(function, param, place.as_ref()))?;
    slot.copy().fill(0);
    let mutator = host.mutator();
    let made = object::make_pointer(mutator, slot.address());
    let Ok(v) = made else {
        slot.rest(End::Died);
        return Some(made);
    };
    object::set_pointer_bytes(v, bytes);
    let word = std::ptr::from_ref(slot).expose_provenance();
    let owns = mutator.own_by(v, end_memory, word, bytes, label);
    Some(owns.map(|()| v))
}

/// What the heap calls when such a pointer has died, or has come to own nothing.
fn end_memory(word: usize) {
    let slot: *const Slot = std::ptr::with_exposed_provenance(word);
    // SAFETY: what `out_memory` has given the heap; records live for ever (inv:guard.slot).
    let slot: &'static Slot = unsafe { &*slot };
    slot.rest(End::Died);
}

/// C gets the word of an object, good for as long as that is in its place, by this function of the C interface.
pub(crate) fn lend_word(mutator: &Mutator, v: Value, by: &str, function: &str) {
    if is_on() {
        let place = CALLS.with_borrow(|calls| calls.last().and_then(|call| call.place.clone()));
        let what = format!("what {by} gave to {function}");
        keeping::lend(mutator, v, loan(what, place.as_ref()));
    }
}

/// Before Scheme runs in a callback, and when a call has returned (`inv:guard.same`). The thread is Managed.
pub(crate) fn to_language(mutator: &Mutator) {
    if is_on() {
        each_lent(|lent| lent.change_object(mutator));
    }
}

/// Before C runs (`inv:guard.same`). The thread is Managed.
pub(crate) fn to_c(mutator: &Mutator) {
    if is_on() {
        each_lent(|lent| lent.change_copy(mutator));
    }
}

#[cold]
fn each_lent(f: impl FnMut(&mut Lent)) {
    CALLS.with_borrow_mut(|calls| {
        let all = calls.iter_mut().flat_map(|call| &mut call.lent);
        all.filter(|lent| !lent.apart).for_each(f);
    });
}

/// C has jumped over the calls that were made after the one with this id (`inv:guard.calls`), and what ran in them.
pub(crate) fn end_after(id: u64) {
    if is_on() {
        CALLS.with_borrow_mut(|calls| calls.retain(|call| call.before < id));
        running::end_after(id);
    }
}

/// C has jumped out of all calls on a thread of its own. The outermost callback, as a text.
pub(crate) fn end_all() -> Option<String> {
    if !is_on() {
        return None;
    }
    CALLS.with_borrow_mut(|calls| calls.clear());
    running::end_all()
}

#[cfg(test)]
mod tests {
    use super::{PART, take_over};

    #[test]
    fn only_what_has_changed_is_taken_over() {
        let mut same = vec![0; 3 * PART + 1];
        let (mut from, mut to) = (same.clone(), same.clone());
        for at in [PART - 1, PART, 3 * PART] {
            from[at] = 1;
        }
        // The other side's own changes, in a part that is as it was here and in one that is not.
        (to[0], to[2 * PART]) = (2, 2);
        let mut wanted = from.clone();
        (wanted[0], wanted[2 * PART]) = (2, 2);
        take_over(&mut same, &from, &mut to);
        assert_eq!((same, to), (from, wanted));
    }
}
