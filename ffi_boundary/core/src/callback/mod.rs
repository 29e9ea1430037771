//! From C into a procedure and back.
//!
//! Nothing unwinds through C. A procedure that is left otherwise than by return leaves a *pending
//! exit* on the innermost call (`inv:active.pending`): C gets the default, its further callbacks get
//! it at once, and what was left goes on when the foreign call has returned. A panic, which would be
//! a bug of ours, aborts at the `extern "C"` frame with its message.
//!
//! C keeps its `errno` through a callback, whatever the procedure called.
//!
//! Reading order: `pool` (where the C functions come from), then here (what one does).

pub(crate) mod pool;

use crate::active::{self, ActiveCall};
use crate::call::CallError;
use crate::convert::{self, Spot};
use crate::errno::Errno;
use crate::host::Host;
use crate::types::Repr;
use bowline_layout::Value;
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
    let word = active::with_innermost(|innermost| {
        if let Some(leaf) = innermost.filter(|innermost| innermost.leaf) {
            // inv:call.leaf. Its maker raises an error when C has returned.
            leaf.called_back.set(Some(trampoline.lender_name()));
            return plan.on_exit;
        }
        let (innermost, procedure) = match find_procedure(trampoline, innermost) {
            Ok(found) => found,
            Err(misuse) => {
                report(trampoline, misuse);
                return plan.on_exit;
            }
        };
        if innermost.pending.get() {
            return plan.on_exit;
        }
        // SAFETY: the call's maker waits for C to return and lent its host for that long
        // (inv:active.linked); no other callback of the call runs, for `inside` was false.
        let host = unsafe { &mut *innermost.host };
        innermost.inside.set(true);
        let recorded = trampoline
            .callee()
            .map(|callee| (callee, host.mutator().callback_begins()));
        host.mutator().leave_native();
        host.mutator().crossing();
        // SAFETY: the caller's.
        let done = unsafe { run(trampoline, host, procedure, args) };
        host.mutator().enter_native();
        if let Some((callee, began)) = recorded {
            host.mutator().callback_ends(began, callee);
        }
        innermost.inside.set(false);
        done.unwrap_or_else(|Exit| {
            innermost.pending.set(true);
            plan.on_exit
        })
    });
    // SAFETY: the caller's.
    unsafe { plan.give(result, word) };
    errno.set(saved);
}

/// How C can call a closure when it may not.
#[derive(Clone, Copy)]
enum Misuse {
    Late,
    OtherThread,
    NotInC,
}

/// The innermost call, and where the trampoline's procedure stands on the root stack.
fn find_procedure<'a>(
    trampoline: &Trampoline,
    innermost: Option<&'a ActiveCall>,
) -> Result<(&'a ActiveCall, usize), Misuse> {
    let (id, position) = trampoline.lent_to().ok_or(Misuse::Late)?;
    let innermost = innermost.ok_or(Misuse::OtherThread)?;
    let lender = innermost.find(id).ok_or(Misuse::OtherThread)?;
    if innermost.inside.get() {
        return Err(Misuse::NotInC);
    }
    Ok((innermost, lender.args + position))
}

/// Tells a person who can do nothing else about it.
#[cold]
fn report(trampoline: &Trampoline, misuse: Misuse) {
    let what = match misuse {
        Misuse::Late => "called after the call that lent it returned",
        Misuse::OtherThread => "called on another thread than the one that lent it",
        Misuse::NotInC => "called while its thread was not in a foreign call",
    };
    let name = trampoline.lender_name();
    let line = format!("bowline: callback from ({name}) {what}\n");
    // SAFETY: the bytes are there; a failure to write cannot be told to anybody.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}

/// The procedure was left, or there was an error that the host now has.
struct Exit;

/// Calls the procedure that stands at `procedure` on the root stack and converts its result.
///
/// # Safety
/// `args` is what libffi passes to a closure of the trampoline's type.
unsafe fn run(
    trampoline: &Trampoline,
    host: &mut dyn Host,
    procedure: usize,
    args: *const *const c_void,
) -> Result<u64, Exit> {
    let height = host.mutator().len();
    // SAFETY: the caller's.
    let called = unsafe { push_and_call(trampoline, host, procedure, args) };
    host.mutator().truncate(height);
    let value = called?;
    let plan = trampoline.plan;
    if plan.result.repr() == Repr::Void {
        return Ok(0);
    }
    let spot = &Spot::CallbackResult {
        function: trampoline.lender_name(),
        position: trampoline.lent_to().map_or(0, |(_, position)| position + 1),
    };
    convert::to_word(&*host, &plan.result, value, spot).map_err(|error| {
        host.raise_pending(CallError::Ffi(error));
        Exit
    })
}

/// # Safety
/// As for [`run`].
unsafe fn push_and_call(
    trampoline: &Trampoline,
    host: &mut dyn Host,
    procedure: usize,
    args: *const *const c_void,
) -> Result<Value, Exit> {
    let mutator = host.mutator();
    let height = mutator.len();
    let procedure = mutator.get(procedure);
    mutator.push(procedure);
    let plan = trampoline.plan;
    for (i, ctype) in plan.params.iter().enumerate() {
        // SAFETY: the caller's.
        let word = unsafe { plan.argument(args, i) };
        match convert::to_value(mutator, ctype, word) {
            Ok(value) => mutator.push(value),
            Err(error) => {
                host.raise_pending(CallError::OutOfMemory(error));
                return Err(Exit);
            }
        }
    }
    let first = height + 1;
    let procedure = mutator.get(height);
    host.invoke(procedure, first..first + plan.params.len())
        .map_err(|_| Exit)
}
