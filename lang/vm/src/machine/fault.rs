//! What happens when something fails: a fault becomes a condition with a call chain, and the
//! library's raise procedure is called with it as if from the failing instruction.
//!
//! A full heap is reported with a reserve lent, so that handlers have memory to run in. When the program
//! has got out of the place that filled the heap, it is kept back again; a program that meets a full
//! heap time after time without ever leaving ends.
//!
//! Nothing here fails in turn: without room for the call chain the condition goes without one, and
//! without a raise procedure (before the library has installed it) the run ends.

use bowline_layout::Value;
use bowline_runtime::{Fault, TRACE, is_condition, object};

use super::{Outcome, Regs};
use crate::vm::{Root, Vm};

/// Words above the limit below which a handler may still be called.
const LAST_RESORT: isize = 1536;

/// Bytes of memory kept back for reporting a full heap.
pub(crate) const RESERVE: usize = 256 << 10;
/// How often a full heap is reported to who has not got away before the run ends.
const PATIENCE: u32 = 8;

impl Vm {
    /// Goes on with a fault.
    #[cold]
    #[inline(never)]
    pub(super) fn fault(&mut self, mut r: Regs, fault: Box<Fault>) -> Regs {
        self.begin_fully();
        if let Fault::Exit(status) = *fault {
            return self.end(r, Outcome::Quit(status));
        }
        if let Fault::Interrupt { unwound } = *fault {
            return match unwound {
                true => self.end(r, Outcome::Interrupted),
                false => self.interrupt(r),
            };
        }
        let continuable = matches!(
            *fault,
            Fault::Raise {
                continuable: true,
                ..
            }
        );
        if matches!(*fault, Fault::OutOfMemory) {
            self.rt.heap().lend_reserve();
            self.full += 1;
            if self.full > PATIENCE {
                let condition = self.rt.out_of_memory_condition();
                return self.uncaught(r, condition);
            }
        }
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let object = self.rt.condition_of(fault);
        r.closure = r.sp.get(0);
        self.raise(r, object, continuable)
    }

    /// Raises an object.
    pub(super) fn raise(&mut self, mut r: Regs, mut object: Value, continuable: bool) -> Regs {
        if is_condition(object)
            && object::field(object, TRACE) == Value::FALSE
            && object != self.rt.out_of_memory_condition()
        {
            object = self.add_trace(&mut r, object);
        }
        let hook = self.root(Root::Raise);
        let room = r.sp.at(-LAST_RESORT).addr() <= self.stack.real_limit();
        if !hook.is_procedure() || !room {
            return self.uncaught(r, object);
        }
        r.push_frame(r.pc);
        r.fp = r.sp;
        r.push(object);
        r.push(Value::bool(continuable));
        r.enter(hook);
        r
    }

    /// Gives a condition the call chain of this moment; it may have moved meanwhile.
    fn add_trace(&mut self, r: &mut Regs, condition: Value) -> Value {
        let frames = self.trace(r);
        r.push(condition);
        let list = self.trace_list(r, &frames);
        let condition = r.pop();
        if let Ok(list) = list {
            self.rt.set_condition_trace(condition, list);
        }
        condition
    }

    /// Ends the run with an object that nobody handles.
    pub(super) fn uncaught(&mut self, r: Regs, object: Value) -> Regs {
        self.set_root(Root::Uncaught, object);
        self.uncaught_trace = match self.condition_trace(object) {
            Some(frames) => frames,
            None => self.frames(&self.trace(&r)),
        };
        self.end(r, Outcome::Uncaught)
    }

    /// The program has left the place where the heap was full, if it was there.
    pub(crate) fn got_away(&mut self) {
        if self.full > 0 {
            self.full = 0;
            self.rt.heap().take_reserve_back();
        }
    }

    /// Leaves the loop; whoever entered it looks at the outcome.
    pub(super) fn end(&mut self, mut r: Regs, outcome: Outcome) -> Regs {
        self.outcome = outcome;
        r.pc = self.stubs.halt;
        r
    }
}
