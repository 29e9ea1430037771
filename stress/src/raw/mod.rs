//! Everything that Rust cannot vouch for: the system's calls, the malloc under test, the blocks it
//! gives, and the suite's own memory. The rest of the crate is safe code over these.
//!
//! * `inv:raw.victim`: the malloc under test is called only in child processes started for it. If
//!   it breaks a promise that a comment here relies on, that process is what is lost, and its
//!   parent tells.

#![allow(
    unsafe_code,
    reason = "the one module that calls C; its children state their invariants"
)]

mod arena;
mod block;
mod family;
pub(crate) mod object;
mod operators;
mod os;
mod rarer;
mod standing;
mod user;

pub use arena::Arena;
pub(crate) use block::{Block, Call, Wrong};
pub(crate) use family::{Answer, Family, module_of};
pub(crate) use operators::{BAD_ALLOC, BAD_CAST, Form, Operators, Told};
pub(crate) use os::{
    End, Limited, at_exit, at_fork, at_thread_end, end_group, end_with_parent, errno, exit_now,
    fork, keep_arena_over_forks, limit, map_file, map_words, on_signal, page, said, set_errno,
    signal_thread, thread_id,
};
pub(crate) use rarer::{Gives, Posixes, Resizes, Takes, TakesTwo};
pub(crate) use standing::Watch;
pub(crate) use user::{LibcUser, listed, look_up_nothing, matched, planted, set_variable};
