//! Comparisons of numbers, alone and fused with the jump that follows.

use bowline_layout::Value;
use bowline_middle::InlineOp;

use super::arithmetic::fixnums;
use super::data::{slot_a, take_jump};
use super::{Regs, slow};
use crate::opcode::Insn;
use crate::vm::Vm;

/// The slot that the small operand names.
#[inline(always)]
fn slot_c(r: &Regs, i: Insn) -> Value {
    r.fp.get(i.c() as isize)
}

#[inline(always)]
fn small(_: &Regs, i: Insn) -> Value {
    Value::from_bits((i.small() << 1) as u64)
}

/// A row: comparison of the words, its primitive, and its four instructions.
macro_rules! comparisons {
    ($($relation:tt $op:ident $value:ident $unless:ident $small:ident $locals:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $value(vm: &mut Vm, r: &mut Regs, _: Insn) {
            let (a, b) = (r.sp.get(-1), r.acc);
            if fixnums(a, b) {
                r.drop(1);
                r.acc = Value::bool((a.bits() as i64) $relation (b.bits() as i64));
            } else {
                slow(vm, r, move |vm, r| vm.inline_with_acc(r, InlineOp::$op, 2));
            }
        }

        #[inline(always)]
        pub(super) fn $unless(vm: &mut Vm, r: &mut Regs, i: Insn) {
            let (a, b) = (r.sp.get(-1), r.acc);
            if fixnums(a, b) {
                r.drop(1);
                if !((a.bits() as i64) $relation (b.bits() as i64)) {
                    take_jump(r, i);
                }
            } else {
                r.drop(1);
                slow(vm, r, move |vm, r| vm.unless_slow(r, i, InlineOp::$op, a, b));
            }
        }

        #[inline(always)]
        pub(super) fn $small(vm: &mut Vm, r: &mut Regs, i: Insn) {
            let (a, b) = (slot_c(r, i), small(r, i));
            if a.is_fixnum() {
                if !((a.bits() as i64) $relation (b.bits() as i64)) {
                    take_jump(r, i);
                }
            } else {
                slow(vm, r, move |vm, r| vm.unless_slow(r, i, InlineOp::$op, a, b));
            }
        }

        #[inline(always)]
        pub(super) fn $locals(vm: &mut Vm, r: &mut Regs, i: Insn) {
            let (a, b) = (slot_c(r, i), slot_a(r, i));
            if fixnums(a, b) {
                if !((a.bits() as i64) $relation (b.bits() as i64)) {
                    take_jump(r, i);
                }
            } else {
                slow(vm, r, move |vm, r| vm.unless_slow(r, i, InlineOp::$op, a, b));
            }
        }
    )*};
}

comparisons! {
    == NumEq num_eq unless_num_eq unless_num_eq_small unless_num_eq_locals;
    < Lt lt unless_lt unless_lt_small unless_lt_locals;
    <= Le le unless_le unless_le_small unless_le_locals;
    > Gt gt unless_gt unless_gt_small unless_gt_locals;
    >= Ge ge unless_ge unless_ge_small unless_ge_locals;
}

#[inline(always)]
pub(super) fn is_zero(vm: &mut Vm, r: &mut Regs, _: Insn) {
    if r.acc.is_fixnum() {
        r.acc = Value::bool(r.acc.bits() == 0);
    } else {
        slow(vm, r, move |vm, r| {
            vm.inline_with_acc(r, InlineOp::IsZero, 1)
        });
    }
}

#[inline(always)]
fn unless_zero_value(vm: &mut Vm, r: &mut Regs, i: Insn, v: Value) {
    if !v.is_fixnum() {
        slow(vm, r, move |vm, r| vm.unless_zero_slow(r, i, v));
    } else if v.bits() != 0 {
        take_jump(r, i);
    }
}

#[inline(always)]
pub(super) fn unless_zero(vm: &mut Vm, r: &mut Regs, i: Insn) {
    unless_zero_value(vm, r, i, r.acc);
}

#[inline(always)]
pub(super) fn unless_zero_local(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let v = slot_a(r, i);
    unless_zero_value(vm, r, i, v);
}

impl Vm {
    /// A fused comparison of `a` and `b` that the primitive decides.
    #[cold]
    #[inline(never)]
    fn unless_slow(&mut self, r: Regs, i: Insn, op: InlineOp, a: Value, b: Value) -> Regs {
        let decided = self.inline_of_two(r, op, a, b);
        jump_unless(decided, r, i)
    }

    #[cold]
    #[inline(never)]
    fn unless_zero_slow(&mut self, mut r: Regs, i: Insn, v: Value) -> Regs {
        r.acc = v;
        let decided = self.inline_with_acc(r, InlineOp::IsZero, 1);
        jump_unless(decided, r, i)
    }
}

/// Jumps on a false `acc`, unless a fault has sent `pc` elsewhere.
fn jump_unless(mut decided: Regs, before: Regs, i: Insn) -> Regs {
    if decided.pc == before.pc && !decided.acc.is_true() {
        take_jump(&mut decided, i);
    }
    decided
}
