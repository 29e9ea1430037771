//! Calls, returns, function entry, and primitives.

use bowline_layout::{Value, procedure};
use bowline_middle::InlineOp;
use bowline_runtime::{Args, Fault, Result, kinds, object};

use super::data::slot;
use super::{FRAME, Regs, slow};
use crate::opcode::Insn;
use crate::raw;
use crate::vm::Vm;

#[inline(always)]
pub(super) fn frame(_: &mut Vm, r: &mut Regs, i: Insn) {
    let back = r.pc.offset(i.b() as isize);
    r.sp.put(0, r.closure);
    r.sp.put(1, back.value());
    r.sp.put(2, Value::fixnum(i.a() as i64));
    r.sp = r.sp.at(FRAME as isize);
}

/// Goes to `f`, whose `n` arguments are the top words.
#[inline(always)]
fn call_value(vm: &mut Vm, r: &mut Regs, f: Value, n: usize) {
    if f.is_procedure() {
        r.fp = r.sp.at(-(n as isize));
        r.enter(f);
    } else {
        slow(vm, r, move |vm, r| vm.not_procedure(r, f, n));
    }
}

/// Moves the `n` top words down over the running procedure's frame.
#[inline(always)]
fn slide(r: &mut Regs, n: usize) {
    r.fp.take(r.sp.at(-(n as isize)), n);
    r.sp = r.fp.at(n as isize);
}

#[inline(always)]
fn tail_call_value(vm: &mut Vm, r: &mut Regs, f: Value, n: usize) {
    if f.is_procedure() {
        slide(r, n);
        r.enter(f);
    } else {
        slow(vm, r, move |vm, r| vm.not_procedure(r, f, n));
    }
}

#[inline(always)]
pub(super) fn call(vm: &mut Vm, r: &mut Regs, i: Insn) {
    call_value(vm, r, r.acc, i.a());
}

#[inline(always)]
pub(super) fn tail_call(vm: &mut Vm, r: &mut Regs, i: Insn) {
    tail_call_value(vm, r, r.acc, i.a());
}

#[inline(always)]
pub(super) fn call_global(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let f = raw::cell(r.word());
    if f.is_procedure() {
        r.fp = r.sp.at(-(i.a() as isize));
        r.enter(f);
    } else {
        slow(vm, r, move |vm, r| vm.bad_global(r, f, i));
    }
}

#[inline(always)]
pub(super) fn tail_call_global(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let f = raw::cell(r.word());
    if f.is_procedure() {
        slide(r, i.a());
        r.enter(f);
    } else {
        slow(vm, r, move |vm, r| vm.bad_global(r, f, i));
    }
}

/// Goes to a function of this unit, with this procedure running.
#[inline(always)]
fn known(r: &mut Regs, i: Insn, closure: Value) {
    r.closure = closure;
    r.pc = r.pc.offset(i.b() as isize);
}

#[inline(always)]
pub(super) fn call_known(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.fp = r.sp.at(-(i.a() as isize));
    known(r, i, Value::FALSE);
}

#[inline(always)]
pub(super) fn tail_call_known(_: &mut Vm, r: &mut Regs, i: Insn) {
    slide(r, i.a());
    known(r, i, Value::FALSE);
}

#[inline(always)]
pub(super) fn call_closure(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.fp = r.sp.at(-(i.a() as isize));
    known(r, i, r.acc);
}

#[inline(always)]
pub(super) fn tail_call_closure(_: &mut Vm, r: &mut Regs, i: Insn) {
    slide(r, i.a());
    known(r, i, r.acc);
}

#[inline(always)]
pub(super) fn return_acc(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.leave();
}

#[inline(always)]
pub(super) fn return_local(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.acc = slot(r, i);
    r.leave();
}

#[inline(always)]
pub(super) fn enter(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let fits = r.sp.addr() <= vm.limit.get();
    if r.sp == r.fp.at(i.a() as isize) && fits {
        r.pc = r.pc.offset(1);
    } else {
        slow(vm, r, move |vm, r| vm.enter_slow(r, i));
    }
}

#[inline(always)]
pub(super) fn enter_rest(vm: &mut Vm, r: &mut Regs, i: Insn) {
    slow(vm, r, move |vm, r| vm.collect_rest(r, i));
}

#[inline(always)]
pub(super) fn poll(vm: &mut Vm, r: &mut Regs, _: Insn) {
    if r.sp.addr() > vm.limit.get() {
        slow(vm, r, move |vm, r| vm.room(r, 0));
    }
}

#[inline(always)]
pub(super) fn room(vm: &mut Vm, r: &mut Regs, i: Insn) {
    slow(vm, r, move |vm, r| vm.room(r, i.b() as usize));
}

#[inline(always)]
pub(super) fn prim(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let n = i.a();
    r.sp.put(0, r.closure);
    vm.stack.publish(r.sp.at(1));
    let base = vm.stack.index(r.sp) - n;
    let result = (vm.functions[i.b() as usize])(&mut vm.rt, Args { base, len: n });
    r.closure = r.sp.get(0);
    match result {
        Ok(v) => {
            r.drop(n);
            r.acc = v;
        }
        Err(fault) => slow(vm, r, move |vm, r| vm.primitive_failed(r, n, fault)),
    }
}

impl Vm {
    /// Calls a primitive with the top `n` words, which are taken off; the result is in `acc`.
    pub(super) fn primitive(&mut self, mut r: Regs, index: usize, n: usize) -> Regs {
        match self.run_primitive(&mut r, index, n) {
            Ok(v) => {
                r.drop(n);
                r.acc = v;
                r
            }
            Err(fault) => self.primitive_failed(r, n, fault),
        }
    }

    /// What a primitive makes of the top `n` words, which stay.
    #[inline(always)]
    fn run_primitive(&mut self, r: &mut Regs, index: usize, n: usize) -> Result {
        // inv:vm.publish; `acc` is no longer wanted.
        r.sp.put(0, r.closure);
        self.stack.publish(r.sp.at(1));
        let base = self.stack.index(r.sp) - n;
        let result = (self.functions[index])(&mut self.rt, Args { base, len: n });
        r.closure = r.sp.get(0);
        result
    }

    /// The arguments go: the fault holds what it names of them (`inv:fault.fresh`).
    #[cold]
    #[inline(never)]
    fn primitive_failed(&mut self, mut r: Regs, n: usize, fault: Box<Fault>) -> Regs {
        r.drop(n);
        self.fault(r, fault)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn primitive_slow(&mut self, r: Regs, index: usize, n: usize) -> Regs {
        self.primitive(r, index, n)
    }

    /// Lets the primitive do what an instruction could not; its `n` arguments are the top words and
    /// `acc`.
    #[cold]
    #[inline(never)]
    pub(super) fn inline_with_acc(&mut self, mut r: Regs, op: InlineOp, n: usize) -> Regs {
        r.push(r.acc);
        self.primitive(r, self.inline[op as usize], n)
    }

    /// The same for the top word and `acc` where `acc` is the operand with this number, if that says
    /// anything, of a longer call. What comes before made the left one: it is no longer to blame.
    #[cold]
    #[inline(never)]
    pub(super) fn inline_operand(&mut self, mut r: Regs, op: InlineOp, number: usize) -> Regs {
        r.push(r.acc);
        match self.run_primitive(&mut r, self.inline[op as usize], 2) {
            Ok(v) => {
                r.drop(2);
                r.acc = v;
                r
            }
            Err(mut fault) => {
                if let Fault::WrongType { position, .. } = &mut *fault
                    && *position == 2
                {
                    *position = number.max(2);
                }
                self.primitive_failed(r, 2, fault)
            }
        }
    }

    /// The same for two arguments that are operands.
    #[cold]
    #[inline(never)]
    pub(super) fn inline_of_two(&mut self, mut r: Regs, op: InlineOp, a: Value, b: Value) -> Regs {
        r.push(a);
        r.push(b);
        self.primitive(r, self.inline[op as usize], 2)
    }

    /// The same where the result is to be pushed.
    #[cold]
    #[inline(never)]
    pub(super) fn inline_and_push(&mut self, r: Regs, op: InlineOp, a: Value, b: Value) -> Regs {
        let mut done = self.inline_of_two(r, op, a, b);
        if done.pc == r.pc {
            done.push(done.acc);
        }
        done
    }

    /// A function's entry when the number of arguments is wrong, the stack is full or the thread is
    /// wanted.
    #[cold]
    #[inline(never)]
    fn enter_slow(&mut self, mut r: Regs, i: Insn) -> Regs {
        let got = r.argc();
        r.pc = r.pc.offset(1);
        if got != i.a() {
            return self.arity(r, r.closure, got, i.a(), Some(i.a()));
        }
        self.room(r, 0)
    }

    /// The entry of a function with a rest list.
    #[inline(never)]
    fn collect_rest(&mut self, mut r: Regs, i: Insn) -> Regs {
        let got = r.argc();
        let required = i.a();
        r.pc = r.pc.offset(1);
        if got < required {
            return self.arity(r, r.closure, got, required, None);
        }
        // The list grows where the last argument was; `closure` stands above what is left.
        let mut list = Value::NIL;
        for _ in required..got {
            let item = r.pop();
            r.sp.put(0, item);
            r.sp.put(1, r.closure);
            self.stack.publish(r.sp.at(2));
            match self.rt.heap.alloc_pair(item, list) {
                Ok(pair) => list = pair,
                Err(e) => {
                    r.closure = r.sp.get(1);
                    return self.fault(r, e.into());
                }
            }
            r.closure = r.sp.get(1);
        }
        r.push(list);
        if r.sp.addr() > self.limit.get() {
            return self.room(r, 0);
        }
        r
    }

    #[cold]
    #[inline(never)]
    fn not_procedure(&mut self, r: Regs, got: Value, args: usize) -> Regs {
        self.fault(r, Box::new(Fault::NotProcedure { got, args }))
    }

    /// A call of a global variable that holds no procedure, or nothing.
    #[cold]
    #[inline(never)]
    fn bad_global(&mut self, r: Regs, got: Value, i: Insn) -> Regs {
        if got == Value::UNBOUND {
            let name = self.rt.globals.name(i.b() as u32).to_string();
            return self.fault(r, Box::new(Fault::Unbound { name }));
        }
        self.not_procedure(r, got, i.a())
    }

    /// Fails because of the number of arguments.
    #[cold]
    #[inline(never)]
    pub(super) fn arity(
        &mut self,
        r: Regs,
        procedure: Value,
        got: usize,
        min: usize,
        max: Option<usize>,
    ) -> Regs {
        let fault = Fault::Arity {
            procedure,
            got,
            min,
            max,
        };
        self.fault(r, Box::new(fault))
    }

    /// How many arguments a procedure takes: the fewest, and the most if there is a limit.
    pub(crate) fn arity_of(&self, f: Value) -> (usize, Option<usize>) {
        use crate::opcode::Op;
        match object::type_id(f) {
            Some(kinds::PRIMITIVE) => {
                let index = object::field(f, procedure::CAPTURED)
                    .as_fixnum()
                    .unwrap_or(0);
                let primitive = &self.rt.primitives[index as usize];
                (primitive.min.into(), primitive.max.map(usize::from))
            }
            Some(kinds::CASE_LAMBDA) => {
                let clauses = object::header(f).mixed_values();
                let arities =
                    (0..clauses).map(|i| self.arity_of(object::field(f, procedure::CAPTURED + i)));
                arities.fold((usize::MAX, Some(0)), |(min, max), (low, high)| {
                    let max = max.zip(high).map(|(a, b)| a.max(b));
                    (min.min(low), max)
                })
            }
            Some(kinds::CLOSURE) => {
                let entry = super::code_of(f).fetch();
                let rest = entry.code() == Op::EnterRest as u8;
                (entry.a(), (!rest).then_some(entry.a()))
            }
            Some(kinds::PARAMETER) => (0, Some(0)),
            Some(kinds::FOREIGN_PROCEDURE) => self.foreign_arity(f),
            _ => (0, None),
        }
    }
}
