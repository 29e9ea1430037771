//! The exported malloc family over the static region.
//!
//! Whoever links this crate and names it exports the family and so *is* this allocator: `malloc`, `free` and their
//! kin, glibc's internal names for them, the C++ operators, and the table by which the runtime finds the
//! region. `libbowline_malloc.so` is this crate and a panic handler. An executable says [`executable!`] once, and
//! its build script asks the linker to export the names ([`EXPORTS`]).
//!
//! One process may hold several copies: one in the executable, one preloaded, one in a library opened later. The
//! dynamic linker gives everybody one of them; the others notice at their start and lead to it.
//!
//! Absent on purpose: anything that allocates, formats or locks; the heap itself, which is `bowline-alloc`.
#![no_std]

pub mod cxx;
mod cxx_library;
pub mod family;
pub mod internal;
pub mod introspection;

mod forward;
mod heap;
mod serve;

mod boot;
mod hooks;
mod module;
mod winner;

mod backtrace;
mod environment;
mod errno;
mod exports;
mod map;
mod maps;
mod output;
mod place;
mod pprof;
mod profile;
mod signals;
mod standard_error;
mod statistics;
mod table;
mod text;

pub use boot::{Initialiser, start};
pub use bowline_alloc::global::RuntimeAllocator;
pub use exports::EXPORTS;
pub use table::bowline_region_v1;
