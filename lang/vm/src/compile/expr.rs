//! Expressions other than calls.

use bowline_layout::Value;
use bowline_middle::ir::{FuncId, Ir, LabelId, Slot};
use bowline_syntax::Span;

use super::{CompileError, Compiler, Loop, Want};
use crate::assembler::{Entry, Reference};
use crate::opcode::{Insn, Op};

impl Compiler<'_> {
    /// Any expression.
    pub(super) fn expr(&mut self, ir: &Ir, want: Want) -> Result<(), CompileError> {
        match ir {
            Ir::Const(datum) => self.datum(datum, want),
            Ir::Unassigned => self.value(Value::UNBOUND, want),
            Ir::Local(slot) => self.local(*slot, want),
            Ir::Captured(i) => self.simple(Op::Captured, Op::PushCaptured, (*i).into(), want),
            Ir::Global(..) | Ir::SetGlobal(..) | Ir::DefineGlobal(..) => self.global(ir, want),
            Ir::Primitive(p) => {
                let number = self.constants.primitive(*p);
                self.constant(number, want)
            }
            Ir::If(test, then, otherwise) => self.conditional(test, then, otherwise, want),
            Ir::Seq(items) => self.sequence(items, want),
            Ir::Let { slot, init, body } => {
                self.expr(init, Want::Push)?;
                self.place(*slot, self.depth - 1)?;
                self.scope(1, body, want)
            }
            Ir::PrimCall { prim, args, span } => self.primitive_call(*prim, args, *span, want),
            Ir::Call {
                f,
                args,
                tail,
                span,
            } => {
                let tail = *tail && want == Want::Tail;
                self.call(f, args, tail, *span)?;
                if tail { Ok(()) } else { self.deliver(want) }
            }
            Ir::CallKnown {
                func,
                closure,
                args,
                tail,
                span,
            } => {
                let tail = *tail && want == Want::Tail;
                self.call_known(*func, closure.as_deref(), args, tail, *span)?;
                if tail { Ok(()) } else { self.deliver(want) }
            }
            Ir::Closure { .. } | Ir::CaseLambda { .. } => self.procedure(ir, want),
            Ir::Fix { closures, body } => self.fix(closures, body, want),
            Ir::BoxNew(_) | Ir::BoxGet(_) | Ir::BoxSet(..) => self.boxes(ir, want),
            Ir::CheckBound { value, name, span } => {
                self.expr(value, Want::Acc)?;
                let number = self.symbol(name);
                let insn = Insn::new(Op::CheckBound, 0, 0, 0);
                self.code.emit_to(insn, Reference::Constant(number));
                self.code.span(*span);
                self.deliver(want)
            }
            Ir::Loop {
                label,
                slots,
                inits,
                body,
            } => self.looping(*label, slots, inits, body, want),
            Ir::Jump { label, args, span } => self.next_turn(*label, args, *span),
        }
    }

    fn simple(&mut self, acc: Op, push: Op, b: i32, want: Want) -> Result<(), CompileError> {
        match want {
            Want::Effect => Ok(()),
            Want::Push => {
                self.op_b(push, b);
                self.grow(1)
            }
            Want::Acc | Want::Tail => {
                self.op_b(acc, b);
                self.deliver(want)
            }
        }
    }

    fn local(&mut self, slot: Slot, want: Want) -> Result<(), CompileError> {
        let place = self.find(slot)? as i32;
        if want == Want::Tail {
            self.op_b(Op::ReturnLocal, place);
            self.code.end();
            return Ok(());
        }
        self.simple(Op::Local, Op::PushLocal, place, want)
    }

    fn global(&mut self, ir: &Ir, want: Want) -> Result<(), CompileError> {
        match ir {
            Ir::Global(id, span) => {
                let push = want == Want::Push;
                let op = if push { Op::PushGlobal } else { Op::Global };
                let insn = Insn::new(op, 0, 0, id.0 as i32);
                self.code.emit_to(insn, Reference::Global(*id));
                self.code.span(*span);
                if push {
                    self.grow(1)
                } else {
                    self.deliver(want)
                }
            }
            Ir::SetGlobal(id, value, span) => {
                self.expr(value, Want::Acc)?;
                let insn = Insn::new(Op::SetGlobal, 0, 0, id.0 as i32);
                self.code.emit_to(insn, Reference::Global(*id));
                self.code.span(*span);
                self.unspecified(want)
            }
            Ir::DefineGlobal(id, value) => {
                self.expr(value, Want::Acc)?;
                let insn = Insn::new(Op::DefineGlobal, 0, 0, id.0 as i32);
                self.code.emit_to(insn, Reference::Global(*id));
                self.unspecified(want)
            }
            _ => self.bad(),
        }
    }

    pub(super) fn unspecified(&mut self, want: Want) -> Result<(), CompileError> {
        self.value(Value::UNSPECIFIED, want)
    }

    fn sequence(&mut self, items: &[Ir], want: Want) -> Result<(), CompileError> {
        let Some((last, first)) = items.split_last() else {
            return self.bad();
        };
        for item in first {
            self.expr(item, Want::Effect)?;
        }
        self.expr(last, want)
    }

    /// A body with `n` words on top of the stack that go when it ends.
    pub(super) fn scope(&mut self, n: u32, body: &Ir, want: Want) -> Result<(), CompileError> {
        let inner = if want == Want::Push { Want::Acc } else { want };
        self.expr(body, inner)?;
        self.leave_scope(n, want)
    }

    /// Takes `n` words off under the value in `acc`.
    pub(super) fn leave_scope(&mut self, n: u32, want: Want) -> Result<(), CompileError> {
        self.depth -= n;
        if want == Want::Tail {
            return Ok(());
        }
        if n > 0 {
            self.op_b(Op::Drop, n as i32);
        }
        self.deliver(want)
    }

    fn boxes(&mut self, ir: &Ir, want: Want) -> Result<(), CompileError> {
        match ir {
            Ir::BoxNew(init) => {
                self.expr(init, Want::Acc)?;
                self.op(Op::BoxNew);
                self.deliver(want)
            }
            Ir::BoxGet(object) => {
                match **object {
                    Ir::Local(slot) => {
                        let place = self.find(slot)?;
                        self.op_b(Op::BoxGetLocal, place as i32);
                    }
                    Ir::Captured(i) => self.op_b(Op::BoxGetCaptured, i.into()),
                    _ => {
                        self.expr(object, Want::Acc)?;
                        self.op(Op::BoxGet);
                    }
                }
                self.deliver(want)
            }
            Ir::BoxSet(object, value) => {
                self.expr(object, Want::Push)?;
                self.expr(value, Want::Acc)?;
                self.op(Op::BoxSet);
                self.depth -= 1;
                self.unspecified(want)
            }
            _ => self.bad(),
        }
    }

    /// `Closure` and `CaseLambda`.
    fn procedure(&mut self, ir: &Ir, want: Want) -> Result<(), CompileError> {
        match ir {
            Ir::Closure { func, captured } => self.closure(*func, captured, want),
            Ir::CaseLambda { clauses } if clauses.iter().all(|c| c.1.is_empty()) => {
                let functions = clauses.iter().map(|c| c.0).collect();
                let number = self.constants.add(super::Constant::CaseLambda(functions));
                self.constant(number, want)
            }
            Ir::CaseLambda { clauses } => {
                for (func, captured) in clauses {
                    self.closure(*func, captured, Want::Push)?;
                }
                let n = clauses.len() as u32;
                self.op_ab(Op::CaseLambda, n, 0);
                self.depth -= n;
                self.deliver(want)
            }
            _ => self.bad(),
        }
    }

    fn closure(&mut self, func: FuncId, captured: &[Ir], want: Want) -> Result<(), CompileError> {
        if captured.is_empty() {
            let number = self.constants.procedure(func);
            return self.constant(number, want);
        }
        for value in captured {
            self.expr(value, Want::Push)?;
        }
        self.make_closure(func, captured.len() as u32);
        self.deliver(want)
    }

    fn make_closure(&mut self, func: FuncId, captured: u32) {
        let insn = Insn::new(Op::Closure, 0, captured as u16, 0);
        let code = Reference::FunctionCode(func, Entry::Checked);
        self.code.emit_to(insn, code);
        self.depth -= captured;
    }

    /// Closures are made in order; what they capture of later ones, or of themselves, is patched in.
    fn fix(
        &mut self,
        closures: &[(Slot, FuncId, Vec<Ir>)],
        body: &Ir,
        want: Want,
    ) -> Result<(), CompileError> {
        let base = self.depth;
        let position = |s: Slot| closures.iter().position(|c| c.0 == s);
        for (at, (_, func, captured)) in closures.iter().enumerate() {
            for value in captured {
                match value {
                    Ir::Local(s) => match position(*s) {
                        Some(other) if other >= at => self.value(Value::FALSE, Want::Push)?,
                        Some(other) => {
                            self.op_b(Op::PushLocal, (base + other as u32) as i32);
                            self.grow(1)?;
                        }
                        None => self.local(*s, Want::Push)?,
                    },
                    _ => self.expr(value, Want::Push)?,
                }
            }
            self.make_closure(*func, captured.len() as u32);
            self.deliver(Want::Push)?;
        }
        for (at, (slot, ..)) in closures.iter().enumerate() {
            self.place(*slot, base + at as u32)?;
        }
        for (at, (_, _, captured)) in closures.iter().enumerate() {
            for (index, value) in captured.iter().enumerate() {
                if let Ir::Local(s) = value
                    && position(*s).is_some_and(|other| other >= at)
                {
                    self.local(*s, Want::Acc)?;
                    self.op_ab(Op::Patch, base + at as u32, index as i32);
                }
            }
        }
        self.scope(closures.len() as u32, body, want)
    }

    fn looping(
        &mut self,
        label: LabelId,
        slots: &[Slot],
        inits: &[Ir],
        body: &Ir,
        want: Want,
    ) -> Result<(), CompileError> {
        let base = self.depth;
        for init in inits {
            self.expr(init, Want::Push)?;
        }
        for (i, slot) in slots.iter().enumerate() {
            self.place(*slot, base + i as u32)?;
        }
        let start = self.code.label();
        self.code.bind(start);
        self.loops.insert(label, Loop { label: start, base });
        self.scope(slots.len() as u32, body, want)
    }

    fn next_turn(&mut self, label: LabelId, args: &[Ir], span: Span) -> Result<(), CompileError> {
        let Some(&Loop { label: start, base }) = self.loops.get(&label) else {
            return self.bad();
        };
        let depth = self.depth;
        if let [arg] = args {
            self.expr(arg, Want::Acc)?;
            self.code.jump(Op::LoopBackAcc, 0, base as u16, start);
        } else {
            for arg in args {
                self.expr(arg, Want::Push)?;
            }
            let Ok(n) = u8::try_from(args.len()) else {
                return Err(CompileError::FrameTooLarge { span: self.span });
            };
            self.code.jump(Op::LoopBack, n, base as u16, start);
        }
        // No call comes back here: it is the place of a program that is interrupted in the loop.
        self.code.span(span);
        self.depth = depth;
        self.code.end();
        Ok(())
    }
}
