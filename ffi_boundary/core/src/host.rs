//! What the boundary must know of the language above it.
//!
//! `inv:host.rooted` A value that stands on the mutator's root stack stays valid while it stands
//! there; a value in a Rust variable is valid until the next allocation, crossing or call of the host.

use crate::aggregate::Types;
use crate::call::CallError;
use bowline_gc::{Mutator, OutOfMemory};
use bowline_layout::Value;
use core::ops::Range;

/// A callback's procedure was left otherwise than by return. What happens instead is the host's to
/// remember, and to resume when the foreign call reports [`CallError::PendingExit`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PendingExit;

/// What converting a value takes: a look at numbers that only the language knows, and words for
/// error messages. Nothing here may allocate in the heap.
pub trait Language {
    /// The double nearest to a real number that is neither a fixnum, a flonum nor a bignum; `None`
    /// when the value is no such number.
    fn to_double(&self, v: Value) -> Option<f64>;

    /// The structs and arrays that the program knows.
    fn types(&self) -> &Types;

    /// How many elements a vector has; `None` for what is no vector.
    fn vector_length(&self, _v: Value) -> Option<usize> {
        None
    }

    /// Element `i` of a vector.
    fn vector_element(&self, _v: Value, _i: usize) -> Value {
        Value::FALSE
    }

    /// The value as the language writes it, shortened where it is long.
    fn describe(&self, v: Value) -> String;
}

/// An engine that runs the language's procedures.
pub trait Host: Language {
    /// The calling thread's mutator.
    fn mutator(&mut self) -> &mut Mutator;

    /// Calls a procedure from C. The thread is `Managed`.
    ///
    /// The arguments stand on the root stack at `args`, which is its top, and `procedure` stands just
    /// below them; the boundary takes all of them off again. `Err` means that the procedure was left
    /// otherwise than by return: the host has remembered how to go on, and the foreign call that is
    /// innermost now will return [`CallError::PendingExit`].
    fn invoke(&mut self, procedure: Value, args: Range<usize>) -> Result<Value, PendingExit>;

    /// Something went wrong on the way into or out of a callback: the host raises it when the foreign
    /// call that is innermost now returns [`CallError::PendingExit`]. Never called with
    /// `CallError::PendingExit` itself.
    fn raise_pending(&mut self, error: CallError);

    /// C raises a value: the host roots it, and raises it when the foreign call that is innermost now returns
    /// [`CallError::PendingExit`].
    fn raise_value(&mut self, v: Value);

    /// C raises the error of the system with this number: as [`Host::raise_value`].
    fn raise_errno(&mut self, errno: i32);

    /// A fresh vector of `n` elements.
    fn make_vector(&mut self, n: usize) -> Result<Value, OutOfMemory>;

    /// Gives a vector that [`Host::make_vector`] made an element. Allocates nothing.
    fn set_vector_element(&mut self, v: Value, i: usize, element: Value);

    /// Whether a value is a procedure.
    fn is_procedure(&self, v: Value) -> bool {
        v.is_procedure()
    }

    /// Whether a procedure accepts `n` arguments.
    fn accepts(&self, procedure: Value, n: usize) -> bool;

    /// The name of a procedure, for error messages.
    fn procedure_name(&self, procedure: Value) -> String;
}
