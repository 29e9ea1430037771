//! Who may enter the language from C, and in which thread.
//!
//! ```text
//!   C calls a closure ──► may it?  ──no──► a line for a person; C gets the default
//!                            │ yes
//!                            ▼
//!   Native ──► Managed, the procedure on the root stack ── run ──► Native
//! ```
//!
//! Whoever is let in knows nothing of threads: it has a host whose thread is Managed, and the procedure stands
//! last on the host's root stack.

use super::pool::Trampoline;
use crate::active::{self, ActiveCall};
use crate::host::Host;

/// The procedure was left, or there was an error that the host now has.
pub(super) struct Exit;

/// Lets C in: `run` gets a host whose thread is Managed, with the trampoline's procedure last on its root
/// stack, which it takes off. Nothing when no procedure ran or it was left: C gets the default.
pub(super) fn enter(
    trampoline: &'static Trampoline,
    run: impl FnOnce(&mut dyn Host) -> Result<u64, Exit>,
) -> Option<u64> {
    active::with_innermost(|innermost| {
        if let Some(leaf) = innermost.filter(|call| call.leaf || call.raw.get() > 0) {
            // inv:call.leaf, inv:inside.raw. Its maker raises an error when C has returned.
            leaf.called_back.set(Some(trampoline.lender_name()));
            return None;
        }
        let (innermost, procedure) = match find_procedure(trampoline, innermost) {
            Ok(found) => found,
            Err(misuse) => {
                report(trampoline, misuse);
                return None;
            }
        };
        if innermost.pending.get() {
            return None;
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
        let procedure = host.mutator().get(procedure);
        host.mutator().push(procedure);
        let done = run(host);
        host.mutator().enter_native();
        if let Some((callee, began)) = recorded {
            host.mutator().callback_ends(began, callee);
        }
        innermost.inside.set(false);
        if done.is_err() {
            innermost.pending.set(true);
        }
        done.ok()
    })
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
