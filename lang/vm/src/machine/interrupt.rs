//! Interrupts: somebody outside wants what is running to stop.
//!
//! An interrupt is a way out and no condition: no handler sees it, so `guard` with `else` in a loop
//! cannot swallow it. It leaves through the `after` thunks of every `dynamic-wind`, as `exit` does,
//! and ends the run. A second one that comes while such a thunk runs gives that thunk up and goes on
//! with those further out; so does one in a finalizer, which the program's own end follows.
//!
//! inv:vm.interrupt — requests are met where the machine polls: at every function's entry, every turn
//! of a loop, every call of a continuation, after a foreign call that the signal has woken, and in
//! primitives that may take long (`inv:interrupt.seen` of the heap brings the machine there).
//!
//! Absent on purpose: going on after an interrupt.

use super::{Outcome, Regs};
use crate::space::TraceFrame;
use crate::vm::{Root, Vm};

/// Words above the limit below which the library's procedure may still be called.
const LAST_RESORT: isize = 1536;

impl Vm {
    /// Serves whoever wants the thread (`inv:stack.limit`): a collection, another thread, an interrupt, finalizers.
    /// `Err` if the run goes on elsewhere. Nobody wants `acc`.
    pub(super) fn serve(&mut self, mut r: Regs) -> Result<Regs, Regs> {
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        self.rt.heap.poll();
        bowline_ffi::give_way(self);
        r.closure = r.sp.get(0);
        if self.interrupt_met() {
            self.uncaught_trace = self.polling(&r);
            return Err(self.leave_interrupted(r));
        }
        self.finalize(r)
    }

    /// Whether the run is to end. A guest leaves the request to the owner, for whom it was meant, and meets it once.
    fn interrupt_met(&mut self) -> bool {
        if !self.is_guest() {
            return self.rt.heap.stack().take_interrupt();
        }
        let wanted = self.interrupter.is_requested() && !self.stopped;
        self.stopped |= wanted;
        wanted
    }

    /// Ends the run because somebody wants it, through the program's winders. The instruction before
    /// `pc` is what was interrupted.
    pub(super) fn interrupt(&mut self, r: Regs) -> Regs {
        self.rt.heap.stack().take_interrupt();
        self.uncaught_trace = self.frames(&self.trace(&r));
        self.leave_interrupted(r)
    }

    /// The same where the place was noted already: further out than where it happened.
    pub(super) fn leave_interrupted(&mut self, mut r: Regs) -> Regs {
        let hook = self.root(Root::Interrupt);
        let room = r.sp.at(-LAST_RESORT).addr() <= self.stack.real_limit();
        if !hook.is_procedure() || !room {
            return self.end(r, Outcome::Interrupted);
        }
        r.push_frame(r.pc);
        r.fp = r.sp;
        r.enter(hook);
        r
    }

    /// The chain at a poll, where the running procedure may have made no call yet; what is filed under
    /// `pc` is then another's.
    fn polling(&self, r: &Regs) -> Vec<TraceFrame> {
        let chain = self.frames(&self.trace(r));
        let callers = usize::from(self.code.frame(r.pc).is_some());
        let here = self.code.running(r.pc);
        here.into_iter()
            .chain(chain.into_iter().skip(callers))
            .collect()
    }
}
