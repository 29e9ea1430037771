//! The engine's other threads: those that C has made and that call back.
//!
//! inv:vm.lane — one thread at a time uses the engine (`inv:gate.one` of the boundary). What belongs to a thread, its
//! mutator with the stack and what the machine notes of that, is its *lane*. That of the thread that uses the engine
//! stands in the `Vm` itself, those of the others are parked; they are exchanged where another thread than the last
//! one goes on, which is always between two instructions, at a foreign call or at a poll, where nothing of the lane is
//! held elsewhere.
//!
//! ```text
//!   begin_lane                         take_lane                       end_lane
//! (nothing) ────► in use, the owner's parked ◄────► parked, another's in use ────► (nothing), the owner's in use
//! ```
//!
//! A guest's stack begins with the machine's own words, as the owner's does: the hooks are the same, the dynamic state
//! is the one that a program starts with, and nothing is wound. Its activations have numbers of their own, so that a
//! continuation tells which thread it belongs to.
//!
//! What a guest's outermost callback leaves behind has no foreign call to go on in: what nobody has handled is told, and
//! `exit` ends the process.
//!
//! Absent on purpose: running two lanes at once.

use bowline_gc::Mutator;
use bowline_layout::Value;

use super::{Activation, Barrier, Outcome, Pending, Regs};
use crate::raw::{Limit, Sp, Stack};
use crate::space::TraceFrame;
use crate::vm::{ROOTS, Root, Vm};

/// The lane of the thread that the engine belongs to.
pub(crate) const OWNER: u64 = 0;

/// What belongs to a thread.
pub(crate) struct Lane {
    number: u64,
    heap: Box<Mutator>,
    errno: i32,
    stack: Stack,
    limit: Limit,
    regs: Regs,
    floor: Sp,
    barriers: Vec<Barrier>,
    caller_fp: Sp,
    activations: Vec<Activation>,
    outcome: Outcome,
    pending: Option<Pending>,
    uncaught_trace: Vec<TraceFrame>,
    full: u32,
    overdraft: bool,
    stopped: bool,
}

impl Vm {
    /// Whether the thread that uses the engine is one that C has made.
    #[inline]
    pub(crate) fn is_guest(&self) -> bool {
        self.lane != OWNER
    }

    /// Exchanges the lane in use for this one.
    fn swap(&mut self, lane: &mut Lane) {
        use std::mem::swap;
        swap(&mut self.lane, &mut lane.number);
        swap(&mut self.rt.heap, &mut lane.heap);
        swap(&mut self.rt.errno, &mut lane.errno);
        swap(&mut self.stack, &mut lane.stack);
        swap(&mut self.limit, &mut lane.limit);
        swap(&mut self.regs, &mut lane.regs);
        swap(&mut self.floor, &mut lane.floor);
        swap(&mut self.barriers, &mut lane.barriers);
        swap(&mut self.caller_fp, &mut lane.caller_fp);
        swap(&mut self.activations, &mut lane.activations);
        swap(&mut self.outcome, &mut lane.outcome);
        swap(&mut self.pending, &mut lane.pending);
        swap(&mut self.uncaught_trace, &mut lane.uncaught_trace);
        swap(&mut self.full, &mut lane.full);
        swap(&mut self.overdraft, &mut lane.overdraft);
        swap(&mut self.stopped, &mut lane.stopped);
    }

    /// The thread of this lane goes on.
    pub(crate) fn take_lane(&mut self, number: u64) {
        let at = self.parked.iter().position(|lane| lane.number == number);
        if let Some(at) = at {
            let mut lane = self.parked.swap_remove(at);
            self.swap(&mut lane);
            self.parked.push(lane);
        }
    }

    /// A thread that C has made begins with an empty stack.
    pub(crate) fn begin_lane(&mut self, heap: Box<Mutator>) {
        self.last_lane += 1;
        let stack = Stack::new(heap.stack());
        let base = stack.base();
        // The lane in use may be that of a guest that C has jumped out of, and gone.
        let owner = self.parked.iter().find(|lane| lane.number == OWNER);
        let owner = owner.map_or(self.stack, |lane| lane.stack);
        for i in 0..ROOTS as isize {
            heap.stack().push(owner.base().get(i));
        }
        let mut lane = Lane {
            number: self.last_lane,
            heap,
            errno: 0,
            stack,
            limit: stack.limit(),
            regs: Regs::at_rest(self.stubs.halt, base),
            floor: base.at(ROOTS as isize),
            barriers: Vec::new(),
            caller_fp: base,
            activations: Vec::new(),
            outcome: Outcome::Returned,
            pending: None,
            uncaught_trace: Vec::new(),
            full: 0,
            overdraft: false,
            stopped: false,
        };
        self.swap(&mut lane);
        self.parked.push(lane);
        self.watch_stack(ROOTS);
        self.set_root(Root::Dyn, self.root(Root::OuterDyn));
        self.set_root(Root::Winders, Value::NIL);
        for root in [
            Root::Uncaught,
            Root::PendingKont,
            Root::PendingValues,
            Root::PendingObject,
        ] {
            self.set_root(root, Value::FALSE);
        }
    }

    /// The thread that uses the engine, which C has made, is done. Returns its mutator; the lane in use is the owner's.
    pub(crate) fn end_lane(&mut self) -> Option<Box<Mutator>> {
        self.got_away();
        let at = self.parked.iter().position(|lane| lane.number == OWNER)?;
        let mut lane = self.parked.swap_remove(at);
        self.swap(&mut lane);
        Some(lane.heap)
    }

    /// Whether one of the activations of another thread, for which `live` is asked with its number, is meant. An
    /// outermost one of the owner's is, wherever that is.
    pub(super) fn is_elsewhere(&self, live: &impl Fn(&u64) -> bool) -> bool {
        let mut others = self.parked.iter().flat_map(|lane| &lane.activations);
        (self.is_guest() && live(&OWNER)) || others.any(|activation| live(&activation.id))
    }

    /// The outermost callback of a guest was left otherwise than by return.
    pub(crate) fn fail_as_guest(&mut self) {
        match self.pending.take() {
            Some(Pending::Uncaught) => {}
            Some(Pending::Error(fault)) => {
                let object = self.rt.condition_of(fault);
                self.set_root(Root::Uncaught, object);
            }
            Some(Pending::Quit(status)) => self.quit_as_guest(status),
            // The owner's run ends by the same request.
            Some(Pending::Interrupted) | None => return,
            // Nothing further out can be thrown to, and what C raises is raised where its call returns.
            Some(Pending::Throw | Pending::Raise | Pending::System(_)) => return,
        }
        let object = self.root(Root::Uncaught);
        let trace = std::mem::take(&mut self.uncaught_trace);
        let reporter = std::rc::Rc::clone(&self.reporter);
        reporter.guest_failed(&mut self.rt, object, trace);
        self.set_root(Root::Uncaught, Value::FALSE);
        self.got_away();
    }

    /// Ends the process, for the owner may be waiting for this very thread.
    fn quit_as_guest(&mut self, status: i32) -> ! {
        let reporter = std::rc::Rc::clone(&self.reporter);
        let status = reporter.guest_quits(&mut self.rt, status);
        self.gate.close();
        // What runs at the exit finds the thread in foreign code, as when C ends the process.
        self.rt.heap.enter_native();
        std::process::exit(status)
    }
}
