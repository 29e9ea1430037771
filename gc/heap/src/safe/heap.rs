//! Starting the heap, and attaching threads to it.

use super::error::AttachError;
use super::kind::KindInfo;
use super::scope::Scope;
use crate::config::{HeapConfig, HeapError};
use crate::heap;
use crate::mutator;
use crate::owners::{Owner, OwnerLabel};
use crate::thread::{Whereabouts, whereabouts};
use std::fmt;
use std::ptr::NonNull;

/// The process's heap. It is started once, and is any thread's to attach to.
#[derive(Clone, Copy)]
pub struct Heap(&'static heap::Heap);

impl Heap {
    pub(super) fn over(heap: &'static heap::Heap) -> Self {
        Heap(heap)
    }

    /// The heap of the layer below.
    pub(super) fn below(self) -> &'static heap::Heap {
        self.0
    }

    /// Starts the heap.
    pub fn start(config: HeapConfig) -> Result<Self, HeapError> {
        Heap::start_with(config, &[])
    }

    /// Starts the heap for a language with these kinds, the table that [`kinds!`](crate::kinds) makes: errors
    /// call objects by their names. Two kinds with one number are refused.
    pub fn start_with(config: HeapConfig, kinds: &'static [KindInfo]) -> Result<Self, HeapError> {
        for (i, kind) in kinds.iter().enumerate() {
            if let Some(other) = kinds[..i].iter().find(|other| other.id == kind.id) {
                return Err(HeapError::BadConfig(format!(
                    "the kinds {} and {} have one number, {}",
                    other.name, kind.name, kind.id
                )));
            }
        }
        let heap = heap::start(config)?;
        // It was started just now, so nobody else has set them.
        let _ = heap.kinds.set(kinds);
        Ok(Heap(heap))
    }

    /// The heap, if it was started.
    pub fn get() -> Option<Self> {
        heap::Heap::get().map(Heap)
    }

    /// Attaches the calling thread, which may use the heap until the mutator is dropped.
    pub fn attach(self) -> Result<Mutator, AttachError> {
        match whereabouts() {
            Whereabouts::Unknown => {
                let mutator = self.0.try_attach().map_err(|_| AttachError::NoMemory)?;
                let mutator = Box::leak(mutator);
                // inv:fork.firm
                mutator.block().make_safe();
                Ok(Mutator(NonNull::from(mutator)))
            }
            _ => Err(AttachError::AlreadyAttached),
        }
    }

    /// Asks for a collection and does not wait for it. Any thread may, attached or not.
    pub fn request_collection(self) {
        self.0.request_collection();
    }

    /// The label of this name: what owns C memory, and where it was made.
    pub fn owner_label(self, name: &str) -> OwnerLabel {
        self.0.owner_label(name)
    }

    /// The labels that hold the most C memory, at most `top` of them.
    pub fn owners(self, top: usize) -> Vec<Owner> {
        self.0.owners(top)
    }

    /// The most memory, in bytes, that live objects and what counts with them may take.
    pub fn limit(self) -> usize {
        self.0.limit()
    }

    /// The configuration.
    pub fn config(self) -> &'static HeapConfig {
        self.0.config()
    }

    /// How many collections there were.
    pub fn collections(self) -> u64 {
        self.0.collections()
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Heap({} collections)", self.collections())
    }
}

/// A thread's attachment to the heap. It stays on its thread; dropping it detaches the thread.
///
/// While a thread is attached the others wait for it when they collect, until it allocates, polls or is in a
/// native section. A mutator that is forgotten ([`std::mem::forget`]) leaves its thread attached for ever.
pub struct Mutator(NonNull<mutator::Mutator>);

impl Mutator {
    /// Runs `f` with a scope.
    pub fn scope<R>(&mut self, f: impl for<'i> FnOnce(&mut Scope<'i>) -> R) -> R {
        // SAFETY: it came from a box and is this one's alone.
        let mutator = unsafe { self.0.as_mut() };
        Scope::over(mutator).scope(f)
    }

    /// The heap.
    pub fn heap(&self) -> Heap {
        // SAFETY: as above.
        Heap(unsafe { self.0.as_ref() }.heap())
    }

    /// Runs `f` in a native section: see [`Scope::native`].
    pub fn native<R>(&mut self, f: impl FnOnce() -> R) -> R {
        self.scope(|s| s.native(f))
    }
}

impl Drop for Mutator {
    fn drop(&mut self) {
        // SAFETY: it came from a box, and nobody has it any more.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl fmt::Debug for Mutator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutator")
    }
}
