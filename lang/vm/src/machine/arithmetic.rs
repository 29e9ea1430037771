//! Sums, differences, products and quotients: fixnums here, everything else by the primitive.
//!
//! A fixnum is its integer times two, so sums and differences of the words are right as they stand
//! and overflow exactly when the result is no fixnum.

use bowline_layout::Value;
use bowline_middle::InlineOp;

use super::data::{bits, slot, slot_a};
use super::{Regs, slow};
use crate::opcode::Insn;
use crate::vm::Vm;

/// Whether both words are fixnums.
#[inline(always)]
pub(super) fn fixnums(a: Value, b: Value) -> bool {
    (a.bits() | b.bits()) & 1 == 0
}

#[inline(always)]
fn sum(a: Value, b: Value) -> Option<Value> {
    if !fixnums(a, b) {
        return None;
    }
    let sum = (a.bits() as i64).checked_add(b.bits() as i64)?;
    Some(Value::from_bits(sum as u64))
}

#[inline(always)]
fn difference(a: Value, b: Value) -> Option<Value> {
    if !fixnums(a, b) {
        return None;
    }
    let difference = (a.bits() as i64).checked_sub(b.bits() as i64)?;
    Some(Value::from_bits(difference as u64))
}

#[inline(always)]
fn product(a: Value, b: Value) -> Option<Value> {
    if !fixnums(a, b) {
        return None;
    }
    let product = (a.bits() as i64).checked_mul(b.bits() as i64 >> 1)?;
    Some(Value::from_bits(product as u64))
}

/// Divides the integers; no result for a zero divisor, nor for the one quotient that overflows.
#[inline(always)]
fn divided(a: Value, b: Value, f: impl Fn(i64, i64) -> Option<i64>) -> Option<Value> {
    if !fixnums(a, b) {
        return None;
    }
    Value::try_fixnum(f(a.bits() as i64 >> 1, b.bits() as i64 >> 1)?)
}

fn modulo_of(a: i64, b: i64) -> Option<i64> {
    let r = a.checked_rem(b)?;
    Some(if r != 0 && (r ^ b) < 0 { r + b } else { r })
}

/// `acc` = `fast` of the top word and `acc`, or what the primitive makes of them.
macro_rules! of_stack {
    ($($name:ident = $fast:expr, $op:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(vm: &mut Vm, r: &mut Regs, i: Insn) {
            match $fast(r.sp.get(-1), r.acc) {
                Some(v) => {
                    r.drop(1);
                    r.acc = v;
                }
                None => slow(vm, r, move |vm, r| vm.inline_operand(r, InlineOp::$op, i.c())),
            }
        }
    )*};
}

of_stack! {
    add = sum, Add;
    sub = difference, Sub;
    mul = product, Mul;
    quotient = (|a, b| divided(a, b, i64::checked_div)), Quotient;
    remainder = (|a, b| divided(a, b, i64::checked_rem)), Remainder;
    modulo = (|a, b| divided(a, b, modulo_of)), Modulo;
}

/// `acc` = `fast` of two operands, or what the primitive makes of them.
macro_rules! of_operands {
    ($($name:ident = $fast:ident, $op:ident, $left:ident, $right:ident;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(vm: &mut Vm, r: &mut Regs, i: Insn) {
            let (a, b) = ($left(r, i), $right(r, i));
            match $fast(a, b) {
                Some(v) => r.acc = v,
                None => slow(vm, r, move |vm, r| {
                    let (a, b) = as_written(i, a, b);
                    vm.inline_of_two(r, InlineOp::$op, a, b)
                }),
            }
        }
    )*};
}

/// The operands in the order of the text: a constant that came first is the right one here, which an
/// error must not show.
fn as_written(i: Insn, a: Value, b: Value) -> (Value, Value) {
    if i.c() == 0 { (a, b) } else { (b, a) }
}

#[inline(always)]
fn constant(_: &Regs, i: Insn) -> Value {
    bits(i)
}

#[inline(always)]
fn accumulator(r: &Regs, _: Insn) -> Value {
    r.acc
}

of_operands! {
    add_small = sum, Add, slot_a, constant;
    sub_small = difference, Sub, slot_a, constant;
    add_locals = sum, Add, slot_a, slot;
    sub_locals = difference, Sub, slot_a, slot;
    add_const = sum, Add, accumulator, constant;
    sub_const = difference, Sub, accumulator, constant;
}

#[inline(always)]
pub(super) fn push_add_small(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let (a, b) = (slot_a(r, i), bits(i));
    match sum(a, b) {
        Some(v) => r.push(v),
        None => slow(vm, r, move |vm, r| {
            let (a, b) = as_written(i, a, b);
            vm.inline_and_push(r, InlineOp::Add, a, b)
        }),
    }
}

#[inline(always)]
pub(super) fn push_sub_small(vm: &mut Vm, r: &mut Regs, i: Insn) {
    let (a, b) = (slot_a(r, i), bits(i));
    match difference(a, b) {
        Some(v) => r.push(v),
        None => slow(vm, r, move |vm, r| {
            vm.inline_and_push(r, InlineOp::Sub, a, b)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_layout::{FIXNUM_MAX, FIXNUM_MIN};

    fn fix(n: i64) -> Value {
        Value::fixnum(n)
    }

    #[test]
    fn results_outside_the_fixnums_are_left_to_the_primitive() {
        assert_eq!(sum(fix(FIXNUM_MAX), fix(1)), None);
        assert_eq!(sum(fix(FIXNUM_MAX - 1), fix(1)), Some(fix(FIXNUM_MAX)));
        assert_eq!(difference(fix(FIXNUM_MIN), fix(1)), None);
        assert_eq!(product(fix(1 << 31), fix(1 << 31)), None);
        assert_eq!(product(fix(-3), fix(7)), Some(fix(-21)));
        assert_eq!(product(fix(FIXNUM_MIN), fix(-1)), None);
        let quotient = |a, b| divided(fix(a), fix(b), i64::checked_div);
        assert_eq!(quotient(FIXNUM_MIN, -1), None);
        assert_eq!(quotient(7, 0), None);
        assert_eq!(quotient(-7, 2), Some(fix(-3)));
    }

    #[test]
    fn modulo_takes_the_sign_of_the_divisor() {
        for (a, b, m) in [(7, 3, 1), (-7, 3, 2), (7, -3, -2), (-7, -3, -1), (6, -3, 0)] {
            assert_eq!(modulo_of(a, b), Some(m));
        }
    }

    #[test]
    fn other_words_are_left_to_the_primitive() {
        assert_eq!(sum(Value::NIL, fix(1)), None);
        assert_eq!(difference(fix(1), Value::FALSE), None);
    }
}
