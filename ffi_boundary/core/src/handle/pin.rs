//! Pins by handle: C names the object by the number that it holds, and gets an address that stays good.
//!
//! A pin belongs to the object that the handle stands for, not to the handle. It is counted together with all
//! other pins of the object and outlives the handle: whoever frees the handle first, or makes it stand for
//! something else, unpins by the object or by another handle to it.

use super::{Handle, HandleError, Handles, scope};
use bowline_gc::PinError;
use bowline_layout::Value;
use std::fmt;

/// Why an object could not be pinned or unpinned by a handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandlePinError {
    /// The handle is not honoured.
    Handle(HandleError),
    /// The weak handle's object has died.
    Died(Handle),
    /// What the handle stands for could not be pinned or unpinned.
    Pin(PinError),
}

impl fmt::Display for HandlePinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandlePinError::Handle(e) => e.fmt(f),
            HandlePinError::Died(handle) => {
                let (index, generation) = (handle.index(), handle.generation());
                write!(f, "the object of weak handle {index}.{generation} has died")
            }
            HandlePinError::Pin(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for HandlePinError {}

impl From<HandleError> for HandlePinError {
    fn from(e: HandleError) -> Self {
        HandlePinError::Handle(e)
    }
}

impl From<PinError> for HandlePinError {
    fn from(e: PinError) -> Self {
        HandlePinError::Pin(e)
    }
}

impl Handles<'_> {
    /// Pins what the handle stands for once more. Returns the object, and how often it is pinned now.
    #[inline]
    pub fn pin(&self, handle: Handle) -> Result<(Value, u64), HandlePinError> {
        let v = self.object(handle)?;
        Ok((v, self.mutator().pin(v)?))
    }

    /// Takes one pin of what the handle stands for back. Returns how many remain.
    #[inline]
    pub fn unpin(&self, handle: Handle) -> Result<u64, HandlePinError> {
        let v = self.object(handle)?;
        Ok(self.mutator().unpin(v)?)
    }

    /// Pins `v` once more until the innermost scope of this thread ends, or the foreign call.
    pub fn pin_in_scope(&self, v: Value) -> Result<(), HandlePinError> {
        scope::pin(self, v)
    }

    /// Makes what the handle stands for stay in its place as long as it lives. Returns the object.
    pub fn promote(&self, handle: Handle) -> Result<Value, HandlePinError> {
        let v = self.object(handle)?;
        self.mutator().promote(v)?;
        Ok(v)
    }

    /// What the handle stands for. Unlike [`Handles::get`] it is an error if that has died.
    #[inline]
    pub fn object(&self, handle: Handle) -> Result<Value, HandlePinError> {
        match self.get(handle)? {
            Value::BROKEN => Err(HandlePinError::Died(handle)),
            v => Ok(v),
        }
    }
}
