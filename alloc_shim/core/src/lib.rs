//! The static region: memory that never moves, is never collected and is known by its address.
//!
//! A `malloc` whose every block, the largest too, lies in one reservation of address space: whether a pointer is C memory of
//! ours is one subtraction and one compare. From the system up:
//!
//! ```text
//!   platform ─► region ─► spans ─► pages of one size class ─► heaps, one for each thread ─► malloc, free
//!               tables    purge    and large blocks           frees by other threads        GlobalAlloc
//! ```
//!
//! Bytes are accounted when a span is taken or given back, to the client (C) or to the runtime, and the client's can be
//! watched. Nothing here defines a symbol of C's, calls another allocator, or formats.
//!
//! Under `--cfg loom` only what is lock-free, and the lock, are there.

#![cfg_attr(not(any(test, loom)), no_std)]

// What the system gives.
#[cfg(not(loom))]
mod errno;
pub mod lock;
pub mod pal;
#[cfg(not(loom))]
pub mod report;
mod sync;

// Slices: who has them, and who has how many.
#[cfg(not(loom))]
pub mod account;
#[cfg(not(loom))]
pub mod figures;
#[cfg(not(loom))]
pub mod purge;
#[cfg(not(loom))]
pub mod region;
#[cfg(not(loom))]
pub mod spans;
#[cfg(not(loom))]
pub mod table;

// Pages: blocks of one size, and frees by other threads.
#[cfg(not(loom))]
pub mod block;
#[cfg(not(loom))]
pub mod classes;
#[cfg(not(loom))]
pub mod page;
pub mod remote;

// Heaps: one for each thread, and whose those of dead threads are.
#[cfg(not(loom))]
pub mod heap;
pub mod orphans;
#[cfg(not(loom))]
pub mod tls;

// The paths of an allocation and of a free, and what else happens to heaps.
#[cfg(not(loom))]
pub mod alloc;
#[cfg(not(loom))]
pub mod census;
#[cfg(not(loom))]
pub mod check;
#[cfg(not(loom))]
mod fork;
#[cfg(not(loom))]
mod free;
#[cfg(not(loom))]
mod hardened;
#[cfg(not(loom))]
mod large;
#[cfg(not(loom))]
mod locked;
#[cfg(not(loom))]
mod perturb;
pub mod profile;
pub mod quarantine;
#[cfg(not(loom))]
mod reserve;
#[cfg(not(loom))]
mod slow;
#[cfg(not(loom))]
mod sparse;
#[cfg(not(loom))]
mod tend;
#[cfg(not(loom))]
mod threads;
#[cfg(not(loom))]
mod visit;
#[cfg(not(loom))]
pub mod walk;

// The allocator of the process.
#[cfg(not(loom))]
pub mod foreign;
#[cfg(not(loom))]
pub mod global;

#[cfg(not(loom))]
pub use account::Class;
#[cfg(not(loom))]
pub use region::{Region, SLICE};
