//! Calls of primitives that the machine has instructions for.

use bowline_middle::InlineOp;
use bowline_middle::ir::{Ir, PrimitiveId};
use bowline_runtime::kinds;
use bowline_syntax::Span;

use super::literal::small_bits;
use super::{CompileError, Compiler, Want};
use crate::opcode::{Insn, Op};

/// An instruction that takes its only operand from `acc`.
fn unary(op: InlineOp) -> Option<Op> {
    Some(match op {
        InlineOp::Not => Op::Not,
        InlineOp::Car => Op::Car,
        InlineOp::Cdr => Op::Cdr,
        InlineOp::Cadr => Op::Cadr,
        InlineOp::Cddr => Op::Cddr,
        InlineOp::IsPair => Op::IsPair,
        InlineOp::IsNull => Op::IsNull,
        InlineOp::IsZero => Op::IsZero,
        InlineOp::IsBytevector => Op::IsBytevector,
        InlineOp::IsChar => Op::IsChar,
        InlineOp::IsProcedure => Op::IsProcedure,
        InlineOp::VectorLength => Op::VectorLength,
        InlineOp::StringLength => Op::StringLength,
        InlineOp::CharToInteger => Op::CharToInteger,
        _ => return None,
    })
}

/// A test for a type of object.
fn type_test(op: InlineOp) -> Option<bowline_layout::TypeId> {
    Some(match op {
        InlineOp::IsSymbol => kinds::SYMBOL,
        InlineOp::IsString => kinds::STRING,
        InlineOp::IsVector => kinds::VECTOR,
        _ => return None,
    })
}

/// An instruction that takes the left operand from the stack and the right one from `acc`.
fn binary(op: InlineOp) -> Option<Op> {
    Some(match op {
        InlineOp::Add => Op::Add,
        InlineOp::Sub => Op::Sub,
        InlineOp::Mul => Op::Mul,
        InlineOp::Quotient => Op::Quotient,
        InlineOp::Remainder => Op::Remainder,
        InlineOp::Modulo => Op::Modulo,
        InlineOp::NumEq => Op::NumEq,
        InlineOp::Lt => Op::Lt,
        InlineOp::Le => Op::Le,
        InlineOp::Gt => Op::Gt,
        InlineOp::Ge => Op::Ge,
        InlineOp::Eq => Op::Eq,
        InlineOp::Cons => Op::Cons,
        InlineOp::SetCar => Op::SetCar,
        InlineOp::SetCdr => Op::SetCdr,
        InlineOp::VectorRef => Op::VectorRef,
        InlineOp::BytevectorRef => Op::BytevectorRef,
        InlineOp::StringRef => Op::StringRef,
        InlineOp::CharEq => Op::CharEq,
        InlineOp::CharLt => Op::CharLt,
        InlineOp::IsRecord => Op::IsRecord,
        _ => return None,
    })
}

impl Compiler<'_> {
    /// Compiles the call if there is an instruction for it.
    pub(super) fn inline(
        &mut self,
        op: InlineOp,
        prim: PrimitiveId,
        args: &[Ir],
        span: Span,
        want: Want,
    ) -> Result<bool, CompileError> {
        match args {
            [arg] => self.inline_unary(op, arg, span, want),
            [a, b] => self.inline_binary(op, a, b, span, want),
            [first, rest @ ..]
                if matches!(op, InlineOp::Add | InlineOp::Mul | InlineOp::Sub)
                    && !rest.is_empty() =>
            {
                self.chain(op, first, rest, span, want)
            }
            [vector, index, value] if op == InlineOp::VectorSet => {
                self.expr(vector, Want::Push)?;
                self.expr(index, Want::Push)?;
                self.expr(value, Want::Acc)?;
                self.inlined(Op::VectorSet, 2, span, want)
            }
            [_, _, _, _] if op == InlineOp::RecordRef => {
                self.record(Op::RecordRef, prim, args, span, want)
            }
            [_, _, _, _, _] if op == InlineOp::RecordSet => {
                self.record(Op::RecordSet, prim, args, span, want)
            }
            _ => Ok(false),
        }
    }

    /// Emits the operation, which takes `taken` words off, and delivers its value.
    fn inlined(
        &mut self,
        op: Op,
        taken: u32,
        span: Span,
        want: Want,
    ) -> Result<bool, CompileError> {
        self.op(op);
        self.code.span(span);
        self.depth -= taken;
        self.deliver(want)?;
        Ok(true)
    }

    fn inline_unary(
        &mut self,
        op: InlineOp,
        arg: &Ir,
        span: Span,
        want: Want,
    ) -> Result<bool, CompileError> {
        if let (InlineOp::Car | InlineOp::Cdr, Ir::Local(slot)) = (op, arg) {
            let place = self.find(*slot)? as i32;
            let push = want == Want::Push;
            let insn = match (op, push) {
                (InlineOp::Car, false) => Op::CarLocal,
                (InlineOp::Car, true) => Op::PushCarLocal,
                (_, false) => Op::CdrLocal,
                (_, true) => Op::PushCdrLocal,
            };
            self.op_b(insn, place);
            self.code.span(span);
            if push {
                self.grow(1)?;
            } else {
                self.deliver(want)?;
            }
            return Ok(true);
        }
        if let Some(id) = type_test(op) {
            self.expr(arg, Want::Acc)?;
            self.op_b(Op::IsType, id.0.into());
            self.deliver(want)?;
            return Ok(true);
        }
        let Some(insn) = unary(op) else {
            return Ok(false);
        };
        self.expr(arg, Want::Acc)?;
        self.inlined(insn, 0, span, want)
    }

    fn inline_binary(
        &mut self,
        op: InlineOp,
        a: &Ir,
        b: &Ir,
        span: Span,
        want: Want,
    ) -> Result<bool, CompileError> {
        if matches!(op, InlineOp::Add | InlineOp::Sub) && self.inline_sum(op, a, b, span, want)? {
            return Ok(true);
        }
        let Some(insn) = binary(op) else {
            return Ok(false);
        };
        self.expr(a, Want::Push)?;
        self.expr(b, Want::Acc)?;
        self.inlined(insn, 1, span, want)
    }

    /// Sums and differences with a small constant or of two slots.
    fn inline_sum(
        &mut self,
        op: InlineOp,
        a: &Ir,
        b: &Ir,
        span: Span,
        want: Want,
    ) -> Result<bool, CompileError> {
        let add = op == InlineOp::Add;
        let swapped = add && small_bits(a).is_some() && small_bits(b).is_none();
        let (a, b) = if swapped { (b, a) } else { (a, b) };
        if let (Ir::Local(left), Ir::Local(right)) = (a, b) {
            let (left, right) = (self.find(*left)?, self.find(*right)? as i32);
            let insn = if add { Op::AddLocals } else { Op::SubLocals };
            self.op_ab(insn, left, right);
        } else if let (Ir::Local(left), Some(bits)) = (a, small_bits(b)) {
            let left = self.find(*left)?;
            let push = want == Want::Push;
            let insn = match (add, push) {
                (true, false) => Op::AddSmall,
                (true, true) => Op::PushAddSmall,
                (false, false) => Op::SubSmall,
                (false, true) => Op::PushSubSmall,
            };
            self.code
                .emit(Insn::new(insn, swapped.into(), left as u16, bits));
            if push {
                self.code.span(span);
                self.grow(1)?;
                return Ok(true);
            }
        } else if let Some(bits) = small_bits(b) {
            self.expr(a, Want::Acc)?;
            let insn = if add { Op::AddConst } else { Op::SubConst };
            self.code.emit(Insn::new(insn, swapped.into(), 0, bits));
        } else {
            return Ok(false);
        }
        self.code.span(span);
        self.deliver(want)?;
        Ok(true)
    }

    /// Sums, products and differences of more than two operands, from the left.
    fn chain(
        &mut self,
        op: InlineOp,
        first: &Ir,
        rest: &[Ir],
        span: Span,
        want: Want,
    ) -> Result<bool, CompileError> {
        // Each instruction knows which operand of the text its right one is.
        let (Some(insn), Ok(last)) = (binary(op), u8::try_from(rest.len() + 1)) else {
            return Ok(false);
        };
        self.expr(first, Want::Push)?;
        for (item, position) in rest.iter().zip(2..) {
            self.expr(item, Want::Acc)?;
            self.code.emit(Insn::new(insn, position, 0, 0));
            self.code.span(span);
            self.depth -= 1;
            self.deliver(if position == last { want } else { Want::Push })?;
        }
        Ok(true)
    }

    fn record(
        &mut self,
        op: Op,
        prim: PrimitiveId,
        args: &[Ir],
        span: Span,
        want: Want,
    ) -> Result<bool, CompileError> {
        for arg in args {
            self.expr(arg, Want::Push)?;
        }
        self.code
            .emit(Insn::new(op, 0, args.len() as u16, prim.0.into()));
        self.code.span(span);
        self.depth -= args.len() as u32;
        self.deliver(want)?;
        Ok(true)
    }
}
