//! Code that no program wrote: what procedures that are not compiled from Scheme point to, and the
//! return addresses that the machine leaves.

use bowline_layout::{Value, procedure};
use bowline_runtime::{PrimKind, StubCodes, object};

use super::{Regs, slow};
use crate::opcode::{Insn, Op};
use crate::raw::Pc;
use crate::space::{CodeSpace, LinkedUnit};
use crate::vm::{Root, Vm};

/// Where each stub is.
#[derive(Clone, Copy)]
pub(crate) struct Stubs {
    pub(crate) halt: Pc,
    pub(crate) underflow: Pc,
    pub(crate) lower: Pc,
    pub(crate) restore_dyn: Pc,
    pub(crate) receive: Pc,
    pub(crate) foreign_check: Pc,
    /// What the runtime writes into the procedures that it makes.
    pub(crate) codes: StubCodes,
}

impl Stubs {
    /// Puts the stubs into the code space.
    pub(crate) fn new(space: &mut CodeSpace) -> Stubs {
        let ops = [
            Op::Halt,
            Op::Underflow,
            Op::RestoreDyn,
            Op::Receive,
            Op::ForeignCheck,
            Op::PrimStub,
            Op::ParameterStub,
            Op::ForeignStub,
            Op::KontStub,
            Op::CaseStub,
            Op::Lower,
        ];
        let code = ops.map(|op| Insn::new(op, 0, 0, 0));
        let start = space.reserve(code.len());
        let unit = LinkedUnit {
            start,
            len: code.len(),
            functions: Vec::new(),
            spans: Vec::new(),
        };
        space.put(&code, unit);
        let at = |i| start.offset(i);
        Stubs {
            halt: at(0),
            underflow: at(1),
            lower: at(10),
            restore_dyn: at(2),
            receive: at(3),
            foreign_check: at(4),
            codes: StubCodes {
                primitive: at(5).bits(),
                parameter: at(6).bits(),
                foreign: at(7).bits(),
                kont: at(8).bits(),
                case_lambda: at(9).bits(),
            },
        }
    }
}

#[inline(always)]
pub(super) fn halt(_: &mut Vm, _: &mut Regs, _: Insn) {}

#[inline(always)]
pub(super) fn prim_stub(vm: &mut Vm, r: &mut Regs, _: Insn) {
    slow(vm, r, move |vm, r| vm.primitive_called(r));
}

#[inline(always)]
pub(super) fn case_stub(vm: &mut Vm, r: &mut Regs, _: Insn) {
    slow(vm, r, move |vm, r| vm.choose_clause(r));
}

#[inline(always)]
pub(super) fn parameter_stub(vm: &mut Vm, r: &mut Regs, _: Insn) {
    slow(vm, r, move |vm, r| vm.parameter_called(r));
}

#[inline(always)]
pub(super) fn kont_stub(vm: &mut Vm, r: &mut Regs, _: Insn) {
    slow(vm, r, move |vm, r| vm.kont_called(r));
}

#[inline(always)]
pub(super) fn foreign_stub(vm: &mut Vm, r: &mut Regs, _: Insn) {
    slow(vm, r, move |vm, r| vm.foreign_call(r));
}

#[inline(always)]
pub(super) fn foreign_check(vm: &mut Vm, r: &mut Regs, _: Insn) {
    slow(vm, r, move |vm, r| vm.foreign_checked(r));
}

#[inline(always)]
pub(super) fn underflow(vm: &mut Vm, r: &mut Regs, _: Insn) {
    slow(vm, r, move |vm, r| vm.underflow(r));
}

#[inline(always)]
pub(super) fn lower(vm: &mut Vm, r: &mut Regs, _: Insn) {
    r.pc = vm.pass_barrier();
}

#[inline(always)]
pub(super) fn restore_dyn(vm: &mut Vm, r: &mut Regs, _: Insn) {
    vm.set_root(Root::Dyn, r.fp.get(0));
    r.leave();
}

#[inline(always)]
pub(super) fn receive(vm: &mut Vm, r: &mut Regs, _: Insn) {
    slow(vm, r, move |vm, r| vm.receive_values(r));
}

impl Vm {
    /// A primitive called as a procedure.
    #[inline(never)]
    fn primitive_called(&mut self, r: Regs) -> Regs {
        let index = object::field(r.closure, procedure::CAPTURED);
        let index = index.as_fixnum().unwrap_or(0) as usize;
        let primitive = self.rt.primitives[index];
        let argc = r.argc();
        let (min, max) = (primitive.min.into(), primitive.max.map(usize::from));
        if argc < min || max.is_some_and(|max| argc > max) {
            return self.arity(r, r.closure, argc, min, max);
        }
        match primitive.kind {
            PrimKind::Control(op) => self.control(r, op),
            PrimKind::Owner(make) => self.make_owner(r, make),
            PrimKind::Fn(_) => {
                let mut done = self.primitive(r, index, argc);
                if done.pc == r.pc {
                    done.leave();
                }
                done
            }
        }
    }

    /// Enters the first clause of a case-lambda that takes the arguments.
    #[inline(never)]
    fn choose_clause(&mut self, mut r: Regs) -> Regs {
        let argc = r.argc();
        let clauses = object::header(r.closure).mixed_values();
        for i in 0..clauses {
            let clause = object::field(r.closure, procedure::CAPTURED + i);
            let entry = super::code_of(clause).fetch();
            let rest = entry.code() == Op::EnterRest as u8;
            if argc == entry.a() || rest && argc > entry.a() {
                r.enter(clause);
                return r;
            }
        }
        let (min, max) = self.arity_of(r.closure);
        self.arity(r, r.closure, argc, min, max)
    }

    /// A parameter's value: in the dynamic state, or its default.
    #[inline(never)]
    fn parameter_called(&mut self, mut r: Regs) -> Regs {
        let argc = r.argc();
        if argc != 0 {
            return self.arity(r, r.closure, argc, 0, Some(0));
        }
        let mut list = object::field(self.root(Root::Dyn), 2);
        r.acc = object::field(r.closure, procedure::CAPTURED);
        while list.is_pair() {
            let binding = object::car(list);
            if binding.is_pair() && object::car(binding) == r.closure {
                r.acc = object::cdr(binding);
                list = Value::NIL;
            } else {
                list = object::cdr(list);
            }
        }
        r.leave();
        r
    }
}
