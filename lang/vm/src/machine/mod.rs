//! The machine: registers, the loop, and a handler per instruction.
//!
//! ```text
//! caller's frame                    | callee's frame
//! … arguments locals temporaries    | closure  return  size | arg 0 … | locals temporaries |
//!                                                            ^ fp                           ^ sp
//! ```
//!
//! The three words of a [`FRAME`] belong to the caller: its procedure, where it goes on, and how
//! many words its own frame has, so `fp - size` is its `fp`. They name no address on the stack: a
//! frame may be put anywhere, which is what `kont` does.
//!
//! inv:vm.publish — registers live in Rust locals. Before anything that may collect, `closure` (and
//! `acc` where it is still wanted) is written to the stack and the top published; afterwards it is
//! read back.
//!
//! Handlers are inlined into the loop; whatever is rare is a method of [`Vm`] that takes the
//! registers by value and returns them. Such a method never fails: a fault becomes a call of the
//! raise hook, or the end of the run.
//!
//! inv:vm.registers — inside the loop the address of the registers is never taken, so that the
//! compiler keeps them in machine registers: they go out and come back through [`slow`] only.
//!
//! Absent on purpose: recursion. No Scheme procedure is ever called through a Rust frame, but by C.

mod activation;
mod arithmetic;
mod call;
mod compare;
mod control;
mod data;
mod exported;
mod fault;
mod finalize;
mod foreign;
mod guest;
mod heap;
mod interrupt;
mod kont;
mod owner;
mod reached;
mod stubs;
mod trace;
mod watermark;

use std::hint::black_box;

use bowline_layout::{Value, procedure};
use bowline_runtime::object;

pub(crate) use activation::{Activation, Outcome, Pending, Start};
pub use exported::Heavy;
pub(crate) use fault::RESERVE;
pub(crate) use guest::{Lane, OWNER};
pub(crate) use stubs::Stubs;
pub(crate) use watermark::Barrier;

use crate::opcode::{Op, for_each_op};
use crate::raw::{self, Pc, Sp};
use crate::vm::Vm;

use arithmetic::*;
use call::*;
use compare::*;
use data::*;
use heap::*;
use stubs::*;

/// Words that a call pushes before its arguments.
pub(crate) const FRAME: usize = 3;

/// The machine's registers.
#[derive(Clone, Copy)]
pub(crate) struct Regs {
    /// The next instruction.
    pub(crate) pc: Pc,
    /// The first free word of the stack.
    pub(crate) sp: Sp,
    /// Argument 0 of the running procedure.
    pub(crate) fp: Sp,
    /// The accumulator.
    pub(crate) acc: Value,
    /// The running procedure.
    pub(crate) closure: Value,
}

impl Regs {
    /// Those of a machine that has nothing to do, with an empty stack.
    pub(crate) fn at_rest(halt: Pc, base: Sp) -> Regs {
        Regs {
            pc: halt,
            sp: base,
            fp: base,
            acc: Value::UNSPECIFIED,
            closure: Value::FALSE,
        }
    }

    /// Pushes a word.
    #[inline(always)]
    pub(crate) fn push(&mut self, v: Value) {
        self.sp.put(0, v);
        self.sp = self.sp.at(1);
    }

    /// Takes the top word off.
    #[inline(always)]
    pub(crate) fn pop(&mut self) -> Value {
        self.sp = self.sp.at(-1);
        self.sp.get(0)
    }

    /// Takes `n` words off.
    #[inline(always)]
    pub(crate) fn drop(&mut self, n: usize) {
        self.sp = self.sp.at(-(n as isize));
    }

    /// How many arguments the running procedure has, at its entry.
    #[inline(always)]
    pub(crate) fn argc(&self) -> usize {
        self.sp.above(self.fp) as usize
    }

    /// Reads the operand word.
    #[inline(always)]
    pub(crate) fn word(&mut self) -> u64 {
        let word = self.pc.fetch().bits();
        self.pc = self.pc.offset(1);
        word
    }

    /// Pushes the three words of a frame whose callee returns to `back`.
    #[inline(always)]
    pub(crate) fn push_frame(&mut self, back: Pc) {
        let size = self.sp.above(self.fp) + FRAME as isize;
        self.sp.put(0, self.closure);
        self.sp.put(1, back.value());
        self.sp.put(2, Value::fixnum(size as i64));
        self.sp = self.sp.at(FRAME as isize);
    }

    /// Goes to a procedure; its arguments are the words from `fp` on.
    #[inline(always)]
    pub(crate) fn enter(&mut self, f: Value) {
        debug_assert!(f.is_procedure());
        self.closure = f;
        self.pc = code_of(f);
    }

    /// Returns `acc`.
    #[inline(always)]
    pub(crate) fn leave(&mut self) {
        let fp = self.fp;
        self.sp = fp.at(-(FRAME as isize));
        self.closure = fp.get(-3);
        self.pc = Pc::from_bits(fp.get(-2).bits());
        self.fp = fp.at(-frame_size(fp.get(-1)));
    }
}

/// The size of a frame, as its third word says it.
#[inline(always)]
pub(crate) fn frame_size(word: Value) -> isize {
    (word.bits() as i64 >> 1) as isize
}

/// Where a procedure's code begins.
#[inline(always)]
pub(crate) fn code_of(f: Value) -> Pc {
    Pc::from_bits(object::raw(f, procedure::CODE))
}

/// Hands the registers to something that is not inlined into the loop, through `Vm::regs`
/// (inv:vm.registers).
#[inline(always)]
fn slow(vm: &mut Vm, r: &mut Regs, f: impl FnOnce(&mut Vm, Regs) -> Regs) {
    vm.regs = *r;
    outside(vm, f);
    *r = vm.regs;
}

/// The registers come and go one by one: a wide copy of words that were just stored one by one stalls
/// until they have reached the cache.
#[inline(never)]
fn outside(vm: &mut Vm, f: impl FnOnce(&mut Vm, Regs) -> Regs) {
    let r = Regs {
        pc: black_box(vm.regs.pc),
        sp: black_box(vm.regs.sp),
        fp: black_box(vm.regs.fp),
        acc: black_box(vm.regs.acc),
        closure: black_box(vm.regs.closure),
    };
    let r = f(vm, r);
    vm.regs.pc = black_box(r.pc);
    vm.regs.sp = black_box(r.sp);
    vm.regs.fp = black_box(r.fp);
    vm.regs.acc = black_box(r.acc);
    vm.regs.closure = black_box(r.closure);
}

/// The numbers of the operations, as patterns.
#[allow(non_upper_case_globals, reason = "named as the operations are")]
mod code {
    use crate::opcode::{Op, for_each_op};

    macro_rules! numbers {
        ($($(#[doc = $doc:literal])* $op:ident $name:ident $operands:ident)*) => {
            $(pub(super) const $op: u8 = Op::$op as u8;)*
        };
    }
    for_each_op!(numbers);
}

macro_rules! dispatch {
    ($($(#[doc = $doc:literal])* $op:ident $name:ident $operands:ident)*) => {
        /// Runs from `Vm::regs` until `Halt`.
        pub(crate) fn execute(vm: &mut Vm) -> Value {
            let mut r = vm.regs;
            loop {
                let i = r.pc.fetch();
                r.pc = r.pc.offset(1);
                match i.code() {
                    $(code::$op => {
                        if code::$op == Op::Halt as u8 {
                            return r.acc;
                        }
                        $name(vm, &mut r, i);
                    })*
                    _ => raw::no_such_op(),
                }
            }
        }
    };
}

for_each_op!(dispatch);
