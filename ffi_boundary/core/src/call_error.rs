//! Why a foreign call gave no value.

use crate::error::FfiError;
use bowline_gc::OutOfMemory;
use std::fmt;

/// Why a foreign call gave no value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError {
    /// The call could not be made, or a callback's result could not be converted.
    Ffi(FfiError),
    /// A callback's procedure was left otherwise than by return; the host knows how to go on.
    PendingExit,
    /// There was no room for the result.
    OutOfMemory(OutOfMemory),
}

impl From<FfiError> for CallError {
    fn from(error: FfiError) -> Self {
        CallError::Ffi(error)
    }
}

impl From<OutOfMemory> for CallError {
    fn from(error: OutOfMemory) -> Self {
        CallError::OutOfMemory(error)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Ffi(error) => error.fmt(f),
            CallError::PendingExit => f.write_str("an exit is pending"),
            CallError::OutOfMemory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}
