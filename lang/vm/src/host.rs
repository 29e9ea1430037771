//! Calls from C: what the boundary asks of this engine.
//!
//! A callback runs as an activation of its own. When it is left otherwise than by return, the way it
//! was left becomes the *pending exit* of the foreign call that C is in, and is resumed when that
//! returns (module `machine::foreign`).

use std::ops::Range;

use bowline_ffi::data::Exported;
use bowline_ffi::{CallError, Held, Host, Language, Pass, PendingExit, Types};
use bowline_gc::{Mutator, OutOfMemory, OwnerLabel};
use bowline_layout::{Value, WORD};
use bowline_runtime::object;
use bowline_runtime::printer::procedure_label;

use crate::machine::{Outcome, Pending, Start};
use crate::vm::{Root, Vm};

impl Language for Vm {
    fn to_double(&self, v: Value) -> Option<f64> {
        self.rt.to_double(v)
    }

    fn types(&self) -> &Types {
        self.rt.types()
    }

    fn handle_bits(&self, v: Value) -> Option<u64> {
        self.rt.handle_bits(v)
    }

    fn vector_length(&self, v: Value) -> Option<usize> {
        self.rt.vector_length(v)
    }

    fn vector_element(&self, v: Value, i: usize) -> Value {
        self.rt.vector_element(v, i)
    }

    fn exported(&self, name: &str) -> Option<Exported> {
        self.rt.exported(name)
    }

    fn describe(&self, v: Value) -> String {
        Language::describe(&self.rt, v)
    }
}

impl Vm {
    /// What C is given of a procedure that it has called: how else that ended is pending now.
    #[inline]
    fn given(&mut self, (outcome, value): (Outcome, Value)) -> Result<Value, PendingExit> {
        self.pending = Some(match outcome {
            Outcome::Returned => return Ok(value),
            Outcome::Uncaught => Pending::Uncaught,
            Outcome::Quit(status) => Pending::Quit(status),
            Outcome::Interrupted => Pending::Interrupted,
            Outcome::Throw => Pending::Throw,
        });
        Err(PendingExit)
    }
}

impl Host for Vm {
    fn mutator(&mut self) -> &mut Mutator {
        &mut self.rt.heap
    }

    fn invoke(&mut self, _: Value, args: Range<usize>) -> Result<Value, PendingExit> {
        let done = self.activate(Start::Procedure, args.len());
        self.given(done)
    }

    fn is_light(&self, procedure: Value) -> bool {
        self.heavy(procedure).is_none()
    }

    fn invoke_light(&mut self, _: Value, args: Range<usize>) -> Result<Value, PendingExit> {
        let done = self.run_light(args.len());
        self.given(done)
    }

    fn raise_pending(&mut self, error: CallError) {
        self.pending = Some(Pending::Error(error.into()));
    }

    fn raise_value(&mut self, v: Value) {
        self.set_root(Root::PendingObject, v);
        self.pending = Some(Pending::Raise);
    }

    fn raise_errno(&mut self, errno: i32) {
        self.pending = Some(Pending::System(errno));
    }

    fn make_vector(&mut self, n: usize) -> Result<Value, OutOfMemory> {
        let made = self.rt.make_vector(n, Value::FALSE);
        // The only thing that can be wrong.
        made.map_err(|_| OutOfMemory {
            requested: n.saturating_mul(WORD),
        })
    }

    fn set_vector_element(&mut self, v: Value, i: usize, element: Value) {
        object::store(&mut self.rt.heap, v, i + 1, element);
    }

    fn owner_label(&mut self, held: Held<'_>) -> OwnerLabel {
        self.label_held(held)
    }

    fn constant(&self, procedure: Value) -> Option<u64> {
        self.rt.constant_procedure(procedure)
    }

    fn kept_callback(&mut self, procedure: Value, kind: i64) -> Option<Value> {
        self.rt.kept_callback(procedure, kind)
    }

    fn keep_callback(
        &mut self,
        procedure: usize,
        kind: i64,
        callback: usize,
    ) -> Result<(), OutOfMemory> {
        let kept = self.rt.keep_callback(procedure, kind, callback);
        // The only thing that can be wrong.
        kept.map_err(|_| OutOfMemory { requested: WORD })
    }

    fn place(&mut self) -> Option<String> {
        self.place_of_call()
    }

    fn abandon(&mut self, args: usize) {
        self.abandon_above(args);
    }

    fn pass(&self) -> Option<Pass> {
        Some(Pass {
            gate: self.gate,
            guest: self.lane,
        })
    }

    fn exchange(&mut self, pass: Pass) {
        self.take_lane(pass.guest);
    }

    fn guest_begins(&mut self, mutator: Box<Mutator>) {
        self.begin_lane(mutator);
    }

    fn guest_ends(&mut self) -> Option<Box<Mutator>> {
        self.end_lane()
    }

    fn guest_failed(&mut self) {
        self.fail_as_guest();
    }

    fn accepts(&self, procedure: Value, n: usize) -> bool {
        let (min, max) = self.arity_of(procedure);
        n >= min && max.is_none_or(|max| n <= max)
    }

    fn procedure_name(&self, procedure: Value) -> String {
        format!("the {}", procedure_label(&self.rt, procedure))
    }
}
