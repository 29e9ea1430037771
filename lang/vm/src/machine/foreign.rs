//! Foreign procedures: the call, its error predicate, and pending exits.

use bowline_ffi::{CType, CallError, FfiError, ForeignFunction, Held, pointer_address};
use bowline_layout::Value;
use bowline_runtime::{
    FUNCTION_FINALIZER, FUNCTION_NAME, FUNCTION_PREDICATE, Fault, errno, object,
};

use super::{Outcome, Pending, Regs};
use crate::vm::{Root, Vm};

/// Words of stack that a foreign call must leave for what its callbacks do, and for the report
/// when a further call within them is refused.
const NESTED: usize = 8192;

impl Vm {
    /// How many arguments a foreign procedure takes.
    pub(super) fn foreign_arity(&self, f: Value) -> (usize, Option<usize>) {
        let function = self.rt.foreign.function(f);
        let n = function.map_or(0, |f| f.signature.arguments());
        (n, Some(n))
    }

    /// A foreign procedure called with the words of the running frame.
    ///
    /// Inlined where the machine leaves its loop, so that the registers of a call without a hitch are never copied.
    #[inline(always)]
    pub(super) fn foreign_call(&mut self, mut r: Regs) -> Regs {
        // Nobody wants what it was, so nobody has kept it up to date (inv:vm.publish).
        r.acc = Value::UNSPECIFIED;
        // A callback needs stack of its own; on a half-full one older frames go to the heap first.
        if !self.has_room(r.sp, self.stack.half().max(NESTED)) {
            r = match self.room_for_nested(r) {
                Ok(r) => r,
                Err(elsewhere) => return elsewhere,
            };
        }
        let Some(function) = self.rt.foreign.function(r.closure) else {
            return self.control_fault(r, "a foreign procedure that is not known", r.closure);
        };
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let outer = std::mem::replace(&mut self.caller_fp, r.fp);
        let args = self.stack.index(r.fp)..self.stack.index(r.sp);
        let returned = bowline_ffi::call(function, self, args);
        self.caller_fp = outer;
        r.closure = r.sp.get(0);
        let returned = match returned {
            Ok(returned) => returned,
            Err(CallError::PendingExit) => return self.resume_pending(r),
            Err(error) => return self.fault(r, error.into()),
        };
        self.rt.errno = returned.errno;
        r.acc = returned.value;
        // The signal woke it up: what C says of that is nobody's business.
        if returned.errno == errno::EINTR && self.rt.heap.stack().interrupt_wanted() {
            return self.interrupt(r);
        }
        if !function.is_plain() {
            return self.more_returned(r, returned.outs, function);
        }
        if self.finalizers_wait() {
            r = match self.finalize(r) {
                Ok(r) => r,
                Err(elsewhere) => return elsewhere,
            };
        }
        if self.rt.errno == 0 {
            r.leave();
            return r;
        }
        // The result is also what the predicate sees.
        r.sp = r.fp;
        r.push(r.acc);
        self.foreign_returned(r)
    }

    /// The same for who does not come from the loop.
    #[inline(never)]
    pub(super) fn foreign_call_apart(&mut self, r: Regs) -> Regs {
        self.foreign_call(r)
    }

    /// Moves older frames to the heap for what callbacks do. `Err` goes on with an error.
    #[cold]
    #[inline(never)]
    fn room_for_nested(&mut self, r: Regs) -> Result<Regs, Regs> {
        let r = match self.make_room(r, self.stack.half()) {
            Ok(r) => r,
            Err((r, fault)) => return Err(self.fault(r, fault)),
        };
        // What is left below belongs to the activations that callbacks came from, and only they
        // can move it.
        if self.has_room(r.sp, NESTED) {
            return Ok(r);
        }
        let Some(function) = self.rt.foreign.function(r.closure) else {
            let message = "a foreign procedure that is not known";
            return Err(self.control_fault(r, message, r.closure));
        };
        let function = function.name.clone();
        Err(self.fault(r, Box::new(Fault::Ffi(FfiError::TooDeep { function }))))
    }

    /// The call has given its result, in the accumulator, and others that stand last on the stack. The
    /// predicate sees the result; what the call gives is all of them, without the result of a `void`, or an error
    /// number, which is an error unless it is 0.
    #[cold]
    #[inline(never)]
    fn more_returned(&mut self, mut r: Regs, outs: usize, function: &ForeignFunction) -> Regs {
        let errno = function.gives_errno();
        if errno && r.acc != Value::fixnum(0) {
            let errno = r.acc.as_fixnum().and_then(|n| i32::try_from(n).ok());
            let who = object::field(r.closure, FUNCTION_NAME);
            let errno = errno.unwrap_or(i32::MAX);
            return self.fault(r, Box::new(Fault::System { who, errno }));
        }
        if function.finalizes()
            && let Err(fault) = self.give_finalizer(&r, function)
        {
            return self.fault(r, fault);
        }
        let own = usize::from(function.signature.result != CType::Void && !errno);
        // In the frame: the result, then the others, and at last what the call gives.
        let first = r.sp.at(1);
        r.sp = r.fp;
        r.push(r.acc);
        for i in 0..outs as isize {
            r.push(first.get(i));
        }
        match own + outs {
            0 => r.acc = Value::UNSPECIFIED,
            1 => r.acc = r.fp.get(if own == 1 { 0 } else { 1 }),
            _ => match self.pack_from(&mut r, 1 - own) {
                Ok(values) => r.acc = values,
                Err(fault) => return self.fault(r, fault),
            },
        }
        match self.finalize(r) {
            Ok(mut r) => {
                r.sp = r.fp.at(1);
                self.foreign_returned(r)
            }
            Err(elsewhere) => elsewhere,
        }
    }

    /// The result, a pointer, dies with a call of the procedure that its declaration names.
    fn give_finalizer(&mut self, r: &Regs, function: &ForeignFunction) -> Result<(), Box<Fault>> {
        if pointer_address(r.acc).is_none_or(|address| address == 0) {
            return Ok(());
        }
        self.rt.owners.place = self.place_of_caller(r.fp);
        let finalizer = object::field(r.closure, FUNCTION_FINALIZER);
        let held = Held::Result(&function.signature.result, &function.name);
        self.rt.finalize_result(r.acc, finalizer, held)
    }

    /// Asks the predicate about the result, which is in slot 0, if C has set `errno`; the accumulator has
    /// what the call gives.
    #[inline(never)]
    fn foreign_returned(&mut self, mut r: Regs) -> Regs {
        let predicate = object::field(r.closure, FUNCTION_PREDICATE);
        if self.rt.errno == 0 || !predicate.is_procedure() {
            r.leave();
            return r;
        }
        let result = r.fp.get(0);
        r.fp.put(0, r.acc);
        r.push(Value::fixnum(self.rt.errno.into()));
        r.push_frame(self.stubs.foreign_check);
        r.fp = r.sp;
        r.push(result);
        r.enter(predicate);
        r
    }

    /// Where the predicate returns to: slot 0 is what the call gives, slot 1 the error number.
    pub(super) fn foreign_checked(&mut self, mut r: Regs) -> Regs {
        if r.acc.is_true() {
            let errno = r.fp.get(1).as_fixnum().unwrap_or(0) as i32;
            let who = object::field(r.closure, FUNCTION_NAME);
            return self.fault(r, Box::new(Fault::System { who, errno }));
        }
        r.acc = r.fp.get(0);
        r.leave();
        r
    }

    /// The foreign call has returned with an exit pending: goes on with that.
    fn resume_pending(&mut self, mut r: Regs) -> Regs {
        match self.pending.take() {
            Some(Pending::Throw) => {
                let k = self.root(Root::PendingKont);
                let list = self.root(Root::PendingValues);
                self.set_root(Root::PendingKont, Value::FALSE);
                self.set_root(Root::PendingValues, Value::FALSE);
                self.go_to(r, k, list, false)
            }
            Some(Pending::Quit(status)) => {
                let hook = self.root(Root::Exit);
                if !hook.is_procedure() {
                    return self.end(r, Outcome::Quit(status));
                }
                r.sp = r.fp;
                r.push(Value::fixnum(status.into()));
                r.enter(hook);
                r
            }
            Some(Pending::Interrupted) => self.leave_interrupted(r),
            Some(Pending::Uncaught) => self.end(r, Outcome::Uncaught),
            Some(Pending::Error(fault)) => self.fault(r, fault),
            Some(Pending::Raise) => {
                let object = self.root(Root::PendingObject);
                self.set_root(Root::PendingObject, Value::FALSE);
                self.raise(r, object, false)
            }
            Some(Pending::System(errno)) => {
                let who = object::field(r.closure, FUNCTION_NAME);
                self.fault(r, Box::new(Fault::System { who, errno }))
            }
            None => self.control_fault(r, "a foreign call was left without a reason", r.closure),
        }
    }
}
