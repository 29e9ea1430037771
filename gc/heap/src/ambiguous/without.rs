//! The build without ambiguous stacks: nothing to note, nothing to scan.

use crate::config::HeapError;
use crate::heap::Heap;
use crate::thread::ThreadBlock;
use bowline_layout::{Addr, Value};

/// What is known of a thread's foreign stack.
pub(crate) struct ForeignStack;

impl ForeignStack {
    pub(crate) fn here() -> Self {
        ForeignStack
    }

    #[inline(always)]
    pub(crate) fn each(&self, _f: &mut dyn FnMut(Value)) {}
}

/// Where objects start.
#[derive(Clone, Copy)]
pub(crate) struct Starts;

impl Starts {
    pub(crate) fn new() -> Self {
        Starts
    }

    #[inline(always)]
    pub(crate) fn note(self, _at: Addr) {}
}

pub(crate) fn watch(_heap: &Heap) -> Result<(), HeapError> {
    Ok(())
}

#[inline(always)]
pub(crate) fn gather(_heap: &Heap, _threads: &[&'static ThreadBlock]) {}

#[inline(always)]
pub(crate) fn forget(_heap: &Heap) {}
