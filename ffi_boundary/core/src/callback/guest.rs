//! A thread of C's own in the host: from its arrival to its departure, however it leaves.
//!
//! ```text
//!   arrive ── attached ── gate ── the host's state set up ── f ── back in the same order
//!                                                            └─ C jumps out of it: noticed when the thread
//!                                                               comes back, or ends ──► Part::end
//! ```
//!
//! `inv:guest.part` While a guest is in the host, its thread has noted with what its part began. C that jumps out of the
//! outermost callback leaves the note: what the guest has in the host, its mutator with the stack and the frames of its
//! calls, is there until the part is ended by the note, and nothing of it runs.
//!
//! Absent on purpose: jumps from an inner call into an outer one's function, which `active` has.

use super::door::Misuse;
use super::pool;
use crate::active;
use crate::guard;
use crate::handle::scope::{self, Open};
use crate::host::{Host, HostGate, Pass, Runner};
use crate::signal;
use bowline_gc::{Heap, RootStack};
use std::cell::Cell;

/// With what a guest's part in the host began.
#[derive(Clone, Copy)]
struct Part {
    pass: Pass,
    host: *mut dyn Host,
    /// A place in the frame of [`guest`]: what stands above it on the C stack is C's.
    frame: usize,
    /// The thread's root stack, and its height.
    stack: *const RootStack,
    height: usize,
    /// What local handles and scopes were open.
    open: Open,
    /// The last call that the thread had made.
    last_id: u64,
}

/// The part of this thread that has not ended (`inv:guest.part`).
struct Here(Cell<Option<Part>>);

thread_local! {
    static HERE: Here = const { Here(Cell::new(None)) };
}

impl Drop for Here {
    /// The thread ends, or ends the process: then the guest may be in the call that does it.
    fn drop(&mut self) {
        let here = 0u8;
        let jumped_over = |part: &Part| part.frame < (&raw const here).addr();
        if let Some(part) = self.0.take().filter(jumped_over) {
            tell();
            part.end();
        }
    }
}

/// Notes the part, or that there is none; returns what was noted. A thread whose variables are gone notes nothing.
fn note(part: Option<Part>) -> Option<Part> {
    HERE.try_with(|here| here.0.replace(part)).ok().flatten()
}

fn tell() {
    let callback = guard::end_all().map_or(String::new(), |callback| format!(" ({callback})"));
    signal::say(&format!(
        "bowline: C jumped (longjmp) out of a callback{callback} on a thread of its own: what it held is lost\n"
    ));
}

/// This thread, in no foreign call, has come from C, which has jumped over all the calls that it was in.
#[cold]
pub(crate) fn jumped_out() {
    tell();
    if let Some(part) = note(None) {
        part.end();
    }
}

/// A guest's part in the host, from its beginning to its end.
pub(super) fn guest<R>(
    gate: &'static HostGate,
    f: impl FnOnce(&mut dyn Host) -> R,
) -> Result<R, Misuse> {
    if !active::has_stack_for_a_guest() {
        return Err(Misuse::SmallStack);
    }
    let heap = Heap::get().ok_or(Misuse::OtherThread)?;
    let mut mutator = heap.try_attach().map_err(Misuse::NotAttached)?;
    mutator.enter_native();
    let at = gate.arrive(Runner::here(mutator.stack()))?;
    let place: *const *mut dyn Host = at.cast_const().cast();
    // SAFETY: the owner is in C and waits for the gate before it goes on, so the place where it said that its host is
    // is still there (inv:gate.one).
    let place = unsafe { *place };
    // SAFETY: as above; the gate makes the host this thread's alone.
    let host = unsafe { &mut *place };
    mutator.leave_native();
    host.guest_begins(mutator);
    let frame = (&raw const heap).addr();
    let part = host.pass().map(|pass| Part::new(pass, place, frame, host));
    let outer = note(part);
    host.mutator().enter_native();
    let done = f(host);
    note(outer);
    let mutator = host.guest_ends();
    gate.depart();
    // It may wait for a collection, and has nothing of the host.
    drop(mutator);
    Ok(done)
}

impl Part {
    fn new(pass: Pass, place: *mut dyn Host, frame: usize, host: &mut dyn Host) -> Part {
        let last_id = active::last_id();
        // What a part's end asks for goes later than the note, when the thread ends.
        pool::retire_after(last_id);
        guard::end_after(last_id);
        scope::begin();
        let mutator = host.mutator();
        Part {
            pass,
            host: place,
            frame,
            stack: mutator.stack(),
            height: mutator.len(),
            open: scope::open(),
            last_id,
        }
    }

    /// Ends the part that C has jumped out of. The thread is on its way to other things of C's.
    fn end(self) {
        let gate = self.pass.gate;
        let Some(host) = self.host_again() else {
            // The program has ended, and nothing of it is used any more.
            return;
        };
        let mutator = host.mutator();
        // SAFETY: C has jumped over all that this thread has pushed as a guest (inv:guest.part).
        unsafe { mutator.abandon_calls(std::ptr::null()) };
        pool::retire_after(self.last_id);
        scope::end_call(mutator, self.open);
        host.abandon(self.height);
        host.mutator().enter_native();
        let mutator = host.guest_ends();
        gate.depart();
        drop(mutator);
    }

    /// The host, of which this thread is the user, Managed, with what belongs to it.
    fn host_again(&self) -> Option<&'static mut dyn Host> {
        if bowline_gc::is_managed_here() {
            // The jump was out of a leaf call or a no-GC scope, which keep the gate.
            // SAFETY: inv:gate.one: the thread has the host for itself, which is where it was.
            let host = unsafe { &mut *self.host };
            host.mutator().leaf_ends();
            return Some(host);
        }
        // SAFETY: inv:guest.part: the mutator is there, and that has it.
        let stack = unsafe { &*self.stack };
        let at = self.pass.gate.take_to_depart(Runner::here(stack)).ok()?;
        let place: *const *mut dyn Host = at.cast_const().cast();
        // SAFETY: inv:gate.one, as where the guest has arrived.
        let host = unsafe { *place };
        // SAFETY: as above.
        let host = unsafe { &mut *host };
        host.exchange(self.pass);
        host.mutator().leave_native();
        Some(host)
    }
}
