//! The moving, generational collector of Bowline.
//!
//! MMTk does the collecting; this crate binds it to the words and shapes of `bowline_layout`, and adds
//! what a runtime needs around it: threads that stop and go on, precise roots, objects that stay in
//! place while C holds them, weak things, a boot heap, a trigger policy, figures, and a verifier.
//!
//! **Who writes a language in Rust begins with [`safe`]**: the same heap without `unsafe`, whose misuse does not
//! compile, with a [guide](safe::guide) that builds a small Lisp. The items at this level are the layer below
//! it: what a virtual machine with its own stack and generated code needs, with contracts that are written and
//! not checked.
//!
//! Reading order: `config`, `machine` and `heap` (how a heap is made, and how large), `world`, `member` and
//! `thread` (who may touch it when), `watchdog` (who is late), `ends` (who forgets to detach), `stack`,
//! `interrupt`, `roots`, `pins`, `sites` and `weak` (what lives and what stays), `ambiguous` (a build in which C's
//! stacks count), `mutator`, `passage`, `alloc`, `room` and `grants` (a thread's doors to it), `remember` (what a thread
//! has changed), `cycle` and `finisher` (a collection from its beginning to its end), `c_memory`, `pressure`, `owners`
//! and `foreign` (memory outside the heap that counts), `finalize` (who is told of deaths), `surplus` (memory that
//! is given back), `boot` and `freeze` (what is never collected), `binding` (what MMTk is told), `workers` (the
//! collector's threads) and `fork` (what a child process has of it), `verify`, `zeal` and `refusals` (how it is
//! checked), `stats` and `recorder` (what is told of it), `access` (words where they stand), `safe` (all of it once
//! more, without `unsafe`), `sync`, `futex`, `membarrier` and `sys` (locks, what threads sleep on, fences and the
//! operating system).
//!
//! Absent on purpose: everything about Scheme. The heap knows shapes.
//!
//! Under `--cfg loom` nothing is here: the test `loom` compiles the module `world` by itself.

#![cfg(not(loom))]

pub mod access;
mod alloc;
mod ambiguous;
mod binding;
mod boot;
mod c_memory;
mod config;
#[cfg(test)]
mod crosser;
mod cycle;
mod ends;
mod finalize;
mod finisher;
mod foreign;
mod fork;
mod freeze;
mod futex;
mod grants;
mod heap;
mod interrupt;
#[cfg(test)]
mod litmus;
mod machine;
mod membarrier;
mod member;
mod mutator;
mod owners;
mod passage;
mod pins;
mod pressure;
mod recorder;
mod refusals;
mod remember;
mod room;
mod roots;
pub mod safe;
mod sites;
mod stack;
mod stats;
mod surplus;
mod sync;
mod sys;
mod thread;
mod verify;
mod watchdog;
mod weak;
mod workers;
mod world;
mod zeal;

pub use alloc::OutOfMemory;
pub use c_memory::CBlocks;
pub use config::{HeapConfig, HeapError, Plan, Zeal};
pub use finalize::FinalizerThread;
pub use freeze::{FreezeError, Frozen, MoreRoots};
pub use heap::{Heap, start};
pub use interrupt::{Interrupter, Puller};
pub use machine::mappable;
pub use mutator::{Collect, Mutator};
pub use owners::{Owner, OwnerLabel};
pub use passage::Passage;
pub use pins::PinError;
pub use recorder::{
    Callee, CalleeFigures, PauseFigures, Reason, Recording, Shares, Summary, ThreadFigures,
    Tracing, Usage,
};
pub use refusals::Refusal;
pub use roots::{Global, RootSource};
pub use sites::{AllocSite, SiteFigures};
pub use stack::RootStack;
pub use stats::GcStats;
pub use sys::at_exit;
pub use thread::{CallFrame, is_managed_here};
pub use watchdog::Leaf;
pub use weak::WeakWork;
