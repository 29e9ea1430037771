//! From C into a procedure and back.
//!
//! Nothing unwinds through C. A procedure that is left otherwise than by return leaves a *pending
//! exit* on the innermost call (`inv:active.pending`): C gets the default, its further callbacks get
//! it at once, and what was left goes on when the foreign call has returned. A panic, which would be
//! a bug of ours, aborts at the `extern "C"` frame with its message.
//!
//! C keeps its `errno` through a callback, whatever the procedure called.
//!
//! Reading order: `pool` (where the C functions come from), `made` (those that outlive a call), `kept` (of procedures that
//! are arguments), `env` and `entry` (functions that are told by an argument whom they are for), `door` (who may enter, and in which thread) with `guest` (threads of C's own), then here (what one does: decode, call, encode).

mod door;
mod entry;
mod env;
pub(crate) mod guest;
pub(crate) mod kept;
pub(crate) mod made;
pub(crate) mod pool;

use crate::call::CallError;
use crate::convert::{self, Spot};
use crate::errno::Errno;
use crate::error::FfiError;
use crate::handle::{Handle, HandleKind, Handles};
use crate::held::Held;
use crate::host::Host;
use crate::object;
use crate::types::{CType, Repr};
use bowline_gc::{Mutator, OutOfMemory, OwnerLabel};
use bowline_layout::Value;
pub(crate) use door::{Exit, admit};
use pool::Trampoline;
use std::ffi::c_void;

/// What a C function of the pool does when C calls it.
///
/// # Safety
/// `result` and `args` are what libffi passes to a closure of the trampoline's type.
unsafe fn enter(trampoline: &'static Trampoline, result: *mut c_void, args: *const *const c_void) {
    let errno = Errno::of_this_thread();
    let saved = errno.get();
    let plan = trampoline.plan;
    let word = door::enter(trampoline, |host| {
        // SAFETY: the caller's.
        unsafe { run(trampoline, host, result, args) }
    });
    let word = word.unwrap_or(plan.on_exit);
    // SAFETY: the caller's.
    unsafe { plan.give(result, word) };
    errno.set(saved);
}

/// Calls the procedure that stands last on the root stack and converts its result. The procedure is taken off.
///
/// # Safety
/// `result` and `args` are what libffi passes to a closure of the trampoline's type.
unsafe fn run(
    trampoline: &Trampoline,
    host: &mut dyn Host,
    result: *mut c_void,
    args: *const *const c_void,
) -> Result<u64, Exit> {
    let height = host.mutator().len() - 1;
    // SAFETY: the caller's.
    let called = unsafe { push_and_call(trampoline, host, height, args) };
    host.mutator().truncate(height);
    let value = called?;
    let plan = trampoline.plan;
    if plan.result.repr() == Repr::Void {
        return Ok(0);
    }
    let spot = &Spot::CallbackResult {
        function: trampoline.lender_name(),
        position: position(trampoline),
    };
    if plan.result == CType::Handle {
        return give_handle(host, value, spot);
    }
    let word = match plan.result.repr() {
        Repr::Aggregate => convert::struct_to_pass(&*host, &plan.result, value, spot)
            // SAFETY: the caller's for the room; inv:callback.struct for the struct.
            .map(|from| unsafe { give_struct(&plan.result, from, result) }),
        _ => convert::to_word(&*host, &plan.result, value, spot),
    };
    word.map_err(|error| {
        host.raise_pending(CallError::Ffi(error));
        Exit
    })
}

/// Which argument of its lender's call the callback is, from 1.
fn position(trampoline: &Trampoline) -> usize {
    trampoline.lent_to().map_or(0, |(_, position)| position + 1)
}

/// A handle of what a callback gives, local to the call that it was called in.
#[cold]
pub(crate) fn give_handle(host: &mut dyn Host, v: Value, spot: &Spot<'_>) -> Result<u64, Exit> {
    if let Some(bits) = host.handle_bits(v) {
        return Ok(bits);
    }
    let made = Handles::of(host.mutator()).create(v, HandleKind::Local);
    made.map(Handle::bits).map_err(|error| {
        let place = spot.place();
        let error = Some(error);
        host.raise_pending(CallError::Ffi(FfiError::Handle { place, error }));
        Exit
    })
}

/// `inv:callback.struct` A struct that a callback gives is copied to where C wants it while its pointer is live; the
/// word of the result is 1 then, and 0 for the default, which is zeros.
///
/// # Safety
/// A struct of the type is readable at `from`, and `result` is libffi's room for one.
unsafe fn give_struct(ctype: &CType, from: usize, result: *mut c_void) -> u64 {
    let from = std::ptr::with_exposed_provenance::<u8>(from);
    // SAFETY: the caller's; C's room for the result is no memory that a program has a pointer to.
    unsafe { std::ptr::copy_nonoverlapping(from, result.cast(), ctype.size().unwrap_or(0)) };
    1
}

/// A struct that C has given by value, as a pointer to a copy. May collect.
fn take_struct(
    mutator: &mut Mutator,
    ctype: &CType,
    label: OwnerLabel,
    from: u64,
) -> Result<Value, OutOfMemory> {
    let v = convert::struct_memory(mutator, ctype, label)?;
    let to = object::pointer_address(v).unwrap_or(0);
    let from = std::ptr::with_exposed_provenance::<u8>(from as usize);
    let to = std::ptr::with_exposed_provenance_mut::<u8>(to);
    // SAFETY: libffi's argument is such a struct, and the memory is fresh and as large.
    unsafe { std::ptr::copy_nonoverlapping(from, to, ctype.size().unwrap_or(0)) };
    Ok(v)
}

/// The procedure stands at `height`.
///
/// # Safety
/// As for [`run`].
unsafe fn push_and_call(
    trampoline: &Trampoline,
    host: &mut dyn Host,
    height: usize,
    args: *const *const c_void,
) -> Result<Value, Exit> {
    let spot = (trampoline.lender_name(), position(trampoline));
    let mut mutator = host.mutator();
    let plan = trampoline.plan;
    let params = plan.params.iter().enumerate();
    for (i, ctype) in params.filter(|(_, ctype)| **ctype != CType::Env) {
        // SAFETY: the caller's.
        let word = unsafe { plan.argument(args, i) };
        let value = match ctype.repr() {
            Repr::Aggregate => {
                let label = host.owner_label(Held::Argument(ctype, spot.0));
                mutator = host.mutator();
                take_struct(mutator, ctype, label, word).map_err(CallError::from)
            }
            _ => {
                let (function, position) = (spot.0, spot.1);
                let spot = &Spot::CallbackArgument {
                    function,
                    position,
                    argument: mutator.len() - height,
                };
                convert::to_value(mutator, ctype, word, spot)
            }
        };
        match value {
            Ok(value) => mutator.push(value),
            Err(error) => {
                host.raise_pending(error);
                return Err(Exit);
            }
        }
    }
    let first = height + 1;
    let procedure = mutator.get(height);
    host.invoke(procedure, first..first + plan.arguments)
        .map_err(|_| Exit)
}
