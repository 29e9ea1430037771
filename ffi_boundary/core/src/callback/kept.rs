//! Procedures that are arguments and that C keeps beyond the call: callback objects are made of them before anything is
//! lent.
//!
//! `inv:kept.place` A callback object takes the place of its procedure among the arguments, so it lives while the call
//! does, and what C gets is read from it when arguments are converted. Those of a call have theirs before any
//! address is taken (`inv:call.lent`).
//!
//! The same procedure has the same function for as long as it lives, if the lifetime is `gc` or `forever`: the host keeps
//! the object with it. One for `once` is made for each call, and ended if that is not made after all.

use super::made::{self, Maker};
use super::pool::Plan;
use crate::call::CallError;
use crate::callback_error::CallbackError;
use crate::convert::{self, Spot};
use crate::error::FfiError;
use crate::function::{ForeignFunction, Way};
use crate::held::Held;
use crate::host::Host;
use crate::types::{CType, Lifetime};
use bowline_layout::Value;

/// Makes callback objects of the procedures among the arguments, which begin at `start` on the root stack. May collect.
#[cold]
pub(crate) fn prepare(
    function: &ForeignFunction,
    host: &mut dyn Host,
    start: usize,
) -> Result<(), CallError> {
    let mut next = 0;
    let params = function.signature.params.iter().zip(&function.ways);
    for (param, way) in params {
        let argument = next;
        next += way.arguments();
        let Way::Kept(plan) = way else { continue };
        match object_for(function, host, &param.ctype, plan, (start, argument)) {
            Ok(made) => host.mutator().set(start + argument, made),
            Err(error) => {
                end_before(function, host, start, argument);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The function is not called after all.
#[cold]
pub(crate) fn take_back(function: &ForeignFunction, host: &mut dyn Host, start: usize) {
    end_before(function, host, start, function.arguments);
}

/// Ends what was made of arguments before this one for one call of C's.
fn end_before(function: &ForeignFunction, host: &mut dyn Host, start: usize, end: usize) {
    let mut next = 0;
    for way in &function.ways {
        let argument = next;
        next += way.arguments();
        if let Way::Kept(plan) = way
            && plan.lifetime == Lifetime::Once
            && argument < end
        {
            let made = host.mutator().get(start + argument);
            // It is live: nobody else has it.
            let _ = made::free_callback(host.mutator(), made);
        }
    }
}

/// A callback object for the procedure that is this argument.
fn object_for(
    function: &ForeignFunction,
    host: &mut dyn Host,
    ctype: &CType,
    plan: &'static Plan,
    (start, argument): (usize, usize),
) -> Result<Value, CallError> {
    let spot = &Spot::Argument {
        function: &function.name,
        position: argument + 1,
    };
    let at = start + argument;
    let procedure = host.mutator().get(at);
    check(host, ctype, plan, procedure, spot)?;
    let shared = plan.lifetime != Lifetime::Once;
    if shared
        && let Some(kept) = host.kept_callback(procedure, plan.number())
        && made::address(kept).is_some()
    {
        return Ok(kept);
    }
    let by = Maker {
        gate: host.pass().map(|pass| pass.gate),
        label: host.owner_label(Held::Callback(&function.name)),
    };
    let constant = host.constant(procedure);
    let made = made::make(host.mutator(), plan, procedure, constant, by, spot)?;
    if !shared {
        return Ok(made);
    }
    host.mutator().push(made);
    let made_at = host.mutator().len() - 1;
    let kept = host.keep_callback(at, plan.number(), made_at);
    let made = host.mutator().pop();
    if let Err(error) = kept {
        let _ = made::free_callback(host.mutator(), made);
        return Err(error.into());
    }
    Ok(made)
}

/// That C can call `v`, the argument at `spot`, as the plan says.
#[inline(always)]
pub(crate) fn check(
    host: &dyn Host,
    ctype: &CType,
    plan: &Plan,
    v: Value,
    spot: &Spot<'_>,
) -> Result<(), FfiError> {
    if !host.is_procedure(v) {
        return Err(convert::wrong_type(host, ctype, v, spot));
    }
    let count = plan.arguments;
    if !host.accepts(v, count) {
        let error = CallbackError::Arity {
            place: spot.place(),
            procedure: host.procedure_name(v),
            count,
        };
        return Err(error.into());
    }
    Ok(())
}
