//! Tests: conditions become jumps without a boolean in between where they can.

use bowline_middle::InlineOp;
use bowline_middle::ir::{Ir, PrimitiveId};
use bowline_syntax::Span;

use super::literal::{small, truth};
use super::{CompileError, Compiler, Want};
use crate::assembler::Label;
use crate::opcode::Op;

/// A numeric comparison's instructions.
struct Comparison {
    stack: Op,
    small: Op,
    locals: Op,
}

fn comparison(op: InlineOp) -> Option<Comparison> {
    let (stack, small, locals) = match op {
        InlineOp::NumEq => (Op::UnlessNumEq, Op::UnlessNumEqSmall, Op::UnlessNumEqLocals),
        InlineOp::Lt => (Op::UnlessLt, Op::UnlessLtSmall, Op::UnlessLtLocals),
        InlineOp::Le => (Op::UnlessLe, Op::UnlessLeSmall, Op::UnlessLeLocals),
        InlineOp::Gt => (Op::UnlessGt, Op::UnlessGtSmall, Op::UnlessGtLocals),
        InlineOp::Ge => (Op::UnlessGe, Op::UnlessGeSmall, Op::UnlessGeLocals),
        _ => return None,
    };
    Some(Comparison {
        stack,
        small,
        locals,
    })
}

impl Compiler<'_> {
    pub(super) fn conditional(
        &mut self,
        test: &Ir,
        then: &Ir,
        otherwise: &Ir,
        want: Want,
    ) -> Result<(), CompileError> {
        let no = self.code.label();
        let end = self.code.label();
        self.branch(test, false, no)?;
        let depth = self.depth;
        self.expr(then, want)?;
        if want != Want::Tail {
            self.code.jump(Op::Jump, 0, 0, end);
        }
        self.depth = depth;
        self.code.bind(no);
        self.expr(otherwise, want)?;
        if want != Want::Tail {
            self.code.bind(end);
        }
        Ok(())
    }

    /// Jumps to `label` when the truth of `test` is `sense`, and goes on otherwise.
    fn branch(&mut self, test: &Ir, sense: bool, label: Label) -> Result<(), CompileError> {
        match test {
            Ir::If(a, b, c) if truth(c) == Some(false) => self.branch_and(a, b, sense, label),
            Ir::If(a, b, c) if truth(b) == Some(true) => self.branch_or(a, c, sense, label),
            Ir::Seq(items) => match items.split_last() {
                Some((last, first)) => {
                    for item in first {
                        self.expr(item, Want::Effect)?;
                    }
                    self.branch(last, sense, label)
                }
                None => self.bad(),
            },
            Ir::PrimCall { prim, args, span } => {
                self.branch_call(test, *prim, args, *span, sense, label)
            }
            _ => self.branch_value(test, sense, label),
        }
    }

    fn branch_value(&mut self, test: &Ir, sense: bool, label: Label) -> Result<(), CompileError> {
        self.expr(test, Want::Acc)?;
        let op = if sense {
            Op::JumpIfTrue
        } else {
            Op::JumpIfFalse
        };
        self.code.jump(op, 0, 0, label);
        Ok(())
    }

    fn branch_and(&mut self, a: &Ir, b: &Ir, sense: bool, to: Label) -> Result<(), CompileError> {
        if !sense {
            self.branch(a, false, to)?;
            return self.branch(b, false, to);
        }
        let skip = self.code.label();
        self.branch(a, false, skip)?;
        self.branch(b, true, to)?;
        self.code.bind(skip);
        Ok(())
    }

    fn branch_or(&mut self, a: &Ir, b: &Ir, sense: bool, to: Label) -> Result<(), CompileError> {
        if sense {
            self.branch(a, true, to)?;
            return self.branch(b, true, to);
        }
        let skip = self.code.label();
        self.branch(a, true, skip)?;
        self.branch(b, false, to)?;
        self.code.bind(skip);
        Ok(())
    }

    fn branch_call(
        &mut self,
        test: &Ir,
        prim: PrimitiveId,
        args: &[Ir],
        span: Span,
        sense: bool,
        label: Label,
    ) -> Result<(), CompileError> {
        let facts = self.primitives.get(usize::from(prim.0));
        let Some(op) = facts.and_then(|f| f.inline) else {
            return self.branch_value(test, sense, label);
        };
        if let (InlineOp::Not, [arg]) = (op, args) {
            return self.branch(arg, !sense, label);
        }
        // The fused instructions jump when the test fails; for the other sense they skip a jump.
        let skip = self.code.label();
        let target = if sense { skip } else { label };
        if !self.fused(op, args, span, target)? {
            return self.branch_value(test, sense, label);
        }
        if sense {
            self.code.jump(Op::Jump, 0, 0, label);
            self.code.bind(skip);
        }
        Ok(())
    }

    /// Emits "jump unless" in one instruction, if there is one for this test.
    fn fused(
        &mut self,
        op: InlineOp,
        args: &[Ir],
        span: Span,
        target: Label,
    ) -> Result<bool, CompileError> {
        match (op, args) {
            (InlineOp::IsNull, [arg]) => {
                self.unary(arg, Op::UnlessNull, Op::UnlessNullLocal, target)?;
            }
            (InlineOp::IsPair, [arg]) => {
                self.unary(arg, Op::UnlessPair, Op::UnlessPairLocal, target)?;
            }
            (InlineOp::IsZero, [arg]) => {
                self.unary(arg, Op::UnlessZero, Op::UnlessZeroLocal, target)?;
            }
            (InlineOp::Eq, [a, b]) => self.fused_eq(a, b, target)?,
            (_, [a, b]) => match comparison(op) {
                Some(ops) => self.compare(ops, a, b, target)?,
                None => return Ok(false),
            },
            _ => return Ok(false),
        }
        self.code.span(span);
        Ok(true)
    }

    fn unary(&mut self, arg: &Ir, acc: Op, local: Op, to: Label) -> Result<(), CompileError> {
        if let Ir::Local(slot) = arg {
            let place = self.find(*slot)?;
            self.code.jump(local, 0, place as u16, to);
            return Ok(());
        }
        self.expr(arg, Want::Acc)?;
        self.code.jump(acc, 0, 0, to);
        Ok(())
    }

    fn fused_eq(&mut self, a: &Ir, b: &Ir, to: Label) -> Result<(), CompileError> {
        for (constant, other) in [(b, a), (a, b)] {
            if let Some(bits) = super::literal::word16(constant) {
                self.expr(other, Want::Acc)?;
                self.code.jump(Op::UnlessSmall, 0, bits as u16, to);
                return Ok(());
            }
        }
        self.expr(a, Want::Push)?;
        self.expr(b, Want::Acc)?;
        self.depth -= 1;
        self.code.jump(Op::UnlessEq, 0, 0, to);
        Ok(())
    }

    fn compare(&mut self, ops: Comparison, a: &Ir, b: &Ir, to: Label) -> Result<(), CompileError> {
        if let Ir::Local(left) = a
            && let Ok(left) = u8::try_from(self.find(*left)?)
        {
            if let Some(n) = small(b) {
                self.code.jump(ops.small, left, n as u16, to);
                return Ok(());
            }
            if let Ir::Local(right) = b {
                let right = self.find(*right)?;
                self.code.jump(ops.locals, left, right as u16, to);
                return Ok(());
            }
        }
        self.expr(a, Want::Push)?;
        self.expr(b, Want::Acc)?;
        self.depth -= 1;
        self.code.jump(ops.stack, 0, 0, to);
        Ok(())
    }
}
