//! Handles: numbers by which C holds on to objects that move.
//!
//! ```text
//!  63   56 55           28 27          0
//! +-------+---------------+-------------+
//! |  tag  |  generation   |    index    |
//! +-------+---------------+-------------+
//! ```
//!
//! `inv:handle.generation` A slot's generation grows each time it is freed and a handle is honoured
//! only while both agree, so a stale handle is told and never followed. A slot whose generation would
//! overflow is never used again.
//!
//! `inv:handle.tag` The tag is the same for all handles of a process and never 0, so no handle is 0
//! and most garbage and most handles of another process are told apart.
//!
//! Reading order: `memory` and `state` (of the slots), `own` (who may change them without a locked operation), `slots` (the
//! lock-free table, which knows no heap), `table` (its values as roots), `glance` (a short look from C), `scope` (local
//! handles), `pin` (objects held in place by handle).

#[cfg(not(loom))]
pub(crate) mod glance;
mod memory;
mod own;
#[cfg(not(loom))]
mod pin;
#[cfg(not(loom))]
pub(crate) mod scope;
mod slots;
mod state;
#[cfg(not(loom))]
mod table;

pub use own::Kept;
#[cfg(not(loom))]
pub use pin::HandlePinError;
#[cfg(not(loom))]
pub use scope::{HandleScope, LOCAL_LIMIT};
pub use slots::{Owned, Slots};
#[cfg(not(loom))]
pub use table::Handles;
#[cfg(not(loom))]
pub(crate) use table::forked;

use std::fmt;
use std::num::NonZeroU64;

pub(crate) const INDEX_BITS: u32 = 28;
pub(crate) const GENERATION_BITS: u32 = 28;
pub(crate) const MAX_INDEX: u32 = (1 << INDEX_BITS) - 1;
pub(crate) const MAX_GENERATION: u32 = (1 << GENERATION_BITS) - 1;

/// A number that stands for an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Handle(NonZeroU64);

impl Handle {
    #[cfg(test)]
    pub(crate) const fn new(tag: u8, generation: u32, index: u32) -> Option<Handle> {
        let bits = (tag as u64) << 56 | (generation as u64) << INDEX_BITS | index as u64;
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Handle(bits)),
            None => None,
        }
    }

    /// The handle with these bits; `None` for 0. Whether it stands for anything is found when it is
    /// used.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Option<Handle> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Handle(bits)),
            None => None,
        }
    }

    /// The number that C holds.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0.get()
    }

    #[inline(always)]
    pub(crate) const fn index(self) -> u32 {
        self.bits() as u32 & MAX_INDEX
    }

    #[inline(always)]
    pub(crate) const fn generation(self) -> u32 {
        (self.bits() >> INDEX_BITS) as u32 & MAX_GENERATION
    }

    #[inline(always)]
    pub(crate) const fn tag(self) -> u8 {
        (self.bits() >> 56) as u8
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}

/// How long a handle lives and whether it keeps its object alive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum HandleKind {
    /// Freed with its scope.
    Local = 1,
    /// Freed by hand.
    Global = 2,
    /// Freed by hand; its value becomes [`bowline_layout::Value::BROKEN`] when the object dies.
    Weak = 3,
}

/// Why a handle was not honoured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandleError {
    /// It was freed.
    Freed {
        /// Its slot.
        index: u32,
        /// Its generation.
        generation: u32,
    },
    /// It was local and its scope has ended.
    ScopeEnded {
        /// Its slot.
        index: u32,
        /// Its generation.
        generation: u32,
    },
    /// It was freed and its slot has been used again.
    Stale {
        /// Its slot.
        index: u32,
        /// Its generation.
        generation: u32,
        /// The slot's generation.
        current: u32,
    },
    /// It was made by another process, or it is no handle.
    Foreign {
        /// The number.
        bits: u64,
    },
    /// It has this process's tag, but no such handle was made yet.
    NeverIssued {
        /// The number.
        bits: u64,
    },
    /// There are as many handles as there can be.
    Full {
        /// The most that there can be.
        limit: u32,
    },
    /// There is no memory for more handles.
    OutOfMemory,
    /// There are as many local handles in one scope as there can be.
    TooManyLocals {
        /// The most that there can be.
        limit: usize,
    },
    /// A local handle was asked for outside every scope.
    NoScope,
    /// A scope was left before those opened inside it, or on another thread, or twice.
    ScopeOrder,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandleError::Freed { index, generation } => {
                write!(f, "handle {index}.{generation} was freed")
            }
            HandleError::ScopeEnded { index, generation } => write!(
                f,
                "local handle {index}.{generation} is used after its scope ended"
            ),
            HandleError::Stale {
                index,
                generation,
                current,
            } => write!(
                f,
                "handle {index}.{generation} is stale: it was freed and its slot is now {index}.{current}"
            ),
            HandleError::Foreign { bits } => {
                write!(f, "{bits:#x} is not a handle of this process")
            }
            HandleError::NeverIssued { bits } => {
                write!(f, "{bits:#x} is not a handle: none like it was made")
            }
            HandleError::Full { limit } => {
                write!(
                    f,
                    "too many handles: {limit} are in use, which is the limit"
                )
            }
            HandleError::OutOfMemory => f.write_str("no memory for more handles"),
            HandleError::TooManyLocals { limit } => write!(
                f,
                "too many local handles: {limit} in one scope is the limit; open a scope in the loop"
            ),
            HandleError::NoScope => f.write_str("a local handle was asked for outside every scope"),
            HandleError::ScopeOrder => {
                f.write_str("a handle scope was left that is not the innermost one of this thread")
            }
        }
    }
}

impl std::error::Error for HandleError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_overlap() {
        let handle = Handle::new(0xab, MAX_GENERATION, 5).expect("not 0");
        assert_eq!(
            (handle.tag(), handle.generation(), handle.index()),
            (0xab, MAX_GENERATION, 5)
        );
        let handle = Handle::new(1, 7, MAX_INDEX).expect("not 0");
        assert_eq!(
            (handle.tag(), handle.generation(), handle.index()),
            (1, 7, MAX_INDEX)
        );
        assert_eq!(Handle::from_bits(0), None);
    }

    #[test]
    fn texts() {
        let (index, generation) = (3, 1);
        let texts = [
            (
                HandleError::Freed { index, generation },
                "handle 3.1 was freed",
            ),
            (
                HandleError::ScopeEnded { index, generation },
                "local handle 3.1 is used after its scope ended",
            ),
            (
                HandleError::Stale {
                    index,
                    generation,
                    current: 4,
                },
                "handle 3.1 is stale: it was freed and its slot is now 3.4",
            ),
            (
                HandleError::Foreign { bits: 16 },
                "0x10 is not a handle of this process",
            ),
            (
                HandleError::NeverIssued { bits: 16 },
                "0x10 is not a handle: none like it was made",
            ),
            (
                HandleError::Full { limit: 9 },
                "too many handles: 9 are in use, which is the limit",
            ),
            (HandleError::OutOfMemory, "no memory for more handles"),
            (
                HandleError::TooManyLocals { limit: 9 },
                "too many local handles: 9 in one scope is the limit; open a scope in the loop",
            ),
            (
                HandleError::NoScope,
                "a local handle was asked for outside every scope",
            ),
            (
                HandleError::ScopeOrder,
                "a handle scope was left that is not the innermost one of this thread",
            ),
        ];
        for (error, text) in texts {
            assert_eq!(error.to_string(), text);
        }
    }
}
