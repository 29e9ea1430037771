//! The binding to MMTk: how it finds objects, references, roots and threads.
//!
//! Reading order: `slot` (a reference as MMTk sees it), `object_model` (sizes, copying, metadata),
//! `side` (where metadata lies),
//! `scanning` (references of objects, roots, weak things), `collection` (stopping and resuming),
//! `active_plan` (threads), `policy` (when to collect), `blocks` (what is free).
//!
//! Absent on purpose: MMTk's own reference and finalizer processing; `weak` does that.

mod active_plan;
mod blocks;
mod collection;
mod object_model;
mod policy;
mod scanning;
mod side;
mod slot;

pub(crate) use blocks::{BLOCK, CHUNK, chunk, each_table, free_blocks, is_seen};
pub(crate) use collection::{end_on_panic, wait_for_pause};
pub(crate) use object_model::{ObjectWords, is_old, is_reached, is_unlogged, large_lives, now_at};
pub(crate) use policy::{heap_bytes, is_marked};
pub(crate) use scanning::{each_reference, is_weak};
pub(crate) use slot::{WordSlot, heap_range, in_heap, object_at, reference};

/// The virtual machine that MMTk collects for.
#[derive(Default)]
pub(crate) struct Bowline;

impl mmtk::vm::VMBinding for Bowline {
    type VMObjectModel = ObjectWords;
    type VMScanning = scanning::Scan;
    type VMCollection = collection::Stops;
    type VMActivePlan = active_plan::Threads;
    type VMReferenceGlue = active_plan::NoReferences;
    type VMSlot = WordSlot;
    type VMMemorySlice = mmtk::vm::slot::UnimplementedMemorySlice<WordSlot>;

    const ALIGNMENT_VALUE: u8 = 0;
    const MIN_ALIGNMENT: usize = bowline_layout::WORD;
    const MAX_ALIGNMENT: usize = 2 * bowline_layout::WORD;
    const USE_ALLOCATION_OFFSET: bool = false;
    const ALLOC_END_ALIGNMENT: usize = bowline_layout::WORD;
}
