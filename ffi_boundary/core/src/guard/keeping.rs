//! What C keeps the address of when it is worth nothing any more.
//!
//! | what C was lent | its address is worth nothing | because |
//! |---|---|---|
//! | a copy (`slot`) | when the call has returned | nobody may touch it |
//! | the bytes of a pinned or promoted object, as they are | when the object has moved or died | something else may be there |
//! | a word of the heap, by `bl_raw` | likewise | likewise |
//!
//! Whenever something has come to be worth nothing, and a call returns, C's memory is looked through (`memory`) for addresses
//! into it. What is found is told, each loan once, and the program goes on: an address that is not used does no harm, and
//! C may have it where it will never look again.
//!
//! `inv:keeping.place` An object that C has the address of stands in the table with a weak handle. So it is known at any
//! time whether it is where it was, and the table keeps nothing alive. An address that is lent again means what is there
//! now.
//!
//! `inv:keeping.chance` Nothing is told of a word that only looks like an address: it must lie within something that
//! was lent, is among the last that came to be worth nothing, and whose addresses nobody else could get meanwhile (a
//! copy's pages stay mapped), or would get only by another loan (an object's).

use super::{loan, memory, slot};
use crate::callback::pool::lock;
use crate::check_error::{End, Kept, Loan};
use crate::handle::{Handle, HandleKind, Handles};
use crate::object;
use bowline_gc::Mutator;
use bowline_layout::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

/// An object in its place.
struct Held {
    handle: Handle,
    bytes: usize,
    /// How C got the address, if it did.
    loan: Option<&'static Loan>,
}

/// Something that was lent, and is over.
#[derive(Clone)]
struct Over {
    addresses: Range<usize>,
    loan: &'static Loan,
    end: End,
}

#[derive(Default)]
struct Table {
    /// By address; inv:keeping.place.
    held: HashMap<usize, Held>,
    /// The last that have moved or died, at their old addresses.
    gone: VecDeque<Over>,
    /// The addresses of the loans that were told of.
    told: HashSet<usize>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// Whether something came to be over since C's memory was looked through.
static NEW: AtomicBool = AtomicBool::new(false);

/// Something else is over.
pub(super) fn is_over() {
    NEW.store(true, Ordering::Release);
}

/// Notes, in checking mode, that the program has the address of the object `v`, which stays in its place for now.
pub fn note_address(mutator: &Mutator, v: Value) {
    if super::is_on() && v.is_pointer() {
        enter(mutator, v, None);
    }
}

/// C gets the address of the object `v`.
pub(super) fn lend(mutator: &Mutator, v: Value, loan: &'static Loan) {
    if v.is_pointer() {
        enter(mutator, v, Some(loan));
    }
}

/// C gets an address, perhaps of bytes that stand in the table.
pub(super) fn lend_address(address: usize, what: impl FnOnce() -> String, place: Option<&String>) {
    let mut table = lock(&TABLE);
    let around =
        |(start, held): &(&usize, &mut Held)| (**start..**start + held.bytes).contains(&address);
    if let Some((_, held)) = table.held.iter_mut().find(around) {
        held.loan = Some(loan(what(), place));
    }
}

fn enter(mutator: &Mutator, v: Value, loan: Option<&'static Loan>) {
    let (at, handles) = (v.addr().raw(), Handles::of(mutator));
    let mut table = lock(&TABLE);
    table.gone.retain(|over| !over.addresses.contains(&at));
    if let Some(held) = table.held.get_mut(&at) {
        if handles.get(held.handle).is_ok_and(|there| there == v) {
            held.loan = loan.or(held.loan);
            return;
        }
        // inv:keeping.place: another object is there now.
        let _ = handles.free(held.handle);
        table.held.remove(&at);
    }
    // Without memory for a handle the object is not known here.
    if let Ok(handle) = handles.create(v, HandleKind::Weak) {
        let bytes = object::bytes_taken(v);
        table.held.insert(
            at,
            Held {
                handle,
                bytes,
                loan,
            },
        );
    }
}

impl Table {
    /// Finds out what has moved or died.
    fn age(&mut self, mutator: &Mutator) {
        let handles = Handles::of(mutator);
        let (gone, most) = (&mut self.gone, slot::MOST.load(Ordering::Relaxed));
        self.held.retain(|at, held| {
            let end = match handles.get(held.handle) {
                Ok(Value::BROKEN) | Err(_) => End::Died,
                Ok(v) if v.addr().raw() == *at => return true,
                Ok(_) => End::Moved,
            };
            // It is this table's alone.
            let _ = handles.free(held.handle);
            if let Some(loan) = held.loan {
                let addresses = *at..*at + held.bytes;
                gone.push_back(Over {
                    addresses,
                    loan,
                    end,
                });
                is_over();
            }
            false
        });
        for _ in most..gone.len() {
            gone.pop_front();
        }
    }
}

/// Looks for what C keeps the address of. The thread is Managed.
pub(super) fn look(mutator: &Mutator) {
    let mut table = lock(&TABLE);
    table.age(mutator);
    if !NEW.swap(false, Ordering::Acquire) {
        return;
    }
    let mut over: Vec<Over> = table.gone.iter().cloned().collect();
    slot::each_over(|addresses, loan, end| {
        over.push(Over {
            addresses,
            loan,
            end,
        })
    });
    over.retain(|over| !table.told.contains(&key(over.loan)));
    over.sort_by_key(|over| over.addresses.start);
    let (Some(low), Some(high)) = (
        over.first().map(|over| over.addresses.start),
        over.iter().map(|over| over.addresses.end).max(),
    ) else {
        return;
    };
    let mut kept = Vec::new();
    memory::each_word(mutator.heap(), |word, found| {
        if !(low..high).contains(&word) {
            return;
        }
        let i = over.partition_point(|over| over.addresses.start <= word);
        let over = i.checked_sub(1).map(|i| &over[i]);
        // inv:keeping.chance
        if let Some(over) = over.filter(|over| over.addresses.contains(&word)) {
            kept.push((over.clone(), found));
        }
    });
    for (Over { loan, end, .. }, found) in kept {
        if table.told.insert(key(loan)) {
            let holder = memory::holder(found);
            super::fault::tell(&Kept { loan, end, holder });
        }
    }
}

fn key(loan: &'static Loan) -> usize {
    std::ptr::from_ref(loan).addr()
}
