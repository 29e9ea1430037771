//! Who may enter the language from C, and in which thread.
//!
//! ```text
//!   C calls a closure ─── on a thread that is in a foreign call of the host's ──► again
//!            │                                                                      │ gate, exchange, Managed
//!            └─── on a thread that C has made ──► arrive: attached                  ▼
//!                     │ gate, Managed, the host's state set up       the procedure runs ──► back in the same order
//!                     ▼
//!               the procedure runs ──► Native, the owner's state back, gate, detached
//! ```
//!
//! Whoever is let in knows nothing of threads: it has a host whose thread is Managed, and the procedure stands last
//! on the host's root stack. Who is not let in gets the callback's default, and a person gets a line.
//!
//! `inv:door.order` A thread that comes in takes the gate first and becomes Managed then (`inv:gate.native`), and whatever
//! must be true of the closure is looked at after that: its lender can retire it only with the gate.
//!
//! A guest's outermost callback has no foreign call below it that could report how it was left: the host tells of it.

use super::guest::guest;
use super::made;
use super::pool::Trampoline;
use crate::active::{self, ActiveCall, Jumped};
use crate::callback_error::{Barred, Ended};
use crate::gate::Closed;
use crate::guard;
use crate::host::{Host, HostGate};
use crate::signal;
use crate::types::Lifetime;
use bowline_gc::{HeapError, Mutator};
use bowline_layout::Value;
use std::fmt;

/// The procedure was left, or there was an error that the host now has.
pub(crate) struct Exit;

/// Lets C in: `run` gets a host whose thread is Managed, with the trampoline's procedure last on its root
/// stack, which it takes off. Nothing when no procedure ran or it was left: C gets the default.
pub(super) fn enter(
    trampoline: &'static Trampoline,
    run: impl FnOnce(&mut dyn Host) -> Result<u64, Exit>,
) -> Option<u64> {
    active::from_c(|innermost| {
        let done = match innermost {
            Some(leaf) if leaf.leaf || leaf.raw.get() > 0 => {
                // inv:call.leaf, inv:inside.raw. Its maker raises an error when C has returned.
                leaf.called_back
                    .set(Some(Barred::Callback(trampoline.lender_name())));
                return None;
            }
            Some(innermost) if shares_host(trampoline, innermost) => {
                again(trampoline, innermost, run)
            }
            _ => arrive(trampoline, run),
        };
        done.unwrap_or_else(|misuse| {
            report(trampoline, &misuse);
            None
        })
    })
}

/// Whether the closure's host is the one that made this call of the calling thread's.
fn shares_host(trampoline: &Trampoline, innermost: &ActiveCall) -> bool {
    let (Some(gate), Some(pass)) = (trampoline.gate(), innermost.pass) else {
        let lent_to = trampoline.lent_to();
        return lent_to.is_none_or(|(id, _)| innermost.find(id).is_some());
    };
    std::ptr::eq(gate, pass.gate)
}

/// C calls back on a thread that waits for it in a foreign call.
fn again(
    trampoline: &'static Trampoline,
    innermost: &ActiveCall,
    run: impl FnOnce(&mut dyn Host) -> Result<u64, Exit>,
) -> Result<Option<u64>, Misuse> {
    if let Some(ended) = trampoline.ended() {
        return Err(Misuse::Late(ended));
    }
    if innermost.inside.get() {
        return Err(Misuse::NotInC);
    }
    if innermost.pending.get() {
        return Ok(None);
    }
    // SAFETY: the call's maker waits for C to return and lent its host for that long
    // (inv:active.linked); no other callback of the call runs, for `inside` was false.
    let host = unsafe { &mut *innermost.host };
    innermost.inside.set(true);
    innermost.is_back(host);
    let jumped = (innermost.jumped.get() == Jumped::Unlinked).then_some(innermost);
    let done = inside(trampoline, host, jumped, run);
    innermost.goes_to_c();
    innermost.inside.set(false);
    let done = done?;
    if done.is_err() {
        innermost.pending.set(true);
    }
    Ok(done.ok())
}

/// C calls back on a thread of its own.
#[cold]
fn arrive(
    trampoline: &'static Trampoline,
    run: impl FnOnce(&mut dyn Host) -> Result<u64, Exit>,
) -> Result<Option<u64>, Misuse> {
    if let Some(ended) = trampoline.ended() {
        return Err(Misuse::Late(ended));
    }
    let gate = trampoline.gate().ok_or(Misuse::OtherThread)?;
    let done = guest(gate, |host| {
        inside(trampoline, host, None, |host| {
            run(host).inspect_err(|_| host.guest_failed())
        })
    })??;
    Ok(done.ok())
}

/// Lets a thread of C's own in by this gate: `f` gets the host, whose thread is Native. Who is not let in is told why.
pub(crate) fn admit<R>(
    gate: &'static HostGate,
    f: impl FnOnce(&mut dyn Host) -> R,
) -> Result<R, String> {
    guest(gate, f).map_err(|misuse| misuse.to_string())
}

/// Runs the procedure in a thread that has the gate and is Native, before and afterwards. C may have jumped back into the
/// call that it comes from.
fn inside(
    trampoline: &'static Trampoline,
    host: &mut dyn Host,
    jumped: Option<&ActiveCall>,
    run: impl FnOnce(&mut dyn Host) -> Result<u64, Exit>,
) -> Result<Result<u64, Exit>, Misuse> {
    let recorded = trampoline
        .callee()
        .map(|callee| (callee, host.mutator().callback_begins()));
    host.mutator().leave_native();
    if let Some(call) = jumped {
        call.forget_jumped(host);
    }
    let done = procedure(trampoline, host.mutator()).map(|procedure| {
        let Some(procedure) = procedure else {
            return Ok(trampoline.plan.on_exit);
        };
        host.mutator().push(procedure);
        host.mutator().crossing();
        let depth = guard::callback_begins(trampoline, host.mutator());
        let done = run(host);
        guard::callback_ends(depth, host.mutator());
        done
    });
    host.mutator().enter_native();
    if let Some((callee, began)) = recorded {
        host.mutator().callback_ends(began, callee);
    }
    done
}

/// What the closure calls; nothing while an exit is pending for the call that lent it. The thread is Managed and has the
/// gate (`inv:door.order`).
fn procedure(trampoline: &Trampoline, mutator: &Mutator) -> Result<Option<Value>, Misuse> {
    if trampoline.plan.lifetime != Lifetime::Call {
        return made::procedure(trampoline, mutator)
            .map(Some)
            .map_err(Misuse::Late);
    }
    let late = Misuse::Late(Ended::Returned);
    let Some((_, position)) = trampoline.lent_to() else {
        return Err(late);
    };
    let lender = trampoline.home().ok_or(late)?;
    Ok((!lender.pending.get()).then(|| lender.argument(position)))
}

/// How C can call a closure when it may not.
pub(super) enum Misuse {
    Late(Ended),
    OtherThread,
    NotInC,
    SmallStack,
    NotAttached(HeapError),
    Closed,
}

impl From<Closed> for Misuse {
    fn from(_: Closed) -> Self {
        Misuse::Closed
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misuse::Late(Ended::Returned) => {
                f.write_str("called after the call that lent it returned")
            }
            Misuse::Late(ended) => write!(f, "called when it had ended: {ended}"),
            Misuse::OtherThread => {
                f.write_str("called on another thread than the one that lent it")
            }
            Misuse::NotInC => f.write_str("called while its thread was not in a foreign call"),
            Misuse::SmallStack => write!(
                f,
                "called on a thread that has less than {} KiB of stack left",
                active::STACK_RESERVE >> 10
            ),
            Misuse::NotAttached(error) => {
                write!(f, "called on a thread that cannot be attached: {error}")
            }
            Misuse::Closed => f.write_str("called when the program had ended"),
        }
    }
}

/// Tells a person who can do nothing else about it.
#[cold]
fn report(trampoline: &Trampoline, misuse: &Misuse) {
    let name = trampoline.lender_name();
    let lent = match trampoline.lent_at() {
        Some(place) => format!(", lent at {place}"),
        None => String::new(),
    };
    signal::say(&format!("bowline: callback from ({name}) {misuse}{lent}\n"));
}
