//! Entering the machine from Rust, and leaving it.
//!
//! Each entry (the program, or a callback from C) is an *activation* with a number of its own. Its
//! frames stand above a base on the value stack that keeps what the caller needs back: the dynamic
//! state, the winders, and the reference to what the activation has captured (module `kont`).
//!
//! ```text
//!            run / invoke
//! (nothing) ──────────────► running ──► Returned   the value
//!                              │
//!                              ├──────► Uncaught   an object that nobody handles
//!                              ├──────► Quit       the program wants to end
//!                              ├──────► Interrupted  somebody outside wants it to end
//!                              └──────► Throw      to a continuation further out
//! ```
//!
//! The last four, in an activation that C entered, become its caller's *pending exit*: they are
//! resumed where the foreign call returns. For what they mean in a finalizer see `finalize`.

use bowline_layout::Value;

use super::{Regs, execute};
use crate::raw::{Pc, Sp};
use crate::vm::{Root, Vm};

/// The number of every activation of the owner's that has no C below it (a guest always has). They run one after another and nothing is
/// lost when one ends, so a continuation of an earlier one may be entered in a later one: it then
/// returns to whoever started that, as at a prompt.
const OUTERMOST: u64 = 0;

/// Words of an activation's base.
pub(super) const BASE: isize = 6;
/// The word of it to which its first frame returns.
pub(super) const RETURN: isize = 4;

/// One entry from Rust.
pub(crate) struct Activation {
    /// Its number; no two have the same but the outermost ones.
    pub(crate) id: u64,
    /// Where its first frame's arguments are.
    pub(crate) floor: Sp,
    /// The frame of the outer activation that it was entered from.
    pub(crate) caller_fp: Sp,
    /// Whether the outer activation has nothing to do with it, but for being interrupted.
    pub(crate) interrupts: bool,
}

/// How a run of the loop ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// By return.
    Returned,
    /// With the object in `Root::Uncaught`.
    Uncaught,
    /// With this exit status.
    Quit(i32),
    /// Because it was interrupted.
    Interrupted,
    /// For the continuation and the values in `Root::PendingKont` and `Root::PendingValues`.
    Throw,
}

/// What to do when the foreign call that is innermost now returns.
#[derive(Debug)]
pub(crate) enum Pending {
    /// End the run with the object in `Root::Uncaught`.
    Uncaught,
    /// End the program.
    Quit(i32),
    /// End the run, which was interrupted.
    Interrupted,
    /// Go on to the continuation in `Root::PendingKont`.
    Throw,
    /// Raise this.
    Error(Box<bowline_runtime::Fault>),
    /// Raise what is in `Root::PendingObject`.
    Raise,
    /// Raise the error of the system with this number.
    System(i32),
}

/// What an activation runs.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// A unit's entry function.
    Entry(Pc),
    /// A procedure, on the root stack at the position below its arguments.
    Procedure,
    /// The same for a finalizer, which interrupts the running activation.
    Finalizer,
}

impl Vm {
    /// Runs a new activation with the `n` top words of the root stack as arguments. They stay.
    pub(crate) fn activate(&mut self, start: Start, n: usize) -> (Outcome, Value) {
        let base = self.stack.top();
        self.fill_base(base);
        let floor = base.at(BASE);
        for i in 0..n as isize {
            floor.put(i, base.at(-(n as isize)).get(i));
        }
        let mut r = Regs {
            pc: self.stubs.halt,
            sp: floor.at(n as isize),
            fp: floor,
            acc: Value::UNSPECIFIED,
            closure: Value::FALSE,
        };
        match start {
            Start::Entry(pc) => r.pc = pc,
            Start::Procedure | Start::Finalizer => r.enter(base.get(-(n as isize) - 1)),
        }
        let outer = self.floor;
        self.begin_activation(floor, matches!(start, Start::Finalizer));
        self.outcome = Outcome::Returned;
        self.regs = r;
        let value = execute(self);
        self.end_activation(base, outer, value)
    }

    /// Writes what stands below an activation's first frame.
    pub(super) fn fill_base(&self, base: Sp) {
        base.put(0, self.root(Root::Dyn));
        base.put(1, self.root(Root::Winders));
        base.put(2, Value::fixnum(0));
        base.put(3, Value::NIL);
        base.put(RETURN, self.stubs.underflow.value());
        base.put(5, Value::fixnum(0));
    }

    /// What runs above `floor` is an activation.
    pub(super) fn begin_activation(&mut self, floor: Sp, interrupts: bool) {
        self.floor = floor;
        let id = if self.activations.is_empty() && !self.is_guest() {
            OUTERMOST
        } else {
            self.next_activation += 1;
            self.next_activation
        };
        self.activations.push(Activation {
            id,
            floor,
            caller_fp: self.caller_fp,
            interrupts,
        });
    }

    /// The innermost activation is over; `outer` is the floor of the one around it.
    pub(super) fn end_activation(&mut self, base: Sp, outer: Sp, value: Value) -> (Outcome, Value) {
        self.activations.pop();
        self.drop_barriers(base.at(BASE));
        self.floor = outer;
        self.overdraft = false;
        self.set_root(Root::Dyn, base.get(0));
        self.set_root(Root::Winders, base.get(1));
        self.stack.publish(base);
        (
            std::mem::replace(&mut self.outcome, Outcome::Returned),
            value,
        )
    }

    /// C has jumped over the activations that began above the word at `index` of the stack: nothing of them goes on. What
    /// was entered from is as it was then.
    pub(crate) fn abandon_above(&mut self, index: usize) {
        self.pending = None;
        self.uncaught_trace.clear();
        let began_above = |a: &Activation| self.stack.index(a.floor) > index;
        let Some(first) = self.activations.iter().position(began_above) else {
            return;
        };
        let Activation {
            floor, caller_fp, ..
        } = self.activations[first];
        self.activations.truncate(first);
        self.drop_barriers(floor);
        self.caller_fp = caller_fp;
        if let Some(outer) = self.activations.last() {
            self.floor = outer.floor;
        }
        self.overdraft = false;
        self.outcome = Outcome::Returned;
        let base = floor.at(-BASE);
        self.set_root(Root::Dyn, base.get(0));
        self.set_root(Root::Winders, base.get(1));
        self.stack.publish(base);
    }

    /// The number of the running activation.
    pub(super) fn activation_id(&self) -> u64 {
        self.activations.last().map_or(OUTERMOST, |a| a.id)
    }

    /// The winders with which the running activation was entered.
    pub(super) fn entry_winders(&self) -> Value {
        self.floor.get(-5)
    }
}
