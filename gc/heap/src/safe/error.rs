//! What can go wrong.

use crate::alloc::OutOfMemory;
use std::fmt;

/// Why an object could not be made: [`AllocError::why`].
///
/// One word, so that a result with a handle is returned in registers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct AllocError(usize);

/// Why an object could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AllocFailure {
    /// There is no room, even after an exhaustive collection. What is dropped now makes room again.
    OutOfMemory {
        /// How many bytes were wanted.
        requested: usize,
    },
    /// More handles are alive on the thread than its root stack holds: a loop without a scope of its own, or
    /// recursion without an end.
    TooManyLocals {
        /// How many it holds.
        most: usize,
    },
    /// No object can be so long.
    TooLong {
        /// The length that was wanted.
        length: usize,
    },
}

/// The two highest bits of the word say what it is. A fact that needs them is told as the largest.
const FACT: usize = usize::MAX >> 2;
const TOO_MANY_LOCALS: usize = 1 << 62;
const TOO_LONG: usize = 2 << 62;

impl AllocError {
    pub(super) fn too_many_locals(most: usize) -> Self {
        AllocError(TOO_MANY_LOCALS | most.min(FACT))
    }

    pub(super) fn too_long(length: usize) -> Self {
        AllocError(TOO_LONG | length.min(FACT))
    }

    /// The failure, with its facts.
    pub fn why(self) -> AllocFailure {
        let fact = self.0 & FACT;
        match self.0 & !FACT {
            TOO_MANY_LOCALS => AllocFailure::TooManyLocals { most: fact },
            TOO_LONG => AllocFailure::TooLong { length: fact },
            _ => AllocFailure::OutOfMemory { requested: fact },
        }
    }
}

impl From<OutOfMemory> for AllocError {
    #[inline(always)]
    fn from(e: OutOfMemory) -> Self {
        AllocError(e.requested.min(FACT))
    }
}

impl fmt::Debug for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why().fmt(f)
    }
}

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why() {
            AllocFailure::OutOfMemory { requested } => OutOfMemory { requested }.fmt(f),
            AllocFailure::TooManyLocals { most } => write!(
                f,
                "too many handles: the root stack holds {most}; give loops and calls scopes of their own"
            ),
            AllocFailure::TooLong { length } => {
                write!(f, "an object of length {length} is longer than any can be")
            }
        }
    }
}

impl std::error::Error for AllocError {}

/// An index that the object does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfRange {
    /// The index.
    pub index: usize,
    /// How many there are.
    pub length: usize,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "index {} is out of range: there are {}",
            self.index, self.length
        )
    }
}

impl std::error::Error for OutOfRange {}

/// Why a thread could not be attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttachError {
    /// It is attached already. Code that C calls back uses [`reenter`](super::reenter).
    AlreadyAttached,
    /// There is no memory for its root stack.
    NoMemory,
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AttachError::AlreadyAttached => "this thread is attached to the heap already",
            AttachError::NoMemory => "there is no memory to attach this thread to the heap",
        })
    }
}

impl std::error::Error for AttachError {}

/// Why a thread could not come back to the heap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReenterError {
    /// The thread is not in a native section: it is not attached, or has a scope at hand.
    NotNative,
}

impl fmt::Display for ReenterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this thread is in no native section that it could come back from")
    }
}

impl std::error::Error for ReenterError {}
