//! The instruction set: one table that makes the enum, the names, the operand kinds and the
//! dispatch.
//!
//! The machine has an accumulator (`acc`), the running procedure (`closure`), a frame pointer `fp`
//! that points to argument 0, and a stack pointer `sp` that points behind the last word. An
//! instruction of two operands finds the left one on top of the stack, takes it off, and the right
//! one in `acc`. "Slot n" is `fp[n]`.
//!
//! inv:vm.resume — before an instruction does anything that can fail, `pc` is behind it (and behind
//! its operand word). That address is where a call returns to and what spans are filed under.
//!
//! Absent on purpose: the meaning in code, which is one handler per row in `machine`.

/// How an instruction's operands are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operands {
    /// None.
    None,
    /// `b`: the bits of a value.
    Bits,
    /// The next word: the bits of a value.
    Word,
    /// The next word: the address of a cell with a constant.
    Literal,
    /// `b`: a number.
    Number,
    /// `b`: a slot.
    Slot,
    /// `a`: a slot; `b`: the bits of a fixnum.
    SlotBits,
    /// `a`: a slot; `b`: a number.
    SlotNumber,
    /// `a`, `b`: slots.
    SlotSlot,
    /// `b`: a distance in instructions, from the next one.
    Target,
    /// `a`: a slot; `b`: a distance.
    SlotTarget,
    /// `a`: the bits of a value; `b`: a distance.
    BitsTarget,
    /// `c`: a slot; `a`: a fixnum; `b`: a distance.
    SlotSmallTarget,
    /// `c`, `a`: slots; `b`: a distance.
    SlotSlotTarget,
    /// `c`: a count; `a`: a slot; `b`: a distance.
    SlideTarget,
    /// `a`: a count; `b`: a distance.
    CountTarget,
    /// `a`: a count.
    Count,
    /// `b`: a global variable; the next word: its cell.
    Global,
    /// `a`: a count; `b`: a global variable; the next word: its cell.
    CountGlobal,
    /// `a`: a count; `b`: a primitive.
    Primitive,
}

impl Operands {
    /// Whether an operand word follows the instruction.
    pub const fn has_word(self) -> bool {
        matches!(
            self,
            Operands::Word | Operands::Literal | Operands::Global | Operands::CountGlobal
        )
    }
}

/// Calls the macro `$then` with the table. A row: doc, variant, name (also its handler's), operands.
macro_rules! for_each_op {
    ($then:ident) => {
        $then! {
            /// `acc` = the constant.
            Const const_bits Bits
            /// Pushes the constant.
            PushConst push_const Bits
            /// `acc` = the constant in the next word.
            Wide wide Word
            /// Pushes the constant in the next word.
            PushWide push_wide Word
            /// `acc` = the constant in the cell.
            Literal literal Literal
            /// Pushes the constant in the cell.
            PushLiteral push_literal Literal
            /// `acc` = slot.
            Local local Slot
            /// Pushes a slot.
            PushLocal push_local Slot
            /// `acc` = captured value.
            Captured captured Number
            /// Pushes a captured value.
            PushCaptured push_captured Number
            /// `acc` = global variable.
            Global global Global
            /// Pushes a global variable.
            PushGlobal push_global Global
            /// Assigns `acc` to a global variable that has a value.
            SetGlobal set_global Global
            /// Gives a global variable the value `acc`.
            DefineGlobal define_global Global
            /// Pushes `acc`.
            Push push None
            /// Takes words off the stack.
            Drop drop_words Number

            /// Goes on elsewhere.
            Jump jump Target
            /// Goes on elsewhere if `acc` is false.
            JumpIfFalse jump_if_false Target
            /// Goes on elsewhere if `acc` is true.
            JumpIfTrue jump_if_true Target
            /// The next turn of a loop: moves the top words down to a slot, cuts the stack behind
            /// them, polls and goes back.
            LoopBack loop_back SlideTarget
            /// As `LoopBack` for one word that is in `acc`.
            LoopBackAcc loop_back_acc SlotTarget

            /// Begins a call: pushes `closure`, the return address and the caller's frame size.
            Frame frame CountTarget
            /// Calls `acc` with the top words.
            Call call Count
            /// Calls `acc` with the top words in place of the running procedure.
            TailCall tail_call Count
            /// Calls the value of a global variable.
            CallGlobal call_global CountGlobal
            /// Calls the value of a global variable in place of the running procedure.
            TailCallGlobal tail_call_global CountGlobal
            /// Calls a function of this unit that captures nothing.
            CallKnown call_known CountTarget
            /// The same in place of the running procedure.
            TailCallKnown tail_call_known CountTarget
            /// Calls a function of this unit whose closure is `acc`.
            CallClosure call_closure CountTarget
            /// The same in place of the running procedure.
            TailCallClosure tail_call_closure CountTarget
            /// Returns `acc`.
            Return return_acc None
            /// Returns a slot.
            ReturnLocal return_local Slot
            /// A function's first instruction: checks the number of arguments, stack room and poll.
            Enter enter Count
            /// The same for a function with a rest list.
            EnterRest enter_rest Count
            /// Where known calls enter: checks stack room and poll.
            Poll poll None
            /// Checks that a large frame has room.
            Room room Number

            /// `acc` = a closure of the top words, which are taken off.
            Closure closure CountTarget
            /// Stores `acc` as a captured value of the closure in a slot.
            Patch patch SlotNumber
            /// `acc` = a case-lambda of the top words, which are taken off.
            CaseLambda case_lambda Count
            /// `acc` = a new box holding it.
            BoxNew box_new None
            /// `acc` = content of the box.
            BoxGet box_get None
            /// `acc` = content of the box in a slot.
            BoxGetLocal box_get_local Slot
            /// `acc` = content of a captured box.
            BoxGetCaptured box_get_captured Number
            /// Stores `acc` in the box on the stack.
            BoxSet box_set None
            /// Fails if `acc` is the unbound marker; the next word is the variable's name.
            CheckBound check_bound Word

            /// Calls a primitive with the top words, which are taken off.
            Prim prim Primitive
            /// `acc` = sum.
            Add add None
            /// `acc` = difference.
            Sub sub None
            /// `acc` = product.
            Mul mul None
            /// `acc` = slot + constant.
            AddSmall add_small SlotBits
            /// `acc` = slot − constant.
            SubSmall sub_small SlotBits
            /// Pushes slot + constant.
            PushAddSmall push_add_small SlotBits
            /// Pushes slot − constant.
            PushSubSmall push_sub_small SlotBits
            /// `acc` = slot + slot.
            AddLocals add_locals SlotSlot
            /// `acc` = slot − slot.
            SubLocals sub_locals SlotSlot
            /// `acc` = `acc` + constant.
            AddConst add_const Bits
            /// `acc` = `acc` − constant.
            SubConst sub_const Bits
            /// `acc` = quotient.
            Quotient quotient None
            /// `acc` = remainder.
            Remainder remainder None
            /// `acc` = modulo.
            Modulo modulo None

            /// `acc` = whether left = right.
            NumEq num_eq None
            /// `acc` = whether left < right.
            Lt lt None
            /// `acc` = whether left ≤ right.
            Le le None
            /// `acc` = whether left > right.
            Gt gt None
            /// `acc` = whether left ≥ right.
            Ge ge None
            /// Jumps unless left = right.
            UnlessNumEq unless_num_eq Target
            /// Jumps unless left < right.
            UnlessLt unless_lt Target
            /// Jumps unless left ≤ right.
            UnlessLe unless_le Target
            /// Jumps unless left > right.
            UnlessGt unless_gt Target
            /// Jumps unless left ≥ right.
            UnlessGe unless_ge Target
            /// Jumps unless slot = constant.
            UnlessNumEqSmall unless_num_eq_small SlotSmallTarget
            /// Jumps unless slot < constant.
            UnlessLtSmall unless_lt_small SlotSmallTarget
            /// Jumps unless slot ≤ constant.
            UnlessLeSmall unless_le_small SlotSmallTarget
            /// Jumps unless slot > constant.
            UnlessGtSmall unless_gt_small SlotSmallTarget
            /// Jumps unless slot ≥ constant.
            UnlessGeSmall unless_ge_small SlotSmallTarget
            /// Jumps unless slot = slot.
            UnlessNumEqLocals unless_num_eq_locals SlotSlotTarget
            /// Jumps unless slot < slot.
            UnlessLtLocals unless_lt_locals SlotSlotTarget
            /// Jumps unless slot ≤ slot.
            UnlessLeLocals unless_le_locals SlotSlotTarget
            /// Jumps unless slot > slot.
            UnlessGtLocals unless_gt_locals SlotSlotTarget
            /// Jumps unless slot ≥ slot.
            UnlessGeLocals unless_ge_locals SlotSlotTarget

            /// `acc` = whether it is zero.
            IsZero is_zero None
            /// Jumps unless `acc` is zero.
            UnlessZero unless_zero Target
            /// Jumps unless the slot holds zero.
            UnlessZeroLocal unless_zero_local SlotTarget

            /// `acc` = whether it is false.
            Not not None
            /// `acc` = whether both are the same word.
            Eq eq None
            /// Jumps unless both are the same word.
            UnlessEq unless_eq Target
            /// Jumps unless `acc` is the constant.
            UnlessSmall unless_small BitsTarget
            /// `acc` = whether it is the empty list.
            IsNull is_null None
            /// `acc` = whether it is a pair.
            IsPair is_pair None
            /// Jumps unless `acc` is the empty list.
            UnlessNull unless_null Target
            /// Jumps unless `acc` is a pair.
            UnlessPair unless_pair Target
            /// Jumps unless the slot holds the empty list.
            UnlessNullLocal unless_null_local SlotTarget
            /// Jumps unless the slot holds a pair.
            UnlessPairLocal unless_pair_local SlotTarget
            /// `acc` = whether it is an object of the type.
            IsType is_type Number
            /// `acc` = whether it is a bytevector, also a view.
            IsBytevector is_bytevector None
            /// `acc` = whether it is a character.
            IsChar is_char None
            /// `acc` = whether it is a procedure.
            IsProcedure is_procedure None
            /// `acc` = a pair of left and right.
            Cons cons None
            /// `acc` = first field of the pair.
            Car car None
            /// `acc` = second field of the pair.
            Cdr cdr None
            /// `acc` = first field of the second.
            Cadr cadr None
            /// `acc` = second field of the second.
            Cddr cddr None
            /// `acc` = first field of the pair in a slot.
            CarLocal car_local Slot
            /// `acc` = second field of the pair in a slot.
            CdrLocal cdr_local Slot
            /// Pushes the first field of the pair in a slot.
            PushCarLocal push_car_local Slot
            /// Pushes the second field of the pair in a slot.
            PushCdrLocal push_cdr_local Slot
            /// Stores `acc` in the first field of the pair on the stack.
            SetCar set_car None
            /// Stores `acc` in the second field of the pair on the stack.
            SetCdr set_cdr None
            /// `acc` = element of the vector on the stack.
            VectorRef vector_ref None
            /// Stores `acc` in a vector; vector and index are on the stack.
            VectorSet vector_set None
            /// `acc` = length of the vector.
            VectorLength vector_length None
            /// `acc` = byte of the bytevector on the stack.
            BytevectorRef bytevector_ref None
            /// `acc` = character of the string on the stack.
            StringRef string_ref None
            /// `acc` = length of the string.
            StringLength string_length None
            /// `acc` = whether both characters are the same.
            CharEq char_eq None
            /// `acc` = whether the left character comes first.
            CharLt char_lt None
            /// `acc` = the character's number.
            CharToInteger char_to_integer None
            /// `acc` = whether the top words, object and record type, fit.
            IsRecord is_record None
            /// A field of a record: object, type, index and name are the top words.
            RecordRef record_ref Primitive
            /// Changes a field of a record: object, type, index, value and name are the top words.
            RecordSet record_set Primitive

            /// Leaves the loop.
            Halt halt None
            /// The code of primitives.
            PrimStub prim_stub None
            /// The code of case-lambdas.
            CaseStub case_stub None
            /// The code of parameters.
            ParameterStub parameter_stub None
            /// The code of continuations.
            KontStub kont_stub None
            /// The code of foreign procedures.
            ForeignStub foreign_stub None
            /// Gives a foreign call's result to its `errno-when` predicate.
            ForeignCheck foreign_check None
            /// Return address at an activation's base: goes on in the captured part, or ends it.
            Underflow underflow None
            /// Lowers the stack's mark and returns on.
            Lower lower None
            /// Return address of `%with-dyn`.
            RestoreDyn restore_dyn None
            /// Return address of the producer in `call-with-values`.
            Receive receive None
        }
    };
}

macro_rules! define_ops {
    ($($(#[doc = $doc:literal])* $op:ident $name:ident $operands:ident)*) => {
        /// An operation.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Op { $($(#[doc = $doc])* $op,)* }

        impl Op {
            /// Every operation, in the order of its number.
            pub const ALL: &'static [Op] = &[$(Op::$op,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Op::$op => stringify!($name),)* }
            }

            /// What its operands are.
            pub const fn operands(self) -> Operands {
                match self { $(Op::$op => Operands::$operands,)* }
            }

            /// What it does, in words.
            pub const fn summary(self) -> &'static str {
                match self { $(Op::$op => concat!($($doc, " "),*),)* }
            }
        }
    };
}

for_each_op!(define_ops);
pub(crate) use for_each_op;

/// One instruction: operation and operands in eight bytes.
///
/// ```text
///  63          32 31     16 15   8 7    0
/// |      b       |    a    |  c   |  op  |
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Insn(u64);

impl Insn {
    /// The instruction `op` with these operands.
    pub const fn new(op: Op, c: u8, a: u16, b: i32) -> Insn {
        Insn(op as u64 | (c as u64) << 8 | (a as u64) << 16 | (b as u32 as u64) << 32)
    }

    /// An operand word.
    pub const fn word(bits: u64) -> Insn {
        Insn(bits)
    }

    /// All bits.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The number of the operation.
    #[inline(always)]
    pub const fn code(self) -> u8 {
        self.0 as u8
    }

    /// The operation.
    pub fn op(self) -> Option<Op> {
        Op::ALL.get(self.code() as usize).copied()
    }

    /// The small operand.
    #[inline(always)]
    pub const fn c(self) -> usize {
        (self.0 >> 8) as u8 as usize
    }

    /// The middle operand.
    #[inline(always)]
    pub const fn a(self) -> usize {
        (self.0 >> 16) as u16 as usize
    }

    /// The middle operand, signed.
    #[inline(always)]
    pub const fn small(self) -> i64 {
        (self.0 >> 16) as i16 as i64
    }

    /// The large operand.
    #[inline(always)]
    pub const fn b(self) -> i32 {
        (self.0 >> 32) as i32
    }

    /// The same with another large operand.
    pub const fn with_b(self, b: i32) -> Insn {
        Insn(self.0 & 0xffff_ffff | (b as u32 as u64) << 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_come_back_as_they_went_in() {
        for &op in Op::ALL {
            let i = Insn::new(op, 255, 65535, i32::MIN);
            assert_eq!(
                (i.op(), i.c(), i.a(), i.b()),
                (Some(op), 255, 65535, i32::MIN)
            );
            assert_eq!(i.small(), -1);
            assert_eq!(i.with_b(7).b(), 7);
            assert_eq!(i.with_b(7).a(), 65535);
        }
    }

    #[test]
    fn every_row_says_what_it_does() {
        for &op in Op::ALL {
            assert!(op.summary().trim().ends_with('.'), "{}", op.name());
        }
    }
}
