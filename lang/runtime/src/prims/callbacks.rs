//! Callback objects: C functions that outlive the call which they are handed to C in.
//!
//! A procedure that C keeps as an argument has one callback object of each type: an association list of the types'
//! numbers, in a table whose keys are the procedures and weak. So procedure and object die together.
//!
//! Absent on purpose: procedures that are lent for a call. The boundary makes those when it converts arguments.

use bowline_ffi::{CallbackError, Maker, Place, free_callback, is_callback};
use bowline_layout::{Value, procedure};

use super::owners::label;
use crate::fault::{Fault, Result};
use crate::ffi;
use crate::kinds;
use crate::object;
use crate::primitive::{Primitive, owner, row};
use crate::printer::procedure_label;
use crate::rt::{Args, Rt, root};
use crate::table::{self, Equivalence};

const WHO: &str = "make-callback";

pub(super) const TABLE: &[Primitive] = &[
    owner("%make-callback", 2, 2, make_callback),
    row("callback?", 1, 1, |rt, a| {
        Ok(Value::bool(is_callback(rt.arg(a, 0))))
    }),
    row("callback-free!", 1, 1, |rt, a| {
        let v = rt.arg(a, 0);
        if !is_callback(v) {
            return Fault::wrong_type("callback-free!", 1, "a callback of make-callback", v);
        }
        free_callback(&mut rt.heap, v).map_err(|error| Box::new(Fault::Ffi(error.into())))?;
        Ok(Value::UNSPECIFIED)
    }),
];

/// `(procedure type)`, the type as `(callback (TYPE …) RESULT …)`
fn make_callback(rt: &mut Rt, a: Args) -> Result {
    let Some(plan) = ffi::callback_plan(rt, rt.arg(a, 1)) else {
        return Fault::wrong_type(WHO, 2, "types", rt.arg(a, 1));
    };
    let plan = plan?;
    let procedure = rt.arg(a, 0);
    if !procedure.is_procedure() {
        return Fault::wrong_type(WHO, 1, "a procedure", procedure);
    }
    let count = plan.arguments();
    if !rt.procedure_accepts(procedure, count) {
        let (function, position) = (WHO.to_owned(), 1);
        let error = CallbackError::Arity {
            place: Place::Argument { function, position },
            procedure: format!("the {}", procedure_label(rt, procedure)),
            count,
        };
        return Err(Box::new(Fault::Ffi(error.into())));
    }
    let label = label(rt, WHO);
    let gate = rt.gate;
    let (constant, by) = (constant(procedure), Maker { gate, label });
    let heap = &mut rt.heap;
    Ok(bowline_ffi::make_callback(
        heap, plan, procedure, constant, by,
    )?)
}

/// A number for what a procedure does, if it captures nothing.
fn constant(v: Value) -> Option<u64> {
    match object::type_id(v)? {
        kinds::CLOSURE if object::header(v).mixed_values() == 0 => {
            Some(object::raw(v, procedure::CODE))
        }
        // No code is there.
        kinds::PRIMITIVE => Some(!object::field(v, procedure::CAPTURED).bits()),
        _ => None,
    }
}

impl Rt {
    /// A number for what a procedure does, if it captures nothing: two of one number are the same.
    pub fn constant_procedure(&self, v: Value) -> Option<u64> {
        constant(v)
    }

    /// The callback object of the type with this number that is kept with a procedure.
    pub fn kept_callback(&mut self, procedure: Value, number: i64) -> Option<Value> {
        let table = self.roots.get(root::CALLBACKS);
        if table == Value::FALSE {
            return None;
        }
        let mut list = table::get(self, table, procedure)?;
        while list.is_pair() {
            let entry = object::car(list);
            if object::car(entry) == Value::fixnum(number) {
                return Some(object::cdr(entry));
            }
            list = object::cdr(list);
        }
        None
    }

    /// Keeps a callback object as long as a procedure lives; both stand at these positions of the root stack.
    pub fn keep_callback(&mut self, procedure: usize, number: i64, callback: usize) -> Result<()> {
        if self.roots.get(root::CALLBACKS) == Value::FALSE {
            let table = table::make(self, Equivalence::Eq, true)?;
            self.roots.set(root::CALLBACKS, table);
        }
        let entry = self.cons(Value::fixnum(number), self.at(callback))?;
        self.push(entry);
        let (table, key) = (self.roots.get(root::CALLBACKS), self.at(procedure));
        let others = table::get(self, table, key).unwrap_or(Value::NIL);
        let entry = self.pop();
        let list = self.cons(entry, others)?;
        let height = self.height();
        self.push(self.roots.get(root::CALLBACKS));
        self.push(list);
        let kept = table::set(self, height, procedure, height + 1);
        self.truncate(height);
        kept
    }
}
