//! The primitives that only the machine can carry out.
//!
//! Each runs in a frame of its own, entered through the stub of all primitives: the arguments are
//! the words from `fp` to `sp`. It either returns, or calls a procedure in its place, or calls one
//! and leaves a stub as return address.

use bowline_layout::Value;
use bowline_runtime::{ControlOp, Fault, PIECE, Result, kinds, object, short_length};

use super::Regs;
use crate::vm::{Root, Vm};

/// Elements of a list that are copied between two polls (inv:walk.piece): a step here reads and writes.
const COPIED: usize = PIECE / 2;

impl Vm {
    /// Carries out `op`; the number of arguments is right.
    pub(super) fn control(&mut self, mut r: Regs, op: ControlOp) -> Regs {
        // Nobody wants what it was, so nobody has kept it up to date (inv:vm.publish).
        r.acc = Value::UNSPECIFIED;
        r.acc = match op {
            ControlOp::Apply => return self.apply(r),
            ControlOp::CallCc => return self.call_cc(r),
            ControlOp::CallWithValues => return self.call_with_values(r),
            ControlOp::WithDyn => return self.with_dyn(r),
            ControlOp::Throw => return self.throw(r),
            ControlOp::Uncaught => {
                let object = r.fp.get(0);
                return self.uncaught(r, object);
            }
            ControlOp::KontWinders | ControlOp::KontDyn => return self.kont_field(r, op),
            ControlOp::InstallHook => return self.install(r),
            ControlOp::Values if r.argc() == 1 => r.fp.get(0),
            ControlOp::Values => match self.pack(&mut r) {
                Ok(values) => values,
                Err(fault) => return self.fault(r, fault),
            },
            ControlOp::Trace => {
                let frames = self.trace(&r);
                match self.trace_list(&mut r, &frames) {
                    Ok(list) => list,
                    Err(fault) => return self.fault(r, fault),
                }
            }
            ControlOp::Dyn => self.root(Root::Dyn),
            ControlOp::Winders => self.root(Root::Winders),
            ControlOp::ActivationWinders => self.entry_winders(),
            ControlOp::SetWinders => {
                self.set_root(Root::Winders, r.fp.get(0));
                Value::UNSPECIFIED
            }
            ControlOp::RunFinalizers => match self.finalize(r) {
                Ok(done) => {
                    r = done;
                    Value::UNSPECIFIED
                }
                Err(elsewhere) => return elsewhere,
            },
            ControlOp::ForeignCall => return self.foreign_call_apart(r),
        };
        r.leave();
        r
    }

    /// `(apply f arg … list)`
    fn apply(&mut self, r: Regs) -> Regs {
        let argc = r.argc();
        let list = if argc == 1 {
            Value::NIL
        } else {
            r.fp.get(argc as isize - 1)
        };
        let mut r = r;
        let length = match short_length(list) {
            Some(length) => length,
            None => self.long_length(&mut r, list),
        };
        let Some(len) = length else {
            let list = r.fp.get(argc as isize - 1);
            return self.wrong_type(r, "apply", argc, "a list", list);
        };
        let mut r = match self.make_room(r, len) {
            Ok(r) => r,
            Err((r, fault)) => return self.fault(r, fault),
        };
        if r.sp.at(len as isize).addr() > self.stack.real_limit() {
            let message = "apply: more arguments than the stack has room for";
            return self.control_fault(r, message, Value::fixnum(len as i64));
        }
        let mut list = if argc == 1 { Value::NIL } else { r.pop() };
        let mut f = r.fp.get(0);
        let direct = r.argc() - 1;
        r.fp.take(r.fp.at(1), direct);
        r.sp = r.fp.at(direct as isize);
        while push_piece(&mut r, &mut list) {
            self.poll_keeping(&mut r, [&mut f, &mut list]);
        }
        self.enter_checked(r, f, "apply", 1)
    }

    /// Polls. `values` are kept meanwhile, and are where they are afterwards (inv:vm.publish).
    fn poll_keeping<const N: usize>(&mut self, r: &mut Regs, values: [&mut Value; N]) {
        if !self.rt.heap.stack().poll_wanted() {
            return;
        }
        r.sp.put(0, r.closure);
        for (i, v) in (1..).zip(&values) {
            r.sp.put(i, **v);
        }
        self.stack.publish(r.sp.at(1 + N as isize));
        self.rt.heap.poll();
        r.closure = r.sp.get(0);
        for (i, v) in (1..).zip(values) {
            *v = r.sp.get(i);
        }
    }

    /// The length of a list, with polls.
    fn long_length(&mut self, r: &mut Regs, list: Value) -> Option<usize> {
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let at = self.rt.height();
        self.rt.push(list);
        let length = self.rt.list_length(at);
        self.rt.truncate(at);
        r.closure = r.sp.get(0);
        length
    }

    /// Goes to `f`, whose arguments are the running frame's words, if it is a procedure.
    fn enter_checked(&mut self, mut r: Regs, f: Value, who: &'static str, at: usize) -> Regs {
        if f.is_procedure() {
            r.enter(f);
            r
        } else {
            self.not_a_procedure(r, who, at, f)
        }
    }

    /// `(call-with-values producer consumer)`
    fn call_with_values(&mut self, mut r: Regs) -> Regs {
        let (producer, consumer) = (r.fp.get(0), r.fp.get(1));
        if !consumer.is_procedure() {
            return self.not_a_procedure(r, "call-with-values", 2, consumer);
        }
        if !producer.is_procedure() {
            return self.not_a_procedure(r, "call-with-values", 1, producer);
        }
        r.push_frame(self.stubs.receive);
        r.fp = r.sp;
        r.enter(producer);
        r
    }

    /// Where the producer returns to: its values become the arguments of the consumer.
    pub(super) fn receive_values(&mut self, mut r: Regs) -> Regs {
        if let Some(fault) = self.wrong_number_of_values(r.fp.get(1), r.acc) {
            return self.fault(r, fault);
        }
        if !object::is(r.acc, kinds::MULTIPLE_VALUES) {
            let consumer = r.fp.get(1);
            r.fp.put(0, r.acc);
            r.sp = r.fp.at(1);
            r.enter(consumer);
            return r;
        }
        let n = object::length(r.acc);
        let mut r = match self.make_room(r, n) {
            Ok(r) => r,
            Err((r, fault)) => return self.fault(r, fault),
        };
        if r.sp.at(n as isize).addr() > self.stack.real_limit() {
            let message = "call-with-values: more values than the stack has room for";
            return self.control_fault(r, message, Value::fixnum(n as i64));
        }
        let consumer = r.fp.get(1);
        for i in 0..n {
            r.fp.put(i as isize, object::field(r.acc, 1 + i));
        }
        r.sp = r.fp.at(n as isize);
        r.enter(consumer);
        r
    }

    /// What is wrong when a procedure without a name, which a form that binds values becomes, does
    /// not take these. One with a name says so itself when it is called.
    fn wrong_number_of_values(&self, consumer: Value, values: Value) -> Option<Box<Fault>> {
        if object::type_id(consumer) != Some(kinds::CLOSURE) {
            return None;
        }
        let got = match object::is(values, kinds::MULTIPLE_VALUES) {
            true => object::length(values),
            false => 1,
        };
        let (min, max) = self.arity_of(consumer);
        let fits = got >= min && max.is_none_or(|max| got <= max);
        (!fits && self.rt.procedure_name(consumer).is_none())
            .then(|| Box::new(Fault::Values { got, min, max }))
    }

    /// `(%with-dyn d thunk)`: the frame keeps the state to go back to.
    fn with_dyn(&mut self, mut r: Regs) -> Regs {
        let (state, thunk) = (r.fp.get(0), r.fp.get(1));
        if !object::is(state, kinds::DYN) {
            return self.wrong_type(r, "%with-dyn", 1, "a dynamic state", state);
        }
        if !thunk.is_procedure() {
            return self.not_a_procedure(r, "%with-dyn", 2, thunk);
        }
        r.fp.put(0, self.root(Root::Dyn));
        self.set_root(Root::Dyn, state);
        r.push_frame(self.stubs.restore_dyn);
        r.fp = r.sp;
        r.enter(thunk);
        r
    }

    /// `(%throw k list)`
    fn throw(&mut self, r: Regs) -> Regs {
        let (k, list) = (r.fp.get(0), r.fp.get(1));
        if !object::is(k, kinds::KONT) {
            return self.wrong_type(r, "%throw", 1, "a continuation", k);
        }
        self.go_to(r, k, list, true)
    }

    fn kont_field(&mut self, mut r: Regs, op: ControlOp) -> Regs {
        let k = r.fp.get(0);
        if !object::is(k, kinds::KONT) {
            return self.wrong_type(r, "%kont-winders", 1, "a continuation", k);
        }
        r.acc = if op == ControlOp::KontDyn {
            self.kont_dyn(k)
        } else {
            self.kont_winders(k)
        };
        r.leave();
        r
    }

    /// `(%install-hook! 'name procedure)`
    fn install(&mut self, mut r: Regs) -> Regs {
        let (name, hook) = (r.fp.get(0), r.fp.get(1));
        if !hook.is_procedure() {
            return self.not_a_procedure(r, "%install-hook!", 2, hook);
        }
        for (text, root) in [
            ("raise", Root::Raise),
            ("rewind", Root::Rewind),
            ("exit", Root::Exit),
            ("interrupt", Root::Interrupt),
        ] {
            if self.rt.symbols.find(text) == Some(name) {
                self.set_root(root, hook);
                r.acc = Value::UNSPECIFIED;
                r.leave();
                return r;
            }
        }
        self.wrong_type(
            r,
            "%install-hook!",
            1,
            "raise, rewind, exit or interrupt",
            name,
        )
    }

    /// The running frame's words as an object of several values.
    pub(super) fn pack(&mut self, r: &mut Regs) -> Result {
        self.pack_from(r, 0)
    }

    /// As `pack`, without the first `skipped` words.
    pub(super) fn pack_from(&mut self, r: &mut Regs, skipped: usize) -> Result {
        let n = r.argc() - skipped;
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let made = self.rt.alloc_values(kinds::MULTIPLE_VALUES, n);
        r.closure = r.sp.get(0);
        let values = made?;
        for i in 0..n {
            object::init(values, 1 + i, r.fp.get((skipped + i) as isize));
        }
        Ok(values)
    }

    /// The list in slot 1 as a value, or as an object of several.
    pub(super) fn unpack_list(&mut self, r: &mut Regs) -> Result {
        let list = r.fp.get(1);
        if list.is_pair() && object::cdr(list) == Value::NIL {
            return Ok(object::car(list));
        }
        let n = match short_length(list) {
            Some(length) => length,
            None => self.long_length(r, list),
        };
        let n = n.unwrap_or(0);
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let made = self.rt.alloc_values(kinds::MULTIPLE_VALUES, n);
        r.closure = r.sp.get(0);
        let mut values = made?;
        let mut list = r.fp.get(1);
        for i in 0..n {
            if i < COPIED {
                object::init(values, 1 + i, object::car(list));
            } else {
                if i % COPIED == 0 {
                    self.poll_keeping(r, [&mut values, &mut list]);
                }
                object::store(&mut self.rt.heap, values, 1 + i, object::car(list));
            }
            list = object::cdr(list);
        }
        Ok(values)
    }

    /// The running frame's words as a list.
    pub(super) fn list_of_arguments(&mut self, r: &mut Regs) -> Result {
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let mut list = Value::NIL;
        let mut failed = None;
        for i in (0..r.argc()).rev() {
            match self.rt.heap.alloc_pair(r.fp.get(i as isize), list) {
                Ok(pair) => list = pair,
                Err(e) => {
                    failed = Some(e.into());
                    break;
                }
            }
        }
        r.closure = r.sp.get(0);
        match failed {
            None => Ok(list),
            Some(fault) => Err(fault),
        }
    }

    #[cold]
    pub(super) fn not_a_procedure(
        &mut self,
        r: Regs,
        who: &'static str,
        position: usize,
        got: Value,
    ) -> Regs {
        self.wrong_type(r, who, position, "a procedure", got)
    }

    #[cold]
    pub(super) fn wrong_type(
        &mut self,
        r: Regs,
        who: &'static str,
        position: usize,
        expected: &'static str,
        got: Value,
    ) -> Regs {
        let fault = Fault::WrongType {
            who,
            position,
            expected,
            got,
        };
        self.fault(r, Box::new(fault))
    }

    #[cold]
    pub(super) fn control_fault(&mut self, r: Regs, message: &str, irritant: Value) -> Regs {
        let fault = Fault::Control {
            message: message.to_string(),
            irritants: vec![irritant],
        };
        self.fault(r, Box::new(fault))
    }
}

/// Pushes the first [`COPIED`] elements of a list, or all. Returns whether there are more.
#[inline(always)]
fn push_piece(r: &mut Regs, list: &mut Value) -> bool {
    for _ in 0..COPIED {
        if !list.is_pair() {
            return false;
        }
        r.push(object::car(*list));
        *list = object::cdr(*list);
    }
    list.is_pair()
}
