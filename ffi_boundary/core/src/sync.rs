//! Atomics, from std or from loom.
//!
//! What is lock-free takes its atomics from here, so that `--cfg loom` runs the same code under the
//! model checker. Constants that only set a size shrink there, to keep the state space small.

#[cfg(loom)]
pub(crate) use loom::hint::spin_loop as spin;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::hint::spin_loop as spin;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(loom)]
mod size {
    pub(crate) const SHARDS: usize = 2;
}

#[cfg(not(loom))]
mod size {
    pub(crate) const SHARDS: usize = 8;
}

pub(crate) use size::SHARDS;
