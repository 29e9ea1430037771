//! Finalizers: procedures that are called with the C pointers that they were attached to, once those
//! are dead.
//!
//! inv:vm.finalize — they run where the program itself is between two steps and no C is below: at a
//! function's entry, at a loop's turn, after a foreign call, and when the program asks. Never inside
//! a collection, and never while a foreign call is active, whose C code may hold a lock that a
//! finalizer's foreign call needs; what dies meanwhile waits for its return.
//!
//! Each runs as an activation of its own, with the dynamic state that a program starts with: the
//! handlers and parameters of whatever was interrupted are no concern of a finalizer's. What it raises
//! and does not handle is told, and then the program goes on; a jump out of it is such an error.
//! `exit` ends the program, and so does an interrupt, which gives the finalizer up.
//!
//! Absent on purpose: running those that wait when the program ends (ADR 0020).

use bowline_layout::Value;

use super::{Outcome, Regs, Start};
use crate::vm::{Root, Vm};

/// How a finalizer ends the program that it interrupts.
enum Ending {
    Quit(i32),
    Interrupted,
}

impl Vm {
    /// Whether there are finalizers to run, and they may run now (inv:vm.finalize).
    #[inline]
    pub(super) fn finalizers_wait(&self) -> bool {
        let no_c_below = self.activations.len() == 1 && !self.is_guest();
        no_c_below && !self.overdraft && self.rt.heap().finalizable()
    }

    /// Runs the finalizers that wait, if they may run now. The registers are good afterwards as they
    /// were before, `acc` included; `Err` if the program is ending instead.
    #[inline]
    pub(super) fn finalize(&mut self, r: Regs) -> Result<Regs, Regs> {
        if self.finalizers_wait() {
            self.run_finalizers(r)
        } else {
            Ok(r)
        }
    }

    #[cold]
    #[inline(never)]
    fn run_finalizers(&mut self, r: Regs) -> Result<Regs, Regs> {
        let mut r = match self.make_room(r, self.stack.half()) {
            Ok(r) => r,
            // A full heap: the program comes first.
            Err((r, _)) => return Ok(r),
        };
        // inv:vm.publish, and what is the program's own.
        let kept = [
            r.closure,
            r.acc,
            self.root(Root::Dyn),
            self.root(Root::Winders),
        ];
        for (i, v) in kept.into_iter().enumerate() {
            r.sp.put(i as isize, v);
        }
        self.stack.publish(r.sp.at(kept.len() as isize));
        let errno = self.rt.errno;
        let outer = std::mem::replace(&mut self.caller_fp, r.fp);
        self.set_root(Root::Dyn, self.root(Root::OuterDyn));
        self.set_root(Root::Winders, Value::NIL);
        let mut ending = None;
        // Those that become ready meanwhile have to wait: a finalizer that attaches itself again would
        // otherwise keep the program from going on.
        for _ in 0..self.rt.heap().finalizers_waiting() {
            let Some((pointer, procedure)) = self.rt.heap.next_finalizable() else {
                break;
            };
            ending = self.run_finalizer(pointer, procedure);
            if ending.is_some() {
                break;
            }
        }
        self.got_away();
        self.caller_fp = outer;
        self.rt.errno = errno;
        r.closure = r.sp.get(0);
        r.acc = r.sp.get(1);
        self.set_root(Root::Dyn, r.sp.get(2));
        self.set_root(Root::Winders, r.sp.get(3));
        match ending {
            None => Ok(r),
            Some(Ending::Quit(status)) => Err(self.quit(r, status)),
            Some(Ending::Interrupted) => Err(self.leave_interrupted(r)),
        }
    }

    /// Calls a finalizer; says how the program ends if it does.
    fn run_finalizer(&mut self, pointer: Value, procedure: Value) -> Option<Ending> {
        let height = self.rt.height();
        self.rt.push(procedure);
        self.rt.push(pointer);
        let (outcome, _) = self.activate(Start::Finalizer, 1);
        self.rt.truncate(height);
        match outcome {
            // `go_to` has refused a throw, and so it ended with a fault.
            Outcome::Returned | Outcome::Throw => None,
            Outcome::Quit(status) => Some(Ending::Quit(status)),
            Outcome::Interrupted => Some(Ending::Interrupted),
            Outcome::Uncaught => {
                let object = self.root(Root::Uncaught);
                let trace = std::mem::take(&mut self.uncaught_trace);
                self.reporter.finalizer_failed(&mut self.rt, object, trace);
                self.set_root(Root::Uncaught, Value::FALSE);
                None
            }
        }
    }

    /// Ends the program from where it was interrupted, through its own winders.
    fn quit(&mut self, mut r: Regs, status: i32) -> Regs {
        let hook = self.root(Root::Exit);
        if !hook.is_procedure() {
            return self.end(r, Outcome::Quit(status));
        }
        r.push_frame(r.pc);
        r.fp = r.sp;
        r.push(Value::fixnum(status.into()));
        r.enter(hook);
        r
    }
}
