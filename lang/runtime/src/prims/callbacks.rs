//! Callback objects: C functions that outlive the call which they are handed to C in.
//!
//! Absent on purpose: procedures that are lent for a call. The boundary makes those when it converts arguments.

use bowline_ffi::{CallbackError, Place, free_callback, is_callback};
use bowline_layout::Value;

use super::owners::label;
use crate::fault::{Fault, Result};
use crate::ffi;
use crate::primitive::{Primitive, owner, row};
use crate::printer::procedure_label;
use crate::rt::{Args, Rt};

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
    let Some(expr) = ffi::type_expr(rt, rt.arg(a, 1), 0) else {
        return Fault::wrong_type(WHO, 2, "types", rt.arg(a, 1));
    };
    let callback = expr.parse_lasting_callback(&mut rt.foreign.types)?;
    let procedure = rt.arg(a, 0);
    if !procedure.is_procedure() {
        return Fault::wrong_type(WHO, 1, "a procedure", procedure);
    }
    let count = callback.params.len();
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
    Ok(bowline_ffi::make_callback(
        &mut rt.heap,
        &callback,
        procedure,
        gate,
        label,
    )?)
}
