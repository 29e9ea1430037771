//! Constants, variables, jumps.

use bowline_layout::Value;
use bowline_layout::procedure::CAPTURED;
use bowline_runtime::Fault;
use bowline_runtime::object;

use super::{Regs, slow};
use crate::opcode::Insn;
use crate::raw;
use crate::vm::Vm;

/// The value whose bits are the large operand.
#[inline(always)]
pub(super) fn bits(i: Insn) -> Value {
    Value::from_bits(i.b() as i64 as u64)
}

/// The slot that the large operand names.
#[inline(always)]
pub(super) fn slot(r: &Regs, i: Insn) -> Value {
    r.fp.get(i.b() as isize)
}

/// The slot that the middle operand names.
#[inline(always)]
pub(super) fn slot_a(r: &Regs, i: Insn) -> Value {
    r.fp.get(i.a() as isize)
}

#[inline(always)]
pub(super) fn const_bits(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.acc = bits(i);
}

#[inline(always)]
pub(super) fn push_const(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.push(bits(i));
}

#[inline(always)]
pub(super) fn wide(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = Value::from_bits(r.word());
}

#[inline(always)]
pub(super) fn push_wide(_: &mut Vm, r: &mut Regs, _: Insn) {
    let v = Value::from_bits(r.word());
    r.push(v);
}

#[inline(always)]
pub(super) fn literal(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.acc = raw::cell(r.word());
}

#[inline(always)]
pub(super) fn push_literal(_: &mut Vm, r: &mut Regs, _: Insn) {
    let v = raw::cell(r.word());
    r.push(v);
}

#[inline(always)]
pub(super) fn local(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.acc = slot(r, i);
}

#[inline(always)]
pub(super) fn push_local(_: &mut Vm, r: &mut Regs, i: Insn) {
    let v = slot(r, i);
    r.push(v);
}

#[inline(always)]
pub(super) fn captured(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.acc = object::field(r.closure, CAPTURED + i.b() as usize);
}

#[inline(always)]
pub(super) fn push_captured(_: &mut Vm, r: &mut Regs, i: Insn) {
    let v = object::field(r.closure, CAPTURED + i.b() as usize);
    r.push(v);
}

#[inline(always)]
pub(super) fn global(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let v = raw::cell(r.word());
    if v == Value::UNBOUND {
        slow(vm, r, move |vm, r| vm.unbound(r, i));
    } else {
        r.acc = v;
    }
}

#[inline(always)]
pub(super) fn push_global(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let v = raw::cell(r.word());
    if v == Value::UNBOUND {
        slow(vm, r, move |vm, r| vm.unbound(r, i));
    } else {
        r.push(v);
    }
}

#[inline(always)]
pub(super) fn set_global(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let address = r.word();
    if raw::cell(address) == Value::UNBOUND {
        slow(vm, r, move |vm, r| vm.unbound(r, i));
    } else {
        raw::set_cell(address, r.acc);
    }
}

#[inline(always)]
pub(super) fn define_global(_: &mut Vm, r: &mut Regs, _: Insn) {
    let address = r.word();
    raw::set_cell(address, r.acc);
}

#[inline(always)]
pub(super) fn push(_: &mut Vm, r: &mut Regs, _: Insn) {
    r.push(r.acc);
}

#[inline(always)]
pub(super) fn drop_words(_: &mut Vm, r: &mut Regs, i: Insn) {
    r.drop(i.b() as usize);
}

/// Moves `pc` by the large operand.
#[inline(always)]
pub(super) fn take_jump(r: &mut Regs, i: Insn) {
    r.pc = r.pc.offset(i.b() as isize);
}

#[inline(always)]
pub(super) fn jump(_: &mut Vm, r: &mut Regs, i: Insn) {
    take_jump(r, i);
}

#[inline(always)]
pub(super) fn jump_if_false(_: &mut Vm, r: &mut Regs, i: Insn) {
    if !r.acc.is_true() {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn jump_if_true(_: &mut Vm, r: &mut Regs, i: Insn) {
    if r.acc.is_true() {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn loop_back(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let n = i.c();
    let to = r.fp.at(i.a() as isize);
    to.take(r.sp.at(-(n as isize)), n);
    r.sp = to.at(n as isize);
    take_jump(r, i);
    if r.sp.addr() > vm.limit.get() {
        slow(vm, r, move |vm, r| vm.room(r, 0));
    }
}

#[inline(always)]
pub(super) fn loop_back_acc(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let to = r.fp.at(i.a() as isize);
    to.put(0, r.acc);
    r.sp = to.at(1);
    take_jump(r, i);
    if r.sp.addr() > vm.limit.get() {
        slow(vm, r, move |vm, r| vm.room(r, 0));
    }
}

#[inline(always)]
pub(super) fn check_bound(vm: &mut Vm, r: &mut Regs, _: Insn) {
    let name = r.word();
    if r.acc == Value::UNBOUND {
        slow(vm, r, move |vm, r| {
            vm.uninitialised(r, Value::from_bits(name))
        });
    }
}

impl Vm {
    #[cold]
    #[inline(never)]
    fn unbound(&mut self, r: Regs, i: Insn) -> Regs {
        let name = self.rt.globals.name(i.b() as u32).to_string();
        self.fault(r, Box::new(Fault::Unbound { name }))
    }

    #[cold]
    #[inline(never)]
    fn uninitialised(&mut self, r: Regs, name: Value) -> Regs {
        let name = self.rt.symbol_name(name).to_string();
        self.fault(r, Box::new(Fault::Uninitialised { name }))
    }
}
