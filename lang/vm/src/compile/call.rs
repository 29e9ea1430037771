//! Calls. The return address and the arguments are pushed, then the callee is jumped to; a tail call
//! pushes the arguments and moves them down over the running procedure's own.

use bowline_middle::ir::{FuncId, Ir, PrimitiveId};
use bowline_syntax::Span;

use super::{CompileError, Compiler, Want};
use crate::assembler::{Entry, Label, Reference};
use crate::machine::FRAME;
use crate::opcode::{Insn, Op};

/// Whether `ir` may be evaluated behind the arguments. For a global variable an argument that
/// assigns it could tell; the language leaves that order open, and the call is one instruction.
fn is_simple(ir: &Ir) -> bool {
    matches!(
        ir,
        Ir::Const(_) | Ir::Local(_) | Ir::Captured(_) | Ir::Primitive(_) | Ir::Global(..)
    ) || matches!(ir, Ir::Closure { captured, .. } if captured.is_empty())
}

impl Compiler<'_> {
    /// A call of an unknown procedure; its result is in `acc`.
    pub(super) fn call(
        &mut self,
        f: &Ir,
        args: &[Ir],
        tail: bool,
        span: Span,
    ) -> Result<(), CompileError> {
        let early = self.early(Some(f))?;
        let back = self.begin(tail)?;
        self.arguments(args, span)?;
        let n = args.len() as u16;
        if let Ir::Global(id, _) = f {
            let op = if tail {
                Op::TailCallGlobal
            } else {
                Op::CallGlobal
            };
            let insn = Insn::new(op, 0, n, id.0 as i32);
            self.code.emit_to(insn, Reference::Global(*id));
        } else {
            self.callee(f, early)?;
            let op = if tail { Op::TailCall } else { Op::Call };
            self.code.emit(Insn::new(op, 0, n, 0));
        }
        self.finish(back, args.len(), early, span)
    }

    /// A call of a function of this unit; its result is in `acc`.
    pub(super) fn call_known(
        &mut self,
        func: FuncId,
        closure: Option<&Ir>,
        args: &[Ir],
        tail: bool,
        span: Span,
    ) -> Result<(), CompileError> {
        let accepts = |f: &bowline_middle::ir::Function| usize::from(f.params) == args.len();
        if !self.module.function(func).is_some_and(accepts) {
            return self.bad();
        }
        let early = self.early(closure)?;
        let back = self.begin(tail)?;
        self.arguments(args, span)?;
        let op = match (closure, tail) {
            (None, false) => Op::CallKnown,
            (None, true) => Op::TailCallKnown,
            (Some(_), false) => Op::CallClosure,
            (Some(_), true) => Op::TailCallClosure,
        };
        if let Some(closure) = closure {
            self.callee(closure, early)?;
        }
        let insn = Insn::new(op, 0, args.len() as u16, 0);
        let code = Reference::FunctionCode(func, Entry::Known);
        self.code.emit_to(insn, code);
        self.finish(back, args.len(), early, span)
    }

    /// Evaluates the callee before the arguments if it matters; says where it is then.
    fn early(&mut self, callee: Option<&Ir>) -> Result<Option<u32>, CompileError> {
        match callee {
            Some(ir) if !is_simple(ir) => {
                self.expr(ir, Want::Push)?;
                Ok(Some(self.depth - 1))
            }
            _ => Ok(None),
        }
    }

    fn callee(&mut self, ir: &Ir, early: Option<u32>) -> Result<(), CompileError> {
        match early {
            Some(place) => {
                self.op_b(Op::Local, place as i32);
                Ok(())
            }
            None => self.expr(ir, Want::Acc),
        }
    }

    /// Pushes the frame's three words, unless the call is a tail call.
    fn begin(&mut self, tail: bool) -> Result<Option<Label>, CompileError> {
        if tail {
            return Ok(None);
        }
        let back = self.code.label();
        self.grow(FRAME as u32)?;
        self.code.jump(Op::Frame, 0, self.depth as u16, back);
        Ok(Some(back))
    }

    fn arguments(&mut self, args: &[Ir], span: Span) -> Result<(), CompileError> {
        for arg in args {
            self.expr(arg, Want::Push).map_err(|error| error.at(span))?;
        }
        Ok(())
    }

    /// Behind the call instruction: the callee has taken the frame and the arguments off.
    fn finish(
        &mut self,
        back: Option<Label>,
        args: usize,
        early: Option<u32>,
        span: Span,
    ) -> Result<(), CompileError> {
        self.code.span(span);
        self.depth -= args as u32;
        if back.is_some() {
            self.depth -= FRAME as u32;
        }
        match back {
            None => {
                self.depth -= u32::from(early.is_some());
                self.code.end();
            }
            Some(back) => {
                self.code.bind(back);
                if early.is_some() {
                    self.op_b(Op::Drop, 1);
                    self.depth -= 1;
                }
            }
        }
        Ok(())
    }

    /// A call of a primitive; inline if the machine has an instruction.
    pub(super) fn primitive_call(
        &mut self,
        prim: PrimitiveId,
        args: &[Ir],
        span: Span,
        want: Want,
    ) -> Result<(), CompileError> {
        let facts = self.primitives.get(usize::from(prim.0)).copied();
        let Some(facts) = facts else {
            return self.bad();
        };
        if let Some(op) = facts.inline
            && self.inline(op, prim, args, span, want)?
        {
            return Ok(());
        }
        self.arguments(args, span)?;
        self.op_ab(Op::Prim, args.len() as u32, prim.0.into());
        self.code.span(span);
        self.depth -= args.len() as u32;
        self.deliver(want)
    }
}
