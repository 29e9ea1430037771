//! Calls from C: what the boundary asks of this engine.
//!
//! A callback runs as an activation of its own. When it is left otherwise than by return, the way it
//! was left becomes the *pending exit* of the foreign call that C is in, and is resumed when that
//! returns (module `machine::foreign`).

use std::ops::Range;

use bowline_ffi::{CallError, Host, Language, PendingExit, Types};
use bowline_gc::Mutator;
use bowline_layout::Value;
use bowline_runtime::printer::procedure_label;

use crate::machine::{Outcome, Pending, Start};
use crate::vm::Vm;

impl Language for Vm {
    fn to_double(&self, v: Value) -> Option<f64> {
        self.rt.to_double(v)
    }

    fn types(&self) -> &Types {
        self.rt.types()
    }

    fn vector_length(&self, v: Value) -> Option<usize> {
        self.rt.vector_length(v)
    }

    fn vector_element(&self, v: Value, i: usize) -> Value {
        self.rt.vector_element(v, i)
    }

    fn describe(&self, v: Value) -> String {
        Language::describe(&self.rt, v)
    }
}

impl Host for Vm {
    fn mutator(&mut self) -> &mut Mutator {
        &mut self.rt.heap
    }

    fn invoke(&mut self, _: Value, args: Range<usize>) -> Result<Value, PendingExit> {
        let (outcome, value) = self.activate(Start::Procedure, args.len());
        self.pending = Some(match outcome {
            Outcome::Returned => return Ok(value),
            Outcome::Uncaught => Pending::Uncaught,
            Outcome::Quit(status) => Pending::Quit(status),
            Outcome::Interrupted => Pending::Interrupted,
            Outcome::Throw => Pending::Throw,
        });
        Err(PendingExit)
    }

    fn raise_pending(&mut self, error: CallError) {
        self.pending = Some(Pending::Error(error.into()));
    }

    fn accepts(&self, procedure: Value, n: usize) -> bool {
        let (min, max) = self.arity_of(procedure);
        n >= min && max.is_none_or(|max| n <= max)
    }

    fn procedure_name(&self, procedure: Value) -> String {
        format!("the {}", procedure_label(&self.rt, procedure))
    }
}
