//! Ambiguous foreign stacks: what C holds on its stack stays where it is, though nobody said so.
//!
//! A build of its own (cargo feature `ambiguous`), and there an option of the heap's
//! ([`crate::HeapConfig::ambiguous`]): the collector must tell of any address whether an object is there,
//! for which each allocation sets one more bit. In every other build this module is empty, and the option
//! is refused.
//!
//! `inv:ambiguous.range` Of a thread in foreign calls what lies between its stack pointer and the oldest
//! call frame is scanned, the registers included. Each word that leads into an object, to its start, to a
//! place inside, tagged or not, pins that object for this collection. A thread without a call has
//! nothing that is ambiguous.
//!
//! `inv:ambiguous.still` A thread in C runs on while others collect. It is interrupted by a signal, waits in
//! the handler while its stack is read, and goes on; whoever reads takes no lock and no memory meanwhile,
//! for the thread may be inside `malloc`. What it finds in C's hands then is all that C can have
//! until the collection ends, since C reads no references out of objects.
//!
//! The manner is that of Boehm and Weiser, *Garbage Collection in an Uncooperative Environment* (1988), for
//! the foreign part of the stacks alone; pinning what they find follows Bartlett's *Compacting Garbage
//! Collection with Ambiguous Roots* (1988).
//!
//! Absent on purpose: the plan `latency`, under which MMTk knows no exact starts of objects. C's static data
//! and its heap: an address that C keeps there wants a pin or a handle. Stacks that C has made itself are not
//! scanned; of the thread's own stack below them all is.

#[cfg(feature = "ambiguous")]
mod os;
#[cfg(feature = "ambiguous")]
mod stacks;
#[cfg(not(feature = "ambiguous"))]
mod without;

#[cfg(feature = "ambiguous")]
pub(crate) use stacks::{ForeignStack, Starts, forget, gather, watch};
#[cfg(not(feature = "ambiguous"))]
pub(crate) use without::{ForeignStack, Starts, forget, gather, watch};

/// Whether this build can scan ambiguous stacks.
pub(crate) const BUILT: bool = cfg!(feature = "ambiguous");

/// Why a build cannot.
pub(crate) const REFUSED: &str = "ambiguous foreign stacks want a build with the cargo feature \
                                  \"ambiguous\": there each allocation notes where its object starts, \
                                  which costs time that this build saves";

/// Why a build that can has no plan `latency`: there MMTk makes its table of starts out of the marks, and marks
/// whole lines for what comes to be while it marks.
pub(crate) const NO_LATENCY: &str = "the build for ambiguous foreign stacks has no plan \"latency\": what comes to \
                                     be while the heap is marked has no exact starts there";
