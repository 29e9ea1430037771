//! The heap for language implementers: a moving collector that is used without `unsafe`.
//!
//! | type | what it is | over a collection |
//! |---|---|---|
//! | [`Heap`] | the process's heap, for any thread | – |
//! | [`Mutator`] | a thread's attachment to it | – |
//! | [`Scope`] | the permission to use it, for a part of the program | – |
//! | [`Local`], [`Root`] | handles on the thread's root stack, until their scope ends | follow their objects |
//! | [`View`] | an object as it stands: a plain pointer | cannot be held |
//! | [`Handle`], [`WeakHandle`] | handles that last, for any thread | follow their objects |
//! | [`Table`] | Rust collections of values | is updated |
//! | [`Pinned`], [`Lent`] | objects that stay, for C | keep their addresses |
//!
//! `&mut Scope` is the permission to allocate, and so to collect; `&Scope` is the permission to look. An
//! interpreter hands the scope down its calls, holds what it needs in handles, and looks at objects through
//! views, which cost nothing:
//!
//! ```
//! use bowline_gc::safe::{AllocError, Collect, Heap, HeapConfig, Immediate};
//!
//! let heap = Heap::start(HeapConfig::default())?;
//! let mut mutator = heap.attach()?;
//! mutator.scope(|s| {
//!     let list = s.pair('b', Immediate::NIL)?;
//!     let list = s.pair('a', list)?;
//!     let before = s.view(list).address();
//!     s.collect(Collect::Minor);
//!     let view = s.view(list); // borrows `s`: nothing moves while it is used
//!     assert_ne!(view.address(), before);
//!     assert_eq!(view.car().as_char(), Some('a'));
//!     Ok::<_, AllocError>(())
//! })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! [`guide`] builds a small language on it, step by step. Objects of one's own are declared with
//! [`kinds!`](crate::kinds).
//!
//! # Why it is sound
//!
//! *Who may hold what over a safepoint.* Handles may: a [`Local`] is the address of a word on the root stack,
//! which the collector updates, and looking always reads that word (`inv:safe.slot`). Views may not: one borrows
//! the scope, and every safepoint wants the scope mutably (`inv:safe.token`). Between safepoints no object moves
//! or dies, whatever other threads do, for a collection waits for this one. It waits, too, for a thread that forks
//! with a scope at hand, as [`std::process::Command`] may: only the child, which is about to run another program,
//! cannot use a heap in which a collection was to come (`inv:fork.firm`). Who forks to go on in the child does so
//! in a native section.
//!
//! *That nothing outlives its scope.* The lifetime `'s` of a scope is new for each call that makes one, and
//! invariant: no variable outside can be given a `Local<'s>`, no result can mention it, no other scope can be
//! swapped for it (`inv:safe.nested`). A scope is only ever lent, so it cannot be forgotten, moved or dropped
//! early; what it put on the stack is taken off when the call ends, by a panic too. Handles of one scope
//! may be used with any other of the thread, because that does not matter: they are addresses of words that
//! are still there.
//!
//! *Threads.* A [`Mutator`], and all that comes from it but [`Handle`]s, stays on its thread. A thread is attached
//! once ([`AttachError`]), so it never waits for itself. In a native section the scope is borrowed, so that
//! nothing in it can touch the heap; what comes back with [`reenter`] gets a scope above all that is on the
//! stack, one at a time ([`ReenterError`]). Two threads that change one object at a time may surprise each other
//! but not the heap (`inv:safe.race`).
//!
//! *Types.* What a typed handle leads to was admitted by its kind, by header and tag, which never change
//! (`inv:safe.kind`); so a wrong cast is an error with both names, never a wrong read.
//!
//! *Forgetting.* A forgotten mutator leaves its thread attached, a forgotten handle or pin keeps its object.
//! Nothing dangles.
//!
//! All this holds as long as the process does not also use the layer below, [`crate::Mutator`] and
//! [`crate::access`], against its written contracts: it is there for those who need stack maps or a stack of
//! their own. [`Scope::low_level`] is the door to it.
//!
//! Absent on purpose: values without a scope, as in an API that hides its roots in thread-local tables or counts
//! references: each costs at every copy. And objects with Rust fields and destructors: a moving collector would
//! have to run them.

mod error;
pub mod guide;
mod handle;
mod heap;
mod kind;
mod local;
mod macros;
mod make;
mod native;
mod scope;
mod table;
mod view;
mod weak;

/// The page in `docs`, whose program is tried.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/embedding-rust.md")]
struct Page;

pub use crate::config::{HeapConfig, HeapError, Plan, Zeal};
pub use crate::mutator::Collect;
pub use error::{AllocError, AllocFailure, AttachError, OutOfRange, ReenterError};
pub use handle::{Handle, Pinned, WeakHandle};
pub use heap::{Heap, Mutator};
pub use kind::{
    Any, Buffer, ByteForm, Bytes, Ephemeron, Field, FixedBytes, Flonum, Foreign, Form, Found,
    Guardian, Kind, KindInfo, Object, Pair, RawField, RawWord, Record, Text, Values, WeakPair,
    WeakValues, WrongKind,
};
pub use local::{Immediate, Local, Names, Operand, Root};
pub use native::{Lent, reenter};
pub use scope::Scope;
pub use table::{Plain, Rootable, Table, Trace};
pub use view::View;
pub use weak::FinalizerThread;
