//! What can be wrong with a heap, and the faults that can be planted to see that they are found.

use std::fmt;
use std::str::FromStr;

use bowline_layout::Value;

use super::shadow::{Content, Form, Id};
use crate::raw::Wrong;

/// Where something was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// A word of a root stack.
    Stack(usize),
    Global(u32),
    Handle(u32),
    Local(usize),
    /// Field of a node.
    Field(Id, usize),
    /// Held in place by a call into C.
    Call,
    Pin,
    Frozen,
    Guardian(Id),
    Finalizer,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Stack(i) => write!(f, "word {i} of the root stack"),
            Place::Global(i) => write!(f, "g{i}"),
            Place::Handle(i) => write!(f, "h{i}"),
            Place::Local(i) => write!(f, "local handle {i}"),
            Place::Field(id, i) => write!(f, "field {i} of #{id}"),
            Place::Call => f.write_str("an argument of a call into C"),
            Place::Pin => f.write_str("a pinned object"),
            Place::Frozen => f.write_str("a frozen object"),
            Place::Guardian(id) => write!(f, "what guardian #{id} delivered"),
            Place::Finalizer => f.write_str("what waited for its finalizer"),
        }
    }
}

/// A promise of the heap that did not hold. Objects are told by their number in the books, `#7`.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// A reference leads to something else.
    Stranger {
        id: Id,
        form: Form,
        found: Value,
        place: Place,
    },
    /// A word holds something else.
    Field {
        place: Place,
        wanted: Content,
        found: Value,
    },
    /// Raw bytes have changed.
    Raw { id: Id, wrong: Wrong, place: Place },
    /// Raw words have changed.
    Words { id: Id, place: Place },
    /// One object stands at two places.
    Twice {
        id: Id,
        first: Value,
        second: Value,
        place: Place,
    },
    /// Two objects stand at one place.
    Shared { id: Id, other: Id, at: Value },
    /// A weak reference was broken though its object lives.
    BrokenEarly { id: Id, place: Place },
    /// A weak reference was not broken though its object is dead.
    NotBroken { id: Id, place: Place },
    /// An ephemeron has lost one of its two fields alone.
    HalfBroken { id: Id },
    /// A guardian or the queue of finalizers gave what it should not have.
    Delivery { place: Place, found: Value },
    /// The object of a delivery lives.
    DeliveredAlive { id: Id, place: Place },
    /// An object is dead and was not delivered.
    NotDelivered { id: Id, place: Place },
    /// Two deliveries came in the wrong order.
    Order { id: Id, place: Place },
    /// A handle was honoured that should not have been, or refused.
    Handle { place: Place, said: String },
    /// A pin or its count.
    Pin { id: Id, said: String },
    /// The heap refused memory though most of it is free.
    Refused {
        wanted: usize,
        live: usize,
        limit: usize,
    },
    /// A list that filled the heap is damaged.
    Filled { wanted: u64, found: Value },
    /// A block of C's has changed.
    Block { wrong: Wrong },
    /// A figure of the heap's is wrong.
    Figure {
        name: &'static str,
        wanted: u64,
        found: u64,
    },
    /// A forked child ended badly.
    Child { said: String },
    /// A freeze.
    Freeze { said: String },
    /// The torture's own books have no such object.
    Books { id: Id },
}

impl Fault {
    /// What kind of fault it is: two runs that show the same failed in the same way.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Fault::Stranger { .. } => "another object",
            Fault::Field { .. } => "another value",
            Fault::Raw { .. } | Fault::Words { .. } => "changed bytes",
            Fault::Twice { .. } | Fault::Shared { .. } => "wrong place",
            Fault::BrokenEarly { .. } => "broken early",
            Fault::NotBroken { .. } => "not broken",
            Fault::HalfBroken { .. } => "half broken",
            Fault::Delivery { .. } => "unexpected delivery",
            Fault::DeliveredAlive { .. } => "delivered alive",
            Fault::NotDelivered { .. } => "not delivered",
            Fault::Order { .. } => "wrong order",
            Fault::Handle { .. } => "handle",
            Fault::Pin { .. } => "pin",
            Fault::Refused { .. } => "refused",
            Fault::Filled { .. } => "full heap",
            Fault::Block { .. } => "block of C's",
            Fault::Figure { .. } => "wrong figure",
            Fault::Child { .. } => "forked child",
            Fault::Freeze { .. } => "freeze",
            Fault::Books { .. } => "books",
        }
    }
}

impl Fault {
    /// The texts of what is not about the graph.
    fn tell_of_services(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Delivery { place, found } => {
                write!(
                    f,
                    "{place}, {found:?}, was not waited for: delivered twice, or never guarded"
                )
            }
            Fault::DeliveredAlive { id, place } => {
                write!(
                    f,
                    "{place} is about #{id}, which was reachable all the time"
                )
            }
            Fault::NotDelivered { id, place } => {
                write!(f, "#{id} is dead and was not among {place}")
            }
            Fault::Order { id, place } => {
                write!(
                    f,
                    "of what was to be done for #{id} the later came first: {place}"
                )
            }
            Fault::Handle { place, said } => write!(f, "{place}: {said}"),
            Fault::Pin { id, said } => write!(f, "#{id}: {said}"),
            Fault::Refused {
                wanted,
                live,
                limit,
            } => write!(
                f,
                "out of memory for {wanted} bytes, with {live} live of {limit}"
            ),
            Fault::Filled { wanted, found } => {
                write!(
                    f,
                    "the list that filled the heap has {found:?} where {wanted} was put"
                )
            }
            Fault::Block { wrong } => write!(
                f,
                "byte {} of a block of C's is {:#04x}, {:#04x} was written",
                wrong.offset, wrong.found, wrong.wanted
            ),
            Fault::Figure {
                name,
                wanted,
                found,
            } => {
                write!(f, "{name} should be {wanted} and is told as {found}")
            }
            Fault::Child { said } => write!(f, "a forked child {said}"),
            Fault::Freeze { said } => write!(f, "a freeze: {said}"),
            Fault::Books { id } => write!(f, "the books have no #{id}: a fault of the torture's"),
            other => f.write_str(other.kind()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Stranger {
                id,
                form,
                found,
                place,
            } => {
                write!(
                    f,
                    "{place} should lead to #{id} ({form:?}), not to {found:?}"
                )
            }
            Fault::Field {
                place,
                wanted,
                found,
            } => {
                write!(f, "{place} should hold {wanted:?}, not {found:?}")
            }
            Fault::Raw { id, wrong, place } => write!(
                f,
                "byte {} of #{id} is {:#04x}, {:#04x} was written; reached from {place}",
                wrong.offset, wrong.found, wrong.wanted
            ),
            Fault::Words { id, place } => {
                write!(f, "a raw word of #{id} has changed; reached from {place}")
            }
            Fault::Twice {
                id,
                first,
                second,
                place,
            } => {
                write!(
                    f,
                    "#{id} stands at {first:?} and, by {place}, at {second:?}"
                )
            }
            Fault::Shared { id, other, at } => write!(f, "#{id} and #{other} both stand at {at:?}"),
            Fault::BrokenEarly { id, place } => write!(
                f,
                "a weak reference to #{id} was broken while it was reachable, from {place}"
            ),
            Fault::NotBroken { id, place } => {
                write!(f, "{place} is weak and still leads to #{id}, which is dead")
            }
            Fault::HalfBroken { id } => write!(f, "the ephemeron #{id} has lost one field alone"),
            other => other.tell_of_services(f),
        }
    }
}

/// A fault of the torture's own dealings with the heap, to be found by the torture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Plant {
    /// Stores are not told to the heap.
    Barrier,
    /// A register is not among the roots.
    Root,
    /// What a call into C was handed is not told.
    Call,
    /// A second pin is taken back with the first.
    Unpin,
    /// A weak pair is broken while its object lives.
    WeakEarly,
    /// A weak pair keeps its object.
    WeakLate,
    /// What is read from a weak word is not told to the heap.
    WeakRead,
    /// What is guarded is guarded twice.
    GuardTwice,
    /// What is guarded is not guarded.
    GuardLost,
    /// A finalizer is attached twice.
    FinalizeTwice,
    /// A finalizer is not attached.
    FinalizeLost,
    /// The thread for finalizers loses some.
    FinalizerThread,
    /// Deliveries are told in the wrong order.
    Order,
    /// A leaf call collects.
    Leaf,
    /// A promotion is not told.
    Promote,
    /// A register keeps what a freeze has moved.
    Freeze,
    /// A byte of an object changes.
    Byte,
    /// A freed handle goes on to be used.
    Handle,
    /// A global cell loses its object.
    Global,
    /// A thread stays away from safepoints.
    Hang,
    /// A reference leads nowhere.
    Wild,
}

impl Plant {
    /// Every fault that can be planted, with its name, in order.
    pub(super) const ALL: [(Plant, &'static str); 21] = [
        (Plant::Barrier, "barrier"),
        (Plant::Root, "root"),
        (Plant::Call, "call"),
        (Plant::Unpin, "unpin"),
        (Plant::WeakEarly, "weak-early"),
        (Plant::WeakLate, "weak-late"),
        (Plant::WeakRead, "weak-read"),
        (Plant::GuardTwice, "guard-twice"),
        (Plant::GuardLost, "guard-lost"),
        (Plant::FinalizeTwice, "finalize-twice"),
        (Plant::FinalizeLost, "finalize-lost"),
        (Plant::FinalizerThread, "finalizer-thread"),
        (Plant::Order, "order"),
        (Plant::Leaf, "leaf"),
        (Plant::Promote, "promote"),
        (Plant::Freeze, "freeze"),
        (Plant::Byte, "byte"),
        (Plant::Handle, "handle"),
        (Plant::Global, "global"),
        (Plant::Hang, "hang"),
        (Plant::Wild, "wild"),
    ];
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Plant::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(plant, _)| *plant).ok_or_else(|| {
            let names: Vec<&str> = Plant::ALL.iter().map(|(_, name)| *name).collect();
            format!("no fault is called `{text}`: {}", names.join(", "))
        })
    }
}
